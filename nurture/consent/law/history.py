"""How the consent table of this installation changed: what each published version decides otherwise, who published it, why.

Versions are never rewritten, so neither is this. The first one is held against the table that nurture ships.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from nurture.campaigns import store as campaigns
from nurture.consent.definition import KIND, NAME, table_of
from nurture.consent.kind import starter_table
from nurture.consent.law.changes import Difference, differences
from nurture.database.engine import Session


@dataclass(frozen=True)
class Change:
    """What one publish changed for one country, kind of address and basis."""

    version: int
    published_at: datetime
    published_by: str
    difference: Difference


def list_changes(session: Session) -> Iterator[Change]:
    """Every change of what the table decides, the oldest first."""
    campaign = campaigns.find_campaign(session, KIND, NAME)
    if campaign is None:
        return
    before = starter_table()
    for version_id, number in sorted(campaigns.numbers_of(session, campaign.id).items(), key=lambda one: one[1]):
        version = campaigns.get_version(session, version_id)
        after = table_of(campaigns.read_content(version.content))
        for one in differences(before, after):
            yield Change(number, version.published_at, version.published_by, one)
        before = after
