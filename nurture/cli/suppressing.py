"""`nurture suppression`: addresses and domains that are never mailed, as lists come and go."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.options import MOST, Json
from nurture.cli.output import check_place, emit, say, shown, table, warn
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.consent.suppressions.lists import Entry

Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; kept for ever, so without an address.")]

_ROWS_AT_ONCE = 100


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Addresses and domains that are never mailed.", no_args_is_help=True)
    group.command("list")(show)
    group.command("add")(add)
    group.command("import")(import_list)
    group.command("export")(export_list)
    group.command("lift")(lift)
    app.add_typer(group, name="suppression")


def show(
    reason: Annotated[str, typer.Option(help="Only opt_out, hard_bounce, complaint, manual, erased or domain.")] = "",
    limit: Annotated[int, typer.Option(min=0, max=MOST, help="At most so many addresses; 0: all.")] = 50,
    as_json: Json = False,
) -> None:
    """Show who is never mailed and since when; an address is named only while it is a contact's.

    Example: nurture suppression list --reason complaint
    """
    from nurture.consent.suppressions import store
    from nurture.consent.suppressions.rules import SuppressionReason

    _check_reason(reason)
    rows: list[dict[str, Any]] = []
    with opened() as house, house.database.reading() as session:
        if reason in {"", SuppressionReason.DOMAIN}:
            rows = [
                {"domain": one.domain, "address_hash": None, "email": None, "reason": "domain", "since": one.created_at,
                 "how": one.how}
                for one in store.standing_domains(session)
            ]  # fmt: skip
        addresses = []
        for address_hash, why, since, how in store.standing_entries(session):
            if reason in {"", why}:
                addresses.append((address_hash, why, since, how))
            if limit and len(addresses) > limit:
                break
        emails = store.emails_of_hashes(session, [one[0] for one in addresses])
    has_more = bool(limit) and len(addresses) > limit
    rows += [
        {"domain": None, "address_hash": one, "email": emails.get(one), "reason": why, "since": since, "how": how}
        for one, why, since, how in addresses[: limit or None]
    ]
    if as_json:
        emit(rows)
        return
    table(
        ("who", "reason", "since", "how"),
        [
            (
                row["domain"] or row["email"] or f"hash {row['address_hash'][:12]}…",
                row["reason"],
                shown(row["since"]),
                row["how"],
            )
            for row in rows
        ],
        empty="Nobody is on the suppression list.",
    )
    if has_more:
        warn(f"These are the newest {limit:,}; --limit 0 shows everybody.")


def add(
    who: Annotated[list[str], typer.Argument(metavar="ADDRESS|DOMAIN", help="Whom never to mail; several may follow.")],
    because: Because = "",
    as_json: Json = False,
) -> None:
    """Never mail an address, contact or not; or anybody at a domain, and at every domain below it.

    Example: nurture suppression add competitor.example --because "asked by their lawyer"
    """
    from nurture.consent.suppressions.lists import RefusedLine, because_of, read_lines
    from nurture.errors import BadInput

    reason = because_of(because)
    with opened() as house:
        entries = list(read_lines([f"{one}\n" for one in who], house.hasher.fingerprint))
        for one in entries:
            if isinstance(one, RefusedLine):
                raise BadInput(f'"{who[one.line - 1]}": {one.reason}.')
        if len(entries) != len(who):
            raise BadInput("name addresses or domains, such as ana@reader.example or reader.example.")
        counts = _take_in(house, [one for one in entries if not isinstance(one, RefusedLine)], reason)
    _tell(counts, [], as_json)


def import_list(
    file: Annotated[Path, typer.Argument(help="One address, domain or hash per line, or in the first column.")],
    because: Because = "",
    as_json: Json = False,
) -> None:
    """Never mail whoever a list names: addresses, domains, or the hashes of a list that `export` wrote under this key.

    MD5, SHA-1 and SHA-256 sums of addresses are held against the contacts there are; whom nobody knows yet cannot be
    recognized by them later, so import such a list again after each import of contacts. Exits 0 with refused lines.

    Example: nurture suppression import do-not-mail.txt --because "list of the old mail system"
    """
    from nurture.consent.suppressions.lists import RefusedLine, because_of, read_lines
    from nurture.contacts.sheets import find_encoding
    from nurture.database import audit
    from nurture.errors import NotFound

    reason = because_of(because or f"import of {file.name}".replace("@", " at "))
    if not file.is_file():
        raise NotFound(f"{file}: there is no such file; name the list to read.")
    counts: dict[str, int] = {}
    refused: list[RefusedLine] = []
    with opened() as house:
        with file.open(encoding=find_encoding(file), errors="replace") as stream:
            chunk: list[Entry] = []
            for one in read_lines(stream, house.hasher.fingerprint):
                if isinstance(one, RefusedLine):
                    refused.append(one)
                    continue
                chunk.append(one)
                if len(chunk) == _ROWS_AT_ONCE:
                    counts = _sum(counts, _take_in(house, chunk, reason))
                    chunk = []
            counts = _sum(counts, _take_in(house, chunk, reason))
        with house.database.writing() as session:
            about = file.name.replace("@", " at ")
            audit.log(
                session,
                audit.SUPPRESSED,
                who=getpass.getuser(),
                at=house.clock.now(),
                about=about,
                because=reason,
                **counts,
            )
    _tell(counts, refused, as_json)


def _take_in(house: "App", entries: "list[Entry]", because: str) -> dict[str, int]:
    """Put some entries on the list, in one transaction."""
    from nurture.consent.rules import Proof
    from nurture.consent.suppressions.actions import suppress, suppress_domain
    from nurture.consent.suppressions.rules import SuppressionReason
    from nurture.consent.suppressions.store import contacts_by_checksum

    now, proof = house.clock.now(), Proof(because, by=getpass.getuser())
    counts = {"new": 0, "known": 0, "domains": 0, "unrecognized": 0}
    sums = {one.checksum for one in entries if one.checksum}
    with house.database.reading() as session:
        recognized = contacts_by_checksum(session, sums) if sums else {}
    with house.database.writing(durable=True) as session:
        for one in entries:
            if one.domain or one.reason is SuppressionReason.DOMAIN:
                is_new = suppress_domain(session, one.domain, how=because, now=now)
                counts["domains"] += is_new
                counts["known"] += not is_new
                continue
            address_hash = (
                one.address_hash
                or recognized.get(one.checksum)
                or (house.hasher.hash(one.address_key) if one.address_key else "")
            )
            if not address_hash:
                counts["unrecognized"] += 1
                continue
            what = "opted_out" if one.reason is SuppressionReason.OPT_OUT else "suppressed"
            is_new = suppress(session, address_hash, one.reason, how=proof, now=now, what=what)
            counts["new" if is_new else "known"] += 1
    return counts


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other[name] for name in other}


def _tell(counts: dict[str, int], refused: list[Any], as_json: bool) -> None:
    if as_json:
        emit({**counts, "refused": [{"line": one.line, "reason": one.reason} for one in refused]})
        return
    say(
        f"From now on never mailed: {counts['new']:,} by address, {counts['domains']:,} by domain; "
        f"{counts['known']:,} were on the list."
    )
    if counts["unrecognized"]:
        warn(
            f"{counts['unrecognized']:,} sums fit no contact; import the list again after the next import of contacts."
        )
    for one in refused[:20]:
        warn(f"line {one.line}: {one.reason}")
    if len(refused) > 20:
        warn(f"… and {len(refused) - 20:,} more lines were refused.")


def export_list(file: Annotated[Path, typer.Argument(help="Where to.")], as_json: Json = False) -> None:
    """Write the list as hashes, which only an installation with the same suppression key can read; domains are plain.

    Example: nurture suppression export suppressed.csv
    """
    from nurture.consent.suppressions import store
    from nurture.consent.suppressions.lists import COLUMNS, HEADER
    from nurture.database import audit

    check_place(file)
    with opened() as house:
        part = file.with_name(f"{file.name}.part")
        with house.database.reading() as session, part.open("w", encoding="utf-8") as stream:
            count = 0
            stream.write(f"# {HEADER} {house.hasher.fingerprint}\n{','.join(COLUMNS)}\n")
            for domain in store.standing_domains(session):
                stream.write(f"@{domain.domain},domain,{domain.created_at:%Y-%m-%d}\n")
                count += 1
            for address_hash, reason, since, _ in store.standing_entries(session):
                stream.write(f"{address_hash},{reason},{since:%Y-%m-%d}\n")
                count += 1
        part.replace(file)
        with house.database.writing() as session:
            audit.log(
                session, audit.EXPORTED, who=getpass.getuser(), at=house.clock.now(),
                about=f"suppression list to {file.name}".replace("@", " at "), entries=count,
            )  # fmt: skip
    if as_json:
        emit({"file": str(file), "entries": count})
    else:
        say(f"{file}: {count:,} entries.")


def lift(
    who: Annotated[str, typer.Argument(metavar="ADDRESS|DOMAIN", help="Whom mail may reach again.")],
    because: Because = "",
    reason: Annotated[str, typer.Option(help="Lift only this reason, such as hard_bounce.")] = "",
    as_json: Json = False,
) -> None:
    """Take an address or a domain off the list; what they had agreed to holds again. Needs a reason, and is logged.

    Somebody who opted out comes back only by their own word: lift nothing for a better number.

    Example: nurture suppression lift competitor.example --because "their lawyer agreed"
    """
    from nurture.consent.rules import Proof
    from nurture.consent.suppressions import actions
    from nurture.consent.suppressions.lists import because_of, read_domain
    from nurture.consent.suppressions.rules import SuppressionReason
    from nurture.contacts.addresses import get_address
    from nurture.database import audit
    from nurture.errors import NotFound

    why = because_of(because)
    _check_reason(reason)
    domain = None if "@" in who[1:] else read_domain(who)
    with opened() as house:
        now = house.clock.now()
        with house.database.writing(durable=True) as session:
            if domain:
                about = domain
                lifted = ["domain"] if actions.lift_domain(session, domain, now=now) else []
            else:
                about = house.hasher.hash(get_address(who).key)
                wanted = [reason] if reason else list(SuppressionReason)
                proof = Proof(f"lifted: {why}", by=getpass.getuser())
                lifted = [str(one) for one in actions.lift(session, about, wanted, how=proof, now=now)]
            if not lifted:
                raise NotFound(
                    f"{who} is not on the suppression list{f' as {reason}' if reason else ''}; nothing changed."
                )
            audit.log(session, audit.LIFTED, who=getpass.getuser(), at=now, about=about, because=why, reasons=lifted)
    if as_json:
        emit({"lifted": lifted})
    else:
        say(f"{who} is off the list ({', '.join(lifted)}). They are mailed if what they agreed to allows it.")


def _check_reason(reason: str) -> None:
    from nurture.consent.suppressions.rules import SuppressionReason
    from nurture.errors import BadInput, did_you_mean

    known = [str(one) for one in SuppressionReason]
    if reason and reason not in known:
        raise BadInput(
            f'"{reason}" is no reason for a suppression; say {", ".join(known)}.{did_you_mean(reason, known)}'
        )
