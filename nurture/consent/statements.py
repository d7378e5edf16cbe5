"""What a row of somebody's file says about permission. Pure.

Every column has a closed list of words; "inactive" is not "active", and a word nobody knows never counts as a yes. A
row may bring a basis, say no, say that the address left, complained or bounced, or say nothing, and only to a row that
says nothing does `--consent` apply. Where several rows speak of one person, a no in any of them wins.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from nurture.consent.rules import Basis
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts.cells import read_date, read_yes_or_no, word
from nurture.contacts.imports import ImportRow, Note, Past
from nurture.errors import BadInput, did_you_mean

_NOTHING = frozenset({"none", "null", "nil", "na", "unknown", "unbekannt", "notset", "notapplicable", "k.a."})

_BASES = {
    word(name): basis
    for basis, names in {
        Basis.DOUBLE_OPT_IN: ("doubleoptin", "doi", "confirmed opt-in", "confirmed", "doppeltes opt-in"),
        Basis.OPT_IN: ("optin", "opted in", "consent", "freely given consent from contact", "subscribed", "einwilligung",
                       "consentement", "consentimiento"),
        Basis.CUSTOMER: ("existing customer", "client", "kunde", "bestandskunde", "client existant", "cliente",
                         "performance of a contract"),
        Basis.INQUIRY: ("enquiry", "request", "asked", "anfrage", "demande", "consulta"),
        Basis.MET: ("met in person", "business card", "visitenkarte", "getroffen", "rencontré"),
        Basis.PUBLISHED: ("published address", "public", "veröffentlicht", "publié"),
        Basis.LEGITIMATE_INTEREST: ("legitimateinterest", "legitimate interests", "berechtigtes interesse",
                                    "intérêt légitime", "interés legítimo", "legitimate interest prospect/lead",
                                    "legitimate interest existing customer", "legitimate interest other"),
    }.items()
    for name in (basis, *names)
}  # fmt: skip

_STATUSES: dict[str, SuppressionReason | Basis | None] = {
    word(name): meaning
    for meaning, names in (
        (Basis.OPT_IN, ("subscribed", "confirmed", "opted in", "opt-in", "abonniert", "abonné", "suscrito")),
        # A customer record is "active" too, so this is no consent; it does not forbid one either.
        (None, ("active", "enabled", "aktiv", "actif", "activo", "allow", "allowed", "ok", "valid",
                "contactable", "marketing contact")),
        (
            SuppressionReason.OPT_OUT,
            ("unsubscribed", "unsubscribe", "opted out", "opt-out", "optout", "left", "removed", "do not email", "do not contact", "do not allow", "not allowed", "abgemeldet", "widerrufen", "désabonné", "désinscrit", "dado de baja", "baja"),
        ),
        (
            SuppressionReason.MANUAL,
            ("blocklisted", "blacklisted", "blocked", "suppressed", "gesperrt", "bloqué", "bloqueado"),
        ),
        (
            SuppressionReason.COMPLAINT,
            ("complained", "complaint", "spam", "spam complaint", "reported as spam", "marked as spam", "abuse",
             "beschwerde", "plainte", "queja"),
        ),
        (
            SuppressionReason.HARD_BOUNCE,
            ("cleaned", "bounced", "hard bounced", "hard bounce", "hardbounce", "hard", "undeliverable", "invalid", "unzustellbar", "rebotado"),
        ),
    )
    for name in names
}  # fmt: skip

#: Known words of a status column that are neither a yes nor a way out: such people are not to be mailed on a flag's word.
_WITHOUT = frozenset(
    word(name)
    for name in (
        "inactive", "pending", "unconfirmed", "non-subscribed", "nonsubscribed", "not subscribed", "never subscribed",
        "transactional", "non-marketing contact", "nonmarketing contact", "archived", "rejected", "disabled", "soft bounced", "soft bounce", "soft", "inaktiv", "unbestätigt", "inactif",
        "inactivo",
    )
)  # fmt: skip

#: What a yes, or the day it happened, means in a column of those who can no longer be written to.
_ENDS = {
    "opted_out": SuppressionReason.OPT_OUT,
    "bounced": SuppressionReason.HARD_BOUNCE,
    "complained": SuppressionReason.COMPLAINT,
    "blocked": SuppressionReason.MANUAL,
}

#: What MySQL writes where there is no day: such a person has not left.
_NO_DAY = re.compile(r"(?:0000[-/.]00[-/.]00|00[-/.]00[-/.]0000)(?:[T ].*)?")

#: How the reasons of a bounce begin that may be over tomorrow.
_FOR_NOW = ("soft", "temporar", "transient")

_NOT_UNDERSTOOD = (
    'not understood, so no consent is taken from the row; if the column is about something else, add --map "HEADER=-"'
)


@dataclass(frozen=True)
class Statement:
    """What one person's rows say.

    `is_silent` means that they leave it to whoever imports to state a basis; `given_on` is then its date, if they have one.
    """

    is_no: bool = False
    is_silent: bool = True
    bases: tuple[tuple[Basis, date | None], ...] = ()
    given_on: date | None = None
    suppressions: frozenset[SuppressionReason] = frozenset()
    notes: tuple[Note, ...] = field(default=(), compare=False)
    ip: str = ""


def get_basis(text: str) -> Basis:
    """A basis by name, as a command is given it."""
    found = _BASES.get(word(text))
    if found is not None:
        return found
    if word(text) in {"purchased", "bought", "gekauft"}:
        raise BadInput(
            '"purchased" says where a contact comes from, not why you may write: buying an address gives no permission. '
            "Import with --source purchased; nobody is written to there until they sign up themselves."
        )
    raise BadInput(f'"{text}" is not a basis; take one of: {", ".join(Basis)}.{did_you_mean(text, Basis)}')


def read_statement(row: ImportRow, today: date) -> Statement:
    """What the rows of one contact say together."""
    return _read_rows(row.permission, row.is_shifted, today)


# Most rows of a file say what another one said.
@lru_cache(maxsize=4_096)
def _read_rows(permission: tuple[tuple[tuple[str, str], ...], ...], is_shifted: bool, today: date) -> Statement:  # noqa: FBT001 — the cache wants its arguments in their places
    return _together([_read_cells(cells, today, is_shifted=is_shifted) for cells in permission or ((),)])


def known_on(past: Past, statement: Statement) -> date | None:
    """The latest day that a file tells of somebody."""
    return max((day for day in (past.last_sign_on, past.last_contact_on, statement.given_on) if day), default=None)


def _together(statements: Sequence[Statement]) -> Statement:
    is_no = any(one.is_no for one in statements)
    suppressions = frozenset[SuppressionReason]().union(*(one.suppressions for one in statements))
    return Statement(
        is_no,
        all(one.is_silent for one in statements),
        () if is_no or suppressions else tuple(basis for one in statements for basis in one.bases),
        next((one.given_on for one in statements if one.given_on), None),
        suppressions,
        tuple(note for one in statements for note in one.notes),
        next((one.ip for one in statements if one.ip), ""),
    )


@dataclass
class _Reading:
    """What one row has said so far."""

    today: date
    yes: bool = False
    no: bool = False
    unclear: bool = False
    basis: Basis | None = None
    given_on: date | None = None
    ip: str = ""
    suppressions: set[SuppressionReason] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)

    def wonder(self, column: str, text: str, what: str = _NOT_UNDERSTOOD) -> None:
        self.unclear = True
        self.notes.append(Note(column, what, text))

    def hear(self, column: str, text: str) -> None:
        """One cell."""
        if word(text) in _NOTHING:
            return
        match column:
            case "opted_in" | "basis":
                self._consent(column, text)
            case "opted_out" | "bounced" | "complained" | "blocked":
                self._way_out(column, text)
            case "opted_out_because" | "bounced_because":
                self._reason(column, text)
            case "declined":
                self._declined(column, text)
            case "allowed":
                self._allowed(column, text)
            case "status":
                self._status(column, text)
            case "consent_on":
                self._date(text)
            case "consent_ip":
                self.ip = text if _is_ip(text) else self.ip

    def _consent(self, column: str, text: str) -> None:
        answer = read_yes_or_no(text)
        if answer is False:
            self.no = True
        elif answer is True:
            self.yes = True
        elif found := next((basis for part in text.split(";") if (basis := _BASES.get(word(part)))), None):
            self.basis = self.basis or found
        else:
            # "unsubscribed" under "Newsletter" says what it says in a status column.
            self._status(column, text)

    def _way_out(self, column: str, text: str) -> None:
        if _NO_DAY.fullmatch(text):
            return
        answer = read_yes_or_no(text)
        # A column such as "unsubscribed at" has a date for those who left, one such as "bounces" how often.
        if answer is True or (answer is None and (read_date(text) or text[:4].isdigit() or _is_count(column, text))):
            self.suppressions.add(_ENDS[column])
        elif answer is None:
            self._no_yes(column, text)

    def _reason(self, column: str, text: str) -> None:
        """Why somebody left or an address is dead: whoever has a reason did or is, but for a mailbox full today."""
        if read_yes_or_no(text) is False:
            return
        if word(text).startswith(_FOR_NOW):
            self.unclear = True
        else:
            self.suppressions.add(_ENDS[column.removesuffix("_because")])

    def _declined(self, column: str, text: str) -> None:
        """One kind of mail that somebody does not want, which is a no and leaves the others open."""
        answer = read_yes_or_no(text)
        if answer is True or (answer is None and read_date(text)):
            self.no = True
        elif answer is None:
            self._no_yes(column, text)

    def _allowed(self, column: str, text: str) -> None:
        """Whether mail may be sent at all: a no is a no, and a yes proves nothing."""
        answer = read_yes_or_no(text)
        if answer is False:
            self.no = True
        elif answer is None:
            self._no_yes(column, text)

    def _no_yes(self, column: str, text: str) -> None:
        """A word in a column in which nothing is a consent: not having left is none."""
        had_yes = self.yes
        self._status(column, text)
        self.yes = had_yes

    def _status(self, column: str, text: str) -> None:
        given = word(text)
        match _STATUSES.get(given, text):
            case SuppressionReason() as reason:
                self.suppressions.add(reason)
            case Basis():
                self.yes = True
            case str() if given in _WITHOUT:
                self.unclear = True
            case str():
                self.wonder(column, text)

    def _date(self, text: str) -> None:
        day = read_date(text)
        if day is None:
            self.notes.append(Note("consent_on", "no day that can be read in one way only; taken without a date", text))
        elif day > self.today:
            self.notes.append(Note("consent_on", "a day still to come; taken without a date", text))
        else:
            self.given_on = max(day, self.given_on or day)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_count(column: str, text: str) -> bool:
    return column != "opted_out" and text[0] in "123456789"


def _read_cells(cells: Iterable[tuple[str, str]], today: date, *, is_shifted: bool) -> Statement:
    heard = _Reading(today)
    for column, text in cells:
        heard.hear(column, text)
    basis = heard.basis or (Basis.OPT_IN if heard.yes else None)
    # A status that is no yes weighs more than a ticked box beside it: "pending" has not confirmed yet.
    has_basis = basis is not None and not heard.no and not heard.unclear and not is_shifted
    return Statement(
        heard.no,
        not (heard.yes or heard.no or heard.basis or heard.unclear or heard.suppressions or is_shifted),
        ((basis, heard.given_on),) if has_basis and basis else (),
        heard.given_on,
        frozenset(heard.suppressions),
        tuple(heard.notes),
        heard.ip,
    )
