"""The life of a delivery: its states, the arrows between them, and what moves it along them. Pure.

A delivery is one mail to one person. It is queued by whoever decided it, claimed by a worker, and moved to `sending`
by the transaction that asks permission once more; only after that commit is its body written. What the relay says, or
fails to say, settles it.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import IntEnum, StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from nurture.consent.rhythms.rules import AtMost, too_soon_until
from nurture.consent.rules import PAUSE, Permission
from nurture.delivery.resting.codes import policy_code
from nurture.timing import DaySpan, local_instant


class Status(StrEnum):
    """Where a delivery stands."""

    QUEUED = "queued"
    HELD = "held"  # for a reason that can pass: paused, hold, window, cap, recheck, boundary
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"  # the final dot was written and no answer read
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    REFUSED = "refused"  # permission denied for good
    FAILED = "failed"  # the relay said no for good, or nobody could render it
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # it was too late to be worth sending


#: The state chart, whole. `store.move` refuses everything else.
ARROWS: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset(
        {Status.CLAIMED, Status.HELD, Status.REFUSED, Status.CANCELLED, Status.EXPIRED}
    ),
    Status.HELD: frozenset({Status.QUEUED, Status.REFUSED, Status.CANCELLED, Status.EXPIRED}),
    Status.CLAIMED: frozenset(
        {
            Status.SENDING, Status.QUEUED, Status.HELD, Status.REFUSED, Status.CANCELLED, Status.EXPIRED,
            Status.FAILED,  # it could not be rendered, and would not be next time either
        }
    ),
    Status.SENDING: frozenset({Status.SENT, Status.QUEUED, Status.FAILED, Status.UNCERTAIN}),
    Status.UNCERTAIN: frozenset({Status.SENT, Status.FAILED, Status.QUEUED}),
    Status.SENT: frozenset({Status.BOUNCED, Status.COMPLAINED}),
    Status.BOUNCED: frozenset(),
    Status.COMPLAINED: frozenset(),
    Status.REFUSED: frozenset(),
    Status.FAILED: frozenset({Status.QUEUED}),  # only what never reached a relay, by hand, once its template is mended
    Status.CANCELLED: frozenset(),
    Status.EXPIRED: frozenset(),
}  # fmt: skip

#: Nothing more is decided about these; a sequence goes on, or ends, from here.
SETTLED = frozenset(
    {
        Status.SENT, Status.UNCERTAIN, Status.BOUNCED, Status.COMPLAINED, Status.REFUSED, Status.FAILED,
        Status.CANCELLED, Status.EXPIRED,
    }
)  # fmt: skip

#: These may have reached the person, and count against caps.
MAY_HAVE_ARRIVED = (Status.SENDING, Status.SENT, Status.UNCERTAIN, Status.BOUNCED, Status.COMPLAINED)

#: These can still be stopped.
STOPPABLE = (Status.QUEUED, Status.HELD, Status.CLAIMED)


class Priority(IntEnum):
    """A claim takes the lowest number first."""

    SERVICE = 0
    INTERNAL = 1
    SEQUENCE = 2
    NEWSLETTER = 3


class Kind(StrEnum):
    """What a campaign's mail does for its reader; the empty text is a mail that is neither."""

    VALUE = "value"
    ASK = "ask"


class HeldBecause(StrEnum):
    """Why a delivery stands still although nothing is wrong with it."""

    PAUSED = "paused"
    CAMPAIGN = "campaign paused"  # somebody stopped this one campaign
    WINDOW = "window"
    BLACKOUT = "blackout"  # a day on which the house sends nothing
    CAP = "cap"
    ISSUE_FIRST = "issue first"  # a newsletter's mail to the same person is about to leave and needs the cap
    ASK_BUDGET = "ask budget"  # too few mails of value since the last ask
    FULL = "day is full"  # without pages of ours the house sends so many a day and no more
    PACE = "pace"  # so many leave in a second, an hour or a day, or at once, and no more
    RESTING = "resting"  # the domain refuses us for now by its policy
    WARM_UP = "warm-up"  # a domain that is new to receivers sends little, and more every day
    FIRST_WAVE = "first wave"  # people never mailed from here get mail a few at a time
    GUARD = "blast guard"  # the campaign is about to mail far more people than planned, and nobody said yes
    RECHECK = "recheck"  # something happened that may end the sequence; `advance` looks first
    HOLD = "hold"  # a colleague keeps hands off this person for now
    BOUNDARY = "boundary"  # real mail is not switched on for this address yet
    DOMAIN = "domain"  # nobody knows yet whether anybody takes mail there


class Heard(StrEnum):
    """How one SMTP try ended."""

    ACCEPTED = "accepted"  # 2xx after the final dot
    REJECTED = "rejected"  # 5xx
    DEFERRED = "deferred"  # 4xx
    LOST = "lost"  # the connection ended before the final dot: nothing was handed over
    UNANSWERED = "unanswered"  # the final dot was written, and no answer came


class Outcome(NamedTuple):
    """What one SMTP try ended with; `reply` is the relay's last word, as it said it, and `relay` its name.

    What it said of the sender, before it was told who the mail is for, is no word of the reader's domain.
    """

    heard: Heard
    code: int | None = None
    reply: str = ""
    relay: str = ""
    is_of_sender: bool = False


@dataclass(frozen=True)
class Settling:
    """The state a delivery moves to, and when it is tried again if it is not settled."""

    status: Status
    due_at: datetime | None = None


#: The clocks of our machines differ by seconds. What happened later than this from now, a clock that was wrong wrote down.
MOST_AHEAD = timedelta(hours=1)

#: Marketing mails a day of a house whose readers can leave by mail alone; whoever sends more needs one-click (RFC 8058).
MOST_BY_MAIL_ALONE = 1000

#: How long before a newsletter's mail a step of a sequence to the same person waits for it.
ISSUE_GOES_FIRST = timedelta(days=1)
#: A newsletter's mail that is due is on its way; a step that waits for it looks again after this.
LOOK_AT_ISSUE_AFTER = timedelta(minutes=15)
LOOK_AT_ASK_AFTER = timedelta(days=1)
ASK_WAITS_AT_MOST = timedelta(days=30)

#: Minutes until the next try: quick enough for greylisting (RFC 6647 suggests minutes), patient with outages.
_RETRY_MINUTES = (5, 15, 30, 60, 120, 240, 480)


def settle(
    outcome: Outcome,
    *,
    attempts: int,
    put_off_since: datetime,
    now: datetime,
    give_up_after: timedelta,
    resend_uncertain: bool = False,
) -> Settling:
    """What the outcome of try number `attempts` (from 1) makes of a delivery that is `sending`.

    `put_off_since` is when it was put off for the first time, now if it never was: how long it had waited here before,
    for its wave or the end of a pause, is nothing that a relay said. A refusal that is the domain's policy about us says nothing about this mail: it is put off, as by a 4xx.
    """
    is_put_off = outcome.heard is Heard.DEFERRED or (
        outcome.heard is Heard.REJECTED and bool(policy_code(outcome.reply))
    )
    match outcome.heard:
        case Heard.ACCEPTED:
            return Settling(Status.SENT)
        case Heard.REJECTED if not is_put_off:
            return Settling(Status.FAILED)
        case Heard.UNANSWERED if not resend_uncertain:
            return Settling(Status.UNCERTAIN)
    delay = timedelta(minutes=_RETRY_MINUTES[min(attempts, len(_RETRY_MINUTES)) - 1])
    # RFC 5321, 4.5.4.1: give up after at least four to five days, and only on answers, not on lost connections.
    if is_put_off and now + delay > put_off_since + give_up_after:
        return Settling(Status.FAILED)
    return Settling(Status.QUEUED, now + delay)


@dataclass(frozen=True)
class Circumstances:
    """Everything that can stand between a claimed delivery and its body."""

    permission: Permission
    is_paused: bool = False
    is_campaign_paused: bool = False
    closes_at: datetime | None = None  # end of the opening it was queued for
    next_opens_at: datetime | None = None
    expires_at: datetime | None = None
    recent_at: Sequence[datetime] = ()  # tries of the last seven days that may have arrived, oldest first
    cap_per_day: int = 1
    cap_per_week: int = 2
    issue_due_at: datetime | None = None  # when a newsletter's mail to the same person leaves, if that goes first
    is_blackout: bool = False  # then `next_opens_at` says when it is over
    kind: str = ""
    queued_at: datetime | None = None
    values_per_ask: int = 3
    values_since_ask: int = 0  # mails of value that may have arrived since the last ask, from any campaign
    has_asked_us: bool = False  # said that they want a demonstration or have a need
    guard: str = ""  # why the campaign mails nobody more for now
    guard_until: datetime | None = None  # None: until somebody says yes
    full_until: datetime | None = None  # when the house may send the next, if it has sent as many as it may in a day
    is_issue: bool = False  # of a newsletter: what comes too soon is not sent later, for the next one is better
    at_most: AtMost | None = None  # they asked for no more than one mail in so long
    last_at: datetime | None = None  # of the last mail that may have arrived, for whoever asked for less


@dataclass(frozen=True)
class Stop:
    """Why a delivery does not go out now: for good, or until `until`."""

    status: Status
    because: str
    until: datetime | None = None


def find_stop(circumstances: Circumstances, now: datetime) -> Stop | None:
    """What keeps this delivery from being sent at `now`; None when nothing does. `store.may_leave` in pure form."""
    here = circumstances
    until = here.permission.until
    if not here.permission.is_allowed and until is None:
        return Stop(Status.REFUSED, here.permission.because)
    if here.expires_at is not None and here.expires_at <= now:
        return Stop(Status.EXPIRED, "too late to be worth sending")
    if until is not None and here.is_issue and here.permission.reason == PAUSE:
        return Stop(Status.EXPIRED, here.permission.because)
    if until is not None:
        return Stop(Status.HELD, f"{HeldBecause.HOLD}: {here.permission.because}", min(until, here.expires_at or until))
    if here.is_paused:
        return Stop(Status.HELD, HeldBecause.PAUSED)
    if here.is_campaign_paused:
        return Stop(Status.HELD, HeldBecause.CAMPAIGN)
    if here.is_blackout:
        return Stop(Status.HELD, HeldBecause.BLACKOUT, here.next_opens_at)
    if here.closes_at is not None and here.closes_at <= now:
        return Stop(Status.HELD, HeldBecause.WINDOW, here.next_opens_at)
    return (
        _too_often(here, now)
        or _over_cap(here, now)
        or _ask_too_early(here, now)
        or _house_is_full(here)
        or _stopped_by_guard(here)
    )


def _too_often(here: Circumstances, now: datetime) -> Stop | None:
    """Sooner than this person wants to hear from us."""
    until = too_soon_until(here.at_most, here.last_at, now)
    if until is None:
        return None
    if here.is_issue:
        return Stop(Status.EXPIRED, f"they asked for at most one mail a {here.at_most}")
    return Stop(Status.HELD, HeldBecause.CAP, until)


def _over_cap(here: Circumstances, now: datetime) -> Stop | None:
    """Too much within a day or a week, counting the newsletter's mail that goes first as if it had left."""
    for cap, length in ((here.cap_per_day, timedelta(days=1)), (here.cap_per_week, timedelta(days=7))):
        recent = [at for at in here.recent_at if at > now - length]
        if len(recent) >= cap:
            # It may go once so many have left the stretch that one more fits.
            return Stop(Status.HELD, HeldBecause.CAP, recent[len(recent) - cap] + length)
        if here.issue_due_at is not None and len(recent) + 1 >= cap:
            return Stop(Status.HELD, HeldBecause.ISSUE_FIRST, max(here.issue_due_at, now + LOOK_AT_ISSUE_AFTER))
    return None


def _ask_too_early(here: Circumstances, now: datetime) -> Stop | None:
    """An ask is earned by mails of value, unless the person asked first."""
    if here.kind != Kind.ASK or here.has_asked_us or here.values_since_ask >= here.values_per_ask:
        return None
    if here.queued_at is not None and here.queued_at + ASK_WAITS_AT_MOST <= now:
        return Stop(
            Status.EXPIRED, f"not earned by {here.values_per_ask} mails of value in {ASK_WAITS_AT_MOST.days} days"
        )
    return Stop(Status.HELD, HeldBecause.ASK_BUDGET, now + LOOK_AT_ASK_AFTER)


def _house_is_full(here: Circumstances) -> Stop | None:
    if here.full_until is None:
        return None
    because = f'{HeldBecause.FULL}: with web.way_out = "mailto" {MOST_BY_MAIL_ALONE:,} mails leave in 24 hours'
    return Stop(Status.HELD, because, here.full_until)


def _stopped_by_guard(here: Circumstances) -> Stop | None:
    return Stop(Status.HELD, here.guard, here.guard_until) if here.guard else None


def not_counting(blackout: Sequence[DaySpan], since: datetime, until: datetime, zone: ZoneInfo) -> datetime:
    """A deadline that was set at `since`, moved on by what days of a blackout took of the time until then."""
    counted_to = since
    for span in sorted(blackout, key=lambda one: one.first):
        begins_at = max(local_instant(span.first, time(0), zone), counted_to)
        ends_at = local_instant(span.last + timedelta(days=1), time(0), zone)
        if begins_at < min(until, ends_at):
            until += ends_at - begins_at
            counted_to = ends_at
    return until


def is_loopback(host: str) -> bool:
    """Whether mail handed to this host stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
