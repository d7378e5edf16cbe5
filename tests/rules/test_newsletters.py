"""When an issue goes out, and to whom it is the first."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from nurture.newsletters.rules import Issue, Schedule, first_issue_from, next_issue
from nurture.timing import Duration, WeeklySlot

BERLIN = ZoneInfo("Europe/Berlin")
TUESDAY = WeeklySlot(1, time(9))
zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
instants = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


def test_the_issue_with_the_lowest_number_that_is_ready_goes_first() -> None:
    issues = [Issue(1, 1, True, True), Issue(2, 3, True, False), Issue(3, 2, False, False), Issue(4, 4, True, False)]
    assert next_issue(issues) == issues[1]
    assert next_issue(issues[:1]) is None


def test_a_first_issue_comes_after_the_waiting_time() -> None:
    tuesday = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
    assert first_issue_from(tuesday, Duration(working_days=5), BERLIN) == datetime(2026, 3, 10, 14, 0, tzinfo=UTC)


def test_on_the_senders_clock_everybody_gets_it_at_one_moment() -> None:
    schedule = Schedule(TUESDAY, BERLIN)
    slot_at = schedule.slot_from(datetime(2026, 3, 9, tzinfo=UTC))
    assert slot_at == datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
    assert schedule.due_for(slot_at, ZoneInfo("Asia/Tokyo")) == slot_at


@given(zones, instants)
def test_on_readers_clocks_everybody_gets_it_at_nine_on_the_same_day(zone: ZoneInfo, at: datetime) -> None:
    schedule = Schedule(TUESDAY, BERLIN, is_readers_time=True)
    slot_at = schedule.slot_from(at)
    due_at = schedule.due_for(slot_at, zone).astimezone(zone)
    day = slot_at.astimezone(BERLIN).date()
    # A DST change, or a day that a zone skipped, may move the wall clock; never the day by more than that.
    assert abs((due_at.date() - day).days) <= 1
    assert due_at.time() == time(9) or due_at.date() != day or due_at.hour in {8, 10}


@given(zones, instants)
def test_an_issue_is_queued_before_it_is_due_anywhere(zone: ZoneInfo, at: datetime) -> None:
    schedule = Schedule(TUESDAY, BERLIN, is_readers_time=True)
    slot_at = schedule.slot_from(at)
    assert schedule.queue_at(slot_at) <= schedule.due_for(slot_at, zone)


@given(instants)
def test_slots_are_a_week_apart(at: datetime) -> None:
    schedule = Schedule(TUESDAY, BERLIN)
    first = schedule.slot_from(at)
    second = schedule.slot_from(first + timedelta(minutes=1))
    assert timedelta(days=6, hours=22) <= second - first <= timedelta(days=7, hours=2)
