"""What `contacts import` and `contacts add` share: the terms of an import, its progress bar, and its report."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nurture.cli.output import say, table, warn

if TYPE_CHECKING:
    from nurture.app import App
    from nurture.consent.arrivals import Summary, Terms
    from nurture.consent.law.rules import ConsentTable
    from nurture.contacts.imports import RefusedRow, Survey

REFUSED_FILE = "refused.csv"
_REASONS_SHOWN = 8


@dataclass(frozen=True)
class Given:
    """What the command line said about the rows."""

    topic: str = ""
    consent: str = ""
    consent_on: str = ""
    list_name: str = ""
    source: str = ""


@dataclass(frozen=True)
class Done:
    """An import that is over."""

    file: "Survey"
    summary: "Summary"
    topic: str
    seconds: float
    is_rehearsal: bool
    refused_file: Path | None


def terms_of(house: "App", given: Given, *, origin: str, now: datetime, is_rehearsal: bool = False) -> "Terms":
    """Turn the words of the command line into the terms of an import, or say which word is wrong."""
    from nurture.consent.arrivals import Terms
    from nurture.consent.statements import get_basis
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
    from nurture.consent.definition import CLOSED_TABLE, KIND, NAME, ConsentKind, get_table, table_of

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


def write_refused(file: "Survey", summary: "Summary", folder: Path) -> Path | None:
    """Write the refused rows beside their reasons, as they stood in the file; None if there are none."""
    from nurture.contacts.exports import write_csv

    if not summary.refused:
        return None
    target = folder / REFUSED_FILE
    if target.resolve() == file.sheet.path.resolve():
        target = folder / f"still-{REFUSED_FILE}"
    with target.open("w", encoding="utf-8", newline="") as stream:
        write_csv(
            stream,
            ("line", "reason", *file.columns.headers),
            ((row.line, row.reason, *row.cells) for row in summary.refused),
        )
    return target


def as_document(done: Done) -> dict[str, Any]:
    """The JSON of an import."""
    from nurture.consent.rules import Pile

    summary, file = done.summary, done.file
    return {
        "read": summary.read,
        "created": summary.created,
        "updated": summary.updated,
        "unchanged": summary.unchanged,
        "merged": summary.merged,
        "refused": [{"line": row.line, "reason": row.reason} for row in summary.refused],
        "opted_out": summary.opted_out,
        "may_announce": summary.piles[Pile.ANNOUNCE],
        "must_ask": summary.piles[Pile.ASK],
        "never": summary.piles[Pile.NEVER],
        "topic": done.topic,
        "dry_run": done.is_rehearsal,
        "seconds": round(done.seconds, 2),
        "encoding": file.sheet.encoding,
        "delimiter": file.sheet.delimiter,
        "columns": file.columns.read_as(),
        "left_out": [*file.columns.unknown, *(header for header, _ in file.columns.doubled)],
        "notes": [
            {
                "column": column, "note": what, "count": noticed.count, "first_line": noticed.first_line,
                "examples": noticed.examples,
            }
            for (column, what), noticed in summary.notes.items()
        ],
        "refused_file": done.refused_file.name if done.refused_file else None,
    }  # fmt: skip


def report(done: Done) -> None:
    """What an import did, for people: a table, what was left out and why, and the three piles."""
    summary, name = done.summary, done.file.sheet.path.name
    would = "would be " if done.is_rehearsal else ""
    say(f"{name}: {summary.read:,} row{'' if summary.read == 1 else 's'} in {done.seconds:.1f} s{_spelled(done.file)}")
    where = f"{done.refused_file.name} says why, line by line" if done.refused_file else "why: see below"
    counts = [
        (summary.created, f"{would}new", ""),
        (summary.updated, f"{would}changed", ""),
        (summary.unchanged, "unchanged", "known already, with nothing new in the file"),
        (summary.merged, "merged", "further rows of an address"),
        (len(summary.refused), "refused", where),
        (summary.opted_out, "of these opted out", "or dead: on the suppression list, and left alone"),
    ]
    table(
        ("rows", "became", ""),
        [row for row in counts if row[0]],
        empty="The file has headers and no rows below them.",
    )
    for line in why_refused(summary.refused):
        say(line)
    _say_columns(done.file)
    _say_notes(summary.notes)
    _say_piles(summary)
    if done.is_rehearsal:
        say("\nNothing was written: this was a dry run.")


def _spelled(file: "Survey") -> str:
    """How the file was read, where somebody might be surprised."""
    words = {";": "semicolons", "\t": "tabs", "|": "bars"}
    parts = []
    if file.sheet.encoding == "cp1252":
        parts.append("read as Windows-1252, since it is not UTF-8")
    if file.sheet.delimiter in words:
        parts.append(f"cells between {words[file.sheet.delimiter]}")
    return f" ({', '.join(parts)})" if parts else ""


def why_refused(refused: "Sequence[RefusedRow]") -> list[str]:
    """The most frequent reasons, each with a line of the file."""
    reasons = Counter(row.reason for row in refused)
    lines = {row.reason: row.line for row in reversed(refused)}
    told = [
        f"  refused {count:,}: {reason} (line {lines[reason]:,}{' and others' if count > 1 else ''})"
        for reason, count in reasons.most_common(_REASONS_SHOWN)
    ]
    return told + ([f"  and {len(reasons) - _REASONS_SHOWN:,} more reasons"] if len(reasons) > _REASONS_SHOWN else [])


def _say_columns(file: "Survey") -> None:
    if file.columns.unknown:
        names = ", ".join(f'"{name}"' for name in file.columns.unknown)
        say(
            f"Left out, because no field is called so: {names}. To keep one, declare it in settings.toml "
            f'([fields.NAME]) and import again, or say which field it is: --map "{file.columns.unknown[0]}=FIELD".'
        )
    for header, instead in file.columns.doubled:
        say(f'Left out: "{header}" means the same as "{instead}", which comes first or was mapped.')


def _say_notes(notes: Mapping[tuple[str, str], Any]) -> None:
    for (column, what), noticed in notes.items():
        examples = ", ".join(f'"{value[:40]}"' for value in noticed.examples)
        shown = f" ({examples}{', …' if noticed.count > len(noticed.examples) else ''})" if examples else ""
        times = "once" if noticed.count == 1 else f"{noticed.count:,} times"
        where = f"{column}: " if column else ""
        warn(f"{where}{times}, first on line {noticed.first_line:,}: {what}{shown}.")


def _say_piles(summary: "Summary") -> None:
    from nurture.consent.rules import Pile

    may, ask, never = (summary.piles[pile] for pile in Pile)
    say(
        f"\n{may:,} may get your announcement, {ask:,} must be asked first, {never:,} never. "
        "Why: `nurture contacts list --announce`, --ask or --never."
    )
    if may:
        say(
            "  may get it       write campaigns/newsletters/weekly/announcement.md, then `nurture publish` and `nurture run`"
        )
    if ask:
        say(
            "  must be asked    by a person, one by one; a yes goes in with `nurture contacts add EMAIL --consent opt-in`"
        )
    if never:
        say(
            "  never            they said no, or nobody knows on which basis to write. If you have one, import again with"
        )
        say(
            "                   --consent customer|inquiry|met|… and --consent-on DATE; a no in the file or here stays a no"
        )
