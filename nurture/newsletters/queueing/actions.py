"""Queues an issue for the next readers, and the announcement for whose turn it is: one piece in each transaction.

A piece is as large as the lock may be held for (`database.chunks`), and remembers in the same transaction how far it
got: an issue by its slot, the announcement by the line. A crash in the middle neither repeats nor forgets anybody.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from nurture.consent.rules import Purpose
from nurture.contacts.zones import zone_at
from nurture.database.chunks import ChunkSize
from nurture.database.conditions import Clause
from nurture.database.engine import Session
from nurture.delivery.actions import Intention
from nurture.delivery.queueing.actions import Mail, queue_mail
from nurture.delivery.queueing.rules import Verdict
from nurture.delivery.rules import Kind, Priority
from nurture.newsletters import announcing, store
from nurture.newsletters.kind import ISSUE, NEWSLETTER
from nurture.newsletters.published import Published
from nurture.newsletters.queueing.store import Judge, Meant
from nurture.newsletters.store import ANNOUNCEMENT, NewsletterSlot


@dataclass
class Stint:
    """What is learned from one piece for the next one: how many people fit, and the question about them."""

    chunk: ChunkSize = field(default_factory=ChunkSize)
    judge: Judge = field(default_factory=Judge)
    _mails: dict[tuple[object, ...], Mail] = field(default_factory=dict)

    def mail(self, meant: Meant, word: Callable[[str | None, str | None], Intention], now: datetime) -> Mail:
        """The mail that these are meant to get, as it was worded for the last piece."""
        key = (*meant.key, now)
        if key not in self._mails:
            self._mails = {key: Mail(word, now)}
        return self._mails[key]


def queue_issue(
    session: Session,
    newsletter: Published,
    slot: NewsletterSlot,
    content: Mapping[str, Any],
    is_meant: Callable[[], Clause],
    stint: Stint,
    now: datetime,
) -> int:
    """Queue the slot's issue for the next readers, until there are no more; how many were looked at."""
    with stint.chunk.learning(session):
        meant = Meant((newsletter.version_id, slot.id), newsletter.definition.topic, is_meant)
        readers = stint.judge.readers(
            session, slot.newsletter, slot.queued_to, stint.chunk.rows, slot.slot_at, meant, now
        )
        if readers:
            slot.queued_to = readers[-1][0]
            mail = stint.mail(meant, partial(_issue, newsletter, slot, content), now)
            refused = queue_mail(session, readers, mail, now)
            if refused:
                store.mark_left(session, slot.newsletter, refused, now)
        else:
            slot.finished_at = now
        session.add(slot)
        session.flush()
    return len(readers)


def queue_announcement(
    session: Session, newsletter: Published, may_have_it: Callable[[], Clause], stint: Stint, now: datetime
) -> int:
    """Queue the announcement for the next whose turn it is; how many were looked at."""
    with stint.chunk.learning(session):
        room = announcing.room_today(session, newsletter.name, now)
        turns = store.next_turns(session, newsletter.name, room, stint.chunk.rows)
        if turns:
            # Who may no longer have it leaves the line, and comes back to it with the change that allows it again.
            meant = Meant(
                (newsletter.version_id, ANNOUNCEMENT),
                newsletter.definition.topic,
                lambda: may_have_it() & ~store.has_had_announcement(newsletter.name),
            )
            people = stint.judge.turns(session, turns, meant, now)
            theirs = [one[0] for one in people if one[1] != Verdict.NOT_MEANT]
            store.leave_line(session, newsletter.name, sorted(set(turns) - set(theirs)))
            store.take_turns(session, newsletter.name, theirs, now.date())
            queue_mail(session, people, stint.mail(meant, partial(_announcement, newsletter, now), now), now)
    return len(turns)


def _issue(
    newsletter: Published,
    slot: NewsletterSlot,
    content: Mapping[str, Any],
    timezone: str | None,
    country: str | None,
) -> Intention:
    assert slot.version_id is not None
    zone = zone_at(timezone, country)
    return Intention(
        key=f"{ISSUE}:{slot.issue_id}:",
        purpose=Purpose.CAMPAIGN,
        campaign=f"{NEWSLETTER}:{newsletter.name}",
        version_id=slot.version_id,
        mail=next(iter(content["mails"])),
        priority=Priority.NEWSLETTER,
        due_at=newsletter.schedule.due_for(slot.slot_at, zone),
        issue_id=slot.issue_id,
        topic=newsletter.definition.topic,
        kind=content["front"].get("kind", Kind.VALUE),
        sender=newsletter.definition.sender,
    )


def _announcement(newsletter: Published, now: datetime, timezone: str | None, country: str | None) -> Intention:
    definition = newsletter.definition
    window = definition.announce_in.to_window() if definition.announce_in else None
    return Intention(
        key=f"{ANNOUNCEMENT}:{newsletter.name}:",
        purpose=Purpose.CAMPAIGN,
        campaign=f"{NEWSLETTER}:{newsletter.name}",
        version_id=newsletter.version_id,
        mail=ANNOUNCEMENT,
        priority=Priority.NEWSLETTER,
        due_at=now,
        topic=definition.topic,
        sender=definition.sender,
        window=window.in_country(country) if window else None,
        zone=str(zone_at(timezone, country)),
    )
