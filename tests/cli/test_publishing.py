"""`nurture publish`, `rollback` and `history`: from files to versions, and back."""

import re

import pytest

from tests.support.terminals import Terminal

SEQUENCE = "campaigns/sequences/evaluators.yaml"


def test_publish_says_what_became_of_each_file_and_says_nothing_twice(terminal: Terminal) -> None:
    published = terminal.json("publish")
    assert all({"kind", "name", "from", "to", "changes", "people", "steps", "plan"} <= set(one) for one in published)
    [sequence] = [one for one in published if one["kind"] == "sequence"]
    assert (sequence["name"], sequence["from"], sequence["to"], sequence["people"]) == ("evaluators", None, 1, 0)
    assert "+ report" in sequence["changes"]
    again = terminal.json("publish")
    assert all(one["from"] == one["to"] == 1 and one["changes"] == [] for one in again)
    assert terminal.type("publish")[0] == f"0 published, {len(published)} unchanged.\n"


def test_a_plan_shows_the_difference_and_changes_nothing(terminal: Terminal) -> None:
    terminal.type("publish")
    terminal.edit(SEQUENCE, "Your report", "A better subject")
    out, _ = terminal.type("publish", "--plan")
    assert re.fullmatch(
        r"sequence evaluators   v1 → v2   ~ report \(subject\)\n"
        r"1 would be published, \d+ unchanged\. This plan is [0-9a-f]{12}\.\n",
        out,
    )
    assert terminal.type("publish", "--plan")[0] == out
    done, _ = terminal.type("publish")
    assert done == re.sub(r" This plan is .*\.", "", out.replace("would be published", "published"))


def test_a_pipeline_publishes_what_somebody_has_seen_or_nothing(terminal: Terminal) -> None:
    seen = terminal.json("publish", "--plan")[0]["plan"]
    assert terminal.refused("publish", "--expect", "0123456789ab").startswith(
        f"--expect 0123456789ab: the plan is {seen} by now"
    )
    terminal.type("publish", "--expect", seen)


def test_people_on_their_way_are_counted_and_stay_on_their_version(house: Terminal) -> None:
    house.edit(SEQUENCE, "- wait: 4 days", "- wait: 5 days")
    [change] = [one for one in house.json("publish", "--plan") if one["from"] != one["to"]]
    assert (change["from"], change["to"], change["people"], change["in_flight"]) == (1, 2, 1, "keep")
    [step] = change["steps"]
    assert step == {
        "version": 1, "step": "report", "people": 1, "keep": "report", "move": "report", "restart": "report"
    }  # fmt: skip
    assert "1 on their way stay on v1" in house.type("publish")[0]


def test_a_plan_tells_what_would_happen_to_everybody_under_each_policy(house: Terminal) -> None:
    house.edit(SEQUENCE, "id: report", "id: renamed")
    house.edit(SEQUENCE, 'clicked("report")', 'clicked("renamed")')
    out, _ = house.type("publish", "--plan", "--in-flight", "evaluators=move")
    assert "1 on their way go on in v2" in out
    assert re.search(r"on step +people +keep +move +restart\n", out)
    assert re.search(r"report +1 +v1 +→ \S+ \(its step is gone\) +→ renamed\n", out)
    assert "No step mails anybody twice, whichever you choose." in out


NO_POLICY = """--in-flight: "moev" is none of keep, move, restart and end; write one of them, or `NAME=move` for one \
sequence. Did you mean "move"?"""
NO_SEQUENCE = """--in-flight: nothing called "evaluator" is published and has people on their way; known: evaluators. \
Did you mean "evaluators"?"""
NOT_RETIRED = "--in-flight end: this is for people on what `--retire` takes out; say keep, move or restart."
NOT_ENDED = "--in-flight evaluators=end: it is not retired; say keep, move or restart."


@pytest.mark.parametrize(
    ("said", "answer"),
    [("moev", NO_POLICY), ("evaluator=move", NO_SEQUENCE), ("end", NOT_RETIRED), ("evaluators=end", NOT_ENDED)],
)
def test_what_cannot_become_of_people_is_said(terminal: Terminal, said: str, answer: str) -> None:
    terminal.type("publish")
    terminal.edit(SEQUENCE, "Your report", "A better subject")
    assert terminal.refused("publish", "--in-flight", said) == answer


def test_one_error_publishes_nothing_and_is_told_like_a_check(terminal: Terminal) -> None:
    terminal.edit(SEQUENCE, "topic: insights", "topic: insihgts")
    out, err = terminal.type("publish", "--json", code=1)
    assert out == ""
    assert f"{SEQUENCE}:3:8:" in err
    assert err.endswith(" files. Explained at docs/checks.md#ns205. Nothing was published.\n")
    terminal.edit(SEQUENCE, "topic: insihgts", "topic: insights")
    assert all(one["from"] is None for one in terminal.json("publish"))


def test_a_file_that_is_gone_needs_a_word_about_it(terminal: Terminal) -> None:
    terminal.type("publish")
    (terminal.workspace / SEQUENCE).unlink()
    _, err = terminal.type("publish", "--plan")
    assert err == (
        f"{SEQUENCE}: sequence evaluators is published and has no file any more; "
        "put it back, or say `--retire evaluators`.\n"
    )
    assert terminal.refused("publish").endswith("Nothing was published.")
    out, _ = terminal.type("publish", "--retire", "evaluators")
    assert out.startswith("sequence evaluators   v1 → retired   retired\n1 published")


def test_a_rollback_is_told_like_a_publish_and_history_knows_both(terminal: Terminal) -> None:
    terminal.type("publish", "--note", "the first")
    terminal.edit(SEQUENCE, "Your report", "A mistake")
    terminal.type("publish")
    planned, _ = terminal.type("rollback", "evaluators", "--plan")
    assert planned.startswith("sequence evaluators   v2 → v3   rolled back to v1   ~ report (subject)\n1 would be")
    [change] = terminal.json("rollback", "evaluators")
    assert (change["from"], change["to"], change["restores"]) == (2, 3, 1)
    back, edit, first = terminal.json("history", "sequence", "evaluators")
    assert [one["to"] for one in back["changes"]] == [3]
    assert (back["is_rollback"], edit["changes"][0]["changes"], first["note"]) == (
        True,
        ["~ report (subject)"],
        "the first",
    )
    out, _ = terminal.type("history", "evaluators")
    assert "v2 → v3 (again v1)" in out


def test_a_rollback_without_a_name_undoes_the_last_publish(terminal: Terminal) -> None:
    terminal.type("publish")
    terminal.edit(SEQUENCE, "Your report", "A mistake")
    terminal.type("publish")
    assert [(one["name"], one["to"]) for one in terminal.json("rollback")] == [("evaluators", 3)]
    assert terminal.refused("rollback", "evaluatosr") == (
        'nothing called "evaluatosr" is published. Did you mean "evaluators"?'
    )
