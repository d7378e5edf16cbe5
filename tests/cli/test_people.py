"""`nurture enroll` and `nurture opt-out`: one person, by hand."""

import pytest

from tests.support.terminals import Terminal


def test_enrolling_somebody_twice_is_enrolling_them_once(house: Terminal) -> None:
    first = house.json("enroll", "evaluators", "Ben@reader.example")
    assert first == {"sequence": "evaluators", "email": "ben@reader.example", "enrolled": True, "entry": "enrolled"}
    assert not house.json("enroll", "evaluators", "ben@reader.example")["enrolled"]
    out, _ = house.type("enroll", "evaluators", "ben@reader.example")
    assert out == "ben@reader.example is on the way through evaluators already, or waits for it; nothing changed.\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("evaluators", "cal@reader.example"), "cal@reader.example may not be mailed about product-insights: "),
        (("evaluators", "eve@reader.example"), "eve@reader.example: there is no such contact; type `nurture contacts add"),
        (("evaluator", "ben@reader.example"), 'no sequence "evaluator" is published; type `nurture publish` after you wrote it. Did you mean "evaluators"?'),
        (("evaluators", "ben at reader"), "ben at reader: the address has no @."),
    ],
)  # fmt: skip
def test_who_cannot_be_enrolled_is_told_why(house: Terminal, words: tuple[str, ...], sentence: str) -> None:
    assert house.refused("enroll", *words).startswith(sentence)


def test_opting_out_ends_everything_for_known_and_unknown_alike(house: Terminal) -> None:
    assert house.json("opt-out", "Ben@reader.example") == {
        "email": "Ben@reader.example", "topic": None, "changed": True,
    }  # fmt: skip
    assert not house.json("opt-out", "ben@reader.example")["changed"]
    assert "opted out" in house.refused("enroll", "evaluators", "ben@reader.example")
    assert house.type("opt-out", "stranger@reader.example")[0] == "stranger@reader.example gets no more mail.\n"
    assert "suppression list" in house.refused("contacts", "add", "stranger@reader.example", "--consent", "opt-in")


def test_one_topic_may_be_left_and_the_others_stay(house: Terminal) -> None:
    out, _ = house.type("opt-out", "ben@reader.example", "--topic", "product-insights")
    assert out == "ben@reader.example gets no more mail about product-insights.\n"
    assert house.json("contacts", "show", "ben@reader.example")["refused_because"] == [
        {"topic": "product-insights", "reason": "withdrawn", "because": "left this topic"}
    ]
    said = house.refused("opt-out", "ben@reader.example", "--topic", "product-insight")
    assert said == 'settings.toml declares no topic "product-insight". Did you mean "product-insights"?'


def test_a_no_of_somebody_without_a_basis_outlives_every_basis_found_later(house: Terminal) -> None:
    assert house.json("opt-out", "cal@reader.example", "--topic", "product-insights")["changed"]
    file = house.write("email,basis,consent_on\ncal@reader.example,double-opt-in,2026-01-05\n")
    house.type("contacts", "import", file)
    assert not house.json("contacts", "show", "cal@reader.example")["mailable"]


def test_an_address_that_is_none_is_refused(house: Terminal) -> None:
    assert house.refused("opt-out", "ben at reader") == "ben at reader: the address has no @."
