"""Announces a newsletter once to everybody it may be announced to, and sends an issue at each slot.

How many readers get it in one transaction is up to `queueing`; the key of each delivery names the issue and the reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from nurture.campaigns import store as campaigns
from nurture.campaigns.store import Campaign
from nurture.consent import store as consents
from nurture.consent.silence.rules import oldest_recent_day
from nurture.contacts import store as contacts
from nurture.contacts.segments import Language
from nurture.contacts.zones import zone_of
from nurture.database.conditions import Clause
from nurture.database.engine import Session
from nurture.delivery.notices import queue_notice
from nurture.delivery.rules import ISSUE_GOES_FIRST
from nurture.newsletters import announcing, store
from nurture.newsletters.kind import ISSUE
from nurture.newsletters.published import Published, list_going, list_published
from nurture.newsletters.queueing.actions import Stint, queue_announcement, queue_issue
from nurture.newsletters.rules import EARLIEST_ZONE, REMIND_BEFORE, Issue, first_issue_from, next_issue
from nurture.newsletters.store import NewsletterSlot
from nurture.timing import parse_duration

#: A slot that was missed by more than this is passed over: two issues never go out at once after an outage.
LATE_WITHIN = timedelta(days=1)


def look_at_changed(session: Session, language: Language, ids: Sequence[int], now: datetime) -> int:
    """Look at contacts that changed: who may have the announcement and has not had it gets in line for it; how many.

    Whoever has had it becomes a reader, and a reader who left and took that back reads on.
    """
    lined_up = 0
    for newsletter in list_published(session):
        _welcome(session, newsletter, ids)
        store.bring_back(session, newsletter.name, ids, _is_subscribed(newsletter, now))
        if newsletter.content["announcement_is_ready"]:
            clause = may_be_announced_to(session, newsletter, language, now)
            people = store.announceable(session, ids, newsletter.name, clause)
            announcing.line_up(session, newsletter.name, newsletter.definition.topic, people, now)
            lined_up += len(people)
    return lined_up


def announce(session: Session, language: Language, now: datetime, stint: Stint) -> int:
    """Queue the announcement for the next whose turn it is; how many were looked at."""
    for newsletter in list_going(session):
        may_have_it = partial(may_be_announced_to, session, newsletter, language, now)
        if looked_at := queue_announcement(session, newsletter, may_have_it, stint, now):
            return looked_at
    return 0


def announce_next_at(session: Session, now: datetime) -> datetime | None:
    """When somebody's turn for an announcement comes."""
    dates = [announcing.next_turn_at(session, one.name, now) for one in list_going(session)]
    return min((at for at in dates if at is not None), default=None)


def count_to_announce(session: Session, language: Language, newsletter: Published, now: datetime) -> int:
    """How many people the announcement is still to be queued for."""
    if not newsletter.content["announcement_is_ready"]:
        return 0
    return store.count_announceable(session, newsletter.name, may_be_announced_to(session, newsletter, language, now))


def count_undated(session: Session, language: Language, newsletter: Published, now: datetime) -> int:
    """Of those the number of whom no recent day is known, who get it in waves."""
    since = oldest_recent_day(now.date())
    undated = ~consents.has_recent_day(newsletter.definition.topic, since)
    clause = may_be_announced_to(session, newsletter, language, now) & undated
    return store.count_announceable(session, newsletter.name, clause)


def may_be_announced_to(session: Session, newsletter: Published, language: Language, now: datetime) -> Clause:
    """Whom the announcement is for, as far as they may be mailed."""
    return is_in_audience(session, language, newsletter, now) & _is_subscribed(newsletter, now)


def is_in_audience(session: Session, language: Language, newsletter: Published, now: datetime) -> Clause:
    """Whom the newsletter is for, on that day; who is no longer in it reads on when they are again."""
    return language.clause(session, newsletter.definition.audience, newsletter.content["rests_on"], now)


def _is_subscribed(newsletter: Published, now: datetime) -> Clause:
    """Who is on hold is meant all the same: the outbox keeps their mail until the hold or the mail's time is over."""
    return consents.is_subscribed(newsletter.definition.topic, now)


def next_slot_at(session: Session, newsletter: Published, last: NewsletterSlot | None) -> datetime:
    """The slot that comes next: one that was looked at and not opened, or the one after the last."""
    if last is not None and last.opened_at is None:
        return last.slot_at
    if last is None:
        return newsletter.schedule.slot_from(campaigns.first_published_at(session, newsletter.campaign_id))
    return newsletter.schedule.slot_from(last.slot_at + timedelta(minutes=1))


def next_due_at(session: Session) -> datetime | None:
    """When a slot has to be looked at or opened, or the queueing of an issue goes on."""
    last = store.last_slots(session)
    return min((_due_at(session, one, last.get(one.name)) for one in list_going(session)), default=None)


def _due_at(session: Session, newsletter: Published, last: NewsletterSlot | None) -> datetime:
    if last is not None and last.opened_at is not None and last.finished_at is None:
        return last.opened_at
    slot_at = next_slot_at(session, newsletter, last)
    is_looked_at = last is not None and last.opened_at is None
    return newsletter.schedule.queue_at(slot_at) if is_looked_at else slot_at - REMIND_BEFORE


def keep_schedule(session: Session, language: Language, now: datetime, stint: Stint) -> int:
    """Do one piece of what the schedules ask for at `now`; 0 when nothing is due.

    1. two days before a slot: look whether an issue is ready, and remind the owner if readers wait and none is;
    2. at the slot: give it the next issue that is ready, or none and say so;
    3. queue the issue, a chunk of readers at a time.
    """
    slots = store.last_slots(session)
    for newsletter in list_going(session):
        last = slots.get(newsletter.name)
        if _due_at(session, newsletter, last) > now:
            continue
        if last is not None and last.opened_at is not None and last.finished_at is None:
            return _go_on_queueing(session, language, newsletter, last, stint, now) or 1
        if last is not None and last.opened_at is None:
            _open_slot(session, newsletter, last, now)
        else:
            _look_at_slot(session, newsletter, next_slot_at(session, newsletter, last), now)
        return 1
    return 0


def _look_at_slot(session: Session, newsletter: Published, slot_at: datetime, now: datetime) -> None:
    has_readers = store.has_readers_at(session, newsletter.name, slot_at)
    if slot_at > now and has_readers and _next_issue(session, newsletter) is None:
        _remind(session, newsletter, slot_at, now, is_missed=False)
    session.add(NewsletterSlot(newsletter=newsletter.name, slot_at=slot_at, looked_at=now))
    session.flush()


@dataclass(frozen=True)
class Outlook:
    """The next slot of a newsletter and the issue that would go out then; None when nothing is ready."""

    slot_at: datetime
    issue: str | None
    number: int | None


def look_ahead(session: Session, newsletter: Published, now: datetime) -> Outlook:
    """What would go out next, as things are now. A slot that was missed and will be passed over is none."""
    issue = _next_issue(session, newsletter)
    name = session.get_one(Campaign, issue.id).name.partition("/")[2] if issue else None
    slot_at = next_slot_at(session, newsletter, store.last_slots(session).get(newsletter.name))
    if slot_at + LATE_WITHIN < now:
        slot_at = newsletter.schedule.slot_from(now - LATE_WITHIN)
    return Outlook(slot_at, name, issue.number if issue else None)


def _next_issue(session: Session, newsletter: Published) -> Issue | None:
    closed = store.closed_issues(session)
    found = []
    for campaign in campaigns.list_campaigns(session, ISSUE):
        if campaign.name.partition("/")[0] == newsletter.name and campaign.version_id is not None:
            front = campaigns.get_content(session, campaign.version_id)["front"]
            found.append(Issue(campaign.id, front["number"], front["ready"], campaign.id in closed))
    return next_issue(found)


def _open_slot(session: Session, newsletter: Published, slot: NewsletterSlot, now: datetime) -> None:
    is_missed = slot.slot_at + LATE_WITHIN < now
    # An issue is not used up by a slot that nobody's first issue falls into yet.
    has_readers = store.has_readers_at(session, newsletter.name, slot.slot_at)
    issue = _next_issue(session, newsletter) if has_readers and not is_missed else None
    slot.opened_at = now
    if issue is not None:
        slot.issue_id = issue.id
        slot.version_id = session.get_one(Campaign, issue.id).version_id
    else:
        slot.finished_at = now
        if has_readers and not is_missed:
            _remind(session, newsletter, slot.slot_at, now, is_missed=True)
    session.add(slot)
    session.flush()


def _go_on_queueing(
    session: Session, language: Language, newsletter: Published, slot: NewsletterSlot, stint: Stint, now: datetime
) -> int:
    assert slot.version_id is not None
    content = campaigns.get_content(session, slot.version_id)
    is_meant = partial(_is_meant, session, language, newsletter, content, now)
    return queue_issue(session, newsletter, slot, content, is_meant, stint, now)


def _is_meant(
    session: Session, language: Language, newsletter: Published, issue: Mapping[str, Any], now: datetime
) -> Clause:
    """Whom an issue is for: the newsletter's audience as it is on the day, and of it the issue's own, if it has one."""
    clause = is_in_audience(session, language, newsletter, now)
    own = issue["front"]["audience"]
    return clause & language.clause(session, own, issue["rests_on"], now) if own else clause


def list_coming_issues(session: Session, language: Language, ids: Sequence[int], now: datetime) -> dict[int, datetime]:
    """Which of these contacts an issue will be due to within a day, and when, though it is not queued for them yet."""
    found: dict[int, datetime] = {}
    last_slots = store.last_slots(session)
    for newsletter in list_published(session):
        slot_at, version_id, queued_to = _slot_ahead(session, newsletter, last_slots.get(newsletter.name))
        # In readers' time the same slot comes to the last of them most of a day after the first.
        if version_id is None or slot_at - EARLIEST_ZONE > now + ISSUE_GOES_FIRST:
            continue
        content = campaigns.get_content(session, version_id)
        clause = _is_meant(session, language, newsletter, content, now) & _is_subscribed(newsletter, now)
        for contact in store.readers_among(session, newsletter.name, ids, queued_to, slot_at, clause):
            due_at = max(now, newsletter.schedule.due_for(slot_at, zone_of(contact)))
            if due_at <= now + ISSUE_GOES_FIRST:
                found[contact.id] = min(due_at, found.get(contact.id, due_at))
    return found


def _slot_ahead(
    session: Session, newsletter: Published, last: NewsletterSlot | None
) -> tuple[datetime, int | None, int]:
    """The slot that is being queued or comes next, the version of its issue if there is one, and how far queueing got."""
    if last is not None and last.opened_at is not None and last.finished_at is None:
        return last.slot_at, last.version_id, last.queued_to
    issue = _next_issue(session, newsletter)
    version_id = session.get_one(Campaign, issue.id).version_id if issue else None
    return next_slot_at(session, newsletter, last), version_id, 0


def _welcome(session: Session, newsletter: Published, ids: Sequence[int]) -> None:
    """Whoever of these contacts has had the announcement by now is a reader from here on."""
    wait = parse_duration(newsletter.definition.wait_after)
    store.insert_readers(
        session,
        [
            {
                "newsletter": newsletter.name, "contact_id": contact_id, "announced_at": announced_at,
                "first_issue_from": first_issue_from(announced_at, wait, newsletter.zone), "left_at": None,
            }
            for contact_id, announced_at in store.announced_without_reader(session, newsletter.name, ids)
        ],
    )  # fmt: skip


def _remind(session: Session, newsletter: Published, slot_at: datetime, now: datetime, *, is_missed: bool) -> None:
    operator = contacts.find_operator(session, newsletter.definition.owner)
    if operator is None:
        return
    name = "missed" if is_missed else "reminder"
    queue_notice(
        session,
        name,
        key=f"{name}:{newsletter.name}:{slot_at:%Y-%m-%d}",
        operator=operator,
        facts={
            "title": newsletter.content["about"]["title"],
            "newsletter": newsletter.name,
            "slot": f"{slot_at.astimezone(newsletter.zone):%A %-d %B, %H:%M}",
            "readers": f"{store.count_readers(session, newsletter.name):,}",
        },
        now=now,
    )
