"""Times to meet: in somebody's working hours, on different days, at a civil hour of whoever is asked if there is one."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given
from hypothesis import strategies as st

from nurture.delivery.offering import SAMPLE_MEETING, Offer, addresses_of, choose_times, label_of, read_offer
from nurture.timing import Window, parse_days, parse_hours
from tests.conftest import NOW

ZONES = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
OFFICE = Window(parse_days("mon-fri"), *parse_hours("09:00-17:00"))
BERLIN, LISBON, LOS_ANGELES = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Lisbon"), ZoneInfo("America/Los_Angeles")

windows = st.builds(
    lambda days, opens, length: Window(
        frozenset(days), *parse_hours(f"{opens:02d}:00-{min(opens + length, 24):02d}:00")
    ),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 23),
    st.integers(1, 24),
)
instants = st.timedeltas(timedelta(0), timedelta(days=800)).map(lambda length: NOW + length)


@given(windows, ZONES, ZONES, st.integers(1, 10), instants)
def test_every_time_is_a_working_half_hour_from_tomorrow_on_each_on_another_day(
    hours: Window, zone: ZoneInfo, reader_zone: ZoneInfo, count: int, now: datetime
) -> None:
    times = choose_times(hours, zone, reader_zone, count, now)
    assert len(times) <= count
    assert list(times) == sorted(times)
    days = [at.astimezone(zone).date() for at in times]
    assert len(set(days)) == len(days)
    for at in times:
        opening = hours.opening(at, zone)
        assert opening.opens_at <= at
        assert at + timedelta(minutes=30) <= opening.closes_at
        assert at >= now + timedelta(hours=12)
        assert at.astimezone(zone).date() > now.astimezone(zone).date()


def test_who_works_on_weekdays_is_offered_as_many_times_as_were_asked_for() -> None:
    for count in range(1, 11):
        assert len(choose_times(OFFICE, BERLIN, LISBON, count, NOW)) == count


def test_times_lie_where_both_are_awake_and_where_nobody_is_the_reader_decides() -> None:
    for at in choose_times(OFFICE, BERLIN, LISBON, 5, NOW):
        assert 8 <= at.astimezone(LISBON).hour < 18
    far = choose_times(OFFICE, LOS_ANGELES, BERLIN, 3, NOW)
    assert len(far) == 3
    # Nine in Los Angeles is six in the evening in Berlin.
    assert all(at.astimezone(BERLIN).hour >= 17 for at in far)


def test_mornings_and_afternoons_are_both_offered() -> None:
    hours = [at.astimezone(BERLIN).hour for at in choose_times(OFFICE, BERLIN, BERLIN, 3, NOW)]
    assert min(hours) < 12 <= max(hours)


def test_a_label_names_the_clock_it_is_read_on() -> None:
    assert label_of(NOW, BERLIN) == "Tuesday 10 March, 10:00 (Berlin time)"
    assert label_of(NOW, ZoneInfo("UTC")) == "Tuesday 10 March, 09:00 (UTC)"
    assert label_of(NOW, LOS_ANGELES) == "Tuesday 10 March, 02:00 (Los Angeles time)"


def test_what_is_kept_with_a_mail_is_read_as_it_was() -> None:
    offer = Offer(7, BERLIN, choose_times(OFFICE, BERLIN, BERLIN, 3, NOW))
    assert read_offer({"meeting": offer.to_json()}) == offer
    assert read_offer({"meeting": None}) is read_offer({}) is read_offer(None) is None


def test_the_sample_has_the_shape_of_the_real_thing() -> None:
    made = addresses_of(Offer(7, BERLIN, (NOW,)), "https://news.example/meet/sample")
    assert made.keys() == SAMPLE_MEETING.keys()
    assert made["slots"][0].keys() == SAMPLE_MEETING["slots"][0].keys()
    assert made["slots"][0]["url"] == SAMPLE_MEETING["slots"][0]["url"]
