"""What `mailed(…)` and `tracked_for(…)` ask, and that such conditions are asked again only because time passes."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from nurture.app.language import language
from nurture.conditions import ConditionError, depends_on_time, holds, parse
from nurture.consent.law.rules import ConsentTable
from nurture.consent.recording.rules import Mode, Recording, Word
from nurture.contacts.facts import ContactFacts
from nurture.delivery.mailed.rules import Mailed
from nurture.sequences.facts import PersonFacts
from tests.conftest import NOW

WORDS = language().words({})
UTC_ZONE = ZoneInfo("UTC")
HERE, EARLIER = 1, 2


def days_ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


#: On their way through "evaluators" for the second time, and a reader of the newsletter.
ANA = PersonFacts(
    ContactFacts({}), NOW, UTC_ZONE, UTC_ZONE, sequence="evaluators", enrollment_id=HERE,
    mailed=[
        Mailed("evaluators/report", days_ago(5), HERE),
        Mailed("evaluators/meet", days_ago(200), EARLIER),
        Mailed("weekly/five-questions", days_ago(2)),
    ],
    tracked_since=days_ago(30),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mailed()", True),
        ('mailed("report")', True),
        ('mailed("evaluators/report")', True),
        ('mailed("report", within="5 days")', False),
        ('mailed("report", within="6 days")', True),
        ('mailed("report", before="5 days")', True),
        ('mailed("report", before="6 days")', False),
        ('mailed("report", within="6 days", before="4 days")', True),
        ('mailed("meet")', False),
        ('mailed("meet", ever=True)', True),
        ('mailed(before="180 days")', False),
        ('mailed(before="180 days", ever=True)', True),
        ('mailed("weekly/five-questions")', False),
        ('mailed("weekly/five-questions", ever=True)', True),
        ('tracked_for("0 days")', True),
        ('tracked_for("30 days")', True),
        ('tracked_for("31 days")', False),
    ],
)
def test_inside_a_sequence_only_this_time_through_counts_unless_ever(text: str, expected: bool) -> None:
    assert holds(parse(text, WORDS), ANA) is expected


def test_elsewhere_all_time_counts_and_mails_have_their_full_names() -> None:
    outside = replace(ANA, enrollment_id=None)
    assert holds(parse('mailed("evaluators/meet", before="180 days")', WORDS), outside)
    assert not holds(parse('mailed("meet")', WORDS), outside)


def test_a_mail_that_came_later_had_not_come_by_then() -> None:
    assert not holds(parse('mailed("report")', WORDS), ANA.as_of(days_ago(6)))
    assert holds(parse('mailed("report", within="2 days")', WORDS), ANA.as_of(days_ago(4)))
    assert not holds(parse('tracked_for("25 days")', WORDS), ANA.as_of(days_ago(10)))


def test_of_somebody_who_is_not_tracked_it_is_never_true() -> None:
    assert not holds(parse('tracked_for("0 days")', WORDS), replace(ANA, tracked_since=None))


@pytest.mark.parametrize(
    ("country", "said", "since"),
    [
        ("US", None, days_ago(100)),
        ("US", (Mode.FULL, days_ago(3)), days_ago(3)),
        ("US", (Mode.NONE, days_ago(3)), None),
        ("DE", None, None),
        ("DE", (Mode.FULL, days_ago(3)), days_ago(3)),
        (None, None, None),
    ],
)
def test_tracking_counts_from_their_own_word_or_else_from_when_we_first_knew_them(
    country: str | None, said: tuple[Mode, datetime] | None, since: datetime | None
) -> None:
    here = Recording(ConsentTable((), frozenset({"DE"})))
    assert here.since(country, days_ago(100), Word(*said) if said else None) == since


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('mailed("report")', False),
        ('mailed(before="180 days")', True),
        ('not mailed(within="7 days")', True),
        ('has_tag("a") or (has_tag("b") and not tracked_for("180 days"))', True),
        ('clicked(within="7 days")', True),
        ('clicked(link="7 days") and score > 7', False),
    ],
)
def test_a_condition_that_names_a_length_may_change_only_because_time_passes(text: str, expected: bool) -> None:
    assert depends_on_time(parse(text, WORDS)) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tracked_for()", "tracked_for needs to know which length"),
        ('tracked_for("5 working days")', "depends on a calendar"),
        ('mailed(before="soon")', "is not a duration"),
        ('mailed(link="/pricing")', 'mailed knows no "link"'),
    ],
)
def test_a_mistake_in_them_is_named(text: str, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        parse(text, WORDS)
