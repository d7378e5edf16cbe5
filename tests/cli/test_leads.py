"""`nurture leads`, `lead` and `score`: what a rep asks and answers."""

from datetime import datetime

import pytest

from tests.cli.conftest import NUMBER
from tests.support.terminals import Terminal


def test_the_json_of_leads_is_what_scripts_rely_on(house: Terminal) -> None:
    [lead] = house.json("leads")
    assert {key: lead[key] for key in ("id", "email", "owner", "stage", "reason", "interest", "verdict")} == {
        "id": str(NUMBER), "email": "ana@reader.example", "owner": "luis@acme.example", "stage": "sales_ready",
        "reason": "engaged", "interest": None, "verdict": "waiting",
    }  # fmt: skip
    assert {"score", "fit", "due_at", "story"} <= set(lead)
    assert datetime.fromisoformat(lead["due_at"]).tzinfo is not None
    assert "Ana Ruiz" in lead["story"][0]


def test_a_lead_is_shown_with_its_story_its_deadline_and_what_to_type(house: Terminal) -> None:
    out, _ = house.type("leads")
    first, second, *rest = out.splitlines()
    assert first.startswith(f"{NUMBER}  ana@reader.example  → Luis Ortega, due in ")
    assert second.startswith("    Ana Ruiz")
    assert f"    nurture lead accept {NUMBER}   or   nurture lead reject {NUMBER} --reason …" in rest


@pytest.mark.parametrize(
    ("steps", "verdict", "stage"),
    [
        ([["accept"]], "accepted", "sales_accepted"),
        ([["accept"], ["meeting"]], "meeting", "sales_accepted"),
        ([["reject", "--reason", "no_budget"]], "rejected", "recycled"),
        ([["reject", "--reason", "not_a_fit"]], "rejected", "disqualified"),
        ([["accept"], ["won", "--amount", "12000"]], "won", "customer"),
        ([["accept"], ["lost", "--reason", "bad_timing"]], "lost", "recycled"),
    ],
)
def test_a_verdict_moves_the_contact_and_closes_the_lead(
    house: Terminal, steps: list[list[str]], verdict: str, stage: str
) -> None:
    for verb, *options in steps:
        given = house.json("lead", verb, str(NUMBER), *options)
    assert (given["id"], given["email"], given["verdict"]) == (str(NUMBER), "ana@reader.example", verdict)
    assert house.json("contacts", "show", "ana@reader.example")["stage"] == stage == given["stage"]
    assert house.json("leads") == []
    assert [lead["verdict"] for lead in house.json("leads", "--all")] == [verdict]
    assert (given["recycle_at"] is not None) == (stage == "recycled")


def test_a_no_says_when_the_contact_comes_back(house: Terminal) -> None:
    out, _ = house.type("lead", "reject", str(NUMBER), "--reason", "no_budget")
    assert out.startswith("ana@reader.example is rejected: no_budget. Back into nurture until ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["reject", str(NUMBER), "--reason", "no_money"], 'a no needs a reason from handoff.yaml: bad_timing, no_budget, not_a_fit, wrong_person; "no_money" is none.'),
        (["accept", "one"], '"one" is no lead; `nurture leads` lists them with their numbers.'),
        (["accept", "9" * 30], f'"{"9" * 30}" is no lead;'),
        (["accept", "7"], "there is no lead 7; `nurture leads` lists them."),
        (["won", str(NUMBER)], f"lead {NUMBER} is waiting, so it cannot become won; it can become accepted or meeting or rejected."),
    ],
)  # fmt: skip
def test_what_is_no_verdict_ends_with_one_sentence(house: Terminal, words: list[str], sentence: str) -> None:
    assert house.refused("lead", *words).startswith(sentence)
    assert house.json("leads")[0]["verdict"] == "waiting"


def test_a_lead_that_is_closed_stays_closed(house: Terminal) -> None:
    house.type("lead", "reject", str(NUMBER), "--reason", "no_budget")
    said = house.refused("lead", "accept", str(NUMBER))
    assert said == f"lead {NUMBER} is rejected already, so it cannot become accepted; that is final."


def test_without_leads_it_is_said_what_makes_one(terminal: Terminal) -> None:
    assert terminal.type("leads")[0].startswith("Nobody waits. Contacts come here when they cross the line")
    assert terminal.json("leads") == []


def test_the_parts_of_a_score_sum_to_it(house: Terminal) -> None:
    explained = house.json("score", "explain", "ana@reader.example")
    assert set(explained) >= {"score", "fit", "at", "parts"}
    assert explained["score"] == sum(part["points"] for part in explained["parts"])
    assert explained["fit_points"] == sum(part["points"] for part in explained["fit_parts"]) == 25
    assert explained["fit_parts"][0]["rule"] == 'in_segment("decision-makers")'
    out, _ = house.type("score", "explain", "ana@reader.example", "--at", "2026-03-01")
    assert out.startswith("ana@reader.example: 0 points, fit B (25 points), as of 2026-03-01 00:00 UTC\nNo points yet:")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["eve@reader.example"], "eve@reader.example: there is no such contact;"),
        (["ana@reader.example", "--at", "yesterday"], '"yesterday" is no moment; write one such as 2026-03-01 or 2026-03-01T09:00.'),
    ],
)  # fmt: skip
def test_a_score_that_cannot_be_explained_ends_with_one_sentence(
    house: Terminal, words: list[str], sentence: str
) -> None:
    assert house.refused("score", "explain", *words).startswith(sentence)


def test_without_a_published_scoring_there_is_no_score(terminal: Terminal) -> None:
    terminal.type("contacts", "add", "ana@reader.example")
    said = terminal.refused("score", "explain", "ana@reader.example")
    assert said == "No scoring is published; write campaigns/scoring.yaml and type `nurture publish`."
