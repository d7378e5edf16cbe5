"""The relays people have, as data: where each one is, how one signs in there, and what it does with a mail.

One TOML file for each in `known/`, with the source of every fact and the day somebody checked it. Nothing is decided here
and nothing is connected to: `nurture connect` writes what these files say into settings.toml, and from then on the
settings count.
"""
