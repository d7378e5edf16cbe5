"""What the name servers said about a domain, and what follows from it. Pure.

A domain takes mail at its MX records, or at its own address if it has none (RFC 5321, 5.1). A null MX says that it takes
none (RFC 7505). Where nobody takes mail, mail is refused before it is sent; where the name servers could not be asked it
waits. A domain that looks mistyped is held until somebody says which one was meant.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Verdict(StrEnum):
    """What is known about a domain."""

    TAKES_MAIL = "takes_mail"
    NULL_MX = "null_mx"
    NO_SERVER = "no_server"  # neither MX nor address
    NO_DOMAIN = "no_domain"  # the name does not exist


class Spelling(StrEnum):
    """What is known about how a domain is spelled."""

    FINE = ""
    HELD = "held"
    ACCEPTED = "accepted"


#: With one of these nobody there is written to.
DEAD = frozenset({Verdict.NULL_MX, Verdict.NO_SERVER, Verdict.NO_DOMAIN})
WORDS = {
    Verdict.NULL_MX: "takes no mail, and says so (null MX)",
    Verdict.NO_SERVER: "has no mail server",
    Verdict.NO_DOMAIN: "does not exist",
}

#: A verdict is asked for again after so long; a dead domain sooner, for somebody may have mended it.
RENEW_AFTER = timedelta(days=90)
LOOK_AGAIN_AFTER = timedelta(days=7)
#: After the first failure, then twice as long each time.
_RETRY_AFTER = timedelta(minutes=5)
_RETRY_AT_MOST = timedelta(days=1)


@dataclass(frozen=True)
class Answer:
    """What the name servers said: the hosts that take mail, or why there are none. `failed`: nobody could be asked."""

    hosts: tuple[str, ...] = ()
    exists: bool = True
    failed: str = ""


@dataclass(frozen=True)
class Mailbox:
    """What keeps mail from a domain: a verdict, or a spelling somebody has to look at."""

    domain: str
    verdict: str | None = None
    spelling: str = Spelling.FINE
    meant: str | None = None

    @property
    def reason(self) -> str:
        """A word for machines; empty when nothing keeps mail from it."""
        if self.spelling == Spelling.HELD:
            return "misspelt"
        return "no_mail_server" if self.verdict in DEAD else ""

    @property
    def because(self) -> str:
        """A sentence for people."""
        if self.spelling == Spelling.HELD:
            return (
                f"{self.domain} looks like {self.meant} mistyped; type `nurture domains accept {self.domain}` or "
                f"`nurture domains correct {self.domain} {self.meant}`"
            )
        return f"{self.domain} {WORDS[Verdict(self.verdict)]}" if self.verdict in DEAD else ""


def judge(answer: Answer) -> Verdict | None:
    """The verdict an answer leads to; None while nobody could be asked."""
    if answer.failed:
        return None
    if not answer.exists:
        return Verdict.NO_DOMAIN
    if not answer.hosts:
        return Verdict.NO_SERVER
    # RFC 7505, 3: one MX with the root as its host.
    return Verdict.NULL_MX if all(host.strip(".") == "" for host in answer.hosts) else Verdict.TAKES_MAIL


def ask_next_at(verdict: Verdict | None, tries: int, now: datetime) -> datetime:
    """When to ask about a domain next; `tries` counts those that failed one after the other."""
    if verdict is None:
        return now + min(_RETRY_AFTER * (1 << min(tries - 1, 16)), _RETRY_AT_MOST)
    return now + (LOOK_AGAIN_AFTER if verdict in DEAD else RENEW_AFTER)
