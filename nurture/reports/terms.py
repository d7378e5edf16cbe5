"""The rules that a campaign goes by, in sentences for somebody who reads no YAML. Pure.

A term is what it is about and what holds. `book` prints them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nurture.campaigns.declared import Declared
from nurture.consent.definition import ConsentDefinition
from nurture.figures import counted
from nurture.newsletters.definition import NewsletterDefinition
from nurture.sequences.definition import SequenceDefinition

_DAYS = {
    "mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday", "sat": "Saturday",
    "sun": "Sunday",
}  # fmt: skip
_WHO = {None: "", "person": " (private persons)", "company": " (companies)"}
_PILES = {"announce": "may be written to", "ask": "must be asked first, not by us", "never": "never"}


@dataclass(frozen=True)
class Term:
    """One rule, or several about one thing; what is `code` is shown as the file has it."""

    about: str
    says: tuple[str, ...]


@dataclass(frozen=True)
class Ruling:
    """One row of the consent table."""

    countries: str
    bases: str
    says: str
    law: str
    checked_on: str


def terms_of_sequence(one: SequenceDefinition, declared: Declared) -> list[Term]:
    """Who comes in and goes out, when mail leaves, in whose name, and how much anybody gets at most."""
    return [
        Term("Who comes in", tuple(_triggers(one))),
        Term("Who comes in again", (_again(one.enroll.again),)),
        Term("What ends it early", (*(f"{exit_.when} → {exit_.as_}" for exit_ in one.exit), "an opt-out, a hard bounce or a complaint, always")),
        Term("When mail leaves", (_window(one.window.model_dump() if one.window else None),)),
        Term("After an outage", (_late(one),)),
        Term("Beside other sequences", (_beside(one),)),
        Term("In whose name", (_sender(one.sender, declared, one.until_owner_agrees),)),
        Term("At most", tuple(_limits(declared))),
    ]  # fmt: skip


def terms_of_newsletter(one: NewsletterDefinition, declared: Declared) -> list[Term]:
    """To whom it is announced, when issues go out, and in whose name."""
    raw = one.schedule
    clock = {"sender": f"the time of {one.owner}", "reader": "each reader's own time"}.get(raw.timezone, raw.timezone)
    window = one.announce_in.model_dump() if one.announce_in else None
    return [
        Term("To whom it is announced", (f"whoever this holds for, and who may be mailed: {one.audience}",)),
        Term("When the announcement leaves", (_window({"timezone": "contact", **window} if window else None),)),
        Term("The first issue", (f"the next one due {one.wait_after} after somebody's announcement",)),
        Term("When issues go out", (f"every {_DAYS[raw.on]} at {raw.at}, {clock}; if none is ready, nothing",)),
        Term("In whose name", (_sender(one.sender, declared, "default"),)),
        Term("Who writes it", (f"{one.owner}, who is reminded when no issue is ready",)),
        Term("At most", tuple(_limits(declared))),
    ]


def rulings_of(one: ConsentDefinition) -> list[Ruling]:
    """The consent table as a table."""
    return [
        Ruling(
            f"{_together(row.country)}{_WHO[row.who]}", _together(row.basis),
            f"{_PILES[row.then]} for {row.within} months, then {_PILES[row.otherwise]}" if row.within else _PILES[row.then],
            row.law, row.checked_on.isoformat(),
        )
        for row in one.rows
    ]  # fmt: skip


def tracking_of(one: ConsentDefinition) -> str:
    """Whose opens and clicks are recorded."""
    ask, dates = one.tracking.ask_first, one.tracking.last_open_date
    if dates:
        rest = one.model_copy(update={"tracking": one.tracking.model_copy(update={"last_open_date": []})})
        return (
            f"In {', '.join(dates)} only the date of the last open is kept of whoever said nothing. {tracking_of(rest)}"
        )
    if "*" in ask:
        return "Opens and clicks are recorded only of people who said yes to that."
    if not ask:
        return "Opens and clicks are recorded of everybody who has not said no to that."
    return (
        f"In {', '.join(ask)}, and where the country is unknown, opens and clicks are recorded only of people who said "
        "yes to that; elsewhere of everybody who has not said no."
    )


def _triggers(one: SequenceDefinition) -> Iterator[str]:
    entry = one.enroll
    if entry.is_by_hand_only:
        yield "nobody by themselves: people are put in by hand, by another sequence or by the API"
    if entry.when:
        yield f"whoever this begins to hold for: {entry.when}"
    if entry.joined:
        yield f"whoever joins the list {entry.joined}"
    if entry.submitted:
        yield f"whoever sends the form {entry.submitted}"
    if entry.did:
        yield f"whoever does this: {entry.did}"
    if entry.on_date:
        yield f"everybody when this date comes: {entry.on_date}"


def _again(again: str) -> str:
    known = {"never": "nobody: once is all", "always": "whoever is let in again, at any time after the end"}
    return known.get(again, f"whoever is let in again, from {again} after the end")


def _window(window: Mapping[str, Any] | None) -> str:
    if window is None:
        return "at any time"
    zone = {"contact": "their own time", "owner": "the time of their owner"}.get(window["timezone"], window["timezone"])
    holidays = window["holidays"]
    closed = {True: "", False: f"; not on public holidays of {', '.join(holidays)}"}[not holidays]
    closed = closed.replace(" of contact", " where they are")
    return f"{window['days']}, {window['hours']}, {zone}{closed}"


def _late(one: SequenceDefinition) -> str:
    if one.late is None:
        return "a late mail is sent all the same"
    then = "is skipped" if one.late.otherwise == "skip" else "ends the sequence"
    return f"a mail that is late by more than {one.late.within} {then}"


def _beside(one: SequenceDefinition) -> str:
    busy = {
        "wait": "whoever is on another one waits for its end", "skip": "whoever is on another one stays out",
        "replace": "it ends others of lower priority",
    }[one.if_busy]  # fmt: skip
    names = one.compatible_with if isinstance(one.compatible_with, list) else ["every other"]
    beside = f"; it goes together with {', '.join(names)}" if names else ""
    return f"priority {one.priority} of 100; {busy}{beside}"


def _sender(sender: str, declared: Declared, until: str) -> str:
    if sender != "owner":
        named = declared.senders.get(sender, declared.default_sender)
        return f"{named.name} <{named.email}>"
    stand_in = declared.senders.get(until, declared.default_sender)
    instead = "nothing leaves" if until == "wait" else f"it is {stand_in.name} <{stand_in.email}>"
    return f"each contact's owner, once they said yes to these mails; until then {instead}"


def _limits(declared: Declared) -> Iterator[str]:
    yield f"{_times(declared.cap_per_day)} a day and {_times(declared.cap_per_week)} in seven days, whatever sends them"
    if declared.values_per_ask:
        yield f"one ask after {declared.values_per_ask} mails of value, whoever sends them; none to wait for whoever asked us"
    if declared.blackout:
        yield f"nothing on {', '.join(declared.blackout)}"


def _times(count: int) -> str:
    return counted(count, "mail")


def _together(words: list[str]) -> str:
    return ", ".join("everywhere" if word == "*" else word for word in words)
