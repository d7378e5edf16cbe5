"""`nurture check` and `nurture publish`: from files to versions."""

import pytest

from tests.support.terminals import Terminal

SEQUENCE = "campaigns/sequences/evaluators.yaml"


def test_check_says_in_one_line_that_all_is_well(terminal: Terminal) -> None:
    out, err = terminal.type("check")
    assert (out, err) == ("No problems in 7 files.\n", "")
    assert terminal.json("check") == {"errors": 0, "warnings": 0, "problems": []}


def test_check_tells_every_problem_with_its_place_and_ends_with_their_number(terminal: Terminal) -> None:
    terminal.edit(SEQUENCE, "topic: insights", "topic: insihgts\nsender: sally")
    out, err = terminal.type("check", code=1)
    assert err == ""
    assert out == (
        f'{SEQUENCE}:3:8: topic: settings.toml declares no topic "insihgts". [NS205]\n'
        '    Did you mean "insights"?\n'
        f'{SEQUENCE}:4:9: sender: settings.toml declares no sender "sally". [NS206]\n'
        "2 problems in 7 files. Explained in docs/checks.md.\n"
    )


def test_the_json_of_a_check_is_what_editors_rely_on(terminal: Terminal) -> None:
    terminal.edit(SEQUENCE, "topic: insights", "topic: insihgts")
    terminal.edit("templates/report.mjml", ' | fallback("there")', "")
    found = terminal.json("check", code=1)
    assert (found["errors"], found["warnings"]) == (1, 1)
    assert found["problems"][0] == {
        "file": SEQUENCE,
        "line": 3,
        "column": 8,
        "code": "NS205",
        "severity": "error",
        "message": 'topic: settings.toml declares no topic "insihgts".',
        "hint": 'Did you mean "insights"?',
    }
    assert [one["severity"] for one in found["problems"]] == ["error", "warning"]


def test_warnings_alone_do_not_fail_a_check(terminal: Terminal) -> None:
    terminal.edit("templates/report.mjml", ' | fallback("there")', "")
    assert terminal.json("check")["warnings"] == 1


@pytest.mark.parametrize(
    ("path", "count"), [("campaigns/sequences", 1), (SEQUENCE, 1), ("templates", 0), ("settings.toml", 0)]
)  # fmt: skip
def test_a_check_may_be_narrowed_to_files_and_folders(terminal: Terminal, path: str, count: int) -> None:
    terminal.edit(SEQUENCE, "topic: insights", "topic: insihgts")
    for spelled in (path, str(terminal.workspace / path)):
        found = terminal.json("check", spelled, code=int(count > 0))
        assert len(found["problems"]) == count


def test_a_check_of_nothing_there_is_is_no_success(terminal: Terminal) -> None:
    said = terminal.refused("check", "campaings/sequences")
    assert said == "campaings/sequences: there is no such file or folder."


def test_publish_says_what_became_of_each_file_and_says_nothing_twice(terminal: Terminal) -> None:
    published = terminal.json("publish")
    assert all(set(one) == {"kind", "name", "from", "to", "changes", "people"} for one in published)
    [sequence] = [one for one in published if one["kind"] == "sequence"]
    assert (sequence["name"], sequence["from"], sequence["to"], sequence["people"]) == ("evaluators", None, 1, 0)
    assert "+ report" in sequence["changes"]
    again = terminal.json("publish")
    assert all(one["from"] == one["to"] == 1 and one["changes"] == [] for one in again)
    assert terminal.type("publish")[0] == "0 published, 7 unchanged.\n"


def test_a_plan_shows_the_difference_and_changes_nothing(terminal: Terminal) -> None:
    terminal.type("publish")
    terminal.edit(SEQUENCE, "Your report", "A better subject")
    out, _ = terminal.type("publish", "--plan")
    assert out == "sequence evaluators   v1 → v2   ~ report (subject)\n1 would be published, 6 unchanged.\n"
    assert terminal.type("publish", "--plan")[0] == out
    assert terminal.type("publish")[0] == out.replace("would be published", "published")


def test_people_on_their_way_are_counted_and_stay_on_their_version(house: Terminal) -> None:
    house.edit(SEQUENCE, "- wait: 7 days", "- wait: 9 days")
    [change] = [one for one in house.json("publish", "--plan") if one["from"] != one["to"]]
    assert (change["from"], change["to"], change["people"]) == (1, 2, 1)
    assert "1 on their way stay on v1" in house.type("publish")[0]


def test_one_error_publishes_nothing_and_is_told_like_a_check(terminal: Terminal) -> None:
    terminal.edit(SEQUENCE, "topic: insights", "topic: insihgts")
    out, err = terminal.type("publish", "--json", code=1)
    assert out == ""
    assert f"{SEQUENCE}:3:8:" in err
    assert err.endswith("1 problem in 7 files. Explained in docs/checks.md. Nothing was published.\n")
    terminal.edit(SEQUENCE, "topic: insihgts", "topic: insights")
    assert all(one["from"] is None for one in terminal.json("publish"))


def test_a_file_that_is_gone_is_named_and_stays_published(terminal: Terminal) -> None:
    terminal.type("publish")
    (terminal.workspace / SEQUENCE).unlink()
    _, err = terminal.type("publish")
    assert err == "sequence evaluators has no file any more and stays published.\n"
