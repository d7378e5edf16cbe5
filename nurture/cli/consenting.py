"""`nurture consent`: what somebody agreed to, with the proof. The table and its changes are in `ruling`."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, table
from nurture.cli.ruling import changes, show_table
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.contacts.store import Contact
    from nurture.database.engine import Session

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Email = Annotated[str, typer.Argument(help="The contact's address.")]
ABOUT = "What somebody agreed to, with the proof, and what the law of each country makes of it."


def register(app: typer.Typer) -> None:
    commands = typer.Typer(help=ABOUT, no_args_is_help=True)
    commands.command("show")(show)
    commands.command("give")(give)
    commands.command("withdraw")(withdraw)
    commands.command("table")(show_table)
    commands.command("changes")(changes)
    app.add_typer(commands, name="consent")


def show(email: Email, as_json: Json = False) -> None:
    """Show the ledger of an address: every yes and no, when, how, and the exact words that were shown.

    First whether mail may go now and why not, by topic, and how much is recorded of what they do with it. Of an address
    that was erased, or that never was a contact, only the ledger is left.

    Example: nurture consent show ana@reader.example
    """
    from nurture.consent.ledger.store import list_events
    from nurture.contacts.addresses import get_address
    from nurture.contacts.store import find_contact

    address = get_address(email)
    with opened() as house, house.database.reading() as session:
        contact = find_contact(session, address.key)
        events = list_events(session, house.hasher.hash(address.key), contact.id if contact else None)
        document: dict[str, Any] = {
            "email": contact.email if contact else address.email,
            "is_contact": contact is not None,
            **(_standing(house, session, contact) if contact else {}),
            "ledger": [
                {
                    "recorded_at": one.recorded_at, "purpose": one.purpose, "topic": one.topic or None, "what": one.what,
                    "basis": one.basis, "given_on": one.given_on, "expires_at": one.expires_at, "how": one.how,
                    "said_by": one.said_by or None, "wording": one.wording or None,
                    "wording_version": one.wording_version or None, "page": one.page or None, "ip": one.ip or None,
                }
                for one in events
            ],
        }  # fmt: skip
    if as_json:
        emit(document)
    else:
        _print(document)


def _standing(house: "App", session: "Session", contact: "Contact") -> dict[str, Any]:
    """Whether mail may go now, by topic, and how much is recorded of what they do with it."""
    from nurture.consent import store as consents
    from nurture.consent.holds.store import pauses_of
    from nurture.consent.recording.rules import WORDS
    from nurture.consent.rhythms.store import find_rhythm
    from nurture.consent.rules import Purpose, may_send

    now = house.clock.now()
    standings = consents.all_standings(session, [contact.id], house.declared.topics)[contact.id]
    topics = []
    for topic, standing in standings.items():
        permission = may_send(Purpose.CAMPAIGN, standing, now)
        mode = consents.recording_modes(session, {contact.id: contact}, topic)[contact.id]
        topics.append(
            {
                "topic": topic, "may_send": permission.is_allowed, "reason": permission.reason or None,
                "because": permission.because or None, "basis": standing.basis, "law": standing.law or None,
                "expires_at": standing.expires_at, "tracking": mode, "tracking_means": WORDS[mode],
            }
        )  # fmt: skip
    pauses = [one.until for one in pauses_of(session, now, contact.id)]
    return {
        "country": contact.country,
        "topics": topics,
        "at_most": find_rhythm(session, contact.id),
        "paused_until": max(pauses, default=None),
    }


def _print(document: dict[str, Any]) -> None:
    say(document["email"] if document["is_contact"] else f"{document['email']} is no contact")
    for one in document.get("topics", ()):
        if one["may_send"]:
            until = f", until {one['expires_at']:%Y-%m-%d}" if one["expires_at"] else ""
            say(f"  {one['topic']}: may be mailed, as {one['basis']}{until} ({one['law']}); {one['tracking_means']}")
        else:
            say(f"  {one['topic']}: no mail, {one['because']}")
    if document.get("at_most"):
        say(f"  at most one mail a {document['at_most']}, as they asked")
    table(
        ("recorded at", "about", "topic", "what", "basis", "since", "until", "how we know"),
        [
            (
                one["recorded_at"], one["purpose"], one["topic"] or "all", one["what"].replace("_", " "), one["basis"],
                one["given_on"], one["expires_at"].date() if one["expires_at"] else None, _proof(one),
            )
            for one in document["ledger"]
        ],
        empty="Nobody wrote down a yes or a no of theirs yet.",
    )  # fmt: skip


def _proof(one: dict[str, Any]) -> str:
    """How we know, with whatever proves it."""
    version = f" ({one['wording_version']})" if one["wording_version"] else ""
    parts = [
        one["how"],
        f"by {one['said_by']}" if one["said_by"] else "",
        f"shown “{one['wording']}”{version}" if one["wording"] else "",
        f"on {one['page']}" if one["page"] else "",
        f"from {one['ip']}" if one["ip"] else "",
    ]
    return ", ".join(part for part in parts if part)


def give(
    email: Email,
    how: Annotated[str, typer.Option("--how", metavar="TEXT", help="How you know: a letter, a call, a contract.")],
    basis: Annotated[str, typer.Option("--basis", metavar="BASIS", help="Why we may write to them.")] = "",
    topic: Annotated[str, typer.Option("--topic", help="What about; may be left out if one is declared.")] = "",
    on: Annotated[str, typer.Option("--on", metavar="DATE", help="When they said so; today, if left out.")] = "",
    wording: Annotated[str, typer.Option("--wording", metavar="TEXT", help="The exact text they were shown.")] = "",
    tracking: Annotated[
        str, typer.Option("--tracking", metavar="MODE", help="What may be recorded: full or last_open_date.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Write down that somebody agreed: to mail about a topic (--basis), to being tracked (--tracking), or to both.

    A no is taken back by nobody but the person: whoever opted out, refused or left a topic is left alone.

    Example: nurture consent give ana@reader.example --basis opt-in --how "asked for it by phone, call 4711"
    """
    from nurture.cli.importing import consent_table, topic_of
    from nurture.consent.actions import choose_tracking
    from nurture.consent.actions import give as write_down
    from nurture.consent.rules import Basis, Proof
    from nurture.contacts.actions import get_contact
    from nurture.errors import BadInput, did_you_mean

    if not basis and not tracking:
        raise BadInput("say what they agreed to: --basis for mail, --tracking for opens and clicks.")
    if basis and basis not in list(Basis):
        raise BadInput(f'"{basis}" is no basis.{did_you_mean(basis, list(Basis))} Known: {", ".join(Basis)}.')
    mode = _mode(tracking) if tracking else None
    proof = Proof(_without_address("--how", how), getpass.getuser(), _without_address("--wording", wording, email))
    with opened() as house:
        now = house.clock.now()
        given_on = _day(on, now.date())
        about = topic_of(house, topic) if basis or topic else ""
        rows = consent_table(house)
        with house.database.writing(durable=True) as session:
            contact = get_contact(session, email)
            if basis:
                write_down(session, rows, contact, about, Basis(basis), given_on, how=proof, now=now)
            if mode is not None:
                choose_tracking(session, contact, wanted=mode, how=proof, now=now, topic=about if topic else "")
    said = {"email": contact.email, "topic": about or None, "basis": basis or None, "tracking": mode}
    if as_json:
        emit(said)
    else:
        say(f"Written down. `nurture consent show {contact.email}` tells what follows from it.")


def withdraw(
    email: Email,
    how: Annotated[str, typer.Option("--how", metavar="TEXT", help="How you know: a letter, a call.")],
    topic: Annotated[str, typer.Option("--topic", help="Only this topic; left out: all mail.")] = "",
    tracking: Annotated[bool, typer.Option("--tracking", help="Opens and clicks only; mail goes on.")] = False,
    as_json: Json = False,
) -> None:
    """Write down that somebody takes their yes back: all mail, one topic, or only being tracked.

    Acts at once, also on mails already sent: from now on nothing that is asked for by one of them is recorded.

    Example: nurture consent withdraw ana@reader.example --tracking --how "wrote to us on paper"
    """
    from nurture.cli.importing import topic_of
    from nurture.consent.actions import choose_topic, choose_tracking
    from nurture.consent.rules import Proof
    from nurture.consent.suppressions.actions import opt_out
    from nurture.contacts.actions import get_contact

    proof = Proof(_without_address("--how", how), by=getpass.getuser())
    with opened() as house:
        now = house.clock.now()
        about = topic_of(house, topic) if topic else ""
        with house.database.writing(durable=True) as session:
            contact = get_contact(session, email)
            if tracking:
                choose_tracking(session, contact, wanted=False, how=proof, now=now, topic=about)
                changed = True
            elif about:
                changed = choose_topic(session, contact, about, wanted=False, how=proof, now=now)
            else:
                changed = opt_out(session, contact.address_hash, how=proof, now=now)
    if as_json:
        emit({"email": contact.email, "topic": about or None, "tracking": tracking, "changed": changed})
        return
    what = "Nothing they do with our mails is recorded" if tracking else f"{contact.email} gets no more mail"
    say(f"{what}{f' about {about}' if about else ''}." if changed else "It was like this already; nothing changed.")


def _without_address(option: str, text: str, address: str = "@") -> str:
    """The ledger is kept for ever, also after the person's erasure, and nobody can change it."""
    from nurture.errors import BadInput

    if address.strip().lower() in text.lower():
        raise BadInput(f"{option} names an address; the ledger outlives the person's erasure, so word it without.")
    return text


def _mode(text: str) -> Any:
    from nurture.consent.recording.rules import Mode
    from nurture.errors import BadInput, did_you_mean

    known = [Mode.FULL, Mode.LAST_OPEN_DATE]
    if text not in known:
        raise BadInput(f'--tracking: "{text}" is none of {" and ".join(known)}.{did_you_mean(text, known)}')
    return Mode(text)


def _day(text: str, today: Any) -> Any:
    from datetime import date

    from nurture.errors import BadInput

    if not text:
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadInput(f'--on: "{text}" is no date; write it as 2026-03-10.') from None
    if day > today:
        raise BadInput(f"--on: {day} has not come yet; write down what was said once it was.")
    return day
