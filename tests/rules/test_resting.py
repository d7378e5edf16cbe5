"""A domain that refuses us by its policy rests, always comes back, and only the code says that it does."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.delivery.resting.codes import enhanced_code, is_hard_bounce, may_be_hard, policy_code
from nurture.delivery.resting.rules import FORGOTTEN_AFTER, PAUSES, STEP, Rest, refuse
from nurture.delivery.rules import Heard, Outcome, Status, settle
from tests.conftest import NOW

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("421 4.7.28 Gmail has detected an unusual rate of unsolicited mail", "4.7.28"),
        ("421-4.7.0 [192.0.2.1 15] Our system has detected that this message is", "4.7.0"),
        ("550 5.7.515 Access denied, sending domain acme.example does not meet the level", "5.7.515"),
        ("550 5.7.26 Unauthenticated email from acme.example is not accepted", "5.7.26"),
        ("550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent (S3150)", "5.7.1"),
        ("550 5.7.606 Access denied, banned sending IP", "5.7.606"),
        ("421 4.7.0 [TSS04] Messages temporarily deferred due to user complaints", "4.7.0"),
        ("553 5.7.1 [BL21] Connections not accepted from IP addresses on Spamhaus PBL", "5.7.1"),
        ("4.7.650 The mail server has been temporarily rate limited", "4.7.650"),
    ],
)
def test_a_domain_that_refuses_us_is_known_by_its_code(reply: str, code: str) -> None:
    """STANDARDS 49, 50, 56."""
    assert policy_code(reply) == code


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 The email account that you tried to reach does not exist",
        "552 5.2.2 The email account that you tried to reach is over quota",
        "450 4.2.0 Recipient address rejected: Greylisted",
        "451 Temporarily deferred due to policy reasons 4.7.1",
        "421 Service not available, too many connections",
        "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup",
        "550 5.7.124 Sender not in allowed-senders list",
        "550 5.7.2 Mailing list expansion prohibited",
        "550 5.17.1 no such code",
        "250 2.0.0 OK",
        "554 Message rejected: 15.7.1",
        "",
    ],
)
def test_everything_else_is_about_one_mail(reply: str) -> None:
    assert policy_code(reply) == ""


@pytest.mark.parametrize(
    ("reply", "is_gone"),
    [
        ("550 5.1.1 no such user", True),
        ("556 5.1.10 Recipient address has null MX", True),
        ("550 5.2.1 The email account that you tried to reach is inactive", True),
        ("552 5.2.2 over quota", False),
        ("550 5.7.1 blocked", False),
        ("450 4.1.1 try again", False),
        ("550 No such user here", False),
    ],
)
def test_a_hard_bounce_is_an_address_that_nobody_has(reply: str, is_gone: bool) -> None:
    assert is_hard_bounce(reply) is is_gone


@pytest.mark.parametrize(
    ("status", "may_be"),
    [
        ("5.1.1", True),
        ("5.4.4", True),  # there is no such domain
        ("5.5.0", True),  # so Microsoft says of a mailbox that nobody has
        ("5.0.0", True),
        ("no status", True),
        ("", True),
        ("5.2.2", False),
        ("5.7.1", False),
        ("5.3.4", False),
        ("5.4.7", False),
        ("4.4.7", False),
    ],
)
def test_a_mail_that_came_back_counts_unless_it_surely_says_something_else(status: str, may_be: bool) -> None:
    assert may_be_hard(status) is may_be


@given(st.text(max_size=60))
def test_any_reply_has_one_code_or_none(reply: str) -> None:
    code = enhanced_code(reply)
    assert code == "" or len(code.split(".")) == 3


def settled(outcome: Outcome, now: datetime = NOW) -> Status:
    return settle(outcome, attempts=1, put_off_since=NOW, now=now, give_up_after=timedelta(days=4)).status


def test_a_refusal_by_policy_puts_the_mail_off_and_one_of_the_address_fails_it() -> None:
    """STANDARDS 49: a 5.7.515 must pause the domain and must not suppress the addresses."""
    assert settled(Outcome(Heard.REJECTED, 550, "550 5.7.515 Access denied")) is Status.QUEUED
    assert settled(Outcome(Heard.REJECTED, 550, "550 5.1.1 no such user")) is Status.FAILED


def test_whoever_is_refused_by_policy_for_days_fails_in_the_end() -> None:
    outcome = Outcome(Heard.REJECTED, 550, "550 5.7.1 blocked")
    assert settled(outcome, NOW + timedelta(days=4)) is Status.FAILED


def rest(now: datetime = NOW, known: Rest | None = None) -> Rest:
    made = refuse(known, "google", "4.7.28", "4.7.28 slow down", now)
    assert made is not None
    return made


def test_each_rest_in_a_row_is_longer_than_the_one_before() -> None:
    now, known, pauses = NOW, None, []
    for _ in range(6):
        known = rest(now, known)
        pauses.append(known.until - now)
        now = known.until + MINUTE
    assert pauses == [*PAUSES, PAUSES[-1], PAUSES[-1]]


def test_what_it_says_while_it_rests_makes_the_rest_no_longer() -> None:
    assert refuse(rest(), "google", "4.7.28", "again", NOW + MINUTE) is None


def test_after_a_day_without_a_refusal_everything_is_forgotten() -> None:
    known = rest()
    assert rest(known.until + FORGOTTEN_AFTER, known).times == 1
    assert rest(known.until + FORGOTTEN_AFTER - MINUTE, known).times == 2


def test_it_comes_back_with_one_mail_and_twice_as_many_in_each_minute() -> None:
    known, now, steps = rest(), NOW + PAUSES[0], []
    while not known.is_free(now):
        steps.append(known.room(now))
        known = known.after(known.room(now), now)
        assert known.is_free(now) or known.room(now) == 0
        now += STEP
    assert steps == [1, 1, 2, 4, 8, 16, 32]


@given(st.lists(st.tuples(st.timedeltas(timedelta(0), timedelta(days=2)), st.booleans()), max_size=30))
def test_a_rest_always_ends(events: list[tuple[timedelta, bool]]) -> None:
    """However often it refuses: a day later one mail may go, unless it refused since."""
    now, known = NOW, None
    for gap, is_refusal in events:
        now += gap
        if is_refusal:
            known = refuse(known, "google", "4.7.28", "", now) or known
        elif known is not None and not known.is_free(now):
            known = known.after(known.room(now), now)
    if known is not None:
        assert known.until <= now + PAUSES[-1]
        opens_at = known.opens_at(now)
        assert known.is_free(opens_at) or known.room(opens_at) >= 1


def test_a_rest_that_a_clock_of_another_month_began_is_over() -> None:
    rest = refuse(None, "google", "4.7.28", "slow down", NOW + timedelta(days=60))
    assert rest is not None
    assert rest.is_over(NOW)
    assert rest.is_free(NOW)
    again = refuse(rest, "google", "4.7.28", "slow down", NOW)
    assert (again and again.until, again and again.times) == (NOW + PAUSES[0], 1)


def test_a_domain_that_comes_back_waits_for_no_clock_that_was_ahead() -> None:
    rest = Rest("google", "4.7.28", "slow down", NOW, NOW + MINUTE, tried=2, tried_at=NOW + timedelta(days=60))
    assert rest.room(NOW + 2 * MINUTE) == 2
