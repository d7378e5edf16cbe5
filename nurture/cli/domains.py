"""`nurture domains`: where people have their addresses, whether anybody takes mail there, and which look mistyped."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, table, warn
from nurture.cli.workspace import opened
from nurture.figures import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.consent.domains.store import MailDomain
    from nurture.delivery.resting.rules import Rest

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Domain = Annotated[str, typer.Argument(help="The domain as it stands in the addresses, such as gmial.com.")]

_SHOWN = 30


def register(app: typer.Typer) -> None:
    domains = typer.Typer(invoke_without_command=True)
    domains.callback()(list_domains)
    domains.command("accept")(accept)
    domains.command("correct")(correct)
    app.add_typer(domains, name="domains")


def list_domains(context: typer.Context, as_json: Json = False) -> None:
    """Where people have their addresses: the domains, first those no mail goes to, with why.

    Each is looked up once in the background before the first mail to it, and again every 90 days, while the relay is not
    on this machine. Where nobody takes mail, none is sent; one that looks mistyped waits until you say which was meant.

    Example: nurture domains --json
    """
    from nurture.consent.domains.store import list_domains as list_all
    from nurture.consent.domains.store import mailbox_of
    from nurture.delivery.resting.store import list_rests

    if context.invoked_subcommand:
        return
    with opened() as house, house.database.reading() as session:
        found = list_all(session)
        now = house.clock.now()
        rests = {name: one for name, one in list_rests(session, now).items() if not one.is_free(now)}
    if as_json:
        emit([_as_document(one, people, rests) for one, people in found])
        return
    for name, rest in sorted(rests.items()):
        warn(f"{name} rests until {rest.until:%Y-%m-%d %H:%M} UTC and then comes back little by little: {rest.reply}")
    table(
        ("domain", "people", "mail", ""),
        [
            (one.domain, people, _word(one), mailbox_of(one).because or one.because)
            for one, people in found[: max(_SHOWN, sum(bool(mailbox_of(one).reason) for one, _ in found))]
        ],
        empty="Nobody has come in yet.",
    )
    if len(found) > _SHOWN:
        say(f"{len(found):,} domains in all; --json lists them.")


def _as_document(one: "MailDomain", people: int, rests: "Mapping[str, Rest]") -> dict[str, Any]:
    from nurture.consent.domains.store import mailbox_of
    from nurture.delivery.pacing.providers import group_of

    rest = rests.get(group_of(one.domain))

    return {
        "domain": one.domain, "people": people, "mail": _word(one), "because": mailbox_of(one).because or one.because,
        "verdict": one.verdict, "spelling": one.spelling or "fine", "meant": one.meant, "asked_at": one.asked_at,
        "ask_at": one.ask_at, "rests_until": rest.until if rest else None,
    }  # fmt: skip


def _word(one: "MailDomain") -> str:
    """What happens with mail to a domain: goes, held, refused, or not asked yet."""
    from nurture.consent.domains.rules import DEAD, Spelling

    if one.spelling == Spelling.HELD:
        return "held"
    if one.verdict in DEAD:
        return "refused"
    return "goes" if one.verdict else "not asked yet"


def accept(domain: Domain, as_json: Json = False) -> None:
    """Say that a domain is spelled right, so that its people are written to.

    Example: nurture domains accept gmial.com
    """
    from nurture.consent.domains.actions import accept as let_be

    with opened() as house, house.database.writing(durable=True) as session:
        people = let_be(session, domain, house.clock.now())
    if as_json:
        emit({"domain": domain, "people": people})
    else:
        say(f"{domain} is spelled right. {counted(people, 'person has', 'people have')} an address there.")


def correct(
    domain: Domain,
    meant: Annotated[str, typer.Argument(help="The domain that was meant, such as gmail.com.")],
    as_json: Json = False,
) -> None:
    """Say which domain was meant: its people move to their address there.

    Who is known at the right address already becomes one with them: the strictest consent of the two, and every no.
    Somebody who cannot be moved now is told and stays held; run it again.

    Example: nurture domains correct gmial.com gmail.com
    """
    from nurture.consent.domains.actions import get_held
    from nurture.consent.domains.store import ids_at
    from nurture.merging.correcting import correct_address, get_right_domain

    done: dict[str, list[str]] = {"moved": [], "merged": [], "left": []}
    with opened() as house:
        right = get_right_domain(meant)
        with house.database.reading() as session:
            ids = ids_at(session, get_held(session, domain).domain)
        for contact_id in ids:
            with house.database.writing(durable=True) as session:
                what, who = correct_address(session, house.language, contact_id, right, house.hasher, house.clock.now())
            done[what].append(who)
    if as_json:
        emit({"domain": domain, "meant": right, **done})
        return
    say(
        f"{domain} → {right}: {len(done['moved']):,} moved, {len(done['merged']):,} became one with somebody known there."
    )
    for who in done["left"]:
        say(f"  left as they are: {who}")
