"""`nurture leads`, `lead`, `score`: what a rep asks and answers."""

import math
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, read_id, say, shown, table
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Lead = Annotated[str, typer.Argument(help="The lead's number, as `nurture leads` shows it.")]


def register(app: typer.Typer) -> None:
    app.command("leads")(leads)
    verdicts = typer.Typer(help="A rep's verdict on a lead.", no_args_is_help=True)
    for command in (accept, reject, meeting, won, lost):
        verdicts.command(command.__name__)(command)
    app.add_typer(verdicts, name="lead")
    score = typer.Typer(help="Scores, with their working.", no_args_is_help=True)
    score.command("explain")(explain)
    app.add_typer(score, name="score")


def leads(
    everything: Annotated[bool, typer.Option("--all", help="Also those with a verdict.")] = False,
    as_json: Json = False,
) -> None:
    """List the contacts handed to reps, the most urgent first, each with its story.

    Example: nurture leads --all
    """
    from nurture.handoff import store

    with opened() as house:
        with house.database.reading() as session:
            rows = store.list_hand_offs(session, only_open=not everything)
        now = house.clock.now()
    if as_json:
        emit(
            [
                {
                    "id": str(lead.id), "email": contact.email, "owner": operator.email, "stage": contact.stage,
                    "reason": lead.reason, "interest": lead.interest, "score": lead.score, "fit": lead.fit,
                    "due_at": lead.due_at, "verdict": lead.verdict, "verdict_reason": lead.verdict_reason,
                    "story": _lines(lead.story),
                }
                for lead, contact, operator in rows
            ]
        )  # fmt: skip
        return
    if not rows:
        say("Nobody waits. Contacts come here when they cross the line of scoring.yaml or say what they want.")
    for lead, contact, operator in rows:
        say(f"{lead.id}  {contact.email}  → {operator.name}, {_due(lead.verdict, lead.due_at, now)}")
        for line in _lines(lead.story):
            say(f"    {line}")
        if lead.verdict == store.WAITING:
            say(f"    nurture lead accept {lead.id}   or   nurture lead reject {lead.id} --reason …")


def _lines(story: dict[str, Any]) -> list[str]:
    ability = filter(None, [story.get("ability")])  # leads from before it was told have none
    return [story["who"], story["why_now"], *ability, *story["reads"], story["came_in"], story["agreed"]]


def _due(verdict: str, due_at: datetime, now: datetime) -> str:
    from nurture.timing import in_words

    if verdict != "waiting":
        return verdict
    if due_at < now:
        return f"overdue by {in_words(now - due_at)}"
    return f"due in {in_words(due_at - now)}"


def accept(lead: Lead, as_json: Json = False) -> None:
    """Take the lead on.

    Example: nurture lead accept 195964323924347425
    """
    _give(lead, "accepted", as_json=as_json)


def reject(
    lead: Lead,
    reason: Annotated[str, typer.Option(help="A reason from handoff.yaml.")],
    as_json: Json = False,
) -> None:
    """Send the lead back into nurture, with the reason.

    Example: nurture lead reject 195964323924347425 --reason no_budget
    """
    _give(lead, "rejected", reason=reason, as_json=as_json)


def meeting(lead: Lead, as_json: Json = False) -> None:
    """A meeting is booked with the lead.

    Example: nurture lead meeting 195964323924347425
    """
    _give(lead, "meeting", as_json=as_json)


def _finite(value: float | None) -> float | None:
    """`inf` and `nan` are numbers to a computer only."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("write a number in digits.")
    return value


def won(
    lead: Lead,
    amount: Annotated[float | None, typer.Option(callback=_finite, help="What the deal is worth.")] = None,
    as_json: Json = False,
) -> None:
    """The lead became a customer.

    Example: nurture lead won 195964323924347425 --amount 12000
    """
    _give(lead, "won", amount=amount, as_json=as_json)


def lost(
    lead: Lead,
    reason: Annotated[str, typer.Option(help="A reason from handoff.yaml.")],
    as_json: Json = False,
) -> None:
    """The deal came to nothing; the contact goes back into nurture.

    Example: nurture lead lost 195964323924347425 --reason no_budget
    """
    _give(lead, "lost", reason=reason, as_json=as_json)


def _give(lead: str, verdict: str, *, reason: str = "", amount: float | None = None, as_json: bool) -> None:
    from nurture.contacts.store import Contact
    from nurture.handoff import actions
    from nurture.handoff.rules import Verdict

    number = read_id(lead, "lead", "nurture leads")
    with opened() as house, house.database.writing() as session:
        agreement = actions.get(session, house.language)
        given = actions.give_verdict(
            session, agreement, number, Verdict(verdict), reason=reason, amount=amount, now=house.clock.now()
        )
        contact = session.get_one(Contact, given.contact_id)
    if as_json:
        emit(
            {
                "id": str(given.id), "email": contact.email, "verdict": given.verdict,
                "reason": given.verdict_reason, "stage": contact.stage, "recycle_at": given.recycle_at,
            }
        )  # fmt: skip
    elif given.recycle_at is not None:
        say(f"{contact.email} is {given.verdict}: {reason}. Back into nurture until {given.recycle_at:%-d %B %Y}.")
    else:
        say(f"{contact.email} is {given.verdict}{f': {reason}' if reason else ''}; now {contact.stage}.")


def explain(
    email: Annotated[str, typer.Argument(help="The contact.")],
    at: Annotated[str, typer.Option(help="As of then, such as 2026-03-01; default: now.")] = "",
    as_json: Json = False,
) -> None:
    """Show where a contact's score comes from: every contribution, and they sum to the score.

    Example: nurture score explain ana@reader.example --at 2026-03-01
    """
    with opened() as house:
        now = instant(at) if at else house.clock.now()
        result = _explain(house, email, now)
    if as_json:
        emit(
            {
                "score": result.score, "fit": result.fit, "fit_points": result.fit_points, "at": now,
                "parts": [_part(one) for one in result.parts], "fit_parts": [_part(one) for one in result.fit_parts],
            }
        )  # fmt: skip
        return
    say(f"{email}: {result.score:g} points, fit {result.fit} ({result.fit_points:g} points), as of {shown(now)} UTC")
    table(
        ("points", "for", "what they did", "when"),
        [(one.points, one.rule, one.activity, one.occurred_at) for one in result.parts],
        empty="No points yet: nothing a rule of scoring.yaml looks at has happened.",
    )
    table(
        ("fit points", "because"),
        [(one.points, one.rule) for one in result.fit_parts],
        empty="No fit rule of scoring.yaml holds for them.",
    )


def _explain(house: "App", email: str, now: datetime) -> Any:
    from nurture.contacts.actions import get_contact
    from nurture.errors import NotFound
    from nurture.scoring.actions import results
    from nurture.scoring.definition import find_model

    with house.database.reading() as session:
        model = find_model(session, house.language)
        if model is None:
            raise NotFound("No scoring is published; write campaigns/scoring.yaml and type `nurture publish`.")
        contact = get_contact(session, email)
        return results(session, model, {contact.id: contact}, now)[contact.id]


def _part(one: Any) -> dict[str, Any]:
    return {"points": one.points, "rule": one.rule, "activity": one.activity, "occurred_at": one.occurred_at}


def instant(text: str) -> datetime:
    """A moment as people type it; without a zone it is UTC."""
    from datetime import UTC

    from nurture.errors import BadInput

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f'"{text}" is no moment; write one such as 2026-03-01 or 2026-03-01T09:00.') from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
