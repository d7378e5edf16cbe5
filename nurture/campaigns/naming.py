"""Campaigns as people write them: `newsletter:weekly`, or `weekly` where only one is called so."""

from collections.abc import Sequence

from nurture.campaigns import store
from nurture.database.engine import Session
from nurture.errors import BadInput, NotFound, did_you_mean

#: What mails people; the others are parts of it.
MAILING = ("sequence", "newsletter")


def find_named(session: Session, written: str) -> str:
    """The campaign of that name, with its kind before it, as deliveries have it.

    A published one; or a retired one, of which there are mails all the same, and which may be paused.
    """
    known = [f"{kind}:{one.name}" for kind in MAILING for one in store.list_campaigns(session, kind)]
    found = _called(written, known)
    if not found:
        found = _called(
            written, [f"{kind}:{one.name}" for kind in MAILING for one in store.list_retired(session, kind)]
        )
    if len(found) > 1:
        raise BadInput(f'"{written}" is the name of {" and of ".join(found)}; write one of these.')
    if not found:
        hint = did_you_mean(written, [*known, *(one.partition(":")[2] for one in known)])
        raise NotFound(
            f'no campaign is called "{written}".{hint} Known: {", ".join(known) or "none is published yet"}.'
        )
    return found[0]


def _called(written: str, names: Sequence[str]) -> list[str]:
    return [one for one in names if written in {one, one.partition(":")[2]}]
