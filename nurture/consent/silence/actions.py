"""What may be done about somebody's silence: they show that they are there, or say yes."""

from collections.abc import Iterable, Mapping
from datetime import date

from nurture.consent.silence import store
from nurture.database.engine import Session


def show_life(session: Session, days: Mapping[int, date]) -> None:
    """These people did something that only somebody who is there does, on that day."""
    store.save_signs(session, days)


def say_yes(session: Session, contact_ids: Iterable[int], on: date) -> None:
    """These people signed up themselves: neither an old silence nor where their address once came from counts on."""
    ids = sorted(set(contact_ids))
    if ids:
        store.let_go(session, ids)
        store.save_signs(session, dict.fromkeys(ids, on))
