"""Durations, windows, weekly slots and working time, in every time zone there is."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import BadInput
from nurture.timing import (
    Duration,
    WeeklySlot,
    Window,
    add_working_time,
    get_zone,
    local_instant,
    parse_days,
    parse_duration,
    parse_hours,
    parse_time,
)

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")

zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
instants = st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))
windows = st.builds(
    lambda days, hours: Window(days, time(hours[0]), time(hours[1] % 24)),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.tuples(st.integers(0, 22), st.integers(1, 24)).filter(lambda pair: pair[0] < pair[1]),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 days", Duration(timedelta(days=3))),
        ("1 hour", Duration(timedelta(hours=1))),
        ("90 minutes", Duration(timedelta(minutes=90))),
        ("2 weeks", Duration(timedelta(days=14))),
        ("60d", Duration(timedelta(days=60))),
        ("5 working days", Duration(working_days=5)),
        ("-40 days", Duration(timedelta(days=-40))),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, expected: Duration) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["3 dayz", "days", "3", "", "three days", "3 days 4 hours", "-2 working days"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match='is not a duration; write a number and a unit, such as "3 days"'):
        parse_duration(text)


@given(st.integers(0, 400), st.sampled_from(["minute", "hour", "day", "week"]))
def test_a_duration_reads_back_what_it_says(number: int, unit: str) -> None:
    duration = parse_duration(f"{number} {unit}s")
    assert parse_duration(str(duration)) == duration


def test_working_days_skip_the_weekend() -> None:
    friday = datetime(2026, 3, 6, 15, 30, tzinfo=UTC)
    assert parse_duration("5 working days").after(friday, BERLIN) == datetime(2026, 3, 13, 15, 30, tzinfo=UTC)
    assert parse_duration("1 working days").after(friday, BERLIN) == datetime(2026, 3, 9, 15, 30, tzinfo=UTC)


def test_a_wall_time_that_is_skipped_in_spring_comes_as_much_later() -> None:
    # 2026-03-29: clocks in Berlin go from 02:00 to 03:00.
    assert local_instant(datetime(2026, 3, 29).date(), time(2, 30), BERLIN).astimezone(BERLIN).hour == 3


def test_a_wall_time_that_occurs_twice_in_autumn_is_the_first() -> None:
    # 2026-10-25: clocks in Berlin go from 03:00 back to 02:00.
    assert local_instant(datetime(2026, 10, 25).date(), time(2, 30), BERLIN) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


@given(windows, instants, zones)
def test_an_opening_is_open_now_or_the_next_one(window: Window, at: datetime, zone: ZoneInfo) -> None:
    opening = window.opening(at, zone)
    assert opening.opens_at < opening.closes_at
    assert opening.closes_at > at
    # A day that a zone skipped altogether (the date line) makes the longest gap there is.
    assert opening.opens_at - at <= timedelta(days=9)


@given(windows, instants, zones)
def test_openings_follow_each_other_without_overlap(window: Window, at: datetime, zone: ZoneInfo) -> None:
    openings = window.openings(at, zone)
    first, second = next(openings), next(openings)
    assert first.closes_at <= second.opens_at


@given(windows, instants, zones)
def test_inside_of_an_opening_the_same_opening_is_found(window: Window, at: datetime, zone: ZoneInfo) -> None:
    opening = window.opening(at, zone)
    middle = opening.opens_at + (opening.closes_at - opening.opens_at) / 2
    assert window.opening(middle, zone) == opening


@given(windows, instants, zones)
def test_mail_leaves_on_a_day_of_the_window(window: Window, at: datetime, zone: ZoneInfo) -> None:
    opening = window.opening(at, zone)
    moment = max(at, opening.opens_at).astimezone(zone)
    # Clocks that jump at midnight may open a window a little after its day began, never before.
    assert moment.weekday() in window.days or opening.opens_at.astimezone(zone).weekday() in window.days


@given(st.integers(0, 6), st.integers(0, 23), instants, zones)
def test_a_weekly_slot_comes_within_eight_days_and_never_twice_at_once(
    weekday: int, hour: int, at: datetime, zone: ZoneInfo
) -> None:
    slot = WeeklySlot(weekday, time(hour))
    first = slot.from_(at, zone)
    second = slot.from_(first + timedelta(minutes=1), zone)
    assert at <= first <= at + timedelta(days=8)
    assert timedelta(days=5) < second - first < timedelta(days=9)


def test_a_deadline_counts_working_hours_only() -> None:
    office = Window(parse_days("mon-fri"), *parse_hours("09:00-17:00"))
    friday_at_four = datetime(2026, 3, 6, 21, 0, tzinfo=UTC)  # 16:00 in New York
    due_at = add_working_time(friday_at_four, timedelta(hours=4), office, NEW_YORK)
    assert due_at.astimezone(NEW_YORK) == datetime(2026, 3, 9, 12, 0, tzinfo=NEW_YORK)


@given(instants, st.integers(0, 200), zones)
def test_a_deadline_never_comes_before_the_time_it_gives(at: datetime, hours: int, zone: ZoneInfo) -> None:
    office = Window(parse_days("mon-fri"), *parse_hours("09:00-17:00"))
    assert add_working_time(at, timedelta(hours=hours), office, zone) >= at + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("tue, thu", {1, 3}),
        ("daily", set(range(7))),
        ("sat-mon", {5, 6, 0}),
        ("sun", {6}),
    ],
)
def test_days_are_read_as_people_write_them(text: str, days: set[int]) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize("text", ["", "mon-", "someday", "mon;tue"])
def test_what_are_no_days_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a day"):
        parse_days(text)


@pytest.mark.parametrize("text", ["9-17", "17:00-09:00", "09:00-09:00", "09:00-24:01", "09:60-17:00", ""])
def test_hours_that_never_open_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="are not hours"):
        parse_hours(text)


@pytest.mark.parametrize("text", ["9", "24:00", "12:60", "noon"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is not a time of day"):
        parse_time(text)


def test_a_misspelt_zone_is_answered_with_the_right_one() -> None:
    with pytest.raises(BadInput, match='Did you mean "Europe/Berlin"'):
        get_zone("Europe/Berln")
