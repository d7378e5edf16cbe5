"""`nurture dkim`: the keys that sign our mails, made, shown, taken into use and replaced."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, table, warn
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nurture.adapters.dkim_folder import StoredKey
    from nurture.app.house import App

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
OfDomain = Annotated[str, typer.Option("--domain", help="Of this domain; default: that of the default sender.")]

_RESTART = "A `nurture run` that is under way signs as before until it is started anew."


def register(app: typer.Typer) -> None:
    dkim = typer.Typer(help="The keys that sign our mails (DKIM).", no_args_is_help=True)
    dkim.command("create")(create)
    dkim.command("show")(show)
    dkim.command("list")(list_keys)
    dkim.command("use")(use)
    dkim.command("rotate")(rotate)
    app.add_typer(dkim, name="dkim")


def create(
    domain: OfDomain = "",
    kind: Annotated[str, typer.Option(help="rsa, ed25519, or both.")] = "both",
    as_json: Json = False,
) -> None:
    """Make keys for a domain and print the records to add to its DNS. They sign once `nurture dkim use` finds them there.

    RSA is read by everybody; Ed25519 beside it is cheaper for whoever reads that.

    Example: nurture dkim create --domain acme.example
    """
    from nurture.errors import NotAllowed
    from nurture.rendering.dkim_keys import KeyKind

    kinds = _kinds(kind)
    with opened() as house:
        domain = _domain_of(house, domain)
        if any(one.state != "retired" for one in house.dkim_folder.list_keys(domain)):
            raise NotAllowed(
                f"{domain} has keys; `nurture dkim list` shows them, and `nurture dkim rotate` puts new ones in their place."
            )
        if KeyKind.RSA not in kinds:
            warn("Gmail and Microsoft do not read Ed25519: to them this mail is not signed. Add an RSA key too.")
        made = [_make(house, domain, one) for one in kinds]
        _tell_made(house, made, as_json=as_json)


def show(
    selector: Annotated[str, typer.Argument(help="Only this key, by its selector; default: all.")] = "",
    as_json: Json = False,
) -> None:
    """Show the DNS record of a key, or of all.

    Example: nurture dkim show
    """
    from nurture.errors import NotFound, did_you_mean

    with opened() as house:
        keys = house.dkim_folder.list_keys()
        found = [one for one in keys if selector in {"", one.selector}]
        if selector and not found:
            near = did_you_mean(selector, [one.selector for one in keys])
            raise NotFound(f'there is no key "{selector}".{near} `nurture dkim list` shows them.')
        if as_json:
            emit([_document(one) for one in found])
            return
        if not found:
            say("No key yet: whoever relays our mail has to sign it, or `nurture dkim create` makes one.")
        _say_records(found)


def list_keys(as_json: Json = False) -> None:
    """List the keys, what each is for, and whether the name servers show it.

    Example: nurture dkim list
    """
    from nurture.doctor.keys import is_shown

    with opened() as house:
        found = [(one, is_shown(house.resolver, one.name, one.load().record)) for one in house.dkim_folder.list_keys()]
        if as_json:
            emit([{**_document(one), "in_dns": shown} for one, shown in found])
            return
    words = {True: "yes", False: "no", None: "could not be asked"}
    table(
        ("selector", "domain", "kind", "bits", "state", "in DNS"),
        [(one.selector, one.domain, one.load().kind, one.load().bits, one.state, words[shown]) for one, shown in found],
        empty="No key yet. `nurture dkim create` makes one, if we are to sign and not the relay.",
    )


def use(
    domain: OfDomain = "",
    unseen: Annotated[bool, typer.Option("--unseen", help="Without asking the name servers first.")] = False,
    as_json: Json = False,
) -> None:
    """Sign with the keys that wait, if the name servers show them; those of their kind that signed so far retire.

    Example: nurture dkim use --unseen
    """
    from nurture.adapters.dkim_folder import State
    from nurture.doctor.keys import is_shown
    from nurture.errors import NotAllowed, NotFound

    with opened() as house:
        domain = _domain_of(house, domain)
        keys = house.dkim_folder.list_keys(domain)
        waiting = [one for one in keys if one.state is State.WAITING]
        if not waiting:
            raise NotFound(f"no key of {domain} waits; `nurture dkim create` or `nurture dkim rotate` makes one.")
        missing = [one for one in waiting if not unseen and not is_shown(house.resolver, one.name, one.load().record)]
        if missing:
            names = ", ".join(one.name for one in missing)
            raise NotAllowed(
                f"the name servers do not show {names} yet, so mails would be signed by nobody; add what "
                "`nurture dkim show` prints and try again in an hour, or type --unseen if you know better."
            )
        kinds = {one.load().kind for one in waiting}
        old = [one for one in keys if one.state is State.SIGNING and one.load().kind in kinds]
        signing = [house.dkim_folder.move(one, State.SIGNING) for one in waiting]
        retired = [house.dkim_folder.move(one, State.RETIRED) for one in old]
    if as_json:
        emit({"signing": [one.selector for one in signing], "retired": [one.selector for one in retired]})
        return
    say(f"{domain} signs with {_and(one.selector for one in signing)} from now on.")
    if retired:
        say(
            f"Leave {_and(one.name for one in retired)} in the DNS for two weeks, for mail that is on its way; then take "
            f"{'it' if len(retired) == 1 else 'them'} out."
        )
    warn(_RESTART)


def rotate(domain: OfDomain = "", as_json: Json = False) -> None:
    """Make new keys of the kinds that sign now, and forget retired ones whose record is gone from the DNS.

    Those that sign go on until `nurture dkim use`. Do it every half year, and when somebody leaves who could read them.

    Example: nurture dkim rotate
    """
    from nurture.adapters.dkim_folder import State
    from nurture.doctor.keys import is_shown
    from nurture.errors import NotFound

    with opened() as house:
        domain = _domain_of(house, domain)
        keys = house.dkim_folder.list_keys(domain)
        signing = [one for one in keys if one.state is State.SIGNING]
        if not signing:
            raise NotFound(
                f"no key of {domain} signs yet; see `nurture dkim list`, or make one with `nurture dkim create`."
            )
        gone = [
            one
            for one in keys
            # Only if the name servers say so: from here they may not be reached at all.
            if one.state is State.RETIRED and is_shown(house.resolver, one.name, one.load().record) is False
        ]
        for one in gone:
            house.dkim_folder.remove(one)
        waiting = [one for one in keys if one.state is State.WAITING]
        kinds = dict.fromkeys(one.load().kind for one in signing)
        made = waiting or [_make(house, domain, one) for one in kinds]
        _tell_made(house, made, as_json=as_json, forgotten=gone)


def _tell_made(house: "App", made: "list[StoredKey]", *, as_json: bool, forgotten: "Iterable[StoredKey]" = ()) -> None:
    if as_json:
        emit({"keys": [_document(one) for one in made], "forgotten": [one.selector for one in forgotten]})
        return
    for one in forgotten:
        say(f"{one.name} is gone from the DNS, so the key is forgotten.")
    _say_records(made)
    say("Add these records, and an hour later type `nurture dkim use`.")


def _say_records(keys: "Iterable[StoredKey]") -> None:
    from nurture.rendering.dkim_keys import in_strings

    for one in keys:
        strings = " ".join(f'"{part}"' for part in in_strings(one.load().record))
        say(f"{one.name}. TXT ({one.state})")
        say(f"    {strings}\n")


def _document(one: "StoredKey") -> dict[str, Any]:
    key = one.load()
    return {
        "selector": one.selector, "domain": one.domain, "kind": key.kind, "bits": key.bits, "state": one.state,
        "name": one.name, "record": key.record, "file": str(one.path),
    }  # fmt: skip


def _make(house: "App", domain: str, kind: Any) -> "StoredKey":
    from nurture.rendering.dkim_keys import make_key

    return house.dkim_folder.add(domain, make_key(kind), house.clock.now().date())


def _kinds(text: str) -> list[Any]:
    from nurture.errors import BadInput, did_you_mean
    from nurture.rendering.dkim_keys import KeyKind

    if text == "both":
        return list(KeyKind)
    if text not in list(KeyKind):
        known = [*KeyKind, "both"]
        raise BadInput(f'"{text}" is no kind of key.{did_you_mean(text, known)} Known: {", ".join(known)}.')
    return [KeyKind(text)]


def _domain_of(house: "App", named: str) -> str:
    """The domain meant: one we write from, or one above it."""
    from nurture.errors import BadInput
    from nurture.spelling import as_it_travels

    domain = as_it_travels((named or house.declared.default_sender.domain).lower().rstrip("."))
    ours = {one.domain for one in (house.declared.default_sender, *house.declared.senders.values())}
    ours |= house.declared.sender_domains
    if not any(one == domain or one.endswith(f".{domain}") for one in ours if one) or "." not in domain:
        raise BadInput(
            f'"{domain}" is no domain we write from ({", ".join(sorted(ours - {""})) or "none is declared"}); '
            "see senders.domains and senders.default.email in settings.toml."
        )
    return domain


def _and(words: "Iterable[str]") -> str:
    return " and ".join(words)
