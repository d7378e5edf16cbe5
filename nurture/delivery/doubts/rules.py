"""What the log of a relay says of a mail in doubt. Pure.

A Message-ID in a log is no proof yet: Postfix writes it down while the mail is still coming in, and drops the mail if the
connection breaks before the final dot. Proof is what only happens afterwards: Postfix queued it (`queue active`) or handed
it on (`status=`), Exim took it (`<=` with its id), any other relay names the Message-ID beside such a word itself,
and beside no word that denies it.
"""

import re
from collections.abc import Collection, Iterable

#: `postfix/cleanup[1]: 4Xy: message-id=<…>`, and every later line of that mail begins with the same name.
_NAMED = re.compile(r"postfix\S*/cleanup\[\d+\]: (\w+): (?:resent-)?message-id=(<[^>\s]+>)")
_OF_QUEUE = re.compile(r"postfix\S*/\w+\[\d+\]: (\w+): ")
_TAKEN = re.compile(r"\(queue active\)|\bstatus=(?:sent|bounced|deferred|expired)\b")
_EXIM = re.compile(r" <= .* id=(\S+)")
_ELSEWHERE = re.compile(r"<[^<>\s]+@[^<>\s]+>")
_SAID_SO = re.compile(r"\b(?:delivered|accepted|queued|sent|250 2\.0\.0)\b", re.IGNORECASE)
#: A line that says so and denies it: "not accepted", "could not be delivered". When in doubt the mail stays in doubt.
_DENIED = re.compile(
    r"\b(?:not|never|cannot|false|denied|discarded|dropped|reject\w*|refus\w*|fail\w*)\b|n't\b", re.IGNORECASE
)


def find_taken(lines: Iterable[str], message_ids: Collection[str]) -> dict[str, str]:
    """Of these Message-IDs (with their brackets) those that the relay took, each with the line that proves it."""
    wanted = set(message_ids)
    names: dict[str, str] = {}
    found: dict[str, str] = {}
    for line in lines:
        text = line.strip()
        if named := _NAMED.search(text):
            if named[2] in wanted:
                names[named[1]] = named[2]
        elif of_queue := _OF_QUEUE.search(text):
            if of_queue[1] in names and _TAKEN.search(text):
                found.setdefault(names[of_queue[1]], text)
        elif exim := _EXIM.search(text):
            if (written := f"<{exim[1].strip('<>')}>") in wanted:
                found.setdefault(written, text)
        elif _SAID_SO.search(text) and not _DENIED.search(text):
            for written in wanted.intersection(_ELSEWHERE.findall(text)):
                found.setdefault(written, text)
    return found
