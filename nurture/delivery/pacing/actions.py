"""What the sender does about limits: ask for a claim's share, give back what it did not need, tell what it heard."""

from collections.abc import Callable, Sequence
from datetime import datetime

from nurture.database.engine import Session
from nurture.delivery.actions import Ended
from nurture.delivery.claimed import Row
from nurture.delivery.pacing.granting import PaceGrant
from nurture.delivery.pacing.rules import FREE, Pacing


def grant(
    session: Session,
    worker: int,
    claimed: Sequence[Row],
    now: datetime,
    elapsed: float,
    *,
    pacing: Pacing = FREE,
    relay_of: Callable[[Row], str] = lambda _: "default",
    from_of: Callable[[Row], str] = lambda _: "",
) -> PaceGrant:
    """Which of these mails may leave, and when; the others are held or put back into the queue, in this transaction.

    Called once per claim, in its transaction, after `give_back` of the grant before. Whoever is in `kept` is not this
    worker's any more. `relay_of` names the relay a mail goes to, `from_of` the address it comes from.
    """
    return PaceGrant(now)


def give_back(session: Session, granted: PaceGrant | None) -> None:
    """Take off the counts again what was granted and never began; call it before the next grant and at the end."""


def note(session: Session, ended: Sequence[Ended], now: datetime) -> None:
    """In the transaction that stores how tries ended: a domain that refuses us by its policy rests from here on.

    Nothing to do, and nothing asked of the database, when no try was put off or refused.
    """
