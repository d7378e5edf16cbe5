"""Who may be mailed: the pure rules.

A *basis* is why we may write (double opt-in, customer, inquiry …), with its date. What the law of a country makes of
it is said by `consent.law`. `may_send` is the only judge; `consent.store.may_be_mailed` is the same rule in SQL, and a
property test holds the two equal. This is not legal advice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from nurture.conditions import Argument, Predicate
from nurture.consent.domains.rules import Mailbox
from nurture.consent.silence.rules import why_kept_back
from nurture.consent.suppressions.rules import STOPS_SERVICE, WORDS, SuppressionReason
from nurture.timing import parse_length


class Basis(StrEnum):
    """Why we may write to somebody."""

    DOUBLE_OPT_IN = "double-opt-in"
    OPT_IN = "opt-in"
    CUSTOMER = "customer"
    INQUIRY = "inquiry"
    MET = "met"
    PUBLISHED = "published"
    LEGITIMATE_INTEREST = "legitimate-interest"


#: How a mail tells its reader why it came.
REASONS = {
    Basis.DOUBLE_OPT_IN: "you signed up and confirmed it",
    Basis.OPT_IN: "you signed up",
    Basis.CUSTOMER: "you are a customer",
    Basis.INQUIRY: "you asked us about our work",
    Basis.MET: "we met",
    Basis.PUBLISHED: "you publish this address for your work",
    Basis.LEGITIMATE_INTEREST: "it concerns your work",
}

#: In the consent table: somebody we have no basis for at all.
NO_BASIS = "none"

#: When two bases compete for one contact, the earlier one here is the better proof.
STRENGTH = tuple(Basis)


#: The words this room adds. Whoever is not tracked may do what we never see: `tracked_for` says of whom we would know.
PREDICATES: Mapping[str, Predicate] = {
    "subscribed": Predicate((Argument("topic", is_required=True),)),
    "tracked_for": Predicate((Argument("length", parse_length, is_required=True),)),
}


class ConsentPurpose(StrEnum):
    """What somebody agreed to: being mailed, or having their opens and clicks recorded."""

    MAIL = "mail"
    TRACKING = "tracking"


@dataclass(frozen=True)
class Proof:
    """How we know what somebody said, as the ledger keeps it for whoever asks years later.

    `how` says where it came from ("page", "import of people.csv, line 2"), `by` which of us wrote it down when it was not
    the person themselves. `wording` is the exact text they were shown, in its version, on the address `page`.
    """

    how: str
    by: str = ""
    wording: str = ""
    wording_version: str = ""
    page: str = ""
    ip: str = ""


def proof_of(how: Proof | str) -> Proof:
    """Whoever knows no more than how says just that."""
    return how if isinstance(how, Proof) else Proof(how)


class Pile(StrEnum):
    """What may happen next, from the most permissive to the strictest."""

    ANNOUNCE = "announce"
    ASK = "ask"
    NEVER = "never"


class Purpose(StrEnum):
    """Of a mail; DESIGN of the outbox: each purpose has its own permission and headers."""

    CAMPAIGN = "campaign"
    SERVICE = "service"
    INTERNAL = "internal"
    TEST = "test"


@dataclass(frozen=True)
class HandsOff:
    """A colleague's word that this person is theirs for now; it ends by itself. `by` nobody: their own, for a pause."""

    until: datetime
    because: str
    by: str


#: The word for machines when it is the person who wants nothing for a while; a colleague's is "hold".
PAUSE = "pause"


@dataclass(frozen=True)
class Standing:
    """What is known about one person and one topic when somebody wants to write to them."""

    suppressions: Mapping[str, date]
    state: str | None = None  # given, refused, withdrawn or none; None when nobody ever asked
    basis: str | None = None
    pile: str = Pile.NEVER
    expires_at: datetime | None = None
    afterwards: str = Pile.NEVER
    law: str = ""
    hands_off: HandsOff | None = None
    mailbox: Mailbox | None = None  # what keeps mail from their domain
    kept_back: str | None = None  # silent or purchased, when they came in
    last_sign_on: date | None = None

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True)
class Permission:
    """The verdict: `reason` is a word for machines, `because` a sentence for people.

    A no with `until` passes by itself at that instant; one without is for good, or until the person says otherwise.
    """

    is_allowed: bool
    reason: str = ""
    because: str = ""
    until: datetime | None = None


ALLOWED = Permission(True)


def may_send(purpose: Purpose, standing: Standing, now: datetime) -> Permission:
    """Whether this person may be sent a mail of this purpose now, and why not."""
    if purpose in {Purpose.INTERNAL, Purpose.TEST}:
        return ALLOWED
    for reason in SuppressionReason:
        if reason in standing.suppressions and (purpose is Purpose.CAMPAIGN or reason in STOPS_SERVICE):
            return Permission(False, reason, f"{WORDS[reason]} on {standing.suppressions[reason]}")
    if purpose is Purpose.SERVICE:
        return ALLOWED
    if not is_subscribed(standing, now):
        return _why_not(standing, now)
    return _while_held(standing.hands_off, now)


def is_subscribed(standing: Standing, now: datetime) -> bool:
    """What `subscribed("topic")` asks: whether they may be mailed as far as it is theirs to say. A hold is not."""
    return pile_of(standing, now) is Pile.ANNOUNCE


def _while_held(held: HandsOff | None, now: datetime) -> Permission:
    if held is None or held.until <= now:
        return ALLOWED
    if not held.by:
        return Permission(False, PAUSE, f"they asked for a pause until {held.until:%Y-%m-%d}", held.until)
    because = f"{held.by} holds them until {held.until:%Y-%m-%d}: “{held.because}”"
    return Permission(False, "hold", because, held.until)


def _why_not(standing: Standing, now: datetime) -> Permission:
    """What keeps somebody who is not suppressed from being mailed about this topic."""
    match standing.state:
        case "given" | "none" if standing.mailbox and standing.mailbox.reason and _is_lawful(standing, now):
            return Permission(False, standing.mailbox.reason, standing.mailbox.because)
        case "given" | "none" if standing.kept_back and _is_lawful(standing, now):
            return Permission(False, standing.kept_back, why_kept_back(standing.kept_back, standing.last_sign_on))
        case "refused":
            return Permission(False, "refused", "said no")
        case "withdrawn":
            return Permission(False, "withdrawn", "left this topic")
        case "given" if standing.has_expired(now) and standing.expires_at:
            ended = f"the basis {standing.basis} ended on {standing.expires_at.date()}"
            return Permission(False, "expired", f"{ended} ({standing.law})")
        case "given" | "none":
            what = f"as {standing.basis}" if standing.basis else "without a basis"
            if pile_of(standing, now) is Pile.ASK:
                return Permission(False, "must_ask", f"{what}, must be asked first ({standing.law})")
            return Permission(False, "never", f"{what}, may not be written to ({standing.law})")
    return Permission(False, "no_consent", "nobody knows on which basis to write about this topic")


def pile_of(standing: Standing, now: datetime) -> Pile:
    """Which of the three piles somebody lies on for a topic; only the first may be mailed."""
    if standing.suppressions or standing.state not in {"given", "none"}:
        return Pile.NEVER
    if standing.kept_back or (standing.mailbox and standing.mailbox.reason):
        return Pile.NEVER
    return _pile_by_law(standing, now)


def _is_lawful(standing: Standing, now: datetime) -> bool:
    """Whether the law would let somebody write to them, whatever else is in the way."""
    return _pile_by_law(standing, now) is not Pile.NEVER


def _pile_by_law(standing: Standing, now: datetime) -> Pile:
    pile = Pile(standing.afterwards if standing.has_expired(now) else standing.pile)
    # Without a basis nobody is mailed, whatever a table says.
    return Pile.ASK if pile is Pile.ANNOUNCE and standing.state == "none" else pile
