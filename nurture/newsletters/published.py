"""The newsletters as they are published now; whoever sends, announces or tells about one gets it here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from nurture.campaigns import store as campaigns
from nurture.database.engine import Session
from nurture.delivery.pausing.store import list_paused
from nurture.newsletters.definition import NewsletterDefinition, schedule_of
from nurture.newsletters.kind import NEWSLETTER
from nurture.newsletters.rules import Schedule
from nurture.timing import get_zone


@dataclass(frozen=True)
class Published:
    """A newsletter as it is published now."""

    campaign_id: int
    name: str
    version_id: int
    definition: NewsletterDefinition
    content: Mapping[str, Any]

    @property
    def schedule(self) -> Schedule:
        return schedule_of(self.definition, self.content["sender_zone"])

    @property
    def zone(self) -> ZoneInfo:
        return get_zone(self.content["sender_zone"])


def list_published(session: Session) -> list[Published]:
    """All newsletters."""
    found = []
    for campaign in campaigns.list_campaigns(session, NEWSLETTER):
        assert campaign.version_id is not None
        content = campaigns.get_content(session, campaign.version_id)
        definition = campaigns.derive(session, campaign.version_id, _definition_of)
        found.append(Published(campaign.id, campaign.name, campaign.version_id, definition, content))
    return found


def list_going(session: Session) -> list[Published]:
    """Those that nobody paused: a paused one announces nothing and opens no slot."""
    still = {one.campaign for one in list_paused(session)}
    return [one for one in list_published(session) if f"{NEWSLETTER}:{one.name}" not in still]


def _definition_of(content: Mapping[str, Any]) -> NewsletterDefinition:
    return NewsletterDefinition.model_validate(content["definition"])


def get_published(session: Session, name: str) -> Published:
    """The newsletter of that name."""
    campaigns.get_campaign(session, NEWSLETTER, name)
    return next(one for one in list_published(session) if one.name == name)
