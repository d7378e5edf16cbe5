"""`nurture agree`: an owner says yes to the mails that go out in their name."""

import getpass
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, table
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.campaigns.store import OwnerAgreement
    from nurture.contacts.store import Operator
    from nurture.database.engine import Session

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_CHUNK = 200


def register(app: typer.Typer) -> None:
    app.command("agree")(agree)


def agree(
    sequence: Annotated[str, typer.Argument(help="The sequence, as its file calls it.")] = "",
    owner: Annotated[str, typer.Option("--as", metavar="OWNER", help="Who says yes, by address.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the yes back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask once more.")] = False,
    show: Annotated[bool, typer.Option("--list", help="Show who said yes to what, and whose yes is missing.")] = False,
    as_json: Json = False,
) -> None:
    """Say yes to the mails of a sequence that go out in your name.

    Until then they carry the name that the file says (`until_owner_agrees`), or wait. The yes is to the mails as they
    read: it stays as long as none of them changes.

    Example: nurture agree evaluators --as luis@acme.example --yes
    """
    from nurture.errors import BadInput

    with opened() as house:
        if show:
            _show_all(house, as_json)
            return
        if not sequence or not owner:
            raise BadInput("say for which sequence and as whom: `nurture agree SEQUENCE --as ADDRESS`.")
        with house.database.reading() as session:
            operator, content = _find(session, sequence, owner)
        if not yes and not withdraw:
            _ask(sequence, operator, content, as_json=as_json)
        changed = _take_down(house, sequence, operator, withdraw=withdraw)
    if as_json:
        emit({"sequence": sequence, "owner": operator.email, "agreed": not withdraw, "changed": changed})
    elif withdraw:
        say(f"{operator.name} writes no mail of {sequence} any more." if changed else "There was no yes to take back.")
    else:
        say(f"{sequence} goes out in the name of {operator.name}{'' if changed else ', as before'}.")


def _find(session: "Session", sequence: str, owner: str) -> "tuple[Operator, Mapping[str, Any]]":
    """The operator and what is published; complains where a yes would mean nothing."""
    from nurture.campaigns import store as campaigns
    from nurture.campaigns.declared import get_declared
    from nurture.contacts import store as contacts
    from nurture.delivery.facts import choose_sender
    from nurture.errors import BadInput, NotAllowed, NotFound, did_you_mean

    campaign = campaigns.get_campaign(session, "sequence", sequence)
    assert campaign.version_id is not None
    content = campaigns.get_content(session, campaign.version_id)
    if content["definition"]["sender"] != "owner":
        raise BadInput(f"{sequence} goes out in nobody's own name (sender: {content['definition']['sender']}).")
    operator = contacts.find_operator(session, owner)
    if operator is None or not operator.is_declared:
        known = [one.email for one in contacts.list_operators(session).values() if one.is_declared]
        raise NotFound(f"{owner} is no operator of settings.toml.{did_you_mean(owner, known)}")
    if choose_sender("owner", operator, get_declared(session)).email != operator.email:
        domain = operator.email.rpartition("@")[2]
        raise NotAllowed(
            f"{operator.email} may not be written from; add {domain} to senders.domains, then `nurture publish`."
        )
    return operator, content


def _ask(sequence: str, operator: "Operator", content: Mapping[str, Any], *, as_json: bool) -> None:
    from nurture.errors import BadInput

    if as_json:
        raise BadInput("--json asks nothing; say --yes with it.")
    say(f"In the name of {operator.name} <{operator.email}>:")
    for step, mail in content["mails"].items():
        say(f"  {mail['subject']}")
        say(f"    nurture preview {sequence}:{step}")
    typer.confirm("Do these mails go out in your name?", abort=True, err=True)


def _take_down(house: "App", sequence: str, operator: "Operator", *, withdraw: bool) -> bool:
    """The yes itself, then a look again at everybody they own, a few at a time so that nothing else waits."""
    from nurture.campaigns import agreements
    from nurture.campaigns import store as campaigns
    from nurture.contacts import store as contacts
    from nurture.contacts.actions import mark_changed

    now = house.clock.now()
    with house.database.writing(durable=True) as session:
        current = campaigns.find_current(session, "sequence", sequence)
        assert current is not None
        if withdraw:
            changed = agreements.withdraw(session, operator.id, sequence, current[1], now=now)
        else:
            changed = agreements.agree(session, operator.id, sequence, current[1], by=getpass.getuser(), now=now)
    after = 0
    while changed:
        with house.database.writing() as session:
            ids = contacts.page_of_ids(session, after, _CHUNK, contacts.owned_by(operator.id))
            mark_changed(session, ids, now)
        if len(ids) < _CHUNK:
            break
        after = ids[-1]
    return changed


def _show_all(house: "App", as_json: bool) -> None:
    from nurture.campaigns import store as campaigns
    from nurture.campaigns.agreements import mails_hash
    from nurture.contacts import store as contacts
    from nurture.delivery.owners import list_missing

    with house.database.reading() as session:
        operators = contacts.list_operators(session)
        now = {
            campaign.name: mails_hash(campaigns.get_content(session, campaign.version_id))
            for campaign in campaigns.list_campaigns(session, "sequence")
            if campaign.version_id is not None
        }
        rows: list[dict[str, Any]] = [
            {
                "sequence": one.sequence,
                "owner": operators[one.operator_id].email,
                "agreed_at": one.agreed_at,
                "agreed_by": one.agreed_by,
                "state": _state(one, now.get(one.sequence)),
            }
            for one in campaigns.list_agreements(session)
        ]
        rows += [
            {
                "sequence": one.sequence,
                "owner": one.owner.email,
                "agreed_at": None,
                "agreed_by": None,
                "state": "missing",
            }
            for one in (list_missing(session) if now else [])
        ]
    if as_json:
        emit(rows)
    else:
        table(
            ("sequence", "owner", "agreed at", "typed by", "state"),
            [tuple(row.values()) for row in rows],
            empty="No sequence goes out in an owner's name.",
        )


def _state(one: "OwnerAgreement", mails_of_now: str | None) -> str:
    if one.withdrawn_at is not None:
        return "withdrawn"
    return "yes" if one.mails_hash == mails_of_now else "to earlier mails"
