"""How much of what somebody does may be recorded: four have a say, and the strictest wins."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.consent.recording.rules import STATES, Mode, Recording, Word, last_word, mode_of_state, strictest
from tests.rules.test_consent_table import TABLE

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
HERE = Recording(TABLE)
FULL, DATE, NONE = Mode.FULL, Mode.LAST_OPEN_DATE, Mode.NONE


@pytest.mark.parametrize(
    ("country", "word", "mode"),
    [
        ("US", None, FULL),
        ("US", NONE, NONE),
        ("US", DATE, DATE),
        ("DE", None, NONE),
        ("NO", None, NONE),
        ("DE", FULL, FULL),
        ("DE", DATE, DATE),
        ("GB", None, NONE),
        ("CH", None, NONE),
        (None, None, NONE),
        (None, FULL, FULL),
    ],
)
def test_nothing_is_recorded_without_a_yes_in_the_eea_great_britain_switzerland_and_nowhere_known(
    country: str | None, word: Mode | None, mode: Mode
) -> None:
    """EPrivacy Directive Art. 5(3), EDPB 2/2023; everywhere else the default is to record."""
    assert HERE.mode_of(country, "insights", word) is mode


modes = st.sampled_from(list(Mode))


@given(st.sampled_from(["US", "DE", None]), st.none() | modes, modes, modes)
def test_the_strictest_of_person_or_country_topic_and_installation_wins(
    country: str | None, word: Mode | None, topic: Mode, house: Mode
) -> None:
    here = Recording(TABLE, house, {"insights": topic})
    own = word or (FULL if country == "US" else NONE)
    mode = here.mode_of(country, "insights", word)
    assert mode is strictest((own, topic, house))
    assert all(list(Mode).index(mode) >= list(Mode).index(one) for one in (own, topic, house))
    assert here.mode_of(country, "events", word) is strictest((own, house)), "another topic has no say"


def test_a_country_may_keep_the_day_of_the_last_open_of_whoever_said_nothing() -> None:
    here = Recording(type(TABLE)(TABLE.rows, TABLE.ask_before_tracking, frozenset({"FR"})))
    assert [here.mode_of("FR", "insights", word) for word in (None, FULL, NONE)] == [DATE, FULL, NONE]
    assert here.mode_of("DE", "insights", None) is NONE


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        ([], None),
        ([(FULL, 1), (NONE, 2)], NONE),
        ([(NONE, 1), (FULL, 2)], FULL),  # asked again for this topic, and said yes
        ([(FULL, 2), (NONE, 2)], NONE),
    ],
)
def test_of_a_word_about_one_topic_and_one_about_all_the_later_counts(
    words: list[tuple[Mode, int]], mode: Mode | None
) -> None:
    found = last_word(Word(one, NOW + timedelta(days=day)) for one, day in words)
    assert (found.mode if found else None) == mode


@given(modes)
def test_what_is_kept_of_a_word_says_the_same_when_it_is_read(mode: Mode) -> None:
    assert mode_of_state(STATES[mode]) is mode


def test_a_word_nobody_understands_is_a_no() -> None:
    assert mode_of_state("maybe") is NONE


@pytest.mark.parametrize("house", [DATE, NONE])
def test_nobody_is_tracked_for_any_time_where_the_installation_does_not_track(house: Mode) -> None:
    here = Recording(TABLE, house)
    assert here.since("US", NOW, Word(FULL, NOW)) is None
    assert Recording(TABLE).since("US", NOW, Word(FULL, NOW)) == NOW
