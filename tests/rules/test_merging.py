"""What two contacts come to when they are one person: never more than either allowed."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.consent.recording.rules import Mode, mode_of_state
from nurture.consent.rules import Basis, Pile, Standing, is_subscribed
from nurture.contacts.fields import STAGES, STAGES_OUTSIDE
from nurture.merging.rules import (
    Word,
    missing_values,
    renamed,
    stage_of_both,
    strictest_mail,
    strictest_tracking,
)

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
INSTANTS = st.sampled_from([None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=1), NOW + timedelta(days=30)])
GIVEN = st.builds(
    Word,
    state=st.just("given"),
    basis=st.sampled_from(list(Basis)),
    given_on=st.sampled_from([None, date(2025, 1, 1), date(2026, 1, 1)]),
    pile=st.sampled_from(list(Pile)),
    expires_at=INSTANTS,
    afterwards=st.sampled_from(list(Pile)),
)
WORDS = st.one_of(st.none(), GIVEN, st.sampled_from([Word("refused"), Word("withdrawn"), Word("none")]))


def may_mail(word: Word | None) -> bool:
    if word is None:
        return False
    standing = Standing({}, word.state, word.basis, word.pile, word.expires_at, word.afterwards)
    return is_subscribed(standing, NOW)


@given(keep=WORDS, other=WORDS)
def test_a_merge_never_makes_anybody_mailable(keep: Word | None, other: Word | None) -> None:
    """STANDARDS 126: merge of duplicates keeps the strictest consent."""
    after = strictest_mail(keep, other, NOW)
    assert not may_mail(after) or may_mail(keep)
    if other is not None and not other.is_silent:
        assert not may_mail(after) or may_mail(other), "whatever the other contact said counts as well"


@given(keep=WORDS, other=WORDS)
def test_a_no_of_either_is_a_no(keep: Word | None, other: Word | None) -> None:
    """STANDARDS 126."""
    after = strictest_mail(keep, other, NOW)
    if (keep is not None and keep.is_no) or (other is not None and other.is_no):
        assert after is not None
        assert after.is_no


@given(word=WORDS)
def test_silence_of_the_other_changes_nothing(word: Word | None) -> None:
    assert strictest_mail(word, None, NOW) == word
    assert strictest_mail(word, Word("none"), NOW) == word


@given(
    keep=st.sampled_from([None, *map(Word, ("given", "last_open_date", "withdrawn"))]),
    other=st.sampled_from([None, *map(Word, ("given", "last_open_date", "withdrawn"))]),
)
def test_no_more_is_recorded_than_either_allowed(keep: Word | None, other: Word | None) -> None:
    order = list(Mode)
    after = strictest_tracking(keep, other)
    if after is None:
        assert keep is None, "a word that was said stays said"
        return
    for one in (keep, other):
        assert one is None or order.index(mode_of_state(after.state)) >= order.index(mode_of_state(one.state))
    assert keep is not None or mode_of_state(after.state) is Mode.NONE, (
        "the law of the country may allow less than a yes"
    )


@given(
    keep=st.sampled_from([*STAGES, *STAGES_OUTSIDE]),
    other=st.sampled_from([*STAGES, *STAGES_OUTSIDE]),
)
def test_whom_sales_had_is_with_sales(keep: str, other: str) -> None:
    after = stage_of_both(keep, other)
    assert after in {keep, other}
    assert stage_of_both(other, keep) == after
    if "customer" in {keep, other}:
        assert after == "customer"
    if "disqualified" in {keep, other} and not {keep, other} & set(STAGES[3:]):
        assert after == "disqualified"


def test_gaps_are_filled_and_nothing_is_overwritten_and_no_other_law_counts() -> None:
    keep = {"first_name": "Ana", "country": None, "industry": ""}
    other = {"first_name": "Anna", "country": "DE", "industry": "steel", "job_title": None}
    assert missing_values(keep, other) == {"industry": "steel"}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("issue:7:22", "issue:7:11"),
        ("announcement:weekly:22", "announcement:weekly:11"),
        ("issue:22:33", None),
        ("sequence:22:report:1", None),
        ("handoff:22", None),
    ],
)
def test_mails_that_are_known_by_whom_they_go_to_are_known_by_who_stays(key: str, expected: str | None) -> None:
    assert renamed(key, 22, 11) == expected
