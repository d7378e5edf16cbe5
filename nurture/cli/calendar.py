"""`nurture calendar`: all planned mail of all campaigns, day by day."""

import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, table, warn, write
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.campaigns.reading import Unit
    from nurture.database.engine import Session
    from nurture.reports.calendar.planned import Day, Planned
    from nurture.sequences.program import Sequence as Program
    from nurture.sequences.simulation.ahead import OnTheWay
    from nurture.sequences.simulation.habits import Behavior

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

#: Lives told beforehand, at most, over all sequences; of each at least so many.
_MOST_LIVES, _FEWEST = 2_000, 100


def register(app: typer.Typer) -> None:
    app.command("calendar")(calendar)


def calendar(
    start: Annotated[str, typer.Option("--from", help="The first day, such as 2026-03-02; default: today.")] = "",
    length: Annotated[str, typer.Option("--for", help="How long to look ahead.")] = "30d",
    out: Annotated[Path | None, typer.Option(help="Write it here as a page: .html.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another story.")] = 0,
    as_json: Json = False,
) -> None:
    """Tell which mails are planned on which day, over all campaigns, and to about how many people.

    Counted is what waits in the outbox and who reads a newsletter; what people on their way through sequences would
    get is told beforehand by the engine that sends, from where they stand. Who comes in later is not among them.

    Example: nurture calendar --for 60d --out calendar.html
    """
    from nurture.cli.leads import instant
    from nurture.errors import BadInput
    from nurture.reports.calendar.page import write_calendar
    from nurture.reports.calendar.planned import by_day, days_of
    from nurture.timing import parse_day_span, parse_length

    lasting = parse_length(length)
    if out is not None and out.suffix not in {".html", ".htm"}:
        raise BadInput(f"{out}: a calendar is one page; end the name with .html.")
    if not timedelta(0) < lasting <= timedelta(days=400):
        raise BadInput(f"--for {length}: look at least a moment and at most 400 days ahead.")
    with opened() as house:
        now = house.clock.now()
        first = instant(start).date() if start else now.date()
        if first < now.date():
            raise BadInput(f"--from {first}: that day is over; a calendar is about what comes.")
        days = days_of(first, lasting)
        with house.database.reading() as session:
            ahead = _Ahead(house, session, now, days, seed)
            planned = [
                *_outbox(session, days, is_today=first == now.date()),
                *_issues(house, session, days, now),
                *ahead.planned(),
            ]
    blackout = [parse_day_span(text) for text in house.declared.blackout]
    found = by_day(days, planned, blackout=blackout, holidays=sorted(ahead.holidays))
    if out is not None:
        write(out, write_calendar(found, ahead.said, now))
        warn(f"{out}: the calendar.")
    if as_json:
        emit(
            {
                "from": first,
                "to": days[-1],
                "people": ahead.people,
                "lives": ahead.lives,
                "said": ahead.said,
                "days": [_as_json(day) for day in found],
            }
        )
    elif out is None:
        _tell(found, ahead.said)


def _as_json(day: "Day") -> dict[str, Any]:
    return {
        "on": day.on, "mails": day.mails, "low": day.low, "high": day.high, "notes": list(day.notes),
        "planned": [
            {"what": one.what, "source": one.source, "people": one.people, "low": one.low, "high": one.high, "note": one.note}
            for one in day.planned
        ],
    }  # fmt: skip


def _tell(days: "list[Day]", said: list[str]) -> None:
    rows: list[tuple[str, str, str, str]] = []
    for day in days:
        named = f"{day.on:%a %Y-%m-%d}"
        rows += [(named, one.count, one.what, one.note) for one in day.planned]
        rows += [(named, "", note, "") for note in day.notes]
    is_empty = not any(day.planned for day in days)
    table(
        ("day (UTC)", "people", "what", ""),
        [] if is_empty else rows,
        empty="No mail is planned: nothing is in the outbox, no issue is ready, and nobody is on a sequence.",
    )
    for line in said:
        say(line)


def _outbox(session: "Session", days: list[date], *, is_today: bool) -> "Iterator[Planned]":
    from nurture.reports.calendar.planned import Source, bounds_of, counted
    from nurture.reports.calendar.store import list_waiting
    from nurture.reports.upcoming import title_of

    for one in list_waiting(session, bounds_of(days), from_now=is_today):
        title, note = title_of(session, one.version_id, one.mail), "held" if one.is_held else ""
        for day, count in zip(days, one.counts, strict=True):
            if count:
                yield counted(day, title, Source.OUTBOX, count, note)


def _issues(house: "App", session: "Session", days: list[date], now: datetime) -> "Iterator[Planned]":
    """Each newsletter's issues on its next slots, one a slot, as long as any is ready."""
    from nurture.newsletters import actions as newsletters
    from nurture.newsletters.published import list_published
    from nurture.newsletters.rules import first_issue_from
    from nurture.reports.calendar.planned import Source, bounds_of, counted
    from nurture.reports.queries import count_readers_at
    from nurture.reports.upcoming import list_slots
    from nurture.timing import parse_duration

    begins_at, *_, ends_at = bounds_of(days)
    for one in list_published(session):
        title, wait = one.content["about"]["title"], parse_duration(one.definition.wait_after)
        if begins_at <= now and (count := newsletters.count_to_announce(session, house.language, one, now)):
            yield counted(now.date(), f"{title}: announcement", Source.NEWSLETTER, count, "as soon as nurture runs")
        for slot_at, number in list_slots(session, one, ends_at):
            if slot_at < begins_at:
                continue
            if number is None:
                yield counted(slot_at.date(), f"{title}: no issue is ready", Source.NEWSLETTER, 0)
                continue
            people = count_readers_at(
                session, one.name, one.definition.topic, slot_at,
                partial(first_issue_from, wait_after=wait, zone=one.zone), now,
            )  # fmt: skip
            yield counted(slot_at.date(), f"{title}, issue {number}", Source.NEWSLETTER, people)


class _Ahead:
    """What people on their way would get; afterwards it knows how that was found."""

    def __init__(self, house: "App", session: "Session", now: datetime, days: list[date], seed: int) -> None:
        self.house, self.session, self.now, self.days, self.seed = house, session, now, days, seed
        self.people = self.lives = 0
        self.said: list[str] = []
        self.holidays: set[str] = set()

    def planned(self) -> "Iterator[Planned]":
        from nurture.reports.calendar.store import count_on_the_way

        groups = count_on_the_way(self.session)
        self.people = sum(count for _, _, count in groups)
        for sequence, version_id, count in groups:
            yield from self._of_version(sequence, version_id, count)
        if self.lives < self.people:
            self.said.append(
                f"Told beforehand for {self.lives:,} of {self.people:,} people on their way, and scaled; in brackets 95 % intervals."
            )
        elif self.people:
            self.said.append(f"Told beforehand for all {self.people:,} people on their way.")
        if self.people:
            self.said.append(
                "Each campaign is told as if it were alone: where caps or an issue come first, mails move on."
            )

    def _of_version(self, sequence: str, version_id: int, count: int) -> "Iterator[Planned]":
        from nurture.cli.staging import stage_of
        from nurture.reports.calendar.planned import bounds_of, scale
        from nurture.reports.calendar.store import sample
        from nurture.sequences.simulation.ahead import mails_ahead

        share = min(count, max(_FEWEST, _MOST_LIVES * count // max(self.people, 1)))
        rows = sample(self.session, version_id, math.ceil(count / share), share)
        if not rows:
            return
        stage = stage_of(self.house, self._published(sequence, version_id), sequence)
        people = self._people(stage, rows)
        self._note_holidays(stage.program, people)
        behavior, is_measured = self._behavior(sequence)
        length = bounds_of(self.days)[-1] - self.now
        mails = mails_ahead(
            stage.program, people, behavior, stage.world,
            start=self.now, length=length, winners=self._winners(stage.program), seed=self.seed,
        )  # fmt: skip
        self.lives += len(rows)
        title = stage.unit.content["about"]["title"]
        yield from scale(title, mails, count, is_certain=len(rows) == count and not is_measured)

    def _behavior(self, sequence: str) -> "tuple[Behavior, bool]":
        from nurture.reports.measured import measure

        measured = measure(self.session, sequence)
        is_measured = bool(measured.behavior.default)
        how = "behave as was measured" if is_measured else "do nothing with their mails, for nothing was measured yet"
        line = f"People on {sequence} {how}."
        if line not in self.said:
            self.said.append(line)
        return measured.behavior, is_measured

    def _published(self, sequence: str, version_id: int) -> "list[Unit]":
        """What decides about people on that version, as it is published."""
        from nurture.campaigns import store as campaigns
        from nurture.campaigns.reading import Unit
        from nurture.cli.staging import KINDS

        units = [
            Unit(one.kind, one.name, one.file, campaigns.get_content(self.session, one.version_id))
            for kind in KINDS
            for one in campaigns.list_campaigns(self.session, kind)
            if one.version_id is not None and (one.kind, one.name) != ("sequence", sequence)
        ]
        return [*units, Unit("sequence", sequence, "", campaigns.get_content(self.session, version_id))]

    def _people(self, stage: Any, rows: list[Any]) -> "list[OnTheWay]":
        from nurture.cli.staging import past_of, person_from
        from nurture.contacts.store import list_contacts, list_operators
        from nurture.delivery.rules import SETTLED
        from nurture.delivery.store import deliveries_of_enrollments
        from nurture.sequences.actions import enrollment_of
        from nurture.sequences.facts import Mail
        from nurture.sequences.simulation.ahead import OnTheWay

        contacts = list_contacts(self.session, {row.contact_id for row in rows})
        past, owners = past_of(self.session, stage, contacts, self.now), list_operators(self.session)
        settled: dict[int, dict[str, Mail]] = {}
        waiting: set[int] = set()
        for one in deliveries_of_enrollments(self.session, [row.id for row in rows]):
            if one.status in SETTLED:
                mail = Mail(one.id, one.status, one.because, one.attempted_at or one.settled_at)
                settled.setdefault(one.enrollment_id or 0, {})[one.key] = mail
            else:
                waiting.add(one.enrollment_id or 0)
        return [
            OnTheWay(
                person_from(self.house, stage, contact, owners.get(contact.owner_id or 0), past[contact.id]),
                enrollment_of(row), settled.get(row.id, {}), row.enrolled_at, row.id in waiting,
            )
            for row in rows
            if (contact := contacts.get(row.contact_id)) is not None
        ]  # fmt: skip

    def _winners(self, program: "Program") -> dict[str, str]:
        from nurture.sequences.program import Split
        from nurture.sequences.store import list_tests

        tests = {step.id: step.signature for step in program.steps.values() if isinstance(step, Split) and step.winner}
        ended = list_tests(self.session, program.name) if tests else []
        return {one.step: one.arm for one in ended if one.arm is not None and tests.get(one.step) == one.signature}

    def _note_holidays(self, program: "Program", people: "list[OnTheWay]") -> None:
        """The calendars that keep mail of this sequence back, those of people's countries included."""
        from nurture.timing import CONTACT

        codes = set(program.window.holidays) if program.window else set()
        if CONTACT in codes:
            codes |= {str(country) for one in people if (country := one.person.contact.values.get("country"))}
        self.holidays |= codes - {CONTACT}
