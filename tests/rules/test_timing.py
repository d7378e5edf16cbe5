"""Durations, windows, weekly slots and working time, in every time zone there is."""

import itertools
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.errors import BadInput
from nurture.timing import (
    DaySpan,
    Duration,
    Moment,
    WeeklySlot,
    Window,
    add_working_time,
    get_zone,
    is_holiday,
    local_instant,
    parse_day_span,
    parse_days,
    parse_duration,
    parse_holidays,
    parse_hours,
    parse_moment,
    parse_time,
)

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")

zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
instants = st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))
days_of_years = st.dates(date(2024, 1, 1), date(2030, 12, 31))
spans = st.builds(
    lambda first, length: DaySpan(first, first + timedelta(days=length)), days_of_years, st.integers(0, 60)
)
codes = st.lists(st.sampled_from(["DE", "DE-BY", "US", "US-CA", "JP", "SA", "IL", "BR", "NZ"]), max_size=2).map(tuple)
hours = st.tuples(st.integers(0, 22), st.integers(1, 24)).filter(lambda pair: pair[0] < pair[1])
windows = st.builds(
    lambda days, hours: Window(days, time(hours[0]), time(hours[1] % 24)),
    st.frozensets(st.integers(0, 6), min_size=1),
    hours,
)
closing_windows = st.builds(
    lambda days, hours, holidays, blackout: Window(days, time(hours[0]), time(hours[1] % 24), holidays, blackout),
    st.frozensets(st.integers(0, 6), min_size=2),
    hours,
    codes,
    st.lists(spans, max_size=2).map(tuple),
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


#: The first question about a country's holidays works them all out.
patient = settings(deadline=None)


@given(closing_windows, instants, zones, st.floats(0, 0.999999))
@patient
def test_mail_never_leaves_on_a_closed_day_or_at_a_closed_hour(
    window: Window, at: datetime, zone: ZoneInfo, share: float
) -> None:
    for opening in itertools.islice(window.openings(at, zone), 3):
        moment = (opening.opens_at + share * (opening.closes_at - opening.opens_at)).astimezone(zone)
        assert moment.weekday() in window.days
        assert not is_holiday(moment.date(), window.holidays)
        assert not any(moment.date() in span for span in window.blackout)
        # Where clocks go forward inside a window, or back, what the wall shows may leave it by that hour.
        assert window.opens <= moment.time() or moment.utcoffset() != opening.opens_at.astimezone(zone).utcoffset()


def test_a_window_keeps_closed_on_the_holidays_of_a_country_and_of_a_part_of_it() -> None:
    # 2026-01-06, a Tuesday, is Epiphany in Bavaria and a working day in Berlin.
    evening_before = datetime(2026, 1, 5, 20, tzinfo=UTC)
    office = parse_days("mon-fri"), *parse_hours("09:00-17:00")
    opens = {
        code: Window(*office, parse_holidays(code)).opening(evening_before, BERLIN).opens_at.astimezone(BERLIN).day
        for code in ("DE", "DE-BY")
    }
    assert opens == {"DE": 6, "DE-BY": 7}


def test_the_holidays_of_a_contact_are_those_of_their_country() -> None:
    window = Window(holidays=parse_holidays(["contact", "DE"]))
    assert window.in_country("FR").holidays == ("FR", "DE")
    assert window.in_country("DE").holidays == ("DE",)
    assert window.in_country(None).holidays == ("DE",)
    assert Window(holidays=("contact",)).in_country(None).is_always_open


def test_a_country_whose_holidays_nobody_knows_closes_no_day_and_stops_nothing() -> None:
    at = datetime(2026, 12, 25, 12, tzinfo=UTC)
    for code in ("contact", "XX", "DE-XX"):
        assert Window(holidays=(code,)).opening(at, BERLIN).opens_at <= at


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("DE", ("DE",)),
        ("de-by", ("DE-BY",)),
        (["DE-BY", "AT", "DE-BY"], ("DE-BY", "AT")),
        ("contact", ("contact",)),
        ("US-CA", ("US-CA",)),
    ],
)
def test_holidays_are_read_by_their_codes(written: str | list[str], codes: tuple[str, ...]) -> None:
    assert parse_holidays(written) == codes


@pytest.mark.parametrize(("code", "meant"), [("DE_BY", "DE-BY"), ("US-CAL", "US-CA"), ("contat", "contact")])
def test_an_unknown_country_is_named_with_what_may_be_meant(code: str, meant: str) -> None:
    with pytest.raises(BadInput, match=f'"{code}" is no country whose holidays are known; .* Did you mean "{meant}"'):
        parse_holidays(code)


def test_the_holidays_of_every_country_can_be_asked_for() -> None:
    from holidays import list_supported_countries

    for country in list_supported_countries(include_aliases=False):
        assert is_holiday(date(2026, 1, 1), parse_holidays(country)) in {True, False}


def test_the_calendar_is_not_loaded_before_a_window_asks_for_it() -> None:
    code = "import nurture.timing, sys; sys.exit('holidays' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2027-05-01", date(2027, 5, 1), date(2027, 5, 1)),
        ("2026-12-24..2027-01-01", date(2026, 12, 24), date(2027, 1, 1)),
    ],
)
def test_days_of_the_house_are_read_with_both_ends(text: str, first: date, last: date) -> None:
    span = parse_day_span(text)
    assert span == DaySpan(first, last)
    assert str(span) == text
    assert first in span
    assert last in span
    assert last + timedelta(days=1) not in span


@pytest.mark.parametrize("text", ["2027-13-01", "2027-01-02..2027-01-01", "christmas", "", "2027-01-01.."])
def test_what_names_no_days_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match='names no days; write one such as "2027-05-01"'):
        parse_day_span(text)


def test_a_window_that_stays_closed_says_so_instead_of_searching_for_ever() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    closed = Window(blackout=(parse_day_span("2026-01-01..2028-01-01"),))
    assert not closed.opens_ever(at, BERLIN)
    assert not Window(days=frozenset()).opens_ever(at, BERLIN)
    assert Window(days=frozenset({2})).opens_ever(at, BERLIN)
    with pytest.raises(BadInput, match="a window never opens in the 400 days after 2026-03-01"):
        closed.opening(at, BERLIN)
    with pytest.raises(BadInput, match="there is no working time in the 400 days after 2026-03-01"):
        add_working_time(at, timedelta(hours=1), closed, BERLIN)


def test_working_days_skip_holidays_too() -> None:
    before_easter = datetime(2026, 4, 2, 9, tzinfo=UTC)  # Thursday; Good Friday and Easter Monday follow
    assert Duration(working_days=1).after(before_easter, BERLIN, ("DE",)) == datetime(2026, 4, 7, 9, tzinfo=UTC)
    after_easter = datetime(2026, 4, 7, 9, tzinfo=UTC)
    assert Duration(working_days=-1).after(after_easter, BERLIN, ("DE",)) == before_easter


@given(st.integers(0, 30), instants, zones, codes)
@patient
def test_working_days_never_shrink_with_holidays(
    count: int, at: datetime, zone: ZoneInfo, some: tuple[str, ...]
) -> None:
    plain, with_holidays = (Duration(working_days=count).after(at, zone, one) for one in ((), some))
    assert plain <= with_holidays
    # By what a DST change may take from the last day, and no more: the wall shows the same time of day.
    assert with_holidays - at >= timedelta(days=count) - timedelta(hours=2)


@given(st.integers(0, 400), st.sampled_from(["minute", "hour", "day", "week"]), instants, zones)
def test_an_exact_wait_is_as_long_in_every_zone(number: int, unit: str, at: datetime, zone: ZoneInfo) -> None:
    duration = parse_duration(f"{number} {unit}s")
    assert duration.after(at, zone) - at == duration.exact


@pytest.mark.parametrize("text", ["40000 days", "999999999 weeks", "99999 working days", "-40000 days"])
def test_nobody_waits_longer_than_a_hundred_years(text: str) -> None:
    with pytest.raises(BadInput, match="is longer than a hundred years"):
        parse_duration(text)


NINE = time(9)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        (date(2027, 3, 1), Moment(NINE, on=date(2027, 3, 1))),
        ("2027-03-01", Moment(NINE, on=date(2027, 3, 1))),
        ("renewal_on", Moment(NINE, field="renewal_on")),
        ("renewal_on - 30 days", Moment(NINE, field="renewal_on", offset=Duration(timedelta(days=-30)))),
        ("renewal_on+2 weeks", Moment(NINE, field="renewal_on", offset=Duration(timedelta(days=14)))),
        ("renewal_on - 5 working days", Moment(NINE, field="renewal_on", offset=Duration(working_days=-5))),
        ("tue, thu", Moment(NINE, days=frozenset({1, 3}))),
        ("mon-fri", Moment(NINE, days=frozenset(range(5)))),
    ],
)
def test_moments_are_read_as_people_write_them(written: str | date, moment: Moment) -> None:
    assert parse_moment(written, NINE) == moment


@pytest.mark.parametrize(
    "text", ["", "30 days before renewal_on", "renewal_on -", "Renewal", "2027-3-1", "a - b", "x*2"]
)
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(
        BadInput, match="is nothing to wait until; write a date such as 2027-03-01, a date field such as"
    ):
        parse_moment(text, NINE)


def test_a_moment_says_what_is_wrong_with_its_date_its_time_or_its_length() -> None:
    with pytest.raises(BadInput, match='"2027-02-30" is not in the calendar'):
        parse_moment("2027-02-30", NINE)
    with pytest.raises(BadInput, match='write the date alone, and the time beside it: at: "09:00"'):
        parse_moment(datetime(2027, 3, 1, 9, tzinfo=UTC), NINE)
    with pytest.raises(BadInput, match='"3 dayz" is not a duration'):
        parse_moment("renewal_on - 3 dayz", NINE)


def test_a_date_field_is_counted_on_the_calendar_across_a_dst_change() -> None:
    moment = parse_moment("renewal_on - 30 days", NINE)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    # 30 days before 2026-04-15 clocks in Berlin still showed winter time.
    assert moment.instant(since, BERLIN, "2026-04-15") == datetime(2026, 3, 16, 8, tzinfo=UTC)
    before_easter = parse_moment("renewal_on - 1 working days", NINE)
    assert before_easter.instant(since, BERLIN, "2026-04-07", ("DE",)) == datetime(2026, 4, 2, 7, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "", "soon", "2026-02-30", "9999-12-31"])
def test_a_field_without_a_date_that_can_come_gives_no_moment(value: str | None) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_moment("renewal_on + 30 days", NINE).instant(since, BERLIN, value) is None


@given(st.frozensets(st.integers(0, 6), min_size=1), st.times(), instants, zones)
def test_the_next_day_of_the_week_always_lies_ahead_and_shows_its_hour(
    days: frozenset[int], at: time, since: datetime, zone: ZoneInfo
) -> None:
    at = at.replace(second=0, microsecond=0)
    moment = Moment(at, days=days)
    first = moment.instant(since, zone)
    assert first is not None
    second = moment.instant(first, zone)
    assert second is not None
    assert since < first < second
    assert first - since <= timedelta(days=9)
    assert second - first > timedelta(hours=22)
    shown = first.astimezone(zone)
    # Only an hour that a DST change skips is shown as another one, by as much later.
    is_skipped = datetime.combine(shown.date(), at, zone).astimezone(UTC).astimezone(zone).time() != at
    assert (shown.weekday() in days and shown.time() == at) or is_skipped or shown.time() < at


@given(days_of_years, st.times(), st.integers(-60, 60), instants, zones)
def test_a_date_comes_on_its_day(day: date, at: time, offset: int, since: datetime, zone: ZoneInfo) -> None:
    at = at.replace(second=0, microsecond=0)
    moment = Moment(at, field="renewal_on", offset=Duration(timedelta(days=offset)))
    assert moment.instant(since, zone, day.isoformat()) == local_instant(day + timedelta(days=offset), at, zone)
