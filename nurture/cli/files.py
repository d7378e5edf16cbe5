"""`nurture contacts import` and `export`: people come in from a file and go out as one."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nurture.cli.options import ConsentBasis, ConsentOn, Json, ListName, Source, TopicName, Where, clause_of
from nurture.cli.output import check_place, emit, warn
from nurture.cli.privacy import note_export, note_import, write_everything
from nurture.cli.workspace import opened
from nurture.figures import counted


def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV, TSV or XLSX file with a line of column headers.")],
    topic: TopicName = "",
    consent: ConsentBasis = "",
    consent_on: ConsentOn = "",
    list_name: ListName = "",
    source: Source = "",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=FIELD", help='Which field a column fills; "COLUMN=-" leaves it out.'),
    ] = None,
    mapping_file: Annotated[
        Path | None, typer.Option("--mapping", metavar="FILE", help="The same from a file that --save-mapping wrote.")
    ] = None,
    save_mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep how the columns were read, for the next export.")
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="How the characters are written, where that cannot be told: cp1250, shift-jis …")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change, as a diff.")] = False,
    as_json: Json = False,
) -> None:
    """Bring in the contacts of a CSV, TSV or XLSX file; importing it again changes nothing.

    Headers are recognized in English, German, French and Spanish, whatever the encoding and delimiter, and exports of
    Mailchimp, HubSpot, Salesforce, listmonk and Mautic by theirs. A column nobody
    knows whose header may speak of permission refuses the file, until --map says what it is. Refused rows
    are written to refused.csv with their reasons. Nobody who opted out comes back, a no in the file beats every flag,
    and without a basis people come in but get no mail. Exits 0 with refused rows, 1 if nothing could be read.

    Example: nurture contacts import customers.csv --consent customer --consent-on 2026-01-31 --list customers
    """
    import gc

    from nurture.cli.differing import Difference
    from nurture.cli.imported import Done, as_document, report
    from nurture.cli.importing import Given, mapping_from, progress, terms_of
    from nurture.cli.refused import Refusals
    from nurture.consent import imports
    from nurture.consent.summaries import Listener, Told
    from nurture.contacts.checkup import Checkup
    from nurture.contacts.imports import survey
    from nurture.contacts.mappings import write_mapping

    with opened() as house:
        began, now = house.clock.elapsed(), house.clock.now()
        given = Given(topic, consent, consent_on, list_name, source)
        told, told_in = mapping_from(mapping_file, mapping or [])
        found = survey(file, house.fields, told, encoding=encoding, told_in=told_in)
        terms = terms_of(
            house, given, origin=f"import of {file.name}".replace("@", " at "), now=now, is_rehearsal=dry_run
        )
        if save_mapping:
            write_mapping(save_mapping, found.columns, told)
        # What is loaded by now stays; a full collection over it takes 70 ms, and would while the lock is held.
        gc.freeze()
        refusals = Refusals(found, None if dry_run else Path.cwd(), keeps=as_json)
        checkup = Checkup(now.date())
        difference = Difference(keeps=as_json) if dry_run else None

        def hear(one: Told) -> None:
            if not one.is_opted_out:
                checkup.see(one.email, one.known_on or terms.given_on)
            if difference:
                difference.hear(one)

        with progress(found.rows, file.name) as show_rows:
            for summary in imports.import_file(
                house.database,
                found,
                house.fields,
                terms,
                house.clock,
                now,
                is_rehearsal=dry_run,
                listener=Listener(refusals.take, hear),
            ):
                show_rows(summary.read)
        refused_file = refusals.finish()
        if not dry_run:
            note_import(house, file, summary)
        seconds = house.clock.elapsed() - began
        done = Done(found, summary, refusals, refused_file, checkup, difference, terms.topic, seconds)
    if as_json:
        emit(as_document(done))
    else:
        report(done)


def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; default: stdout. With --all: whose.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Everything about one person, named by address, as JSON.")
    ] = False,
    where: Where = "",
    topic: TopicName = "",
    form: Annotated[
        str, typer.Option("--format", help="csv, tsv or xlsx; default: what the name of the file ends with, else csv.")
    ] = "",
) -> None:
    """Write contacts as CSV, TSV or XLSX: what is known about them, their consent to a topic, and who opted out.

    Spreadsheets take no cell for a formula, and `contacts import` reads the file back without changing anybody.

    With --all it writes one JSON document for one person: every table, the consents with their wording, and how the score
    comes about.

    Example: nurture contacts export germans.xlsx --where 'country == "DE"'
    """
    from nurture.cli.importing import topic_of
    from nurture.consent.exports import export_headers, export_rows
    from nurture.contacts.exports import format_of, write_csv, write_file
    from nurture.errors import BadInput

    if everything:
        if file is None:
            raise BadInput("say whose: nurture contacts export ana@reader.example --all")
        write_everything(str(file))
        return
    chosen = format_of(file, form)
    if file is not None:
        check_place(file)
    with opened() as house:
        about, clause = topic_of(house, topic), clause_of(house, where)
        with house.database.reading() as session:
            note_export(house, file, where)
            headers, rows = export_headers(house.fields), export_rows(session, about, house.fields, clause)
            if file is None:
                write_csv(sys.stdout, headers, rows, "\t" if chosen == "tsv" else ",")
                return
            # Written beside and then moved, so that nobody finds half a file.
            part = file.with_name(f"{file.name}.part")
            count = write_file(part, chosen, headers, rows)
            part.replace(file)
    warn(f"{file}: {counted(count, 'contact')}.")
