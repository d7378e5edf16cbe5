"""The ids that relays gave to our mails, and all SQL about them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import reference
from nurture.database.engine import Session
from nurture.database.statements import insert
from nurture.delivery.relayed.rules import MOST_CHARACTERS, id_in


class RelayedMail(SQLModel, table=True):
    """One mail under the name its relay gave it."""

    __tablename__ = "relayed_mail"

    relay_id: str = Field(
        primary_key=True, max_length=MOST_CHARACTERS, description="in front of the @ of its Message-ID"
    )
    delivery_id: int = reference("delivery.id", index=True)


def note_ids(session: Session, ids: Sequence[tuple[str, int]]) -> None:
    """Keep which delivery each id belongs to; the first one stays, for a relay gives each id once."""
    if ids:
        rows = [{"relay_id": relay_id, "delivery_id": delivery_id} for relay_id, delivery_id in ids]
        session.execute(insert(session, RelayedMail).on_conflict_do_nothing(index_elements=["relay_id"]), rows)


def find_by_relay_id(session: Session, message_id: str) -> int | None:
    """The delivery whose relay gave it this Message-ID."""
    known = id_in(message_id)
    if not known:
        return None
    return session.scalar(sa.select(col(RelayedMail.delivery_id)).where(col(RelayedMail.relay_id) == known))
