"""Mail that came back, as it is kept."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col

from nurture.database.columns import id_column, instant_column, reference
from nurture.database.engine import Session


class InboundMail(SQLModel, table=True):
    """One mail that arrived for us and what it was taken for."""

    __tablename__ = "inbound_mail"

    id: int = id_column()
    message_id: str = Field(unique=True, description="its Message-ID, or a hash of it: each mail is handled once")
    kind: str = Field(description="reply, automatic, way_out, touch, unmatched")
    contact_id: int | None = reference("contact.id", nullable=True, index=True)
    delivery_id: int | None = reference("delivery.id", nullable=True)
    text: str = Field(sa_type=sa.Text)
    received_at: datetime = instant_column()


def is_known(session: Session, message_id: str) -> bool:
    """Whether this very mail was handled before."""
    return session.scalar(sa.select(col(InboundMail.id)).where(col(InboundMail.message_id) == message_id)) is not None
