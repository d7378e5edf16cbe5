"""What `nurture run` says when it starts: what goes out when, to how many, and what stands in the way.

Counting a million people takes seconds, so it is found out and said in a thread beside the work; on SQLite as things
were before any of it was done.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from nurture.cli.output import say, warn
from nurture.figures import counted

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.database.engine import Session
    from nurture.delivery.pausing.store import PausedCampaign
    from nurture.delivery.waiting import Waiting
    from nurture.engines.stopping import Stopping
    from nurture.reports.upcoming import Upcoming

log = logging.getLogger(__name__)


def brief(house: "App", stopping: "Stopping") -> None:
    """Begin to say what goes out next, what waits, and which files differ from what is published."""
    ends = ExitStack()
    session = ends.enter_context(house.database.reading())
    if pause := words_of_pause(session):  # SQLite shows everything as it was at the first question
        warn(pause)
    telling = threading.Thread(target=_tell, args=(ends, session, house, stopping), name="nurture-brief", daemon=True)
    telling.start()


def _tell(ends: ExitStack, session: "Session", house: "App", stopping: "Stopping") -> None:
    from nurture.database.failing import failure_of

    try:
        with ends:
            for tell, line in chain(_find_out(session, house), _boundary(house)):
                if stopping.is_asked:
                    return
                tell(line)
    except Exception as error:
        failure = failure_of(error)
        log.warning("what goes out next could not be found out: %s", failure or error, exc_info=failure is None)


def _find_out(session: "Session", house: "App") -> Iterator[tuple[Callable[[str], None], str]]:
    from nurture.campaigns import planning
    from nurture.delivery import owners
    from nurture.delivery.waiting import list_waiting

    now = house.clock.now()
    for line in chain(_newsletters(session, house, now), _on_the_way(session), _queue(session, now)):
        yield say, line
    for one in list_waiting(session, now):
        yield say, _held(session, one)
    for missing in owners.list_missing(session):
        yield warn, str(missing)
    reading = house.read_files()
    if not reading.errors:
        planned = planning.plan(session, house.kinds(), reading.units)
        changed = [one for one in planned.changes if one.is_real]
        if changed:
            names = ", ".join(f"{one.kind} {one.name}" for one in changed)
            yield (
                warn,
                f"These files differ from what is published, and change nobody until `nurture publish`: {names}.",
            )


def _newsletters(session: "Session", house: "App", now: datetime) -> Iterator[str]:
    """Whom each newsletter is still to be announced to, and its next issue."""
    from nurture.database.installation import get_pause
    from nurture.delivery.pausing.store import find_pause
    from nurture.newsletters import actions as newsletters
    from nurture.newsletters import announcing
    from nurture.newsletters.published import list_published
    from nurture.reports.upcoming import next_issue

    for newsletter in list_published(session):
        if paused := find_pause(session, f"newsletter:{newsletter.name}"):
            yield f"{newsletter.name}: nothing goes out. {words_of_campaign_pause(paused)}"
            continue
        if count := newsletters.count_to_announce(session, house.language, newsletter, now):
            window = newsletter.definition.announce_in
            when = f"{window.days} {window.hours} where they are" if window else "now"
            yield f"{newsletter.name}: the announcement goes to {_people(count)}, {when}."
            undated = newsletters.count_undated(session, house.language, newsletter, now)
            if undated > (today := announcing.room_today(session, newsletter.name, now)):
                yield (
                    f"{newsletter.name}: of {undated:,} of them no recent day is known, such as that of their consent: "
                    f"{today:,} get it today, twice as many each day after that."
                )
        issue = next_issue(session, newsletter, now)
        slot = f"{issue.due_at.astimezone(newsletter.zone):%A %-d %B, %H:%M} ({newsletter.zone})"
        if issue.due_at <= now:
            when = "at once" if get_pause(session) is None else "once sending goes on"
            yield f"{newsletter.name}: due since {slot}: {words_of_issue(issue)}, {when}."
        else:
            yield f"{newsletter.name}: {slot}: {words_of_issue(issue)}."


def words_of_issue(issue: "Upcoming") -> str:
    """What goes out at the next slot of a newsletter, or why nothing does."""
    if issue.people is None:
        return "nothing: no issue is ready"
    if not issue.people:
        return f'nothing: nobody is due their first issue, and "{issue.issue}" waits'
    return f'"{issue.issue}" to {_people(issue.people)}'


def _on_the_way(session: "Session") -> Iterator[str]:
    from nurture.sequences.store import look_ahead

    count, wake_at = look_ahead(session)
    if count:
        when = f", the next step at {wake_at:%Y-%m-%d %H:%M} UTC" if wake_at else ""
        yield f"On the way through sequences: {_people(count)}{when}."


def _queue(session: "Session", now: datetime) -> Iterator[str]:
    from nurture.database.installation import get_pause
    from nurture.delivery.pausing.store import find_pause
    from nurture.reports.upcoming import list_queued

    is_paused = get_pause(session) is not None
    queued = list_queued(session, now)
    for one in queued:
        what = "sending" if is_paused else one.campaign if find_pause(session, one.campaign) else ""
        yield f"Queued: {one.what} to {_people(one.people or 0)}, {_when(one.due_at, now, what)}."
    if not queued:
        yield "No mail is queued yet."


def _when(due_at: datetime, now: datetime, stands_still: str) -> str:
    """From when on mail leaves that is queued."""
    if due_at <= now:
        return f"once {stands_still} goes on" if stands_still else "now"
    return f"from {due_at:%Y-%m-%d %H:%M} UTC" + (f", if {stands_still} goes on by then" if stands_still else "")


def _held(session: "Session", waiting: "Waiting") -> str:
    """How many mails wait, and for what; for which campaigns to go on, with what lets them."""
    from nurture.delivery.pausing.actions import counts_of
    from nurture.delivery.pausing.store import list_paused
    from nurture.delivery.rules import HeldBecause

    if waiting.because != HeldBecause.CAMPAIGN:
        return str(waiting)
    paused = [one for one in list_paused(session) if counts_of(session, one.campaign).waiting]
    return " ".join([str(waiting), *map(words_of_campaign_pause, paused)])


def _people(count: int) -> str:
    return counted(count, "person", "people")


def words_of_pause(session: "Session") -> str:
    """That nothing is sent, why, and what ends that; empty while sending is not paused."""
    from nurture.database.installation import get_pause

    if (pause := get_pause(session)) is None:
        return ""
    return f"Sending is paused since {pause[0]:%Y-%m-%d %H:%M} UTC: {with_way_on(pause[1])}"


def words_of_campaign_pause(paused: "PausedCampaign") -> str:
    """That nothing of a campaign leaves, why, and what ends that."""
    from nurture.delivery.waves.actions import BY_ITSELF

    because = ' --because "…"' if paused.paused_by == BY_ITSELF else ""
    return (
        f"{paused.campaign} is paused since {paused.paused_at:%Y-%m-%d %H:%M} UTC: {paused.because}. "
        f"`nurture resume {paused.campaign}{because}` goes on."
    )


def with_way_on(because: str) -> str:
    """Why sending is paused, and what ends that."""
    return f"{because}." if "`nurture resume" in because else f"{because}. `nurture resume` goes on."


def _boundary(house: "App") -> Iterator[tuple[Callable[[str], None], str]]:
    from nurture.delivery.rules import MOST_BY_MAIL_ALONE

    boundary = house.boundary
    if boundary.is_by_mail_alone:
        yield say, f"Readers leave by mail, so at most {MOST_BY_MAIL_ALONE:,} marketing mails leave in 24 hours."
    if boundary.relay_is_loopback:
        *others, last = dict.fromkeys(f"{relay.host}:{relay.port}" for relay in house.relays)
        where = f"relays {', '.join(others)} and {last} are" if others else f"relay {last} is"
        yield say, f"The {where} on this machine; nothing leaves it."
    elif not boundary.only_to:
        yield warn, "sending.only_to is empty, so real mail goes to senders.test_domains only."
    elif "*" not in boundary.only_to:
        yield say, f"Real mail goes only to {', '.join(sorted(boundary.only_to))}."
