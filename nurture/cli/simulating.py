"""`nurture simulate`: one contact's way through a sequence, told beforehand."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, table
from nurture.cli.trying import Someone, person_of, units_of
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.app import App
    from nurture.campaigns.reading import Unit
    from nurture.contacts.store import Contact
    from nurture.database.engine import Session

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    app.command("simulate")(simulate)


def simulate(
    sequence: Annotated[str, typer.Argument(help="The sequence, as its file calls it.")],
    contact: Someone = "",
    start: Annotated[
        str, typer.Option("--from", help="The instant they come in, such as 2026-03-02T09:00; default: now.")
    ] = "",
    length: Annotated[str, typer.Option("--for", help="How long to look ahead.")] = "60d",
    behavior: Annotated[Path | None, typer.Option(help="A file that says what people do with mails.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another story.")] = 0,
    as_json: Json = False,
) -> None:
    """Tell one contact's way through a sequence of the files, with the engine that production runs.

    Example: nurture simulate evaluators --contact ana@reader.example --from 2026-03-02T09:00
    """
    from nurture.cli.leads import instant
    from nurture.sequences.behavior import read_behavior
    from nurture.sequences.simulate import Behavior
    from nurture.sequences.simulate import simulate as live_through
    from nurture.timing import parse_length

    habits = read_behavior(behavior) if behavior else Behavior()
    lasting = parse_length(length)
    begins_at = instant(start) if start else None
    with opened() as house:
        units = units_of(house, "sequence", "scoring")
        unit = _get_sequence(units, sequence)
        with house.database.reading() as session:
            person = person_of(session, house, contact)
            begins_at = begins_at or house.clock.now()
            program, surroundings, model = _rehearsal(session, house, units, unit, person, begins_at)
        ending = live_through(
            program, surroundings, habits, start=begins_at, length=lasting, seed=seed, model=model
        )  # fmt: skip
    if as_json:
        emit(
            {
                "contact": person.email, "status": ending.status, "reason": ending.reason, "mails": ending.mails,
                "score": ending.score,
                "timeline": [
                    {"at": one.at, "step": one.step, "what": one.what, "why": one.why} for one in ending.timeline
                ],
            }
        )  # fmt: skip
        return
    table(
        ("when (UTC)", "step", "what", "why"),
        [(one.at, one.step, one.what, one.why) for one in ending.timeline],
        empty="Nothing happens.",
    )
    say(f"{person.email}: {ending.status}{f' ({ending.reason})' if ending.reason else ''}, {ending.mails} mails.")


def _rehearsal(
    session: "Session", house: "App", units: "list[Unit]", unit: "Unit", person: "Contact", begins_at: "datetime"
) -> tuple[Any, Any, Any]:
    """The program, the person with what surrounds them, and the scoring, all from the files as they are now."""
    from nurture.consent.rules import ALLOWED
    from nurture.contacts.facts import ContactFacts
    from nurture.contacts.store import list_operators, values_of
    from nurture.contacts.zones import zone_of
    from nurture.delivery import composing
    from nurture.scoring.definition import model_of
    from nurture.sequences.kind import load_sequence
    from nurture.sequences.simulate import Person
    from nurture.timing import find_zone

    program = load_sequence(unit.content, house.language)
    scoring = next((one for one in units if one.kind == "scoring"), None)
    zone = zone_of(person)
    owner = list_operators(session).get(person.owner_id or 0)
    named = {"contact": zone, "owner": find_zone(owner.timezone if owner else None)}
    surroundings = Person(
        ContactFacts(values_of(person, None)),
        zone,
        named.get(program.window_zone) or find_zone(program.window_zone) or zone,
        ALLOWED,
        links={
            step: [(link.label, _path(link.destination)) for link in composing.mail_of(unit.content, step).links]
            for step in unit.content["mails"]
        },
        cap_per_day=house.declared.cap_per_day,
        cap_per_week=house.declared.cap_per_week,
    )
    if session.get(type(person), person.id) is not None:
        surroundings = replace(surroundings, **_past_of(session, person, program.topic, begins_at))
    return program, surroundings, model_of(scoring.content, house.language) if scoring else None


def _past_of(session: "Session", person: "Contact", topic: str, now: "datetime") -> dict[str, Any]:
    """What is known about a contact of ours when they come in."""
    from datetime import timedelta

    from nurture.consent.rules import Purpose, may_send
    from nurture.consent.store import standings
    from nurture.delivery.store import recent_attempts
    from nurture.scoring.actions import gather_facts
    from nurture.scoring.store import given_to
    from nurture.tracking.store import deeds_of

    return {
        "contact": gather_facts(session, {person.id: person}, now)[person.id],
        "permission": may_send(Purpose.CAMPAIGN, standings(session, [person.id], topic)[person.id], now),
        "deeds": deeds_of(session, [person.id]).get(person.id, ()),
        "given": given_to(session, [person.id]).get(person.id, ()),
        "mailed_at": recent_attempts(session, person.id, now - timedelta(days=7)),
    }


def _path(destination: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(destination).path or "/"


def _get_sequence(units: list["Unit"], name: str) -> "Unit":
    from nurture.errors import NotFound, did_you_mean

    known = {unit.name: unit for unit in units if unit.kind == "sequence"}
    if name not in known:
        raise NotFound(
            f'there is no sequence "{name}" without errors.{did_you_mean(name, known)} `nurture check` says more.'
        )
    return known[name]
