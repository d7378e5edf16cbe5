"""What goes out next by itself, when, and to how many people."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.campaigns import store as campaigns
from nurture.database.engine import Session
from nurture.newsletters import actions as newsletters
from nurture.newsletters.kind import ISSUE, NEWSLETTER
from nurture.newsletters.published import Published, list_published
from nurture.newsletters.rules import first_issue_from
from nurture.newsletters.store import closed_issues, last_slots
from nurture.reports import queries
from nurture.timing import parse_duration


@dataclass(frozen=True)
class Upcoming:
    """Something that goes out by itself; `people` None: nothing is ready for that moment."""

    what: str
    due_at: datetime  # of an issue: its slot, which may have passed within a day; then it goes out at once
    people: int | None
    campaign: str  # kind:name, as deliveries have it
    issue: str | None = None  # as its file is called


def list_upcoming(session: Session, now: datetime) -> list[Upcoming]:
    """What is in the queue, and the next issue of each newsletter; the next first."""
    issues = [next_issue(session, newsletter, now) for newsletter in list_published(session)]
    return sorted([*list_queued(session, now), *issues], key=lambda one: one.due_at)


def list_queued(session: Session, now: datetime) -> list[Upcoming]:
    """Marketing mail in the queue, the next first."""
    return [
        Upcoming(
            title_of(session, one.version_id, one.mail),
            max(one.due_at, now),
            one.count,
            _campaign_of(session, one.version_id),
        )
        for one in queries.list_queued(session)
    ]


def _campaign_of(session: Session, version_id: int) -> str:
    """As which campaign the mails of a version are paused and resumed."""
    campaign = session.get_one(campaigns.Campaign, campaigns.get_version(session, version_id).campaign_id)
    if campaign.kind == ISSUE:
        return f"{NEWSLETTER}:{campaign.name.partition('/')[0]}"
    return f"{campaign.kind}:{campaign.name}"


def title_of(session: Session, version_id: int, mail: str) -> str:
    """How people call a mail: `Weekly, issue 3`, `Evaluators: case-study`."""
    about = campaigns.get_content(session, version_id).get("about", {})
    title = about.get("title", mail)
    return f"{title}, issue {about['number']}" if "number" in about else f"{title}: {mail}"


def list_slots(session: Session, newsletter: Published, until: datetime) -> Iterator[tuple[datetime, int | None]]:
    """The slots of a newsletter before `until`, each with the number of the issue that goes out then; None: none is ready."""
    closed = closed_issues(session)
    fronts = [
        campaigns.get_content(session, one.version_id)["front"]
        for one in campaigns.list_campaigns(session, ISSUE)
        if one.version_id is not None and one.id not in closed and one.name.partition("/")[0] == newsletter.name
    ]
    numbers = iter(sorted(front["number"] for front in fronts if front["ready"]))
    slot_at = newsletters.next_slot_at(session, newsletter, last_slots(session).get(newsletter.name))
    while slot_at < until:
        yield slot_at, next(numbers, None)
        slot_at = newsletter.schedule.slot_from(slot_at + timedelta(minutes=1))


def next_issue(session: Session, newsletter: Published, now: datetime) -> Upcoming:
    """The next slot of a newsletter, and what goes out then; a slot that has passed is one while an issue goes out late."""
    outlook = newsletters.look_ahead(session, newsletter, now)
    title, campaign = newsletter.content["about"]["title"], f"{NEWSLETTER}:{newsletter.name}"
    slot_at = outlook.slot_at
    people = None if outlook.number is None else _readers_at(session, newsletter, slot_at, now)
    if slot_at <= now and not people:
        slot_at = newsletter.schedule.slot_from(slot_at + timedelta(minutes=1))
        people = None if outlook.number is None else _readers_at(session, newsletter, slot_at, now)
    if people is None:
        return Upcoming(f"{title}: no issue is ready", slot_at, None, campaign)
    return Upcoming(f"{title}, issue {outlook.number}", slot_at, people, campaign, outlook.issue)


def _readers_at(session: Session, newsletter: Published, slot_at: datetime, now: datetime) -> int:
    wait = parse_duration(newsletter.definition.wait_after)
    return queries.count_readers_at(
        session,
        newsletter.name,
        newsletter.definition.topic,
        slot_at,
        lambda announced_at: first_issue_from(announced_at, wait, newsletter.zone),
        now,
    )
