"""The state chart of a delivery, what a relay's answer makes of it, and what keeps it from leaving."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.consent.rules import ALLOWED, Permission
from nurture.delivery.boundary import Boundary, is_public_https
from nurture.delivery.guard.rules import Traffic, room
from nurture.delivery.headers import headers_of_a_mail, headers_of_a_reader
from nurture.delivery.rules import (
    ARROWS,
    ASK_WAITS_AT_MOST,
    SETTLED,
    Circumstances,
    Heard,
    Kind,
    Outcome,
    Status,
    find_stop,
    is_loopback,
    not_counting,
    settle,
)
from nurture.timing import DaySpan

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
GIVE_UP = timedelta(days=4)


def test_every_state_stands_in_the_chart() -> None:
    assert set(ARROWS) == set(Status)


def test_from_everywhere_the_end_can_be_reached() -> None:
    ends = {status for status, targets in ARROWS.items() if not targets}
    reaching = set(ends)
    while more := {status for status, targets in ARROWS.items() if targets & reaching} - reaching:
        reaching |= more
    assert reaching == set(Status)
    assert ends <= SETTLED


def test_a_body_is_only_ever_written_for_a_claimed_row() -> None:
    assert [status for status, targets in ARROWS.items() if Status.SENDING in targets] == [Status.CLAIMED]


def test_what_may_have_arrived_is_never_claimed_again_by_itself() -> None:
    for status in (Status.SENT, Status.BOUNCED, Status.COMPLAINED):
        assert not ARROWS[status] & {Status.QUEUED, Status.CLAIMED, Status.SENDING}


@pytest.mark.parametrize(
    ("heard", "status"),
    [
        (Heard.ACCEPTED, Status.SENT),
        (Heard.REJECTED, Status.FAILED),
        (Heard.UNANSWERED, Status.UNCERTAIN),
        (Heard.DEFERRED, Status.QUEUED),
        (Heard.LOST, Status.QUEUED),
    ],
)
def test_each_answer_has_its_consequence(heard: Heard, status: Status) -> None:
    settling = settle(Outcome(heard), attempts=1, put_off_since=NOW, now=NOW, give_up_after=GIVE_UP)
    assert settling.status is status
    assert status in ARROWS[Status.SENDING]


@given(st.integers(1, 30), st.integers(0, 200))
def test_a_mail_put_off_is_tried_again_later_and_later_and_given_up_in_the_end(attempts: int, hours: int) -> None:
    now = NOW + timedelta(hours=hours)
    settling = settle(
        Outcome(Heard.DEFERRED, 451), attempts=attempts, put_off_since=NOW, now=now, give_up_after=GIVE_UP
    )
    if settling.due_at is None:
        assert settling.status is Status.FAILED
        assert now + timedelta(hours=8) > NOW + GIVE_UP
    else:
        assert now < settling.due_at <= NOW + GIVE_UP
        following = settle(
            Outcome(Heard.DEFERRED, 451), attempts=attempts + 1, put_off_since=NOW, now=now, give_up_after=GIVE_UP
        )
        assert following.due_at is None or following.due_at >= settling.due_at


@given(st.integers(1, 100))
def test_an_outage_of_the_relay_never_makes_a_mail_fail(attempts: int) -> None:
    long_after = NOW + timedelta(days=30)
    settling = settle(Outcome(Heard.LOST), attempts=attempts, put_off_since=NOW, now=long_after, give_up_after=GIVE_UP)
    assert settling.status is Status.QUEUED


def test_an_unanswered_mail_is_sent_again_only_if_that_was_asked_for() -> None:
    settling = settle(
        Outcome(Heard.UNANSWERED), attempts=1, put_off_since=NOW, now=NOW, give_up_after=GIVE_UP, resend_uncertain=True
    )
    assert settling.status is Status.QUEUED


@pytest.mark.parametrize(
    ("circumstances", "status"),
    [
        (Circumstances(Permission(False, "opt_out", "opted out")), Status.REFUSED),
        (Circumstances(ALLOWED, expires_at=NOW), Status.EXPIRED),
        (Circumstances(ALLOWED, is_paused=True), Status.HELD),
        (Circumstances(ALLOWED, closes_at=NOW), Status.HELD),
        (Circumstances(ALLOWED, recent_at=(NOW - timedelta(hours=1),)), Status.HELD),
        (Circumstances(ALLOWED, is_blackout=True), Status.HELD),
        (Circumstances(ALLOWED, issue_due_at=NOW + timedelta(hours=2)), Status.HELD),
        (Circumstances(ALLOWED, kind=Kind.ASK, values_since_ask=2), Status.HELD),
        (Circumstances(ALLOWED, kind=Kind.ASK, queued_at=NOW - ASK_WAITS_AT_MOST), Status.EXPIRED),
        (Circumstances(ALLOWED, guard="blast guard: s"), Status.HELD),
    ],
)
def test_each_obstacle_stops_a_mail(circumstances: Circumstances, status: Status) -> None:
    stop = find_stop(circumstances, NOW)
    assert stop is not None
    assert stop.status is status


def test_a_no_counts_before_anything_that_can_pass() -> None:
    both = Circumstances(Permission(False, "opt_out", "opted out"), is_paused=True, closes_at=NOW)
    stop = find_stop(both, NOW)
    assert stop is not None
    assert stop.status is Status.REFUSED


@given(st.lists(st.integers(1, 200), max_size=6), st.integers(1, 3), st.integers(1, 4))
def test_a_capped_mail_is_held_until_exactly_when_one_more_fits(hours: list[int], per_day: int, per_week: int) -> None:
    recent = tuple(sorted(NOW - timedelta(hours=h) for h in hours))
    circumstances = Circumstances(ALLOWED, recent_at=recent, cap_per_day=per_day, cap_per_week=max(per_day, per_week))
    stop = find_stop(circumstances, NOW)
    if stop is not None:
        assert stop.until is not None
        just_before = find_stop(circumstances, stop.until - timedelta(seconds=1))
        assert just_before is not None
        then = find_stop(circumstances, stop.until)
        assert then is None or (then.until is not None and then.until > stop.until)


def test_real_mail_needs_a_way_out_that_works_tomorrow() -> None:
    everybody = frozenset({"*"})
    for url in (
        "http://news.acme.example",
        "https://127.0.0.1",
        "https://localhost",
        "https://10.0.0.8",
        "https://box",
    ):
        boundary = Boundary(False, url, everybody, frozenset({"acme.example"}))
        assert "web.base_url" in (boundary.find_objection("reader.example") or "")
        assert boundary.find_objection("acme.example") is None
    assert Boundary(False, "https://news.acme.example", everybody, frozenset()).find_objection("reader.example") is None
    assert Boundary(True, "http://127.0.0.1:8000", frozenset(), frozenset()).find_objection("reader.example") is None


def test_real_mail_goes_to_nobody_until_somebody_says_to_whom() -> None:
    url = "https://news.acme.example"
    assert "sending.only_to" in (Boundary(False, url, frozenset(), frozenset()).find_objection("reader.example") or "")
    named = Boundary(False, url, frozenset({"reader.example"}), frozenset())
    assert named.find_objection("reader.example") is None
    assert named.find_objection("other.example") is not None


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("::1", True), ("[::1]", True), ("10.0.0.1", False),
     ("smtp.relay.example", False), ("localhost.relay.example", False)],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_public_address_has_a_name_and_https() -> None:
    assert is_public_https("https://news.acme.example/base")
    assert not is_public_https("https://192.168.1.5")
    assert not is_public_https("ftp://news.acme.example")


def test_the_headers_of_each_purpose_are_those_of_the_table() -> None:
    def names(purpose: str, campaign: str) -> list[str]:
        own = headers_of_a_reader(purpose, "acme.example", leave_url="https://x/u/t", leave_mail=None)
        shared = headers_of_a_mail(
            purpose, campaign, list_domain="acme.example", list_title="The Letter", mail="", takes_one_click=True
        )
        return [name for name, _ in (*own, *shared)]

    leave = ["List-Unsubscribe", "List-Unsubscribe-Post"]
    newsletter = [*leave, "List-Id", "Precedence", "X-Auto-Response-Suppress", "Feedback-ID"]
    assert names("campaign", "newsletter:weekly") == newsletter
    assert names("campaign", "sequence:evaluators") == [*leave, "Feedback-ID"]
    assert names("test", "sequence:evaluators") == [*leave, "Feedback-ID"]
    assert names("service", "service:confirmation") == ["Auto-Submitted", "X-Auto-Response-Suppress", "Feedback-ID"]
    assert names("internal", "service:handoff") == ["Auto-Submitted"]


def test_the_one_click_headers_read_exactly_as_rfc_8058_wants() -> None:
    way = ("https://x/u/t", "leave+t@reply.example")
    own = headers_of_a_reader("campaign", "acme.example", leave_url=way[0], leave_mail=way[1])
    shared = headers_of_a_mail(
        "campaign",
        "newsletter:weekly",
        list_domain="acme.example",
        list_title='Müller\'s "Letter"',
        mail="",
        takes_one_click=True,
    )
    found = dict([*own, *shared])
    assert found["List-Unsubscribe"] == "<https://x/u/t>, <mailto:leave+t@reply.example>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found["List-Id"] == "<weekly.acme.example>"


days = st.dates(date(2026, 3, 1), date(2026, 4, 30))
day_spans = st.builds(lambda first, length: DaySpan(first, first + timedelta(days=length)), days, st.integers(0, 9))


@given(
    st.lists(day_spans, max_size=4),
    st.integers(0, 30 * 24),
    st.integers(0, 20 * 24),
    st.sampled_from(sorted(available_timezones())).map(ZoneInfo),
)
@settings(deadline=None)  # it counts every quarter of an hour
def test_a_deadline_leaves_as_much_time_as_it_gave_besides_the_days_off(
    blackout: list[DaySpan], since_hours: int, hours: int, zone: ZoneInfo
) -> None:
    since = NOW + timedelta(hours=since_hours)
    until = not_counting(blackout, since, since + timedelta(hours=hours), zone)
    quarter = timedelta(minutes=15)
    free = sum(
        not any((since + number * quarter).astimezone(zone).date() in span for span in blackout)
        for number in range(int((until - since) / quarter))
    )
    assert free * quarter == timedelta(hours=hours)


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000), st.booleans())
def test_the_guard_lets_through_what_is_fine_what_is_normal_and_what_was_allowed(
    today: int, busiest: int, allowed: int, is_stopped: bool
) -> None:
    left = room(Traffic(today, busiest, allowed, is_stopped), 1000)
    assert left <= max(1000, 2 * busiest, allowed) - today or is_stopped
    if is_stopped and not allowed:
        assert left <= 0
    if not is_stopped and not today:
        assert left >= 1000
