"""In whose name a mail of `sender: owner` goes out: the owner's once they said yes to these mails, else as the file says.

Asked when an enrollment is decided, and again when its mail is rendered: the owner may have taken it back since, or the
contact may have got another owner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nurture.campaigns import store as campaigns
from nurture.campaigns.agreements import mails_hash, who_agreed
from nurture.campaigns.declared import Declared, find_declared
from nurture.contacts import store as contacts
from nurture.contacts.store import Operator
from nurture.database.engine import Session
from nurture.delivery import store
from nurture.delivery.claimed import Row
from nurture.delivery.facts import choose_sender
from nurture.delivery.notices import queue_notice
from nurture.delivery.rules import Status

SEQUENCE = "sequence"
OWNER = "owner"
#: Nothing leaves until the owner said yes.
WAIT = "wait"
_LOOK_AGAIN = timedelta(hours=1)


@dataclass(frozen=True)
class MissingYes:
    """An owner who has not said yes to the mails of a sequence; `until_then` is whose name they carry, None: they wait."""

    sequence: str
    owner: Operator
    until_then: str | None

    def __str__(self) -> str:
        until = f"they go out as {self.until_then}" if self.until_then else "nothing of it leaves to their contacts"
        return (
            f"{self.sequence}: {self.owner.name} has not said yes to its mails; until then {until}. "
            f"`nurture agree {self.sequence} --as {self.owner.email}`"
        )


def name_for(session: Session, delivery: Row, content: Mapping[str, Any], owner: Operator | None) -> str:
    """Whose name a delivery carries now: what was asked for, or what stands in until the owner agrees."""
    kind, _, name = delivery.campaign.partition(":")
    if delivery.sender != OWNER or kind != SEQUENCE or owner is None or owner.id in who_agreed(session, name, content):
        return delivery.sender
    return _until_agreed(content)


def hold_for_yes(session: Session, delivery: Row, now: datetime) -> None:
    """Keep a mail until its owner agrees; look again in an hour."""
    because = "the owner has not said yes to these mails"
    store.put_down(session, delivery.id, Status.HELD, now=now, because=because, held_until=now + _LOOK_AGAIN)


def list_missing(session: Session) -> list[MissingYes]:
    """Who owns contacts, could write to them in their own name, and has not said yes to a sequence that does."""
    declared = find_declared(session)
    if declared is None:
        return []
    operators = contacts.list_operators(session)
    owners = [operators[one] for one in contacts.owner_ids(session) if one in operators]
    writing = [owner for owner in owners if choose_sender(OWNER, owner, declared).email == owner.email]
    found = []
    for campaign in campaigns.list_campaigns(session, SEQUENCE):
        assert campaign.version_id is not None
        content = campaigns.get_content(session, campaign.version_id)
        if content["definition"]["sender"] == OWNER:
            agreed = who_agreed(session, campaign.name, content)
            until_then = _shown(_until_agreed(content), declared)
            found += [MissingYes(campaign.name, one, until_then) for one in writing if one.id not in agreed]
    return found


def ask_owners(session: Session, now: datetime) -> None:
    """Write to each owner whose yes is missing, once for the same mails."""
    for one in list_missing(session):
        current = campaigns.find_current(session, SEQUENCE, one.sequence)
        assert current is not None
        queue_notice(
            session,
            "agree",
            key=f"agree:{one.sequence}:{mails_hash(current[1])[:32]}:{one.owner.id}",
            operator=one.owner,
            facts={
                "title": current[1]["about"]["title"],
                "sequence": one.sequence,
                "owner_email": one.owner.email,
                "until_then": one.until_then or "",
                "subjects": [mail["subject"] for mail in current[1]["mails"].values()],
            },
            now=now,
        )


def _until_agreed(content: Mapping[str, Any]) -> str:
    return str(content["definition"].get("until_owner_agrees", "default"))


def _shown(sender: str, declared: Declared) -> str | None:
    return None if sender == WAIT else choose_sender(sender, None, declared).name
