"""What `simulate` and `check --simulate` need of the house: the sequence with everything around it, and people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nurture.cli.output import warn

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from nurture.app.house import App
    from nurture.campaigns.reading import Unit
    from nurture.consent.law.rules import ConsentTable
    from nurture.consent.recording.rules import Recording
    from nurture.contacts.store import Contact, Operator
    from nurture.database.engine import Session
    from nurture.sequences.program import Sequence as Program
    from nurture.sequences.simulation.world import Outage, Person, World

#: The kinds of files that decide what becomes of somebody on a sequence.
KINDS = ("sequence", "scoring", "handoff")
_CHUNK = 500


@dataclass(frozen=True)
class Stage:
    """One sequence of the files as they are now, ready to be lived through."""

    unit: "Unit"
    program: "Program"
    world: "World"
    table: "ConsentTable"


def stage_of(house: "App", units: "Sequence[Unit]", name: str, outages: "tuple[Outage, ...]" = ()) -> Stage:
    """The sequence of that name, under the limits of settings.toml."""
    from nurture.cli.importing import consent_table
    from nurture.delivery import composing
    from nurture.errors import NotFound, did_you_mean
    from nurture.scoring.definition import model_of
    from nurture.sequences.kind import load_sequence
    from nurture.sequences.simulation.world import Limits, World
    from nurture.timing import parse_day_span

    known = {unit.name: unit for unit in units if unit.kind == "sequence"}
    if name not in known:
        raise NotFound(
            f'there is no sequence "{name}" without errors.{did_you_mean(name, known)} `nurture check` says more.'
        )
    unit, declared = known[name], house.declared
    programs = {one.name: load_sequence(one.content, house.language) for one in known.values()}
    scoring = next((one for one in units if one.kind == "scoring"), None)
    senders = {"default": declared.default_sender, **declared.senders}
    world = World(
        Limits(
            cap_per_day=declared.cap_per_day,
            cap_per_week=declared.cap_per_week,
            values_per_ask=declared.values_per_ask,
            blackout=tuple(parse_day_span(text) for text in declared.blackout),
            give_up_after=house.give_up_after,
            per_second=house.settings.sending.per_second,
            blast_guard=declared.blast_guard,
            settle_after=house.settle_after,
        ),
        model_of(scoring.content, house.language) if scoring else None,
        has_agreement=any(one.kind == "handoff" for one in units),
        links={
            step: [(link.label, _path(link.destination)) for link in composing.mail_of(unit.content, step).links]
            for step in unit.content["mails"]
        },
        sender_domains={name: one.email.rpartition("@")[2] for name, one in senders.items()},
        others={other: program for other, program in programs.items() if other != name},
        outages=outages,
    )
    return Stage(unit, programs[name], world, consent_table(house))


def _path(destination: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(destination).path or "/"


def person_from(
    house: "App",
    stage: Stage,
    contact: "Contact",
    owner: "Operator | None",
    past: Mapping[str, Any] = MappingProxyType({}),
) -> "Person":
    """Somebody who may be mailed, with everything a contact has; `past` is what came before."""
    from nurture.consent.recording.rules import Mode
    from nurture.contacts.facts import ContactFacts
    from nurture.contacts.store import values_of
    from nurture.contacts.zones import zone_of
    from nurture.delivery.facts import choose_sender
    from nurture.sequences.simulation.world import Person
    from nurture.timing import find_zone

    zone, window_zone = zone_of(contact), stage.program.window_zone
    named = {"contact": zone, "owner": find_zone(owner.timezone if owner else None)}
    tracked = recording_of(house, stage).mode_of(contact.country, stage.program.topic, None) is Mode.FULL
    values: dict[str, Any] = {
        "contact": ContactFacts(values_of(contact, owner), topics=frozenset({stage.program.topic})),
        "zone": zone,
        "window_zone": named.get(window_zone) or find_zone(window_zone) or zone,
        "email": contact.email,
        "owner_domain": choose_sender("owner", owner, house.declared).email.rpartition("@")[2],
        "tracked_since": contact.created_at if tracked else None,
        "is_colleague": contact.domain in house.declared.company_domains,
    }
    return Person(**{**values, **past})


def recording_of(house: "App", stage: Stage) -> "Recording":
    """How much would be recorded once these files are published."""
    from nurture.consent.recording.rules import Mode, Recording

    topics = {name: Mode(topic.tracking) for name, topic in house.declared.topics.items()}
    return Recording(stage.table, Mode(house.declared.tracking), topics)


def people_of_file(house: "App", stage: Stage, path: "Path", now: "datetime") -> "list[Person]":
    """Everybody a CSV or spreadsheet names, read as an import reads it, as if each might be mailed.

    Whom it leaves out is told on stderr, so that nobody takes fewer people for all of them.
    """
    from nurture.cli.refused import why_refused
    from nurture.contacts.actions import new_contact
    from nurture.contacts.imports import RefusedRow, read_rows, survey
    from nurture.contacts.store import COLUMN_FIELDS, Contact, list_operators

    with house.database.reading() as session:
        operators = {one.email.lower(): one for one in list_operators(session).values()}
        session.expunge_all()
    file = survey(path, house.fields)
    found, refused = [], []
    for row in read_rows(file, house.fields):
        if isinstance(row, RefusedRow):
            refused.append(row)
            continue
        values = {name: value for name, value in row.values.items() if name in COLUMN_FIELDS}
        declared = {name: value for name, value in row.values.items() if name not in COLUMN_FIELDS}
        contact = Contact(**new_contact(row.address, house.hasher, now, **values, fields=declared))
        person = person_from(house, stage, contact, operators.get(row.owner.lower()))
        found.append(replace(person, contact=replace(person.contact, tags=frozenset(row.tags))))
    again = file.rows - len(refused) - len(found)
    if refused or again:
        warn(f"{path}: {file.rows:,} rows, {len(found):,} of them people who come in.")
    for line in why_refused(refused):
        warn(line)
    if again:
        warn(f"  {again:,} with an address that came before, which is one person")
    return found


def people_of_database(house: "App", stage: Stage, segment: str, now: "datetime") -> "Iterator[Person]":
    """Our own contacts, or those of a segment, with everything that came before and the consent they gave."""
    from nurture.conditions import parse
    from nurture.contacts import store as contacts
    from nurture.errors import NotFound, did_you_mean

    words = house.workspace().words
    if segment and segment not in words.segments:
        raise NotFound(f'there is no segment "{segment}".{did_you_mean(segment, words.segments)}')
    condition = parse(f'in_segment("{segment}")', words) if segment else None
    after = 0
    while True:
        with house.database.reading() as session:
            where = house.language.clause_of(session, condition, words, now) if condition else contacts.everybody()
            ids = contacts.page_of_ids(session, after, _CHUNK, where)
            found = contacts.list_contacts(session, ids)
            past = past_of(session, stage, found, now)
            owners = contacts.list_operators(session)
            yield from [
                person_from(house, stage, one, owners.get(one.owner_id or 0), past[one.id]) for one in found.values()
            ]
        if len(ids) < _CHUNK:
            return
        after = ids[-1]


def past_of(
    session: "Session", stage: Stage, found: "dict[int, Contact]", now: "datetime"
) -> dict[int, dict[str, Any]]:
    """What is known about contacts of ours when they come in."""
    from nurture.campaigns.agreements import who_agreed
    from nurture.consent.store import standings, tracked_since_of
    from nurture.delivery.mailed.store import history_of
    from nurture.scoring.actions import gather_facts
    from nurture.scoring.store import given_to
    from nurture.sequences.store import list_enrollments
    from nurture.tracking.store import deeds_of

    ids = list(found)
    facts, standing = gather_facts(session, found, now), standings(session, ids, stage.program.topic)
    deeds, given, mailed = deeds_of(session, ids), given_to(session, ids), history_of(session, ids)
    tracked = tracked_since_of(session, found)
    ways = list_enrollments(session, ids)
    agreed = who_agreed(session, stage.program.name, stage.unit.content)
    return {
        i: {
            "contact": facts[i],
            "standing": standing[i],
            "deeds": deeds.get(i, ()),
            "given": given.get(i, ()),
            "mailed": mailed.get(i, ()),
            "tracked_since": tracked[i],
            "away_until": one.away_until,
            "enrolled_in": frozenset(way.sequence for way in ways if way.contact_id == i and way.ended_at is None),
            "finished": frozenset(way.sequence for way in ways if way.contact_id == i and way.status == "finished"),
            "owner_has_agreed": stage.program.sender != "owner" or one.owner_id is None or one.owner_id in agreed,
        }
        for i, one in found.items()
    }
