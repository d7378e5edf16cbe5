"""How the world sees our mail: what the name servers, the relay and a mailbox say about us, and what to do about it.

`rules` are pure: what a record says, whom it fits. The name servers are asked through the port `resolving.Resolver`, so
that a test may answer for them. Nothing here knows a database or the settings; `nurture doctor` asks and shows.
"""
