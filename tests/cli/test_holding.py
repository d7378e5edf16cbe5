"""`nurture hold` and `nurture agree`: what colleagues say about their own people and their own name."""

from tests.support.terminals import Terminal


def test_a_hold_is_placed_shown_and_lifted(house: Terminal) -> None:
    placed = house.json("hold", "Ben@reader.example", "--for", "30d", "--because", "negotiating")
    assert (placed["held"], placed["by"], placed["because"]) == (
        "ben@reader.example",
        "luis@acme.example",
        "negotiating",
    )
    known = house.json("contacts", "show", "ben@reader.example")
    assert (known["mailable"], known["refused_because"][0]["reason"]) == (False, "hold")
    assert known["held_until"] == placed["until"]
    assert "hands off until" in house.type("contacts", "show", "ben@reader.example")[0]
    [listed] = house.json("hold", "--list")
    assert (listed["held"], listed["by"], listed["people"]) == ("ben@reader.example", "Luis Ortega", 1)
    assert "Luis Ortega holds them until" in house.refused("enroll", "evaluators", "ben@reader.example")
    out, _ = house.type("hold", "--lift", "ben@reader.example")
    assert out.startswith("Nobody holds ben@reader.example any more; ")
    assert house.json("contacts", "show", "ben@reader.example")["mailable"]
    assert house.type("hold", "--list")[0] == "Nobody is held.\n"


def test_a_company_is_held_by_its_domain(house: Terminal) -> None:
    out, _ = house.type(
        "hold", "reader.example", "--for", "2 weeks", "--because", "renewal", "--by", "luis@acme.example"
    )
    assert out.startswith("Luis Ortega holds reader.example until ")
    assert house.json("hold", "--list")[0]["people"] == 3


def test_a_hold_without_whom_how_long_or_why_says_what_is_missing(house: Terminal) -> None:
    assert house.refused("hold").startswith("say whom: ")
    assert house.refused("hold", "ben@reader.example", "--because", "x").startswith("say for how long")
    assert house.refused("hold", "ben@reader.example", "--for", "30d").startswith("say why")
    assert house.refused("hold", "cal@reader.example", "--for", "30d", "--because", "x") == (
        "cal@reader.example: nobody owns them; say who holds them with --by and an operator's address."
    )
    assert "nobody holds ben@reader.example" in house.refused("hold", "--lift", "ben@reader.example")


def test_an_owner_says_yes_and_takes_it_back(house: Terminal) -> None:
    assert house.json("agree", "evaluators", "--as", "luis@acme.example", "--withdraw")["changed"]
    agreed = house.json("agree", "evaluators", "--as", "Luis@acme.example", "--yes")
    assert agreed == {"sequence": "evaluators", "owner": "luis@acme.example", "agreed": True, "changed": True}
    assert not house.json("agree", "evaluators", "--as", "luis@acme.example", "--yes")["changed"]
    states = [one["state"] for one in house.json("agree", "--list") if one["sequence"] == "evaluators"]
    assert set(states) == {"yes"}
    assert house.json("agree", "evaluators", "--as", "luis@acme.example", "--withdraw")["changed"]
    assert "withdrawn" in [one["state"] for one in house.json("agree", "--list")]


def test_a_yes_that_would_mean_nothing_is_refused(house: Terminal) -> None:
    assert house.refused("agree", "evaluators").startswith("say for which sequence and as whom")
    assert "Did you mean" in house.refused("agree", "evaluators", "--as", "lui@acme.example", "--yes")
    assert "Did you mean" in house.refused("agree", "evaluator", "--as", "luis@acme.example", "--yes")
    assert house.refused("agree", "evaluators", "--as", "luis@acme.example", "--json").startswith("--json asks nothing")


def test_publishing_says_whose_yes_is_missing(house: Terminal) -> None:
    house.type("agree", "evaluators", "--as", "luis@acme.example", "--withdraw")
    _, err = house.type("publish")
    assert "evaluators: Luis Ortega has not said yes to its mails; until then they go out as Dana Reed." in err
    house.type("agree", "evaluators", "--as", "luis@acme.example", "--yes")
    assert "evaluators: Luis Ortega" not in house.type("publish")[1]
