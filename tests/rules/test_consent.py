"""Who may be mailed: the judge, and the piles."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.consent.rules import (
    Basis,
    Pile,
    Purpose,
    Standing,
    may_send,
    pile_of,
)
from nurture.consent.suppressions.rules import SuppressionReason

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
TODAY = NOW.date()


def standing(**known: object) -> Standing:
    given = {"suppressions": {}, "state": "given", "basis": "opt-in", "pile": Pile.ANNOUNCE, **known}
    return Standing(**given)  # type: ignore[arg-type]  # each test names fields of Standing


def test_somebody_who_agreed_may_be_mailed() -> None:
    assert may_send(Purpose.CAMPAIGN, standing(), NOW).is_allowed


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"state": None}, "no_consent"),
        ({"state": "refused", "pile": Pile.NEVER}, "refused"),
        ({"state": "withdrawn"}, "withdrawn"),
        ({"state": "none", "basis": None}, "must_ask"),
        ({"pile": Pile.ASK}, "must_ask"),
        ({"pile": Pile.NEVER}, "never"),
        ({"expires_at": NOW, "afterwards": Pile.ASK}, "expired"),
        ({"suppressions": {"opt_out": TODAY}}, "opt_out"),
        ({"suppressions": {"complaint": TODAY, "opt_out": TODAY}}, "opt_out"),
    ],
)
def test_everybody_else_may_not_and_the_judge_says_why(known: dict[str, object], reason: str) -> None:
    permission = may_send(Purpose.CAMPAIGN, standing(**known), NOW)
    assert not permission.is_allowed
    assert permission.reason == reason
    assert permission.because


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_what_a_person_just_asked_for_is_stopped_by_bounce_complaint_and_erasure_only(
    reason: SuppressionReason,
) -> None:
    stops = {SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT, SuppressionReason.ERASED}
    permission = may_send(Purpose.SERVICE, standing(state=None, suppressions={reason: TODAY}), NOW)
    assert permission.is_allowed == (reason not in stops)


def test_nothing_stops_a_note_to_a_colleague() -> None:
    assert may_send(Purpose.INTERNAL, standing(suppressions={"opt_out": TODAY}), NOW).is_allowed


standings = st.builds(
    Standing,
    suppressions=st.dictionaries(
        st.sampled_from([str(reason) for reason in SuppressionReason]), st.just(TODAY), max_size=2
    ),
    state=st.sampled_from([None, "given", "refused", "withdrawn", "none"]),
    basis=st.sampled_from([None, *Basis]),
    pile=st.sampled_from(list(Pile)),
    expires_at=st.none() | st.sampled_from([NOW - timedelta(seconds=1), NOW, NOW + timedelta(days=1)]),
    afterwards=st.sampled_from(list(Pile)),
)


@given(standings)
def test_whoever_may_be_mailed_lies_on_the_pile_that_says_so(known: Standing) -> None:
    assert may_send(Purpose.CAMPAIGN, known, NOW).is_allowed == (pile_of(known, NOW) is Pile.ANNOUNCE)


@given(standings)
def test_nobody_without_a_basis_is_ever_mailed(known: Standing) -> None:
    if known.state != "given":
        assert not may_send(Purpose.CAMPAIGN, known, NOW).is_allowed
