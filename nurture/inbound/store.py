"""Mail that came back, as it is kept."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import id_column, instant_column, new_id, reference
from nurture.database.engine import Session


class InboundMail(SQLModel, table=True):
    """One mail that arrived for us and what it was taken for."""

    __tablename__ = "inbound_mail"

    id: int = id_column()
    message_id: str = Field(unique=True, description="its Message-ID, or a hash of it: each mail is handled once")
    kind: str = Field(description="reply, automatic, way_out, bounce, complaint, touch, check, unmatched")
    contact_id: int | None = reference("contact.id", nullable=True, index=True)
    delivery_id: int | None = reference("delivery.id", nullable=True)
    text: str = Field(sa_type=sa.Text)
    received_at: datetime = instant_column()


def keep_check(session: Session, run: int, content: bytes, now: datetime) -> InboundMail:
    """A mail that the doctor sent to see how it arrives, whole; it takes it out again."""
    mail = InboundMail(
        id=new_id(), message_id="", kind="check", text=content.decode("latin-1").replace("\0", ""), received_at=now
    )
    mail.message_id = f"check:{run}:{mail.id}"
    session.add(mail)
    session.flush()
    return mail


def has_checks(session: Session, run: int) -> bool:
    """Whether a mail of that run has arrived."""
    return session.scalar(sa.select(col(InboundMail.id)).where(_of_run(run)).limit(1)) is not None


def take_checks(session: Session, run: int) -> list[bytes]:
    """The mails of one such run that have arrived, oldest first; they are no longer kept."""
    found = list(session.scalars(sa.select(InboundMail).where(_of_run(run)).order_by(col(InboundMail.id))))
    for one in found:
        session.delete(one)
    return [one.text.encode("latin-1") for one in found]


def _of_run(run: int) -> sa.ColumnElement[bool]:
    return col(InboundMail.message_id).startswith(f"check:{run}:", autoescape=True)


def is_known(session: Session, message_id: str) -> bool:
    """Whether this very mail was handled before."""
    return session.scalar(sa.select(col(InboundMail.id)).where(col(InboundMail.message_id) == message_id)) is not None
