"""The calendar: what some would get is scaled to all, and every mail stands on its day."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from nurture.reports.calendar.planned import Source, bounds_of, by_day, counted, days_of, scale
from nurture.sequences.simulation.world import Sent
from nurture.timing import parse_day_span

FIRST = date(2026, 12, 24)
DAY = timedelta(days=1)


def sent(days: int, step: str = "report") -> Sent:
    return Sent(datetime(2026, 12, 24, 10, tzinfo=UTC) + days * DAY, step, "value", "acme.example")


def test_days_are_counted_whole_and_lie_between_midnights() -> None:
    days = days_of(FIRST, timedelta(days=2, hours=1))
    assert days == [FIRST, FIRST + DAY, FIRST + 2 * DAY]
    assert bounds_of(days)[0] == datetime(2026, 12, 24, tzinfo=UTC)
    assert bounds_of(days)[-1] == datetime(2026, 12, 27, tzinfo=UTC)


def test_what_all_of_them_would_get_is_a_number() -> None:
    [one] = scale("Evaluators", [[sent(0)], [sent(0)], []], 3, is_certain=True)
    assert (one.on, one.what, one.count) == (FIRST, "Evaluators: report", "2")


def test_what_some_of_them_would_get_is_an_estimate() -> None:
    [one] = scale("Evaluators", [[sent(0)]] * 25 + [[]] * 75, 10_000, is_certain=False)
    assert one.count == "2,500 (1,755–3,430)"


@given(st.integers(1, 200), st.data(), st.integers(1, 10**6))
def test_an_estimate_lies_within_its_bounds(lives: int, data: st.DataObject, more: int) -> None:
    hits = data.draw(st.integers(1, lives))
    people = lives + more
    [one] = scale("E", [[sent(0)]] * hits + [[]] * (lives - hits), people, is_certain=False)
    assert 0 <= one.low <= one.people <= one.high <= people


def test_every_mail_stands_on_its_day_the_largest_first_with_why_nothing_might_leave() -> None:
    planned = [
        counted(FIRST, "a", Source.OUTBOX, 3),
        counted(FIRST, "b", Source.NEWSLETTER, 30),
        counted(FIRST - DAY, "over", Source.OUTBOX, 5),
        counted(FIRST + 2 * DAY, "c", Source.NEWSLETTER, 0),
    ]
    blackout = [parse_day_span("2026-12-24..2026-12-25")]
    days = by_day(days_of(FIRST, timedelta(days=3)), planned, blackout=blackout, holidays=["DE", "US"])
    assert [[one.what for one in day.planned] for day in days] == [["b", "a"], [], ["c"]]
    assert [day.mails for day in days] == [33, 0, 0]
    assert [list(day.notes) for day in days] == [
        ["blackout: no marketing mail leaves"],
        ["blackout: no marketing mail leaves", "public holiday: DE, US"],
        ["public holiday: DE"],
    ]
    assert days[2].planned[0].count == "nobody"
