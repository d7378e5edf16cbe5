"""Questions that mails ask: who is asked which, how an answer is known, and what counts as answered."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nurture.contacts.actions import new_contact
from nurture.contacts.addresses import read_address
from nurture.contacts.facts import ContactFacts
from nurture.contacts.questions.actions import read_ability, take_over_abilities
from nurture.contacts.questions.rules import (
    Answer,
    Question,
    Translation,
    abilities_told,
    answer_key,
    check_of,
    choose_question,
)
from nurture.contacts.store import Contact
from nurture.errors import BadInput
from nurture.sequences.facts import PersonFacts
from nurture.tokens import AddressHasher
from nurture.tracking.rules import ActivityKind, Deed

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
TIMING = Question(
    "timing", "When?", "timing", (Answer("This quarter", "yes"), Answer("Später", "no")),
    {"de": Translation("Wann?", ("In diesem Quartal", "Später"))},
)  # fmt: skip
SIZE = Question("size", "How many?", "company_size", (Answer("Few", 20), Answer("Many", 200)))


def chosen(answered: set[str], **known: object) -> str | None:
    values = {"timing": "unknown", "company_size": None, **known}
    found = choose_question([TIMING, SIZE], answered, values.get)  # type: ignore[arg-type]  # values of a few types
    return found.name if found else None


def test_the_first_question_that_is_open_is_asked() -> None:
    assert chosen(set()) == "timing"
    assert chosen({"timing"}) == "size"
    assert chosen(set(), timing="no") == "size"
    assert chosen({"timing"}, company_size=0) is None
    assert chosen({"timing", "size"}) is None


def test_who_answered_that_they_do_not_know_is_not_asked_again() -> None:
    assert chosen({"timing", "size"}, timing="unknown") is None


def test_a_question_is_kept_whole() -> None:
    assert Question.from_json(TIMING.to_json()) == TIMING


def test_a_question_is_asked_in_the_language_of_its_mail_if_somebody_translated_it() -> None:
    assert TIMING.shown_in("de-AT").text == "Wann?"
    assert TIMING.shown_in("fr").text == "When?"


def test_an_answer_is_known_however_it_is_spelled() -> None:
    assert answer_key("SPA\u0308TER") == answer_key("später")
    assert TIMING.find_answer(answer_key("this  QUARTER")) == TIMING.answers[0]


def test_a_condition_may_only_ask_for_answers_there_are() -> None:
    check = check_of({"timing": TIMING})
    check({"question": "timing", "answer": answer_key("This Quarter")})
    with pytest.raises(BadInput, match=r'no question "timng"\. Did you mean "timing"\?'):
        check({"question": "timng"})
    with pytest.raises(BadInput, match=r'"this quartr" is no answer to "timing": .* Did you mean "this quarter"\?'):
        check({"question": "timing", "answer": "this quartr"})


def answer(label: str, days_ago: float, enrollment_id: int | None = 1) -> Deed:
    return Deed(ActivityKind.ANSWERED, NOW - timedelta(days=days_ago), "timing", enrollment_id, answer_key(label))


def facts(*deeds: Deed) -> PersonFacts:
    utc = ZoneInfo("UTC")
    return PersonFacts(ContactFacts({}), NOW, utc, utc, sequence="trial", enrollment_id=7, deeds=deeds)


def test_an_answer_counts_whichever_mail_asked_since_nobody_is_asked_twice() -> None:
    assert facts(answer("Later", 100, enrollment_id=1)).answers("answered", {"question": "timing"})
    assert not facts().answers("answered", {"question": "timing"})


def test_what_somebody_said_last_counts_as_of_the_moment_that_is_asked_about() -> None:
    said = facts(answer("Later", 3), answer("This quarter", 1))
    now, then = {"question": "timing", "answer": "this quarter"}, {"question": "timing", "answer": "later"}
    assert said.answers("answered", now)
    assert not said.answers("answered", then)
    assert said.as_of(NOW - timedelta(days=2)).answers("answered", then)
    assert not said.answers("answered", {**now, "within": timedelta(hours=1)})


def contact(**known: Any) -> Contact:
    row = new_contact(read_address("ana@reader.example"), AddressHasher("a key"), NOW)
    return Contact(**{**row, **known})


def test_whether_somebody_can_buy_is_told_with_who_said_so() -> None:
    ana = contact(budget="yes", timing="no", ability_said={
        "budget": {"by": "themselves", "how": "", "at": "2026-03-03T09:00:00+00:00"},
        "timing": {"by": "dana@acme.example", "how": "", "at": "2026-03-04T09:00:00+00:00"},
    })  # fmt: skip
    assert abilities_told(ana) == {
        "budget": "yes, they said so on 3 March 2026",
        "timing": "no, dana@acme.example said so on 4 March 2026",
    }


def test_of_two_contacts_who_are_one_what_was_said_last_counts() -> None:
    early, late = ({"by": "themselves", "how": "", "at": f"2026-03-0{day}T09:00:00+00:00"} for day in (3, 4))
    keep = contact(budget="yes", timing="no", ability_said={"budget": late, "timing": early})
    other = contact(budget="no", timing="yes", authority="yes", ability_said={
        "budget": early, "timing": late, "authority": early,
    })  # fmt: skip
    assert sorted(take_over_abilities(keep, other)) == ["authority", "timing"]
    assert (keep.budget, keep.timing, keep.authority) == ("yes", "yes", "yes")
    assert keep.ability_said["timing"] == late


def test_an_ability_is_read_as_it_is_typed() -> None:
    assert read_ability(" Budget = YES ") == ("budget", "yes")
    with pytest.raises(BadInput, match=r'Did you mean "timing"\?'):
        read_ability("timng=yes")
