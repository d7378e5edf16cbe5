"""`nurture segments` and `nurture contacts set`: how many, who, why, and what a colleague learned in a talk."""

from collections.abc import Callable

import pytest

from tests.support.terminals import Terminal

PEOPLE = """\
Email Address,First Name,Country,Company Size
ana@reader.example,Ana,US,12
bea@reader.example,Bea,DE,120
cal@reader.example,Cal,DE,
"""
SEGMENTS = 'format: 1\nsegments:\n  big: company_size >= 50\n  germans: country == "DE" and not has_tag("competitor")\n'
QUESTIONS = """\
format: 1
questions:
  timing:
    text: When does it have to work?
    sets: timing
    answers: [{label: This quarter, value: "yes"}, {label: Later, value: "no"}]
"""


@pytest.fixture
def prompt(make_terminal: Callable[..., Terminal]) -> Terminal:
    """Three contacts, two segments and a question."""
    terminal = make_terminal(**{"campaigns/segments.yaml": SEGMENTS, "campaigns/questions.yaml": QUESTIONS})
    terminal.type("contacts", "import", terminal.write(PEOPLE), "--consent", "customer")
    return terminal


def test_every_segment_is_listed_with_how_many_it_holds(prompt: Terminal) -> None:
    assert [(one["name"], one["count"]) for one in prompt.json("segments")] == [("big", 1), ("germans", 2)]
    out, _ = prompt.type("segments")
    assert "company_size >= 50" in out


def test_a_segment_and_a_condition_that_is_not_saved_are_counted_and_shown(prompt: Terminal) -> None:
    assert prompt.json("segments", "show", "germans", "--count") == {
        "segment": "germans", "condition": 'country == "DE" and not has_tag("competitor")', "count": 2,
    }  # fmt: skip
    shown = prompt.json("segments", "show", "--where", 'country == "DE" and company_size is None')
    assert shown["count"] == 1
    assert [one["email"] for one in shown["sample"]] == ["cal@reader.example"]
    assert "count" not in prompt.json("segments", "show", "big", "--sample")


def test_why_somebody_is_in_or_out_is_told_clause_by_clause(prompt: Terminal) -> None:
    out, _ = prompt.type("segments", "show", "big", "--explain", "ana@reader.example")
    assert out.splitlines() == [
        "ana@reader.example is not in:",
        '  in_segment("big"): no',
        "    company_size >= 50: no, it is 12",
    ]
    told = prompt.json("segments", "show", "germans", "--explain", "bea@reader.example")
    assert told["is_in"] is True
    assert [part["clause"] for part in told["reason"]["parts"]] == ['country == "DE"', 'not has_tag("competitor")']


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "bigg"), 'there is no segment "bigg". Did you mean "big"?'),
        (("show",), "name a segment, or give a condition with --where."),
        (("show", "big", "--where", "True"), "name a segment, or give a condition with --where."),
        (("show", "big", "--count", "--sample"), "choose one of --count, --sample and --explain."),
        (("show", "--where", "compny_size > 1"), 'there is no field "compny_size". Did you mean "company_size"?'),
        (("show", "--where", 'answered("timng")'), 'has no question "timng". Did you mean "timing"?'),
        (("show", "--where", 'answered("timing", "latr")'), 'Did you mean "later"?'),
        (("show", "big", "--explain", "nobody@reader.example"), "there is no such contact"),
    ],
)
def test_what_cannot_be_shown_is_told(prompt: Terminal, words: tuple[str, ...], said: str) -> None:
    assert said in prompt.refused("segments", *words)


def test_a_colleague_writes_down_whether_somebody_can_buy(prompt: Terminal) -> None:
    prompt.type("publish")
    set_it = ("contacts", "set", "ana@reader.example", "--ability", "budget=yes", "--by", "luis@acme.example")
    assert prompt.json(*set_it, "--because", "on the phone")["changed"] == ["budget"]
    assert prompt.json(*set_it)["changed"] == []
    known = prompt.json("contacts", "show", "ana@reader.example")
    assert (known["ability"]["budget"]["is"], known["ability"]["budget"]["by"]) == ("yes", "luis@acme.example")
    assert known["ability"]["timing"] == {"is": "unknown"}
    assert "budget: yes, luis@acme.example said so on" in prompt.type("contacts", "show", "ana@reader.example")[0]
    assert (
        prompt.json("segments", "show", "--where", 'budget == "yes" and timing == "unknown"', "--count")["count"] == 1
    )
    (change, *_) = prompt.json("contacts", "history", "ana@reader.example")
    assert (change["field"], change["before"], change["after"], change["how"]) == (
        "budget", "unknown", "yes", "on the phone",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--ability", "money=yes"), "write authority, budget, timing"),
        (("--ability", "budget=perhaps"), "budget is yes, no or unknown"),
        ((), "say what, such as --ability budget=yes."),
        (("--ability", "budget=yes"), "say who learned it: --by OPERATOR."),
        (("--ability", "budget=yes", "--by", "eve@acme.example"), "eve@acme.example is no operator"),
    ],
)
def test_what_cannot_be_written_down_is_told(prompt: Terminal, given: tuple[str, ...], said: str) -> None:
    assert said in prompt.refused("contacts", "set", "ana@reader.example", *given)
