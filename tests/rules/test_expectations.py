"""What a sequence's file may expect of everybody, and who does not keep to it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nurture.contacts.facts import ContactFacts
from nurture.errors import BadInput
from nurture.figures import rate
from nurture.sequences.simulation.expectations import FORMS, Judgement, parse_expectation, unknown_steps
from nurture.sequences.simulation.world import Did, Ending, Entry, Person, Sent

#: A Monday.
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)


def life(
    *sent: tuple[float, str], kinds: str = "", country: str | None = None, zone: ZoneInfo = UTC_ZONE, **known: Any
) -> Ending:
    """Somebody who gets these mails, each so many days after the start."""
    person = Person(ContactFacts({"country": country}), zone, zone, email="ana@reader.example")
    mails = [
        Sent(START + days * DAY, step, kind, "acme.example")
        for (days, step), kind in zip(sent, kinds.split() or ["value"] * len(sent), strict=True)
    ]
    ended_at = START + known.pop("done", 1) * DAY if known.get("done", 1) is not None else known.pop("done")
    values: dict[str, Any] = {
        "status": "finished", "reason": "", "step": None, "reached": frozenset(step for _, step in sent), "did": (),
        "tags": frozenset(), "stage": "lead", "score": 0.0, "timeline": tuple(Entry(one.at, one.step, "mail leaves") for one in mails),
    }  # fmt: skip
    return Ending(person, START, ended_at, sent=tuple(mails), **{**values, **known})


def judged(text: str, *lives: Ending, days: float = 60) -> Judgement:
    return parse_expectation(text).judge(lives, START + days * DAY)


def holds(text: str, *lives: Ending, days: float = 60) -> bool | None:
    return judged(text, *lives, days=days).holds


def test_every_form_has_an_example_that_can_be_read() -> None:
    for example in FORMS.values():
        assert parse_expectation(example).text == example
        assert parse_expectation(f"  {example.replace(' ', '  ')}. ").text == example


def test_every_form_is_listed_in_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sequences.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for form, example in FORMS.items():
        assert any(line.startswith(f"| {form} | `{example}`") for line in rows), form


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at most 2 mail per week", 'Did you mean "at most 2 mails in 7 days"?'),
        ("no send on holidays", 'Did you mean "no send on a holiday"?'),
        ("be nice", "Write a sentence such as"),
        ("nobody gets offer who repleid", 'Did you mean "replied"?'),
        ("at most 2 mails in 3 parsecs", '"3 parsecs" is not a duration'),
        ("no send outside nine", "are not hours"),
    ],
)
def test_a_sentence_that_is_none_is_refused_with_what_it_might_be(text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_expectation(text)
    assert said in str(caught.value)


def test_mails_are_counted_over_any_stretch_of_time() -> None:
    three = life((0, "a"), (5, "b"), (6.9, "c"))
    assert holds("at most 3 mails in 7 days", three)
    breach = judged("at most 2 mails in 7 days", life((0, "a")), three).breach
    assert breach is not None
    assert (breach.ending, breach.at) == (three, START + 6.9 * DAY)
    assert breach.because == "3 mails between Mon 2026-03-02 09:00 and Mon 2026-03-09 06:36 UTC"
    assert holds("at most 2 mails in 7 days", life((0, "a"), (5, "b"), (7, "c")))


def test_whoever_takes_too_long_is_named_also_when_they_are_still_on_the_way() -> None:
    assert holds("everyone finishes within 10 days", life(done=10))
    assert not holds("everyone finishes within 10 days", life(done=10.1))
    waiting = life(done=None, step="w", status="waiting")
    assert holds("everyone finishes within 10 days", waiting, days=9) is None
    breach = judged("everyone finishes within 10 days", waiting, days=11).breach
    assert breach is not None
    assert breach.because == 'still on "w" after 10 days'


def test_an_end_that_was_not_looked_at_for_long_enough_is_not_known() -> None:
    waiting = life(done=None, step="w", status="waiting")
    short = judged("everyone finishes within 10 days", life(done=1), waiting, days=5)
    assert (short.holds, short.breach, short.short_by) == (None, None, 5 * DAY)
    assert replace(short, ahead=5 * DAY).unknown == "look at least 10 days ahead"
    assert not holds("everyone finishes within 10 days", life(done=11), waiting, days=5)  # one is enough
    assert judged("everyone finishes within 10 days", life(done=1), days=5).unknown == ""


def test_whom_sales_had_before_cannot_become_sales_ready() -> None:
    ready = [life(did=(Did(START, "sales_ready"),)) for _ in range(50)]
    before = [replace(one, person=replace(one.person, contact=ContactFacts({"stage": "customer"})))
              for one in [life() for _ in range(450)]]  # fmt: skip
    assert judged("at least 90 % become sales-ready", *ready, *before).share == rate(50, 50)


def test_days_are_those_of_the_reader() -> None:
    sunday_in_berlin = START + 5.6 * DAY  # Saturday, 23:24 in UTC
    assert (sunday_in_berlin.weekday(), sunday_in_berlin.astimezone(BERLIN).weekday()) == (5, 6)
    assert not holds("no send on a weekend", life((5.6, "a"), zone=BERLIN))
    friday = life((4.6, "a"))
    assert holds("no send on a weekend", friday)
    assert not holds("no send on a weekend", life((4.6, "a"), zone=BERLIN))
    good_friday = 32
    assert not holds("no send on a holiday", life((good_friday, "a"), country="DE"))
    assert holds("no send on a holiday", life((good_friday, "a"), country="FR"))
    assert holds("no send on a holiday", life((good_friday, "a")))
    assert holds("no send outside 09:00-17:00", life((0, "a")))
    assert not holds("no send outside 09:00-17:00", life((0.4, "a")))


def test_an_ask_is_earned_by_values_unless_they_asked_us() -> None:
    early = life((0, "a"), (1, "b"), kinds="value ask")
    assert holds("no ask before 1 value", early)
    assert not holds("no ask before 2 values", early)
    asked = life((0, "a"), (1, "b"), kinds="value ask", did=(Did(START + DAY / 2, "asked", "a"),))
    assert holds("no ask before 2 values", asked)
    twice = life((0, "a"), (1, "b"), (2, "c"), kinds="value ask ask")
    assert not holds("no ask before 1 value", twice)


def test_nobody_gets_what_their_own_act_should_have_spared_them() -> None:
    replied = life((0, "a"), (3, "offer"), did=(Did(START + DAY, "reply", "a"),))
    assert not holds("nobody gets offer who replied", replied)
    assert not holds("nobody gets a mail who replied", replied)
    assert holds("nobody gets a who replied", replied)
    assert holds("nobody gets offer who clicked", replied)


def test_a_share_fails_only_when_chance_cannot_be_the_reason() -> None:
    many = [life((0, "a")) for _ in range(90)] + [life() for _ in range(10)]
    assert holds("at least 94 % reach a", *many)
    assert judged("at least 94 % reach a", *many).share is not None
    assert not holds("at least 97 % reach a", *many)
    assert not holds("at most 80% reach a", *many)
    gone = [life(did=(Did(START, "opt_out"),)) for _ in range(10)] + many
    assert not holds("at most 2 % leave", *gone)
    assert holds("at most 10 % leave", *gone)
    assert not holds("at least 2 % become sales-ready", *[life() for _ in range(500)])


def test_a_breach_tells_the_lines_that_led_there() -> None:
    lines: Sequence[Entry] = (
        judged("no send on a weekend", life((0, "a"), (5, "b"), (7, "c"))).breach or pytest.fail("it holds")
    ).timeline
    assert [one.step for one in lines] == ["a", "b"]


def test_steps_that_are_none_are_found_before_anybody_is_simulated() -> None:
    texts = ["at most 2 mails in 7 days", "at least 5 % reach ofer", "nobody gets a mail who replied"]
    assert unknown_steps(texts, ["offer"]) == [(1, "ofer")]
