"""Who is handed to a rep, and what a verdict makes of them."""

from datetime import UTC, datetime, timedelta

import pytest

from nurture.handoff.rules import FOLLOWS, Reason, Verdict, consequence_of, find_reason

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


def reason(**known: object) -> Reason | None:
    given = {
        "stage": "lead", "interest": None, "interest_is_new": True, "is_over_the_line": True, "is_mailable": True,
        "has_open": False, **known,
    }  # fmt: skip
    return find_reason(**given)  # type: ignore[arg-type]  # each test names arguments of find_reason


def test_the_reason_never_claims_more_than_was_said() -> None:
    assert reason() is Reason.ENGAGED
    assert reason(interest="information") is Reason.ENGAGED
    assert reason(interest="demonstration", is_over_the_line=False) is Reason.ASKED
    assert reason(interest="need", is_over_the_line=False) is Reason.NEED
    assert reason(is_over_the_line=False) is None


@pytest.mark.parametrize("stage", ["sales_ready", "sales_accepted", "opportunity", "customer", "disqualified"])
def test_nobody_sales_has_is_handed_off_again(stage: str) -> None:
    assert reason(stage=stage, interest="need") is None


def test_whoever_wants_to_be_left_alone_is_not_handed_to_anybody() -> None:
    assert reason(is_mailable=False, interest="need") is None


def test_a_hand_off_happens_once() -> None:
    assert reason(has_open=True) is None


def test_whoever_was_sent_back_stays_in_nurture_unless_they_speak_up() -> None:
    assert reason(stage="recycled") is None
    assert reason(stage="recycled", interest="demonstration", interest_is_new=False) is None
    assert reason(stage="recycled", interest="demonstration") is Reason.ASKED


def test_a_verdict_decides_the_stage_and_when_they_may_come_again() -> None:
    term = timedelta(days=90)
    assert consequence_of(Verdict.ACCEPTED, recycle_after=None, now=NOW).stage == "sales_accepted"
    assert consequence_of(Verdict.WON, recycle_after=None, now=NOW).stage == "customer"
    rejected = consequence_of(Verdict.REJECTED, recycle_after=term, now=NOW)
    assert (rejected.stage, rejected.recycle_at) == ("recycled", NOW + term)
    assert consequence_of(Verdict.REJECTED, recycle_after=None, now=NOW).stage == "disqualified"


def test_a_verdict_is_given_once() -> None:
    assert FOLLOWS[Verdict.REJECTED] == FOLLOWS[Verdict.WON] == FOLLOWS[Verdict.LOST] == frozenset()
    assert Verdict.ACCEPTED not in FOLLOWS[Verdict.ACCEPTED]
