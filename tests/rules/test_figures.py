"""Rates come with their interval and what they were counted from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.figures import rate


def test_a_rate_names_its_interval_and_its_base() -> None:
    # Wilson interval for 37 of 298, worked out by hand with z = 1.96: 9.14 % to 16.65 %.
    assert str(rate(37, 298)) == "12.4 % (9.1–16.6 %), 37 of 298"


def test_under_thirty_it_is_too_few_to_tell() -> None:
    assert str(rate(3, 29)) == "3 of 29 (too few to tell)"


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_the_interval_holds_the_share_and_stays_between_none_and_all(count: int, more: int) -> None:
    found = rate(count, count + more)
    assert 0 <= found.low <= found.share <= found.high <= 1 or found.base == 0


def test_more_hits_than_observations_are_no_share() -> None:
    with pytest.raises(ValueError, match="is no share"):
        rate(2, 1)
