"""`nurture accounts`: companies, and those that a rep chose to win."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.options import MOST
from nurture.cli.output import emit, say, shown, table
from nurture.cli.tasks import as_document as task_document
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.contacts.store import Operator
    from nurture.handoff.accounts.gathering import Account
    from nurture.handoff.accounts.store import Company, TargetAccount

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Named = Annotated[str, typer.Argument(metavar="COMPANY", help="Its domain, or its name as contacts have it.")]
Limit = Annotated[int, typer.Option(min=0, max=MOST, help="At most so many; 0: all.")]


def register(app: typer.Typer) -> None:
    accounts = typer.Typer(invoke_without_command=True)
    accounts.callback()(show_accounts)
    accounts.command("show")(show)
    target = typer.Typer(help="Companies that a rep chose to win: up to twenty each.", no_args_is_help=True)
    target.command("add")(add)
    target.command("remove")(remove)
    target.command("list")(list_chosen)
    accounts.add_typer(target, name="target")
    app.add_typer(accounts, name="accounts")


def show_accounts(context: typer.Context, limit: Limit = 50, as_json: Json = False) -> None:
    """List companies by what their people's engagement adds up to; colleagues and free-mail domains are none.

    Example: nurture accounts
    """
    if context.invoked_subcommand:
        return
    from nurture.handoff.accounts.gathering import list_accounts
    from nurture.handoff.accounts.store import list_targets

    with opened() as house, house.database.reading() as session:
        chosen = {target.domain: operator for target, operator in list_targets(session)}
        found = list_accounts(session, only_targets=False, limit=limit)
    if as_json:
        emit([_summary(one, chosen.get(one.domain)) for one in found])
        return
    table(
        ("company", "name", "people", "engaged", "engagement", "last active", "owners", "target of"),
        [_cells(one, chosen.get(one.domain)) for one in found],
        empty="No company yet. `nurture contacts import FILE` brings people in; their domains say where they work.",
    )


def show(company: Named, as_json: Json = False) -> None:
    """Show a company: whom we know there, who could introduce us, what nobody knows, and what is to be done.

    Example: nurture accounts show reader.example
    """
    from nurture.handoff.accounts.actions import find_domain
    from nurture.handoff.accounts.gathering import gather

    with opened() as house, house.database.reading() as session:
        account = gather(session, find_domain(session, company), house.clock.now())
    if as_json:
        emit(_document(account))
    else:
        _tell(account)


def add(
    company: Named,
    owner: Annotated[str, typer.Option(metavar="EMAIL", help="The rep who wants to win it.")],
    name: Annotated[str, typer.Option(help="What people call the company, if no contact says so.")] = "",
    because: Annotated[str, typer.Option(help="Why this one; the tasks say so.")] = "",
    as_json: Json = False,
) -> None:
    """Make a company a rep's target account, with or without contacts there; two tasks are left for them.

    It is a place for tasks and notes and never a reason to mail anybody: people there get mail only on a basis of their
    own.

    Example: nurture accounts target add reader.example --owner luis@acme.example
    """
    from nurture.handoff.accounts.actions import add_target, find_domain

    with opened() as house:
        now = house.clock.now()
        with house.database.writing() as session:
            domain = find_domain(session, company)
            rep = _rep(session, add_target(session, domain, owner, now, name=name, because=because))
    if as_json:
        emit({"company": domain, "owner": rep.email, "added_at": now})
    else:
        say(f"{domain} is a target account of {rep.name}. `nurture tasks --owner {rep.email}` lists what to do.")


def remove(company: Named, as_json: Json = False) -> None:
    """Let a target account go; what was still to do about it is dropped.

    Example: nurture accounts target remove wanted.example
    """
    from nurture.handoff.accounts.actions import find_domain, remove_target

    with opened() as house:
        now = house.clock.now()
        with house.database.writing() as session:
            domain = find_domain(session, company)
            rep = _rep(session, remove_target(session, domain, now))
    if as_json:
        emit({"company": domain, "owner": rep.email, "removed_at": now})
    else:
        say(f"{domain} is no target account of {rep.name} any more.")


def list_chosen(
    owner: Annotated[str, typer.Option(metavar="EMAIL", help="Only those of this rep.")] = "", as_json: Json = False
) -> None:
    """List the target accounts with their reps, and what we know of each.

    Example: nurture accounts target list
    """
    from nurture.handoff.accounts.actions import get_rep
    from nurture.handoff.accounts.gathering import list_accounts
    from nurture.handoff.accounts.store import list_targets

    with opened() as house, house.database.reading() as session:
        rep = get_rep(session, owner).id if owner else None
        chosen = {target.domain: operator for target, operator in list_targets(session, rep)}
        found = list_accounts(session, targets_of=rep, only_targets=True, limit=0)
    if as_json:
        emit([_summary(one, chosen.get(one.domain)) for one in found])
        return
    table(
        ("company", "name", "people", "engaged", "engagement", "last active", "owners", "target of"),
        [_cells(one, chosen.get(one.domain)) for one in found],
        empty="No target account yet; `nurture accounts target add COMPANY --owner EMAIL` chooses one.",
    )


def _rep(session: Any, target: "TargetAccount") -> "Operator":
    from nurture.contacts.store import list_operators

    return list_operators(session)[target.operator_id]


def _cells(one: "Company", rep: "Operator | None") -> tuple[object, ...]:
    return (
        one.domain, one.name, one.people, one.engaged, one.engagement, one.last_deed_at, ", ".join(one.owners) or None,
        rep.name if rep else None,
    )  # fmt: skip


def _summary(one: "Company", rep: "Operator | None") -> dict[str, Any]:
    return {
        "company": one.domain, "name": one.name, "people": one.people, "engaged": one.engaged,
        "engagement": one.engagement, "last_active_at": one.last_deed_at, "owners": list(one.owners),
        "target_of": rep.email if rep else None,
    }  # fmt: skip


def _document(account: "Account") -> dict[str, Any]:
    company = account.company
    return {
        "company": account.domain,
        "name": account.name,
        "people_count": company.people if company else 0,
        "engaged": company.engaged if company else 0,
        "engagement": company.engagement if company else 0,
        "last_active_at": company.last_deed_at if company else None,
        "target_of": account.rep.email if account.rep else None,
        "because": account.target.because if account.target else None,
        "people": [
            {
                "email": one.contact.email, "who": one.who, "stage": one.contact.stage, "score": one.contact.score,
                "fit": one.contact.fit, "owner": one.owner, "mailable": one.is_mailable,
                "last_active_at": one.last_deed_at, "last_touch": one.last_touch,
            }
            for one in account.people
        ],
        "introducers": [{"name": one.name, "because": one.because} for one in account.introducers],
        "unknown": list(account.unknown),
        "tasks": [task_document(*one) for one in account.tasks],
    }  # fmt: skip


def _tell(account: "Account") -> None:
    say(f"{account.name} ({account.domain})" if account.name else account.domain)
    if account.rep is not None and account.target is not None:
        why = f": {account.target.because}" if account.target.because else ""
        say(f"Target account of {account.rep.name} since {account.target.added_at:%Y-%m-%d}{why}.")
    if account.company is not None:
        one = account.company
        last = f", last active {shown(one.last_deed_at)} UTC" if one.last_deed_at else ""
        say(f"{one.people} known, {one.engaged} engaged, {one.engagement:g} points together{last}.")
    say()
    table(
        ("whom we know there", "stage", "points", "fit", "owner", "may be mailed", "last active", "last touch"),
        [
            (
                one.who, one.contact.stage.replace("_", " "), one.contact.score, one.contact.fit, one.owner,
                one.is_mailable, one.last_deed_at, one.last_touch,
            )
            for one in account.people
        ],
        empty="Nobody is known there yet.",
    )  # fmt: skip
    for helper in account.introducers:
        say(f"Could introduce us: {helper.name}, {helper.because}.")
    for what in account.unknown:
        say(f"Not known: {what}.")
    for task, _, operator in account.tasks:
        say(f"To do for {operator.name if operator else 'nobody yet'} until {shown(task.due_at)} UTC: {task.what}")
