"""`nurture check`: everything that is wrong in the files, at once."""

import json
from pathlib import Path

import pytest

from tests.support.terminals import Terminal

SEQUENCE = "campaigns/sequences/evaluators.yaml"


def test_check_says_in_one_line_that_all_is_well(terminal: Terminal) -> None:
    out, err = terminal.type("check")
    assert (out, err) == ("No problems in 15 files.\n", "")
    assert terminal.json("check") == {"errors": 0, "warnings": 0, "problems": [], "silenced": []}


def test_check_tells_every_problem_with_its_place_and_ends_with_their_number(terminal: Terminal) -> None:
    terminal.edit(SEQUENCE, "topic: insights", "topic: insihgts\nsender: sally")
    out, err = terminal.type("check", code=1)
    assert err == ""
    assert out == (
        f'{SEQUENCE}:3:8: topic: settings.toml declares no topic "insihgts". [NS205]\n'
        '    Did you mean "insights"?\n'
        f'{SEQUENCE}:4:9: sender: settings.toml declares no sender "sally". [NS206]\n'
        "2 problems in 15 files. Explained at docs/checks.md#ns205, #ns206\n"
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


def test_what_github_is_told_stands_at_the_line_and_breaks_out_of_nothing(terminal: Terminal) -> None:
    terminal.edit(SEQUENCE, "topic: insights", 'topic: "50%, a\\r\\n::error::b"')
    out, _ = terminal.type("check", "--format", "github", code=1)
    assert out == (
        f"::error file={SEQUENCE},line=3,col=8,title=NS205::"
        'topic: settings.toml declares no topic "50%25, a%0D%0A::error::b". Known: insights.\n'
    )


def test_a_file_name_cannot_end_the_properties_of_an_annotation(terminal: Terminal) -> None:
    (terminal.workspace / "campaigns/sequences/a,line=9::b.yaml").write_text("format: 1\n", encoding="utf-8")
    out, _ = terminal.type("check", "--format", "github", code=1)
    assert out.startswith("::error file=campaigns/sequences/a%2Cline=9%3A%3Ab.yaml,line=1,col=1,title=NS003::")


def test_the_three_formats_tell_the_same(terminal: Terminal) -> None:
    terminal.edit("templates/report.mjml", ' | fallback("there")', "")
    told = terminal.json("check")
    assert json.loads(terminal.type("check", "--format", "json")[0]) == told
    [problem] = told["problems"]
    for form, mark in (("text", "[NT205, warning]"), ("github", "::warning file=templates/report.mjml,line=2,")):
        out, _ = terminal.type("check", "--format", form)
        assert mark in out
        assert problem["message"] in out


def test_what_is_silenced_is_counted_and_told_when_asked_for(terminal: Terminal) -> None:
    template = terminal.workspace / "templates/report.mjml"
    silence = '---\nsilence: {NT205: "everybody here has a name"}\n---\n'
    template.write_text(silence + template.read_text(encoding="utf-8"), encoding="utf-8")
    terminal.edit("templates/report.mjml", ' | fallback("there")', "")
    out, _ = terminal.type("check")
    assert out == "No problems in 15 files.\n1 remark silenced; `--silenced` tells which and why.\n"
    out, _ = terminal.type("check", "--silenced")
    assert (
        "templates/report.mjml:5:19: contact.first_name is printed, and some contacts have none. [NT205, silenced]"
        in out
    )
    assert "    Because: everybody here has a name\n" in out
    found = terminal.json("check")
    assert (found["warnings"], found["problems"]) == (0, [])
    assert [(one["code"], one["reason"]) for one in found["silenced"]] == [("NT205", "everybody here has a name")]


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


def test_a_check_of_what_is_no_part_of_the_workspace_is_no_success(terminal: Terminal, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text("format: 1\n", encoding="utf-8")
    said = terminal.refused("check", str(elsewhere))
    assert said.startswith(
        f"{elsewhere} is not in the workspace {terminal.workspace.resolve()}; name a file or folder of it"
    )
    assert not terminal.json("check", str(terminal.workspace.parent))["problems"]
