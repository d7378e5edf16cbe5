"""What `contacts import` and `contacts add` share: the terms of an import, its mapping and its progress bar."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from nurture.app.house import App
    from nurture.consent.law.rules import ConsentTable
    from nurture.consent.terms import Terms


@dataclass(frozen=True)
class Given:
    """What the command line said about the rows."""

    topic: str = ""
    consent: str = ""
    consent_on: str = ""
    list_name: str = ""
    source: str = ""


def terms_of(house: "App", given: Given, *, origin: str, now: datetime, is_rehearsal: bool = False) -> "Terms":
    """Turn the words of the command line into the terms of an import, or say which word is wrong."""
    from nurture.consent.statements import get_basis
    from nurture.consent.terms import Terms
    from nurture.contacts.intake import Desk
    from nurture.contacts.sources import get_source

    basis = get_basis(given.consent) if given.consent else None
    given_on = _past_day(given.consent_on, now) if given.consent_on else None
    source = get_source(given.source) if given.source else None
    return Terms(
        topic_of(house, given.topic),
        origin,
        consent_table(house),
        Desk(house.hasher, _operators(house, is_rehearsal=is_rehearsal), source),
        basis,
        given_on,
        given.list_name,
    )


def topic_of(house: "App", given: str) -> str:
    """The topic a command is about; without being told, only if there is exactly one."""
    from nurture.errors import BadInput, did_you_mean

    topics = list(house.declared.topics)
    if given in topics:
        return given
    if given:
        raise BadInput(
            f'settings.toml declares no topic "{given}".{did_you_mean(given, topics)} Known: {", ".join(topics)}.'
        )
    if len(topics) != 1:
        raise BadInput(
            f"Say which topic this is about with --topic: {', '.join(topics)}."
            if topics
            else 'settings.toml declares no topic; add [[topics]] with name = "insights" and label = "Insights".'
        )
    return topics[0]


def consent_table(house: "App") -> "ConsentTable":
    """The published consent table; before the first `publish` the one of the files, under which nothing can be sent."""
    from nurture.campaigns import store as campaigns
    from nurture.campaigns.reading import Problems
    from nurture.consent.definition import CLOSED_TABLE, KIND, NAME, get_table, table_of
    from nurture.consent.kind import ConsentKind

    with house.database.reading() as session:
        if campaigns.find_current(session, KIND, NAME):
            return get_table(session)
    units = ConsentKind().read(house.workspace(), Problems())
    return table_of(units[0].content) if units else CLOSED_TABLE


def _operators(house: "App", *, is_rehearsal: bool) -> dict[str, int | None]:
    """Operators by address and name. Before the first `publish` those of settings.toml are mirrored here."""
    from nurture.campaigns.declared import find_declared
    from nurture.contacts import store
    from nurture.contacts.actions import mirror_operators
    from nurture.contacts.intake import operators_by_word

    with house.database.reading() as session:
        is_published = find_declared(session) is not None
        known = operators_by_word(store.list_operators(session))
    if is_published:
        return {**known}
    if is_rehearsal:
        return {**{one["email"].lower(): None for one in house.declared.operators}, **known}
    with house.database.writing() as session:
        mirror_operators(session, [dict(one) for one in house.declared.operators])
        return {**operators_by_word(store.list_operators(session))}


def _past_day(text: str, now: datetime) -> date:
    from nurture.contacts.cells import read_date
    from nurture.errors import BadInput

    day = read_date(text)
    if day is None:
        raise BadInput(f'--consent-on: "{text}" is no day; write it as 2026-01-31.')
    if day > now.date():
        raise BadInput(f"--consent-on: {day} is still to come; a consent has a day on which it was given.")
    return day


def mapping_of(pairs: Iterable[str]) -> dict[str, str]:
    """`--map "Column=field"` as header and field."""
    from nurture.errors import BadInput

    mapping = {}
    for pair in pairs:
        header, equals, field = pair.rpartition("=")
        if not equals or not header.strip() or not field.strip():
            raise BadInput(f'--map "{pair}": write it as "Column=field", such as --map "Work mail=email".')
        mapping[header.strip()] = field.strip()
    return mapping


def mapping_from(saved: "Path | None", pairs: Iterable[str]) -> tuple[dict[str, str], str]:
    """A saved mapping with what `--map` says beside it, which wins; and how complaints call it."""
    from nurture.contacts.mappings import read_mapping

    told = mapping_of(pairs)
    if saved is None:
        return told, "--map"
    kept = {header: field for header, field in read_mapping(saved).items() if header not in told}
    return {**kept, **told}, f"--map or {saved.name}:" if told else f"{saved.name}:"


@contextmanager
def progress(total: int, what: str) -> Iterator[Any]:
    """A bar on stderr while it is a terminal; yields what is to be called with the number of rows so far."""
    if not sys.stderr.isatty():
        yield lambda _rows: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from nurture.cli.output import console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(on_stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda rows: bar.update(task, completed=rows)
