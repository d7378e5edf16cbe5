"""Every file format, by example: what is right is read without a word, what is wrong is told exactly."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nurture.campaigns.reading import Problem
from tests.campaigns.cases import ANNOUNCEMENT, STARTER, Case, House, cases, open_for_reading, said
from tests.support.workspaces import small_workspace


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_for_reading(tmp_path_factory.mktemp("campaigns")) as opened:
        yield opened


@pytest.mark.parametrize("case", cases("valid"), ids=str)
def test_a_file_that_is_right_is_read_without_a_word(house: House, case: Case) -> None:
    reading = house.read(case)
    assert said(reading) == ""
    if case.kind not in {"template", "settings", "announcement"}:
        assert case.place in {unit.file for unit in reading.units}


@pytest.mark.parametrize("case", cases("invalid"), ids=str)
def test_a_file_that_is_wrong_is_told_where_why_and_what_to_do(house: House, case: Case) -> None:
    assert said(house.read(case)) == case.expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", cases("invalid"), ids=str)
def test_every_complaint_names_a_place_that_is_there_and_reads_like_a_sentence(case: Case) -> None:
    complaints = case.expected.read_text(encoding="utf-8")
    own = [line for line in complaints.splitlines() if line.startswith(f"{case.place}:")]
    lines = case.file.read_text(encoding="utf-8").splitlines()
    assert own or case.is_told_elsewhere
    for line in own:
        found = re.fullmatch(r"[^:]+:(\d+):(\d+): (.+) \[N[ST]\d{3}(, warning)?\]", line)
        assert found is not None, line
        assert found[3].endswith((".", "?")), line
        assert int(found[1]) <= len(lines) + 1
        assert not re.search(r"function-|literal\[|Input should|pydantic|None|\{'", found[3]), line


def test_all_problems_of_all_files_are_told_at_once_sorted_by_their_places(house: House) -> None:
    by_name = {str(case): case for case in cases("invalid")}
    reading = house.read(by_name["sequence/many-at-once"], by_name["scoring/no-activity"], by_name["segments/a-number"])
    places = [(problem.file, problem.line, problem.column) for problem in reading.problems]
    assert places == sorted(places)
    assert {problem.file for problem in reading.problems} == {
        "campaigns/scoring.yaml",
        "campaigns/segments.yaml",
        "campaigns/sequences/welcome.yaml",
    }
    assert reading.errors == len([problem for problem in reading.problems if problem.severity == "error"]) == 8


STEPS = "steps:\n  - {send: report, subject: Hello}\n"


def told(house: House, **files: str) -> list[Problem]:
    return list(house.read(**files).problems)


def test_two_sequences_of_one_name_are_one_too_many(house: House) -> None:
    twin = f"format: 1\nsequence: evaluators\ntopic: insights\n{STEPS}"
    [problem] = told(house, **{"campaigns/sequences/later.yaml": twin})
    assert str(problem) == (
        "campaigns/sequences/later.yaml:1:1: "
        'the sequence "evaluators" is defined in campaigns/sequences/evaluators.yaml already; give one another name. [NS204]'
    )


def test_two_issues_of_one_number_are_one_too_many(house: House) -> None:
    by_name = {str(case): case for case in cases("valid")}
    issue = "---\nnumber: 1\nsubject: Another first\n---\nHello.\n"
    [problem] = house.read(
        by_name["issue/smallest"], **{"campaigns/newsletters/weekly/second.md": issue}
    ).problems  # fmt: skip
    assert str(problem) == (
        "campaigns/newsletters/weekly/second.md:2:1: first.md is number 1 already; issues go out in that order. [NS222]"
    )


def test_a_file_that_is_no_text_is_told_and_no_other_suffers(house: House) -> None:
    reading = house.read(**{"campaigns/sequences/binary.yaml": "\x00\x01"})
    assert [problem.file for problem in reading.problems] == ["campaigns/sequences/binary.yaml"]
    assert "campaigns/sequences/evaluators.yaml" in {unit.file for unit in reading.units}


WEEKLY = (
    'format: 1\nnewsletter: weekly\ntopic: insights\nowner: dana@acme.example\naudience: stage != "disqualified"\n'
    'schedule: {on: tue, at: "09:00"}\n'
)


@pytest.mark.parametrize(
    "place",
    ["../../../settings.toml", "/etc/passwd", "../weekly/announcement.md", "./announcement.md", '"a\\0b"'],
)
def test_an_announcement_is_a_file_of_its_own_folder(house: House, place: str) -> None:
    [problem] = told(house, **{"campaigns/newsletters/weekly/newsletter.yaml": f"{WEEKLY}announcement: {place}\n"})
    assert str(problem) == (
        "campaigns/newsletters/weekly/newsletter.yaml:7:15: announcement: "
        "name a file in this folder, such as announcement.md, without any folder. [NS224]"
    )


@pytest.fixture
def weekly(tmp_path: Path) -> Path:
    """A workspace with a newsletter, to be broken by hand."""
    shutil.copytree(STARTER / "templates", tmp_path / "templates")
    return small_workspace(
        tmp_path,
        **{
            "campaigns/newsletters/weekly/newsletter.yaml": WEEKLY,
            "campaigns/newsletters/weekly/announcement.md": ANNOUNCEMENT,
        },
    )


@pytest.mark.parametrize("name", ["announcement.md", "first.md"])
def test_no_link_leads_out_of_the_folder_of_a_newsletter(house: House, weekly: Path, name: str) -> None:
    place = weekly / "campaigns" / "newsletters" / "weekly" / name
    place.unlink(missing_ok=True)
    place.symlink_to(weekly / "settings.toml")
    [problem] = house.look_at(weekly).problems
    assert str(problem) == (
        f"campaigns/newsletters/weekly/{name}:1:1: "
        "this is a link that leads out of its folder; put the text itself here. [NS224]"
    )


def test_a_link_inside_the_folder_is_as_good_as_the_file(house: House, weekly: Path) -> None:
    place = weekly / "campaigns" / "newsletters" / "weekly" / "announcement.md"
    place.rename(place.with_name("text.txt"))
    place.symlink_to("text.txt")
    assert house.look_at(weekly).problems == ()


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("campaigns/sequences/pipe.yaml", "NS001"),
        ("campaigns/segments.yaml", "NS001"),
        ("campaigns/newsletters/weekly/newsletter.yaml", "NS001"),
        ("campaigns/newsletters/weekly/pipe.md", "NT101"),
        ("campaigns/newsletters/weekly/announcement.md", "NS220"),
        ("templates/report.mjml", "NT101"),
        ("templates/layouts/letter.mjml", "NT101"),
    ],
)
def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_told_and_not_waited_for(
    house: House, weekly: Path, name: str, code: str, make: Callable[[Path], None]
) -> None:
    place = weekly / name
    place.unlink(missing_ok=True)
    make(place)
    assert code in {problem.code for problem in house.look_at(weekly).problems}


def test_windows_line_ends_and_a_byte_order_mark_move_no_column(house: House) -> None:
    text = "\ufeff" + f"format: 1\nsequence: later\ntopic: insihgts\n{STEPS}".replace("\n", "\r\n")
    [problem] = told(house, **{"campaigns/sequences/later.yaml": text})
    assert (problem.line, problem.column) == (3, 8)


@pytest.mark.parametrize("deep", [60, 3_000])
def test_a_file_nested_beyond_reason_is_refused_and_nothing_breaks(house: House, deep: int) -> None:
    steps = "steps: " + "[{if: score > 1, then: " * deep + "[]" + "}]" * deep + "\n"
    reading = house.read(**{"campaigns/sequences/later.yaml": f"format: 1\nsequence: later\ntopic: insights\n{steps}"})
    assert reading.errors >= (deep > 1_000)
    assert "campaigns/sequences/evaluators.yaml" in {unit.file for unit in reading.units}
