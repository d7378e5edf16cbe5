"""`nurture simulate`: a sequence told beforehand, for one contact or for thousands."""

import webbrowser
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, table, warn
from nurture.cli.trying import person_of, units_of
from nurture.cli.workspace import opened
from nurture.figures import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nurture.app.house import App
    from nurture.cli.staging import Stage
    from nurture.sequences.simulation.expectations import Judgement
    from nurture.sequences.simulation.habits import Behavior
    from nurture.sequences.simulation.simulate import Simulated
    from nurture.sequences.simulation.world import Ending, Person

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_DATABASE, _CROWD, _MEASURED = "database", "crowd", "measured"


def register(app: typer.Typer) -> None:
    app.command("simulate")(simulate)


def simulate(
    sequence: Annotated[str, typer.Argument(help="The sequence, as its file calls it.")],
    contacts: Annotated[
        str, typer.Option(help='Who comes in: a CSV or spreadsheet, "database", or "crowd" for invented people.')
    ] = "",
    segment: Annotated[str, typer.Option(help="Of our contacts only those of this segment.")] = "",
    contact: Annotated[
        str, typer.Option("--contact", help="One person's whole timeline; default: somebody invented.")
    ] = "",
    start: Annotated[
        str, typer.Option("--from", help="The instant they come in, such as 2026-03-02T09:00; default: now.")
    ] = "",
    length: Annotated[
        str, typer.Option("--for", help="How long to look ahead; at a crowd, after the last of them came in.")
    ] = "60d",
    arrive: Annotated[
        str, typer.Option(help='How many come in, such as "20/day"; default: all at once, a crowd over a year.')
    ] = "",
    behavior: Annotated[str, typer.Option(help='A file that says what people do with mails, or "measured".')] = "",
    seed: Annotated[int, typer.Option(help="Another seed, another story.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the plot here: .svg, or .html with the tables.")] = None,
    is_shown: Annotated[bool, typer.Option("--open", help="Show the plot in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Let people live through a sequence of the files, with the engine that production runs. Nothing is sent.

    With --contacts for thousands: mails per day, where people end, how many become sales-ready, and whether what the
    file expects holds. Without it for one person, step by step. Everybody in a file is taken as somebody who may be
    mailed; contacts of the database as what they agreed to.

    Example: nurture simulate evaluators --contacts crowd --seed 7 --out evaluators.html
    """
    from nurture.cli.leads import instant
    from nurture.cli.staging import KINDS, stage_of
    from nurture.errors import BadInput
    from nurture.reports.simulated import check_name
    from nurture.timing import parse_length

    lasting = parse_length(length)
    if not lasting > timedelta(0):
        raise BadInput(f'--for "{length}": nothing happens in no time; write how long to look ahead, such as "60d".')
    if arrive and not contacts and not segment:
        raise BadInput("--arrive spreads many people; say who they are with --contacts or --segment, or leave it out.")
    if out is not None:
        check_name(out)
    with opened() as house:
        begins_at = instant(start) if start else house.clock.now()
        habits, outages = _behavior(house, behavior, sequence, begins_at, is_crowd=contacts == _CROWD)
        stage = stage_of(house, units_of(house, *KINDS), sequence, outages)
        if contacts or segment:
            people = _arriving(_people(house, stage, contacts, segment, begins_at, seed), arrive, begins_at)
        else:
            people = [_alone(house, stage, contact, begins_at)]
    if not contacts and not segment:
        _tell_one(_live(stage, people, habits, begins_at, lasting, seed, people[0].email).endings[0], as_json=as_json)
        return
    if contacts == _CROWD:
        lasting += max(one.arrives_at or begins_at for one in people) - begins_at
    told = _live(stage, people, habits, begins_at, lasting, seed, contact)
    judged = _judge(stage, told, begins_at + lasting, parse_length(length))
    _tell_all(stage, told, judged, begins_at, lasting, seed, contact, out, is_shown=is_shown, as_json=as_json)


def _behavior(house: "App", given: str, sequence: str, start: "datetime", *, is_crowd: bool) -> tuple["Behavior", Any]:
    from nurture.sequences.simulation.behavior import read_behavior
    from nurture.sequences.simulation.crowd import BEHAVIOR
    from nurture.sequences.simulation.habits import Behavior

    if given == _MEASURED:
        from nurture.reports.measured import measure

        with house.database.reading() as session:
            measured = measure(session, sequence)
        for line in measured.lines:
            warn(line)
        return measured.behavior, ()
    if not given:
        return BEHAVIOR if is_crowd else Behavior(), ()
    definition = read_behavior(Path(given))
    habits = definition.to_behavior()
    if is_crowd and habits.tracked is None:
        habits = replace(habits, tracked=BEHAVIOR.tracked)  # no consent is known of the invented
    return habits, definition.to_outages(start)


def _alone(house: "App", stage: "Stage", email: str, start: "datetime") -> "Person":
    from nurture.cli.staging import past_of, person_from
    from nurture.contacts.store import list_operators

    with house.database.reading() as session:
        person = person_of(session, house, email)
        owner = list_operators(session).get(person.owner_id or 0)
        is_known = session.get(type(person), person.id) is not None
        past = past_of(session, stage, {person.id: person}, start)[person.id] if is_known else {}
        return person_from(house, stage, person, owner, past)


def _people(house: "App", stage: "Stage", given: str, segment: str, start: "datetime", seed: int) -> "list[Person]":
    from nurture.cli.staging import people_of_database, people_of_file
    from nurture.contacts.fields import field_words
    from nurture.errors import NotFound
    from nurture.sequences.simulation.crowd import invent

    if given == _CROWD:
        return invent(stage.program, field_words(house.fields), start, seed=seed)
    if segment or given == _DATABASE:
        found = list(people_of_database(house, stage, segment, start))
    else:
        if not Path(given).is_file():
            raise NotFound(f'{given}: there is no such file; name one, or write "database" or "crowd".')
        found = people_of_file(house, stage, Path(given), start)
    if not found:
        raise NotFound(f"{segment or given}: nobody is in there, so nobody can be simulated.")
    return found


def _arriving(people: "list[Person]", rate: str, start: "datetime") -> "list[Person]":
    """Spread over days, evenly, in the order in which they were given."""
    from nurture.errors import BadInput
    from nurture.timing import parse_length

    if not rate:
        return people
    number, _, per = rate.partition("/")
    if not number.strip().isdigit() or not int(number) or not per:
        raise BadInput(f'--arrive "{rate}": write a number and a time, such as "20/day".')
    apart = parse_length(f"1 {per.strip()}") / int(number)
    return [replace(one, arrives_at=start + place * apart) for place, one in enumerate(people)]


def _live(
    stage: "Stage",
    people: "list[Person]",
    habits: "Behavior",
    start: "datetime",
    lasting: timedelta,
    seed: int,
    whom: str,
) -> "Simulated":
    from nurture.errors import NotFound, did_you_mean
    from nurture.sequences.simulation.simulate import simulate_all

    known = {one.email for one in people}
    if whom and whom not in known:
        raise NotFound(f"{whom} is not among them.{did_you_mean(whom, known)}")
    return simulate_all(
        stage.program, people, habits, stage.world,
        start=start, length=lasting, seed=seed, is_told=lambda one: one.email == whom,
    )  # fmt: skip


def _tell_one(ending: "Ending", *, as_json: bool) -> None:
    if as_json:
        emit(
            {
                "contact": ending.person.email, "status": ending.status, "reason": ending.reason,
                "mails": ending.mails, "score": ending.score, "timeline": _timeline(ending),
            }
        )  # fmt: skip
        return
    _say_timeline(ending)


def _timeline(ending: "Ending") -> list[dict[str, Any]]:
    return [{"at": one.at, "step": one.step, "what": one.what, "why": one.why} for one in ending.timeline]


def _say_timeline(ending: "Ending") -> None:
    table(
        ("when (UTC)", "step", "what", "why"),
        [(one.at, one.step, one.what, one.why) for one in ending.timeline],
        empty="Nothing happens.",
    )
    reason = f" ({ending.reason})" if ending.reason else ""
    say(f"{ending.person.email}: {ending.status}{reason}, {counted(ending.mails, 'mail')}.")


def _judge(stage: "Stage", told: "Simulated", until: "datetime", ahead: timedelta) -> "list[Judgement]":
    """Hold everybody against what the file expects; `ahead` is how far was asked to look."""
    from nurture.sequences.simulation.expectations import parse_expectation

    expected = [parse_expectation(text) for text in stage.unit.content["definition"]["expect"]]
    return [replace(one.judge(told.endings, until), ahead=ahead) for one in expected]


def _tell_all(
    stage: "Stage",
    told: "Simulated",
    judged: "Sequence[Judgement]",
    start: "datetime",
    lasting: timedelta,
    seed: int,
    whom: str,
    out: Path | None,
    *,
    is_shown: bool,
    as_json: bool,
) -> None:
    from nurture.cli.figures import as_json_of, say_outcome
    from nurture.reports.simulated import write_plot
    from nurture.sequences.simulation.outcomes import outcome

    found = outcome(
        told.endings, start=start, length=lasting,
        mails_of=stage.unit.content["mails"], blast_guard=stage.world.limits.blast_guard,
    )  # fmt: skip
    one = next((ending for ending in told.endings if ending.timeline), None) if whom else None
    if out is not None or is_shown:
        place = out or Path.cwd() / f"{stage.unit.name}.html"
        write_plot(place, stage.unit.content["about"]["title"], found, judged, seed=seed)
        if is_shown:
            webbrowser.open(place.resolve().as_uri())
        warn(f"{place}: the plot.")
    if as_json:
        emit(as_json_of(stage.unit.name, found, judged, told.tests, seed, _timeline(one) if one else None))
    else:
        say_outcome(found, judged, told.tests)
        if one is not None:
            say()
            _say_timeline(one)
    if any(one.breach for one in judged):
        raise typer.Exit(1)
