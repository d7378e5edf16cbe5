"""What the log of a relay says of a mail in doubt. Pure.

A Message-ID in a log is no proof yet: Postfix writes it down while the mail is still coming in, and drops the mail if the
connection breaks before the final dot. Proof is what only happens afterwards: Postfix queued it (`queue active`) or handed
it on (`status=`), Exim took it (`<=` with its id), any other relay names the Message-ID beside such a word itself,
and beside no word that denies it.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

#: `postfix/cleanup[1]: 4Xy: message-id=<…>`, and every later line of that mail begins with the same name.
_NAMED = re.compile(r"postfix\S*/cleanup\[\d+\]: (\w+): (?:resent-)?message-id=(<[^>\s]+>)")
_OF_QUEUE = re.compile(r"postfix\S*/\w+\[\d+\]: (\w+): ")
_TAKEN = re.compile(r"\(queue active\)|\bstatus=(sent|bounced|deferred|expired)\b")
_CODE = re.compile(r"\bdsn=(\d\.\d{1,3}\.\d{1,3})\b")
#: What Postfix says of a mail that it sends back, and the status if its line names none: 4.4.7 is "tried for too long".
_SENT_BACK = {"bounced": "no status", "expired": "4.4.7"}
_EXIM = re.compile(r" <= .* id=(\S+)")
_ELSEWHERE = re.compile(r"<[^<>\s]+@[^<>\s]+>")
_SAID_SO = re.compile(r"\b(?:delivered|accepted|queued|sent|250 2\.0\.0)\b", re.IGNORECASE)
#: A line that says so and denies it: "not accepted", "could not be delivered". When in doubt the mail stays in doubt.
_DENIED = re.compile(
    r"\b(?:not|never|cannot|false|denied|discarded|dropped|reject\w*|refus\w*|fail\w*|bounce\w*|undeliver\w*)\b|n't\b",
    re.IGNORECASE,
)


class Proof(NamedTuple):
    """The line that proves that the relay took a mail; and with which status (RFC 3463) it sent it back, if it did."""

    line: str
    returned: str = ""


@dataclass
class _Postfix:
    """What Postfix says: its first line about a mail gives it a name, and the others call it by that."""

    wanted: frozenset[str]
    names: dict[str, str] = field(default_factory=dict)
    taken: dict[str, Proof] = field(default_factory=dict)
    returned: dict[str, Proof] = field(default_factory=dict)
    handed_on: set[str] = field(default_factory=set)

    def read(self, text: str) -> bool:
        """Whether this is a line of Postfix, about whatever mail."""
        if named := _NAMED.search(text):
            if named[2] in self.wanted:
                self.names[named[1]] = named[2]
            return True
        of_queue = _OF_QUEUE.search(text)
        if of_queue and of_queue[1] in self.names and (said := _TAKEN.search(text)):
            self._take(self.names[of_queue[1]], said[1] or "", text)
        return of_queue is not None

    def _take(self, message_id: str, said: str, text: str) -> None:
        self.taken.setdefault(message_id, Proof(text))
        if said in _SENT_BACK:
            code = _CODE.search(text)
            self.returned[message_id] = Proof(text, code[1] if code else _SENT_BACK[said])
        elif said == "sent":
            self.handed_on.add(message_id)

    @property
    def proofs(self) -> dict[str, Proof]:
        """What reached somebody is not said to have come back."""
        return self.taken | {one: proof for one, proof in self.returned.items() if one not in self.handed_on}


def find_taken(lines: Iterable[str], message_ids: Collection[str]) -> dict[str, Proof]:
    """Of these Message-IDs (with their brackets) those that the relay took, each with the line that says most about it."""
    postfix = _Postfix(frozenset(message_ids))
    found: dict[str, Proof] = {}
    for line in lines:
        text = line.strip()
        if postfix.read(text):
            continue
        if exim := _EXIM.search(text):
            if (written := f"<{exim[1].strip('<>')}>") in postfix.wanted:
                found.setdefault(written, Proof(text))
        elif _SAID_SO.search(text) and not _DENIED.search(text):
            for written in postfix.wanted.intersection(_ELSEWHERE.findall(text)):
                found.setdefault(written, Proof(text))
    return found | postfix.proofs
