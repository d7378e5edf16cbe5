"""What a file does not want to hear any more: only remarks, only with a reason, and only while there is something."""

from collections.abc import Iterator

import pytest

from tests.campaigns.cases import House, open_for_reading, said
from tests.support.workspaces import LETTER

TEMPLATE = "templates/report.mjml"
#: A letter about which there is one remark: NT401.
WITH_PICTURE = LETTER.replace("<mj-text>Hello", '<mj-image src="https://acme.example/plan.png" />\n<mj-text>Hello')


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_for_reading(tmp_path_factory.mktemp("silencing")) as opened:
        yield opened


def letter(silence: str, mail: str = WITH_PICTURE) -> dict[str, str]:
    return {TEMPLATE: f"---\nsilence: {silence}\n---\n{mail}"}


def test_a_remark_with_a_reason_against_it_is_not_made_but_kept(house: House) -> None:
    reading = house.read(**letter('{NT401: "the plan is told in the text"}'))
    assert said(reading) == ""
    [silenced] = reading.silenced
    assert (silenced.problem.file, silenced.problem.code) == (TEMPLATE, "NT401")
    assert silenced.reason == "the plan is told in the text"


def test_a_silence_is_no_part_of_what_is_published(house: House) -> None:
    contents = [
        [unit.content for unit in house.read(**files).units if unit.kind == "sequence"]
        for files in (letter('{NT401: "one reason"}'), letter('{NT401: "another"}'))
    ]
    assert contents[0] == contents[1] != []


@pytest.mark.parametrize("reason", ['""', '"  "', "null", ""])
def test_a_silence_without_a_reason_is_refused_and_silences_nothing(house: House, reason: str) -> None:
    reading = house.read(**letter(f"{{NT401: {reason}}}"))
    assert [problem.code for problem in reading.problems] == ["NS020", "NT401"]
    assert "needs a reason" in said(reading)


@pytest.mark.parametrize(
    ("code", "hint"), [("NT41", 'Did you mean "NT401"?'), ("NT102", "only mended"), ("NS022", "only mended")]
)
def test_what_is_no_remark_cannot_be_silenced(house: House, code: str, hint: str) -> None:
    reading = house.read(**letter(f"{{{code}: because}}"))
    assert [problem.code for problem in reading.problems] == ["NS021", "NT401"]
    assert hint in said(reading)


def test_where_a_remark_has_become_an_error_it_must_be_mended(house: House) -> None:
    long = LETTER.replace("<mj-text>Hello", f"<mj-text>{'word ' * 21_000}</mj-text>\n<mj-text>Hello")
    reading = house.read(**letter("{NT405: we like to write}", long))
    assert {problem.code for problem in reading.problems} == {"NS021", "NT405"}


def test_a_silence_that_silences_nothing_is_remarked_upon_with_its_place(house: House) -> None:
    reading = house.read(**letter('{NT401: "the plan is told in the text"}', LETTER))
    assert said(reading) == (
        f"{TEMPLATE}:2:10: silence.NT401: nothing here is NT401; take the silence away. [NS022, warning]\n"
    )


def test_while_there_are_errors_no_silence_is_called_idle(house: House) -> None:
    broken = LETTER.replace("contact.first_name", "contact.frist_name")
    reading = house.read(**letter('{NT401: "the plan is told in the text"}', broken))
    assert [problem.code for problem in reading.problems] == ["NS230"]


def test_a_silence_that_is_no_group_of_lines_is_told(house: House) -> None:
    reading = house.read(**letter("NT401"))
    assert [problem.code for problem in reading.problems] == ["NS004", "NT401"]


def test_a_silence_reaches_no_other_file(house: House) -> None:
    two = "  - {id: report, send: report, subject: Hello}\n  - {wait: 3 days}\n  - {send: plan, subject: Hello}\n"
    files = {
        "campaigns/sequences/evaluators.yaml": f"format: 1\nsequence: evaluators\ntopic: insights\nsteps:\n{two}",
        "templates/plan.mjml": WITH_PICTURE,
        **letter("{NT401: the plan is told in the text}"),
    }
    [problem] = house.read(**files).problems
    assert (problem.file, problem.code) == ("templates/plan.mjml", "NT401")


SEQUENCE = "campaigns/sequences/evaluators.yaml"
LONG = "A subject that is so long that no inbox on any telephone would ever show it"


def two_long_subjects(on_file: str = "", on_step: str = "") -> dict[str, str]:
    """A sequence of two mails, each with one remark: NS240."""
    return {
        SEQUENCE: f"format: 1\nsequence: evaluators\ntopic: insights\n{on_file}steps:\n"
        f"  - id: one\n    send: report\n    subject: {LONG}, one\n{on_step}"
        f"  - wait: 3 days\n  - {{id: two, send: report, subject: '{LONG}, two'}}\n"
    }


def test_a_silence_of_a_file_covers_all_of_it(house: House) -> None:
    reading = house.read(**two_long_subjects('silence: {NS240: "the client asked for it"}\n'))
    assert said(reading) == ""
    assert [one.reason for one in reading.silenced] == ["the client asked for it"] * 2


def test_a_silence_of_a_step_covers_that_step(house: House) -> None:
    reading = house.read(**two_long_subjects(on_step='    silence: {NS240: "it is a joke"}\n'))
    [left] = reading.problems
    assert (left.code, left.line) == ("NS240", 10)
    [silenced] = reading.silenced
    assert (silenced.problem.line, silenced.reason) == (7, "it is a joke")


def test_a_silence_of_a_step_that_has_nothing_to_silence_is_told_at_its_code(house: House) -> None:
    files = two_long_subjects('silence: {NS240: "the client asked for it"}\n', '    silence: {NS241: "we know them"}\n')
    [idle] = house.read(**files).problems
    assert (idle.code, idle.line, idle.column) == ("NS022", 9, 15)


def test_a_reason_is_text(house: House) -> None:
    [problem] = house.read(**two_long_subjects("silence: {NS240: [1]}\n")).problems
    assert (problem.code, problem.line) == ("NS004", 4)
