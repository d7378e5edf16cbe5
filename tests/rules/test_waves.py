"""People never mailed before are met in waves, and a campaign they do not want stops by itself."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.consent.silence.rules import UNDATED
from nurture.delivery.complaints.rules import Figure, Rate
from nurture.delivery.waves.rules import LINE_UP_WITHIN, WAVE_WAITS, Record, Wave, find_stop, place_of, size_of
from tests.conftest import NOW

DAY = timedelta(days=1)


def test_a_wave_takes_fifty_people_and_the_next_a_day_later_twice_as_many() -> None:
    wave = Wave("sequence:s").now(50, NOW)
    assert (wave.number, wave.room(50)) == (1, 50)
    wave = replace(wave, people=50)
    assert wave.now(50, NOW + DAY - timedelta(seconds=1)).room(50) == 0
    following = wave.now(50, NOW + DAY)
    assert (following.number, following.room(50)) == (2, 100)


def test_a_wave_that_was_hardly_needed_makes_the_next_no_bigger() -> None:
    wave = replace(Wave("sequence:s").now(50, NOW), people=24)
    assert wave.now(50, NOW + 9 * DAY).room(50) == 50


def test_a_clock_that_was_two_months_ahead_keeps_nobody_waiting_for_two_months() -> None:
    """What it counted still counts, as if it had been today."""
    wave = replace(Wave("sequence:s", lined_up_at=NOW + 60 * DAY).now(50, NOW + 60 * DAY), people=30)
    assert wave.lines_up_until(0, NOW) is None
    today = wave.now(50, NOW)
    assert (today.number, today.room(50), today.ends_at(NOW)) == (1, 20, NOW + DAY)


def test_clocks_that_differ_by_seconds_begin_no_wave_twice() -> None:
    wave = Wave("sequence:s").now(50, NOW + timedelta(seconds=5))
    assert wave.now(50, NOW) == wave


@given(st.integers(1, 80), st.lists(st.tuples(st.timedeltas(timedelta(0), 2 * DAY), st.integers(1, 500)), max_size=40))
def test_within_a_day_no_more_are_met_than_two_waves_take(first: int, asks: list[tuple[timedelta, int]]) -> None:
    wave, now, met = Wave("sequence:s"), NOW, []
    for gap, people in asks:
        now += gap
        wave = wave.now(first, now)
        taken = min(people, wave.room(first))
        wave = replace(wave, people=wave.people + taken)
        met.append((now, taken))
        assert wave.people <= size_of(wave.number, first)
    for at, _ in met:
        assert sum(n for when, n in met if at <= when < at + WAVE_WAITS) <= size_of(wave.number, first) * 2


def test_the_longer_somebody_was_silent_the_later_they_stand_in_line() -> None:
    places = [place_of(turn) for turn in (0, 3, 90, 700, UNDATED)]
    assert places == sorted(places)
    assert places[0] == timedelta(0)
    assert places[-1] == LINE_UP_WITHIN
    lined_up = Wave("sequence:s", lined_up_at=NOW)
    assert lined_up.lines_up_until(90, NOW) == NOW + timedelta(minutes=4)
    assert lined_up.lines_up_until(90, NOW + LINE_UP_WITHIN) is None


@pytest.mark.parametrize(
    ("record", "stops"),
    [
        (Record(50, bounced=3), "3 of its first 50 mails went to addresses that nobody has (6.0 %)"),
        (Record(100, bounced=3), "3 of its first 100 mails went to addresses that nobody has (3.0 %)"),
        (Record(101, bounced=3), None),
        (Record(10, bounced=2), None),
        (Record(100, opted_out=10), "10 readers of its first 100 mails left (10.0 %)"),
        (Record(100, opted_out=9), None),
        (Record(126, opted_out=10), None),
        (Record(1000, complained=2), "2 readers of its first 1,000 mails complained"),
        (Record(1000, complained=1), None),
        (Record(1001, bounced=900, opted_out=900, complained=2), None),
        (Record(1001, complained=3), None),
        (Record(2000, complained=6), "6 readers of its 2,000 mails complained (0.3 %)"),
        (Record(2000, complained=5), None),
        (Record(0, bounced=9), None),
    ],
)
def test_a_campaign_stops_where_receivers_would_block_it(record: Record, stops: str | None) -> None:
    """STANDARDS 46: pause at 0.3 % complaints."""
    assert find_stop(record) == stops


@given(st.integers(1, 5000), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_worse_news_never_lets_a_stopped_campaign_go_on(mailed: int, bounced: int, left: int, complained: int) -> None:
    if find_stop(Record(mailed, bounced, left, complained)) is not None:
        assert find_stop(Record(mailed, bounced + 1, left, complained)) is not None
        assert find_stop(Record(mailed, bounced, left + 1, complained)) is not None
        assert find_stop(Record(mailed, bounced, left, complained + 1)) is not None


def test_what_google_does_not_report_is_not_measured_here() -> None:
    unknown = Rate("google", mailed=5000, complained=0, today=NOW.date())
    assert (unknown.percent, unknown.in_words) == (None, "not measured here")
    entered = replace(unknown, figure=Figure("google", 0.31, NOW.date()))
    assert entered.in_words == "0.31 % on 2026-03-10, as entered"
    assert entered.is_too_high
    yahoo = Rate("yahoo", 1000, 2, NOW.date())
    assert yahoo.in_words == "0.20 %"
    assert not replace(yahoo, mailed=10).is_too_high
    assert replace(yahoo, complained=3).is_too_high


def test_what_somebody_read_off_a_month_ago_says_nothing_about_today() -> None:
    rate = Rate("google", 5000, 0, NOW.date(), Figure("google", 0.31, NOW.date() - timedelta(days=30)))
    assert rate.is_too_high
    later = replace(rate, today=NOW.date() + timedelta(days=1))
    assert (later.percent, later.is_too_high) == (None, False)
    assert later.in_words == "not measured here since 2026-02-08: 0.31 % then"
