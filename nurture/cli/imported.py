"""What an import did, or would do: for people a table and the sentences beside it, for scripts one document."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nurture.cli.output import say, table, warn
from nurture.figures import counted

if TYPE_CHECKING:
    from nurture.cli.differing import Difference
    from nurture.cli.refused import Refusals
    from nurture.consent.summaries import Summary
    from nurture.contacts.checkup import Checkup
    from nurture.contacts.imports import Survey

_DOMAINS_SHOWN = 5


@dataclass(frozen=True)
class Done:
    """An import that is over; a rehearsal has a difference."""

    file: "Survey"
    summary: "Summary"
    refusals: "Refusals"
    refused_file: Path | None
    checkup: "Checkup"
    difference: "Difference | None"
    topic: str
    seconds: float


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
        "refused": [{"line": line, "reason": reason} for line, reason in done.refusals.rows],
        "opted_out": summary.opted_out,
        "may_announce": summary.piles[Pile.ANNOUNCE],
        "must_ask": summary.piles[Pile.ASK],
        "never": summary.piles[Pile.NEVER],
        "topic": done.topic,
        "dry_run": done.difference is not None,
        "seconds": round(done.seconds, 2),
        "format": file.sheet.format,
        "encoding": file.sheet.encoding,
        "delimiter": file.sheet.delimiter,
        "export": file.columns.export.provider if file.columns.export else None,
        "columns": file.columns.read_as(),
        "left_out": [*file.columns.unknown, *(header for header, _ in file.columns.doubled)],
        "notes": [
            {
                "column": column, "note": what, "count": noticed.count, "first_line": noticed.first_line,
                "examples": noticed.examples,
            }
            for (column, what), noticed in summary.notes.items()
        ],
        "health": _health(done.checkup),
        "refused_file": done.refused_file.name if done.refused_file else None,
        **({"diff": done.difference.as_document()} if done.difference else {}),
    }  # fmt: skip


def _health(checkup: "Checkup") -> dict[str, Any]:
    from nurture.contacts.health import misspelt

    return {
        "people": checkup.people,
        "role_accounts": checkup.roles,
        "disposable": [
            {"domain": domain or "others", "people": count} for domain, count in checkup.disposable.most_common()
        ],
        "misspelt": [
            {"domain": domain or "others", "meant": misspelt(domain), "people": count}
            for domain, count in checkup.misspelt.most_common()
        ],
        "age": {
            "within_a_year": checkup.within_a_year,
            "one_to_two_years": checkup.within_two_years,
            "over_two_years": checkup.older,
            "undated": checkup.undated,
        },
    }


def report(done: Done) -> None:
    """What an import did, for people: a table, what was left out and why, the three piles, and the health of the list."""
    summary, name = done.summary, done.file.sheet.path.name
    would = "would be " if done.difference else ""
    say(f"{name}: {counted(summary.read, 'row')} in {done.seconds:.1f} s{_spelled(done.file)}")
    _say_export(done.file)
    where = f"{done.refused_file.name} says why, line by line" if done.refused_file else "why: see below"
    counts = [
        (summary.created, f"{would}new", ""),
        (summary.updated, f"{would}changed", ""),
        (summary.unchanged, "unchanged", "known already, with nothing new in the file"),
        (summary.merged, "merged", "further rows of an address"),
        (summary.refused_count, "refused", where),
        (summary.opted_out, "of these opted out", "or dead: on the suppression list, and left alone"),
    ]
    table(
        ("rows", "became", ""),
        [row for row in counts if row[0]],
        empty="The file has headers and no rows below them.",
    )
    for line in done.refusals.told():
        say(line)
    _say_columns(done.file)
    _say_notes(summary.notes)
    if done.difference:
        done.difference.report()
    _say_health(done.checkup)
    _say_piles(summary)
    if done.difference:
        say("\nNothing was written: this was a dry run.")


def _spelled(file: "Survey") -> str:
    """How the file was read, where somebody might be surprised."""
    from nurture.contacts.spreadsheets import Worksheet

    words = {";": "semicolons", "\t": "tabs", "|": "bars"}
    parts = []
    if file.sheet.encoding == "cp1252":
        parts.append("read as Windows-1252, since it is not UTF-8")
    if file.sheet.delimiter in words:
        parts.append(f"cells between {words[file.sheet.delimiter]}")
    if isinstance(file.sheet, Worksheet):
        further = ", ".join(f'"{title}"' for title in file.sheet.further)
        parts.append(f'worksheet "{file.sheet.title}"{f", not read: {further}" if further else ""}')
    return f" ({', '.join(parts)})" if parts else ""


def _say_export(file: "Survey") -> None:
    export = file.columns.export
    if export is None:
        return
    say(f"Read as {export.title}.")
    if export.remark:
        warn(f"Mind that {export.remark}.")


def _say_columns(file: "Survey") -> None:
    if file.columns.unknown:
        names = ", ".join(f'"{name}"' for name in file.columns.unknown)
        say(
            f"Left out, because no field is called so: {names}. To keep one, declare it in settings.toml "
            f'([fields.NAME]) and import again, or say which field it is: --map "{file.columns.unknown[0]}=FIELD".'
        )
    for header, instead in file.columns.doubled:
        same = f'a further column "{header}"' if header == instead else f'"{header}" means the same as "{instead}"'
        say(f"Left out: {same}; the first, or the one that was mapped, counts.")


def _say_notes(notes: Mapping[tuple[str, str], Any]) -> None:
    for (column, what), noticed in notes.items():
        examples = ", ".join(f'"{value[:40]}"' for value in noticed.examples)
        shown = f" ({examples}{', …' if noticed.count > len(noticed.examples) else ''})" if examples else ""
        times = "once" if noticed.count == 1 else f"{noticed.count:,} times"
        where = f"{column}: " if column else ""
        warn(f"{where}{times}, first on line {noticed.first_line:,}: {what}{shown}.")


def _say_health(checkup: "Checkup") -> None:
    from nurture.contacts.health import misspelt

    found = []
    if checkup.roles:
        found.append((checkup.roles, "role accounts", "info@ and the like: read by whoever is there, or by nobody"))
    if checkup.disposable:
        found.append((checkup.disposable.total(), "at disposable domains", _named(checkup.disposable, str)))
    if checkup.misspelt:
        meant = _named(checkup.misspelt, lambda domain: f"{domain} (did you mean {misspelt(domain)}?)")
        found.append((checkup.misspelt.total(), "at mistyped domains, held", meant))
    dated = [
        (checkup.within_a_year, "last heard of within a year", ""),
        (checkup.within_two_years, "a year or two ago", "go last"),
        (checkup.older, "longer ago", "whose last open, click, reply or contact is that old are not written to"),
    ]
    if any(count for count, *_ in dated):
        found += [row for row in dated if row[0]]
        found += [(checkup.undated, "without any date", "go in small waves")] if checkup.undated else []
    elif checkup.people:
        found.append(
            (checkup.people, "without any date", "the file tells of nobody when you last heard of them: small waves")
        )
    if found:
        say("\nHealth of the list:")
        table(("people", "are", ""), found, empty="")
    for domain in list(checkup.misspelt)[:1]:
        say(f"  held: `nurture domains correct {domain} {misspelt(domain)}`, or `nurture domains accept {domain}`")


def _named(domains: "Counter[str]", name: "Callable[[str], str]") -> str:
    """The most frequent domains, with their numbers."""
    shown = [f"{name(domain)} {count:,}" for domain, count in domains.most_common(_DOMAINS_SHOWN) if domain]
    return ", ".join(shown) + (", …" if len(domains) > len(shown) else "")


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
