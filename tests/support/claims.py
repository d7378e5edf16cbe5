"""What a sender would take in hand next, without what it reads about the people."""

from datetime import datetime

from nurture.database.engine import Session
from nurture.delivery.claimed import Claimed
from nurture.delivery.claiming.store import read_lines, take


def claim_due(session: Session, worker: int, limit: int, now: datetime) -> list[Claimed]:
    """Claim what is due."""
    return [line.claimed for line in read_lines(session, worker, take(session, worker, limit, now))]
