"""What stands in the book of a campaign: of a sequence with lives told beforehand, of a newsletter with its next slots."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nurture.figures import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nurture.app.house import App
    from nurture.campaigns.publishing import Reading
    from nurture.campaigns.reading import Unit
    from nurture.database.engine import Session
    from nurture.reports.book import Book, Page, Rehearsed

_SLOTS = 4
_MOST_ON_A_SHEET = 25  # boxes of a graph


def of_sequence(
    house: "App", session: "Session", reading: "Reading", units: "Sequence[Unit]", contacts: Path | None, seed: int
) -> "Book":
    """The way through, its mails in the order of the file, and what it would be like."""
    from nurture.cli.graphing import flow_from
    from nurture.reports.terms import terms_of_sequence
    from nurture.sequences.definition import SequenceDefinition
    from nurture.sequences.graph.drawing import draw, people_line, summary

    unit = units[0]
    flow = flow_from(house, session, unit.content)
    definition = SequenceDefinition.model_validate(unit.content["definition"])
    rehearsed = _rehearse(house, reading, unit, [box.id for box in flow.boxes], contacts, seed)
    reaches = {one.mail: f"{one.share}; half of them by day {one.half:.0f}" for one in rehearsed.reaches}
    mails = list(unit.content["mails"])
    pages = [
        _page(house, session, unit, mail, definition.sender, reaches.get(mail, "nobody in the simulation"))
        for mail in mails
    ]
    kinds = {box.id: str(box.shape) for box in flow.boxes}
    pages = [replace(page, kind=_KINDS[kinds[page.name]]) for page in pages]
    made = _blank(house, reading, pages)
    return replace(
        made, kind="sequence", name=unit.name, graph=draw(flow, is_alone=False), is_tall=len(flow.boxes) > _MOST_ON_A_SHEET, people=people_line(flow),
        lead=f"A sequence of {summary(flow)} Nothing of it reaches anybody until it is published.",
        terms=tuple(terms_of_sequence(definition, house.declared)), rehearsed=rehearsed,
    )  # fmt: skip


_KINDS = {"value": "value: it gives something", "ask": "ask: it wants something of its reader"}


def of_newsletter(
    house: "App", session: "Session", reading: "Reading", units: "Sequence[Unit]", contacts: Path | None, seed: int
) -> "Book":
    """Its announcement, the issues that are ready, and when they go out."""
    from nurture.errors import BadInput
    from nurture.newsletters.definition import NewsletterDefinition
    from nurture.reports.terms import terms_of_newsletter

    if contacts is not None or seed:
        raise BadInput("--contacts and --seed are for sequences; a newsletter goes to whoever may be mailed.")
    unit = units[0]
    definition = NewsletterDefinition.model_validate(unit.content["definition"])
    pages = [_page(house, session, unit, mail, definition.sender, "") for mail in unit.content["mails"]]
    pages = [replace(page, kind="announcement: once, to everybody it may be announced to") for page in pages]
    for issue in units[1:]:
        front = issue.content["front"]
        kind = f"issue {front['number']}, {_KINDS[front['kind']]}"
        only = f"only readers for whom this holds: {front['audience']}" if front["audience"] else ""
        pages += [
            replace(_page(house, session, issue, mail, definition.sender, only), kind=kind)
            for mail in issue.content["mails"]
        ]
    issues = len(pages) - 1
    return replace(
        _blank(house, reading, pages), kind="newsletter", name=unit.name,
        lead=f"A newsletter: its announcement and {counted(issues, 'issue')} that {'is' if issues == 1 else 'are'} ready. Nothing of it reaches anybody until it is published.",
        terms=tuple(terms_of_newsletter(definition, house.declared)), slots=tuple(_slots(house, session, unit, units[1:])),
        people=_audience(house, session, unit),
    )  # fmt: skip


def _slots(house: "App", session: "Session", unit: "Unit", issues: "Sequence[Unit]") -> list[tuple[str, str]]:
    """The next slots, with the issues that would fill them once they are published."""
    from datetime import timedelta

    from nurture.newsletters.definition import NewsletterDefinition, schedule_of
    from nurture.newsletters.kind import IssueKind

    schedule = schedule_of(NewsletterDefinition.model_validate(unit.content["definition"]), unit.content["sender_zone"])
    waiting = [one for one in issues if not IssueKind().is_closed(session, one.name)]
    at, found = house.clock.now(), []
    for number in range(_SLOTS):
        slot = schedule.slot_from(at)
        what = (
            f"issue {waiting[number].content['front']['number']}, “{waiting[number].content['front']['subject']}”"
            if number < len(waiting)
            else "nothing: no issue is ready"
        )
        found.append((f"{slot.astimezone(schedule.zone):%A %-d %B %Y, %H:%M} {schedule.zone}", what))
        at = slot + timedelta(minutes=1)
    return found


def _audience(house: "App", session: "Session", unit: "Unit") -> str:
    """How many people it goes to, as things are."""
    from nurture.newsletters import actions as newsletters
    from nurture.newsletters.published import list_published
    from nurture.newsletters.store import count_readers

    published = [one for one in list_published(session) if one.name == unit.name]
    if not published:
        return "Until it is published nobody is counted: permission rests on what is published."
    count = newsletters.count_to_announce(session, house.language, published[0], house.clock.now())
    readers = count_readers(session, unit.name)
    return f"{counted(readers, 'reader')} now; it would be announced to {counted(count, 'person', 'people')} more."


def _page(house: "App", session: "Session", unit: "Unit", mail: str, sender: str, note: str) -> "Page":
    from nurture.cli.trying import Wanted, draft_for, person_of
    from nurture.delivery import composing
    from nurture.reports.book import Page

    person = person_of(session, house, "")
    drafted = draft_for(session, house, Wanted(unit, mail), person)
    assert drafted.delivery.facts is not None  # it was just gathered
    drafted.delivery.facts["is_tracked"] = False  # links as their author wrote them
    rendered = composing.render(drafted.mail, drafted.delivery, house.house, drafted.recipient, person.email)
    by = drafted.delivery.facts["sender"]
    written = f"{by['name']} <{by['email']}>"
    return Page(
        name=mail,
        subject=rendered.subject,
        preheader=unit.content["mails"][mail]["preheader"],
        kind="",
        sender=f"the contact's owner, else {written}" if sender == "owner" else written,
        html=rendered.html,
        text=rendered.text,
        links=tuple((link.label, link.destination) for link in drafted.mail.links),
        note=note,
    )


def _blank(house: "App", reading: "Reading", pages: "Sequence[Page]") -> "Book":
    """What both kinds of books have: mails, and the consent table they go by."""
    from nurture.consent.definition import ConsentDefinition
    from nurture.reports.book import Book
    from nurture.reports.terms import rulings_of, tracking_of

    consent: Mapping[str, Any] = next(unit.content for unit in reading.units if unit.kind == "consent")
    table = ConsentDefinition.model_validate(consent)
    return Book(
        kind="", name="", title="", facts=(), lead="", pages=tuple(pages), terms=(), topic="",
        rulings=tuple(rulings_of(table)), tracking=tracking_of(table), problems=(), silenced=(), changes=(), since="",
        plan="", made_at=house.clock.now(),
    )  # fmt: skip


def _rehearse(
    house: "App", reading: "Reading", unit: "Unit", order: "Sequence[str]", contacts: Path | None, seed: int
) -> "Rehearsed":
    from datetime import timedelta

    from nurture.cli.expecting import first_of_the_year
    from nurture.cli.staging import people_of_file, stage_of
    from nurture.contacts.fields import field_words
    from nurture.reports.book import rehearse
    from nurture.sequences.simulation.crowd import BEHAVIOR, COME_IN_OVER, invent
    from nurture.sequences.simulation.expectations import parse_expectation
    from nurture.sequences.simulation.outcomes import outcome
    from nurture.sequences.simulation.simulate import simulate_all

    stage = stage_of(house, reading.units, unit.name)
    start = first_of_the_year(house.clock.now())
    expected = [parse_expectation(text) for text in unit.content["definition"]["expect"]]
    length = COME_IN_OVER + max((one.takes for one in expected), default=timedelta(days=60))
    if contacts is None:
        people = invent(stage.program, field_words(house.fields), start, seed=seed)
        who = (
            f"{counted(len(people), 'invented person', 'invented people')}, from eager to silent, came in over a year."
        )
    else:
        found = people_of_file(house, stage, contacts, start)
        apart = COME_IN_OVER / max(len(found), 1)
        people = [replace(one, arrives_at=start + place * apart) for place, one in enumerate(found)]
        who = f"{counted(len(people), 'person', 'people')} of {contacts.name} came in over a year."
    told = simulate_all(
        stage.program, people, BEHAVIOR, stage.world, start=start, length=length, seed=seed, is_told=lambda _: False
    )
    judged = [one.judge(told.endings, start + length) for one in expected]
    return rehearse(who, told.endings, outcome(told.endings, start=start, length=length), judged, order)
