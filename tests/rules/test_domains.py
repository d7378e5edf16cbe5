"""What the name servers said, and what follows from it."""

from datetime import datetime, timedelta

import pytest

from nurture.consent.domains.rules import Answer, Mailbox, Spelling, Verdict, ask_next_at, judge

NOW = datetime.fromisoformat("2026-03-10T09:00:00+00:00")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(("mx1.reader.example.", "mx2.reader.example.")), Verdict.TAKES_MAIL),
        (Answer((".",)), Verdict.NULL_MX),
        (Answer(), Verdict.NO_SERVER),
        (Answer(exists=False), Verdict.NO_DOMAIN),
        (Answer(failed="NoNameservers"), None),
    ],
)
def test_an_answer_leads_to_a_verdict_and_a_failure_to_none(answer: Answer, verdict: Verdict | None) -> None:
    """RFC 5321 5.1, RFC 7505 3."""
    assert judge(answer) == verdict


def test_a_failure_is_asked_again_later_and_later_and_at_least_once_a_day() -> None:
    waits = [ask_next_at(None, tries, NOW) - NOW for tries in (1, 2, 3, 40)]
    assert waits == [timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20), timedelta(days=1)]


def test_a_verdict_is_asked_again_after_a_season_and_a_bad_one_after_a_week() -> None:
    assert ask_next_at(Verdict.TAKES_MAIL, 0, NOW) == NOW + timedelta(days=90)
    assert ask_next_at(Verdict.NO_SERVER, 0, NOW) == NOW + timedelta(days=7)


def test_a_spelling_is_told_before_a_verdict_with_what_to_type() -> None:
    held = Mailbox("gmial.com", Verdict.NO_DOMAIN, Spelling.HELD, "gmail.com")
    assert held.reason == "misspelt"
    assert "nurture domains correct gmial.com gmail.com" in held.because
    assert Mailbox("gmial.com", None, Spelling.ACCEPTED, "gmail.com").reason == ""
    assert Mailbox("gone.example", Verdict.NULL_MX).because == "gone.example takes no mail, and says so (null MX)"
