"""Everything the overview shows, gathered in one look: what waits, what comes next, what became of the last weeks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nurture.campaigns import store as campaigns
from nurture.campaigns.declared import find_declared
from nurture.campaigns.reading import PublishedFile
from nurture.database.engine import Session
from nurture.database.installation import get_pause
from nurture.handoff import store as hand_offs
from nurture.handoff.portrait import name_of
from nurture.reports import queries
from nurture.reports.queries import Stretch, Trouble, WaitingLead, Week
from nurture.reports.upcoming import Upcoming, list_upcoming
from nurture.sequences.kind import KIND as SEQUENCE
from nurture.sequences.numbering import read_steps, walk_all
from nurture.sequences.steps import UntilDefinition, WaitForStep, WaitStep
from nurture.timing import find_zone

LOOK_BACK = timedelta(weeks=4)
_WEEKS_SHOWN = 8
_MOST_TASKS = 10


@dataclass(frozen=True)
class OnStep:
    """How many people stand on a step, and what they wait for there."""

    step: str
    waits_for: str
    people: int


@dataclass(frozen=True)
class SequenceStanding:
    """Where the people of one sequence are."""

    title: str
    steps: tuple[OnStep, ...]
    finished: int
    exits: tuple[tuple[str, int], ...]  # reason, people; the most frequent first

    @property
    def on_the_way(self) -> int:
        return sum(step.people for step in self.steps)


@dataclass(frozen=True)
class WaitingTask:
    """Something a colleague is to do."""

    name: str
    what: str
    because: str
    operator: str
    due_at: datetime


@dataclass(frozen=True)
class Overview:
    """The whole page at one instant; `zone` is that of the first operator, who is whoever looks at it."""

    now: datetime
    zone: ZoneInfo
    paused_because: str
    lead_count: int
    leads: tuple[WaitingLead, ...]
    tasks: tuple[WaitingTask, ...]
    task_count: int
    upcoming: tuple[Upcoming, ...]
    last_weeks: Stretch
    weeks: tuple[Week, ...]
    sequences: tuple[SequenceStanding, ...]
    troubles: tuple[Trouble, ...]


def look(session: Session, now: datetime) -> Overview:
    """Gather the overview as of `now`."""
    declared = find_declared(session)
    operators = declared.operators if declared else ()
    zone = find_zone(operators[0]["timezone"] if operators else None) or ZoneInfo("UTC")
    pause = get_pause(session)
    return Overview(
        now=now,
        zone=zone,
        paused_because=pause[1] if pause else "",
        lead_count=queries.count_waiting_leads(session),
        leads=tuple(queries.list_waiting_leads(session)),
        tasks=tuple(_tasks(session)),
        task_count=hand_offs.count_undone(session),
        upcoming=tuple(list_upcoming(session, now)),
        last_weeks=queries.stretch(session, now - LOOK_BACK, now),
        weeks=tuple(queries.list_weeks(session, now, zone, _WEEKS_SHOWN)),
        sequences=tuple(_standings(session)),
        troubles=tuple(queries.list_troubles(session, now - LOOK_BACK)),
    )


def _tasks(session: Session) -> Iterator[WaitingTask]:
    for task, contact, operator in hand_offs.list_tasks(session, limit=_MOST_TASKS):
        who = operator.name if operator else "nobody yet"
        yield WaitingTask(name_of(contact) if contact else task.domain or "", task.what, task.because, who, task.due_at)


def _standings(session: Session) -> list[SequenceStanding]:
    """Every published sequence, and those retired ones that people are still on."""
    standing, ended = queries.count_on_steps(session), queries.count_ended(session)
    contents = {
        campaign.name: campaigns.get_content(session, campaign.version_id)
        for campaign in campaigns.list_campaigns(session, SEQUENCE)
        if campaign.version_id is not None
    }
    found = []
    for name in sorted({*contents, *standing}):
        content = contents.get(name)
        known = _steps(content) if content else {}
        here = standing.get(name, {})
        places = [*known, *(step for step in here if step is not None and step not in known)]
        steps = [OnStep("start", "its first step", here[None])] if None in here else []
        steps += [
            OnStep(step, known.get(step, "a step of an earlier version"), here[step]) for step in places if step in here
        ]
        over = dict(ended.get(name, {}))
        finished = over.pop("finished", 0)
        exits = tuple(sorted(over.items(), key=lambda one: (-one[1], one[0])))
        found.append(SequenceStanding(content["about"]["title"] if content else name, tuple(steps), finished, exits))
    return found


def _steps(content: Mapping[str, Any]) -> dict[str, str]:
    """The steps of a sequence in the order of its file, each with what people on it wait for."""
    definition = content["definition"]
    found = {}
    for one in walk_all(read_steps(PublishedFile(definition["sequence"], definition), definition["steps"])):
        match one.step:
            case _ if one.mail is not None:
                found[one.id] = "its mail to leave"
            case WaitStep(wait=UntilDefinition(until=moment)):
                found[one.id] = f"{moment}"
            case WaitStep(wait=length):
                found[one.id] = f"{length} to pass"
            case WaitForStep(wait_for=what, up_to=length):
                found[one.id] = f"{what}, or {length} to pass"
            case _:
                found[one.id] = "the next look"
    return found
