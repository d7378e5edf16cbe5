"""Who is written to first, last, slowly or not at all, by the day of their last sign of life."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.consent.silence.arriving import NOTHING_KEPT, past_of_known, past_of_new
from nurture.consent.silence.rules import (
    FIRST_WAVE,
    UNDATED,
    KeptBack,
    is_older,
    keep_back,
    oldest_recent_day,
    turn_of,
    wave_of,
)
from nurture.contacts.imports import NO_PAST, Past

TODAY = date(2026, 3, 10)


@pytest.mark.parametrize(
    ("seen", "basis", "kept"),
    [
        (date(2024, 3, 10), None, None),
        (date(2024, 3, 9), None, KeptBack.SILENT),
        (date(2021, 1, 1), date(2025, 6, 1), None),  # they said yes again since
        (None, date(2019, 1, 1), None),  # an old basis says nothing about what they did since
        (None, None, None),
    ],
)
def test_only_who_did_nothing_for_two_years_is_kept_back(
    seen: date | None, basis: date | None, kept: KeptBack | None
) -> None:
    past = Past(last_open_on=seen) if seen else NO_PAST
    row = past_of_new(past, basis, None, TODAY)
    assert (row["kept_back"] if row else None) == kept


def test_what_was_bought_is_kept_back_however_fresh_it_is() -> None:
    fresh = past_of_new(Past(last_click_on=TODAY), TODAY, "purchased", TODAY)
    unknown = past_of_new(NO_PAST, None, "purchased", TODAY)
    assert fresh
    assert unknown
    assert fresh["kept_back"] == unknown["kept_back"] == KeptBack.PURCHASED


def test_a_later_file_adds_what_it_knows_and_never_takes_away() -> None:
    first = past_of_new(Past(last_open_on=date(2025, 1, 1), bounces=2), None, None, TODAY)
    assert first
    assert past_of_known(first, Past(last_open_on=date(2024, 1, 1), bounces=1), None, TODAY) is None
    later = past_of_known(first, Past(last_reply_on=date(2025, 9, 1)), None, TODAY)
    assert later
    assert (later["last_open_on"], later["last_reply_on"], later["bounce_count"]) == (
        date(2025, 1, 1), date(2025, 9, 1), 2,
    )  # fmt: skip
    assert later["last_sign_on"] == date(2025, 9, 1)


def test_a_file_that_knows_no_days_changes_nothing() -> None:
    assert past_of_known(NOTHING_KEPT, NO_PAST, TODAY, TODAY) is None
    assert past_of_new(NO_PAST, TODAY, "referral", TODAY) is None


def test_the_most_recent_go_first_and_the_unknown_last() -> None:
    days = [TODAY, TODAY - timedelta(days=30), date(2024, 12, 1), date(2024, 3, 10), date(2019, 1, 1), None]
    turns = [turn_of(day, TODAY) for day in days]
    assert turns == sorted(turns)
    assert turns[-2:] == [UNDATED, UNDATED]
    assert turns[0] == 0


def test_a_wave_is_twice_the_one_before() -> None:
    assert [wave_of(day) for day in range(4)] == [FIRST_WAVE, 100, 200, 400]


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)), st.integers(-3, 800))
def test_what_counts_as_recent_is_the_same_by_the_day_and_by_the_months(today: date, days: int) -> None:
    day = today - timedelta(days=days)
    assert (day >= oldest_recent_day(today)) == (not is_older(day, 24, today))


def test_a_yes_that_is_newer_than_the_silence_ends_it() -> None:
    assert keep_back(date(2020, 1, 1), date(2026, 1, 1), TODAY) is None
