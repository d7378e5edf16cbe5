"""What a form says when it comes back, and what follows from it. Pure.

A machine that fills everything in is caught by a field nobody sees and by the time it took; it is shown the page that
people see, and nothing happens. What a person mistyped is told beside the field. Only the owner of an address can say
that it was them: whatever was asked for waits until a link in a mail to that address was followed and a button pressed.
"""

import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from nurture.contacts.addresses import Address, read_address
from nurture.contacts.cells import read_text
from nurture.contacts.columns import Noted, reader_of
from nurture.contacts.fields import DeclaredField
from nurture.contacts.health import misspelt
from nurture.errors import BadInput

#: Nobody reads a form, ticks a box and types an address in less.
SOONEST = timedelta(seconds=2)
MOST_TEXT = 200

#: The field that people do not see and do not reach with the keyboard.
TRAP = "homepage"

#: Those that forms and pages speak.
LANGUAGES = ("en", "de", "fr", "es")

#: Where a link stood, as its address says it.
LABEL = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

#: Fields of every contact that a form may ask for. Where somebody stands with us is ours to say.
MAY_BE_ASKED = ("first_name", "last_name", "company", "job_title", "country", "language", "timezone")


@dataclass(frozen=True)
class Terms:
    """What sign-ups are held to, as settings.toml says."""

    per_ip: int = 20  # within an hour
    per_address: int = 3  # within a day
    confirm_within: timedelta = timedelta(days=7)
    remind_after: timedelta = timedelta(days=2)


class State(StrEnum):
    """Of a sign-up."""

    PENDING = "pending"  # waits for the owner of the address
    CONFIRMED = "confirmed"
    REPLACED = "replaced"  # the same address sent the form again
    FORGOTTEN = "forgotten"  # nobody confirmed it in time; only the count is left


@dataclass(frozen=True)
class Question:
    """A field of a form."""

    name: str
    is_required: bool
    type: str  # of the field: text, number, date, flag
    label: Mapping[str, str]  # by language; empty: the page has a word for it


@dataclass(frozen=True)
class Wording:
    """A text somebody agrees to, with the hash that names it in the ledger."""

    text: str
    version: str


def version_of(text: str) -> str:
    """The name of a wording: the first 16 digits of the SHA-256 of its text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Form:
    """A published form."""

    name: str
    version_id: int
    content: Mapping[str, Any]
    questions: tuple[Question, ...]
    declared: Mapping[str, DeclaredField] = field(default_factory=dict)

    @property
    def languages(self) -> tuple[str, ...]:
        """Those in which its consent is worded."""
        return tuple(code for code in LANGUAGES if code in self.content["consent"])

    @property
    def topics(self) -> dict[str, Mapping[str, str]]:
        """Label and description of each topic, in the order of the file."""
        return {name: self.content["rests_on"]["topics"][name] for name in self.content["topics"]}

    def text(self, key: str, language: str) -> str:
        """A text of the form, empty where it has none."""
        return str((self.content.get(key) or {}).get(language, ""))

    def wording(self, key: str, language: str) -> Wording | None:
        """What they agree to: `consent` or `tracking`."""
        text = self.text(key, language)
        return Wording(text, version_of(text)) if text else None

    def shown(self, language: str) -> str:
        """Names everything that is agreed to on a page in this language, so that it comes back with what was ticked."""
        return version_of("\n".join(self.text(key, language) for key in ("consent", "tracking")))


@dataclass(frozen=True)
class Entry:
    """What somebody asked for, readable and complete."""

    address: Address | None  # None: the address on file, of a personal link
    values: Mapping[str, Any]
    topics: tuple[str, ...]
    wants_tracking: bool
    wants_call: bool
    language: str

    def to_json(self) -> dict[str, Any]:
        """All but the address, as a sign-up keeps it until it is confirmed."""
        return {
            "values": dict(self.values),
            "topics": list(self.topics),
            "tracking": self.wants_tracking,
            "call": self.wants_call,
        }


@dataclass(frozen=True)
class Faults:
    """What keeps a form from being taken, as keys of the page's words by the name of the field."""

    by_field: Mapping[str, str]
    meant: str = ""  # the address that was probably meant

    def __bool__(self) -> bool:
        return bool(self.by_field)


def is_machine(said: Mapping[str, str], stamped_at: datetime | None, now: datetime) -> bool:
    """Whether nobody would have filled it in like this: the trap is full, or it took no time."""
    return bool(said.get(TRAP)) or (stamped_at is not None and now - stamped_at < SOONEST)


def read_entry(
    form: Form,
    said: Mapping[str, str],
    topics: Sequence[str],
    language: str,
    *,
    asks_address: bool = True,
    known: Sequence[str] = (),
) -> Entry | Faults:
    """What somebody sent. `known` are fields that were not asked, since we know them; nobody else's word changes them."""
    faults: dict[str, str] = {}
    address, meant = _read_address(said, faults) if asks_address else (None, "")
    values = {}
    for question in form.questions:
        if question.name in known:
            continue
        value = _read_value(form, question, said.get(f"field_{question.name}", ""), faults)
        if value is not None:
            values[question.name] = value
    chosen = tuple(one for one in form.topics if one in topics) if len(form.topics) > 1 else tuple(form.topics)
    if not chosen:
        faults["topics"] = "no_topic"
    if said.get("consent") != "yes":
        faults["consent"] = "no_consent"
    if faults:
        return Faults(faults, meant)
    return Entry(
        address,
        values,
        chosen,
        wants_tracking=said.get("tracking") == "yes" and bool(form.text("tracking", language)),
        wants_call=said.get("call") == "yes" and bool(form.text("call", language)),
        language=language,
    )


def _read_address(said: Mapping[str, str], faults: dict[str, str]) -> tuple[Address | None, str]:
    text = said.get("email", "")
    if not text.strip():
        faults["email"] = "no_address"
        return None, ""
    try:
        address = read_address(text)
    except BadInput:
        faults["email"] = "bad_address"
        return None, ""
    domain = misspelt(address.domain)
    # Whoever sends it a second time unchanged means it.
    if domain is not None and said.get("sure") != address.domain:
        faults["email"] = "misspelt"
        return None, f"{address.email.rpartition('@')[0]}@{domain}"
    return address, ""


def _read_value(form: Form, question: Question, text: str, faults: dict[str, str]) -> Any:
    text = read_text(text)
    if not text:
        if question.is_required:
            faults[question.name] = "required"
        return None
    if len(text) > MOST_TEXT:
        faults[question.name] = "too_long"
        return None
    value = reader_of(question.name, dict(form.declared))(text)
    if isinstance(value, Noted):
        faults[question.name] = f"no_{question.type}" if question.type in {"number", "date"} else "unreadable"
        return None
    return value


def may_act_at_once(
    *, is_personal: bool, subscribed: Sequence[str], topics: Sequence[str], wants_tracking: bool = False
) -> bool:
    """Whether no mail has to ask first: the link came in a mail to them, and they get these topics anyway.

    A forwarded link can so add to what its owner gets, within what they agreed to, and change nothing else: nobody
    agrees to be tracked on somebody else's behalf.
    """
    return is_personal and not wants_tracking and set(topics) <= set(subscribed)


def line_of(ip: str) -> str:
    """Whose line an address of the net belongs to: itself, or the /64 that a single IPv6 subscriber has to choose from."""
    try:
        return str(ipaddress.ip_network(f"{ip}/64", strict=False)) if ":" in ip else ip
    except ValueError:
        return ip


def next_look_at(submitted_at: datetime, *, is_reminded: bool, terms: Terms) -> datetime:
    """When a sign-up that nobody confirmed is due: for its one reminder, then to be forgotten."""
    forget_at = submitted_at + terms.confirm_within
    remind_at = submitted_at + terms.remind_after
    return forget_at if is_reminded or remind_at >= forget_at else remind_at


def rep_names(operators: Sequence[str]) -> dict[str, str]:
    """How each operator is called in addresses: by what stands before the @ of theirs; by more where two share that."""
    names: dict[str, str] = {}
    local = [email.partition("@")[0].lower() for email in operators]
    for email, short in zip(operators, local, strict=True):
        full = email.lower().replace("@", "-at-")
        names[short if local.count(short) == 1 else full] = email
    return names
