"""What a careful colleague says about sequences, where it takes more than one file to say it; the rest are `cases`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nurture.campaigns.reading import Problem
from tests.campaigns.cases import House, open_for_reading, said
from tests.support.workspaces import LETTER, SETTINGS, small_workspace

SEQUENCE = "campaigns/sequences/evaluators.yaml"
OTHER = "campaigns/sequences/other.yaml"
SCORING = "campaigns/scoring.yaml"
REPORT = "  - {id: report, send: report, subject: Your report}\n"
HAND_OFF = "  - wait: 3 days\n  - {if: CONDITION, then: [{hand_off: {}}]}\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_for_reading(tmp_path_factory.mktemp("shapes")) as opened:
        yield opened


def sequence(steps: str = REPORT, above: str = "", name: str = "evaluators") -> str:
    return f"format: 1\nsequence: {name}\ntopic: insights\n{above}steps:\n{steps}"


def problems(house: House, **files: str) -> list[Problem]:
    return list(house.read(**files).problems)


def codes(found: list[Problem]) -> list[str]:
    return [one.code for one in found]


@pytest.mark.parametrize(("last", "is_told"), [("2099-12-31", True), ("2020-12-31", False)])
def test_a_window_that_the_house_keeps_shut_for_good_never_opens(house: House, last: str, *, is_told: bool) -> None:
    settings = f'{SETTINGS}[sending]\nblackout = ["2020-01-01..{last}"]\n'
    files = {"settings.toml": settings, SEQUENCE: sequence(above="window: {days: mon-fri}\n")}
    assert codes(problems(house, **files)) == (["NS253"] if is_told else [])


def scoring(*rules: str, threshold: int = 30) -> str:
    lines = "".join(f"  - {{{rule}}}\n" for rule in rules)
    return f"format: 1\nthreshold: {{score: {threshold}}}\nactivities:\n{lines}"


CLICKS = "when: clicked(), points: 10, cap: 40"
REPLIES = "when: replied(), points: 10, cap: 20"


@pytest.mark.parametrize(
    ("rules", "line", "code"),
    [
        ([CLICKS, REPLIES], 61, "NS330"),
        ([CLICKS, REPLIES], 60, "NS308"),  # with clicks alone, as far as it goes
        ([CLICKS, REPLIES], 20, None),
        ([CLICKS, "when: replied(), points: 10"], 500, None),  # no cap, no end
    ],
)
def test_a_hand_off_needs_a_score_that_somebody_can_have(
    house: House, rules: list[str], line: int, code: str | None
) -> None:
    steps = REPORT + HAND_OFF.replace("CONDITION", f"score >= {line}")
    found = problems(house, **{SEQUENCE: sequence(steps), SCORING: scoring(*rules)})
    assert codes(found) == ([code] if code else [])


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("  - {score: 1}\n", None),
        ("  - {score: 0.5}\n", "NS330"),
        ("  - {score: -9}\n", "NS330"),
        ("  - {id: more, score: 0.5}\n  - wait: 3 days\n  - {goto: more}\n", "NS250"),  # and nothing after it
        ("  - {id: more, score: 0.5}\n  - wait: 3 days\n  - {if: is_partner, then: [{goto: more}]}\n", None),
    ],
)
def test_points_of_the_sequence_count_and_a_loop_gives_them_again(house: House, given: str, code: str | None) -> None:
    settings = f'{SETTINGS}[fields.is_partner]\ntype = "flag"\n'
    steps = REPORT + given + HAND_OFF.replace("CONDITION", "score >= 61")
    files = {"settings.toml": settings, SEQUENCE: sequence(steps), SCORING: scoring(CLICKS, REPLIES)}
    found = problems(house, **files)
    assert [one for one in codes(found) if one != "NS308"] == ([code] if code else [])


@pytest.mark.parametrize(("points", "codes_told"), [(10, []), (9, ["NS331"])])
def test_the_line_of_the_scoring_counts_what_all_sequences_give(
    house: House, points: int, codes_told: list[str]
) -> None:
    files = {
        SEQUENCE: sequence(f"{REPORT}  - {{score: {points}}}\n"),
        SCORING: scoring(CLICKS, threshold=50),
    }
    found = problems(house, **files)
    assert codes(found) == codes_told
    assert {one.file for one in found} <= {SCORING}


def test_a_circle_of_two_is_told_in_both_and_a_wait_in_one_of_them_ends_it(house: House) -> None:
    here, there = sequence(REPORT + "  - {enroll: other}\n"), sequence("  - {enroll: evaluators}\n", name="other")
    assert codes(problems(house, **{SEQUENCE: here, OTHER: there})) == ["NS256", "NS256"]
    later = sequence("  - wait: 30 days\n  - {enroll: evaluators}\n", name="other")
    assert problems(house, **{SEQUENCE: here, OTHER: later}) == []


@pytest.mark.parametrize(("goes_with", "code"), [("", "NS335"), ("compatible_with: [evaluators]\n", None)])
def test_whom_it_goes_together_with_it_does_not_replace_anyway(house: House, goes_with: str, code: str | None) -> None:
    files = {SEQUENCE: sequence(above="if_busy: replace\n"), OTHER: sequence(above=goes_with, name="other")}
    assert codes(problems(house, **files)) == ([code] if code else [])


@pytest.mark.parametrize(("share", "told"), [(None, "do."), (0.384, "do (38 % of your contacts).")])
def test_it_is_told_of_how_many_contacts_a_remark_is(
    house: House, share: float | None, told: str, tmp_path: Path
) -> None:
    files = {SEQUENCE: sequence(REPORT + HAND_OFF.replace("CONDITION", 'clicked("report")'))}
    [problem] = house.look_at(small_workspace(tmp_path, **files), not_recorded=share).problems
    assert problem.code == "NS308"
    assert problem.message.endswith(f"the others never {told}")


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ('clicked("report", link="/prices")', 'Did you mean clicked("report", link="/pricing")?'),
        ('clicked("report", link="what it cost")', 'Did you mean clicked("report", link="what it costs")?'),
        ('visited("/pricin")', 'Did you mean visited("/pricing")?'),
    ],
)
def test_a_link_nobody_can_click_is_told_with_the_nearest_there_is(house: House, condition: str, hint: str) -> None:
    files = {SEQUENCE: sequence(f"{REPORT}  - {{if: '{condition}', then: [{{tag: buyer}}]}}\n")}
    [problem] = problems(house, **files)
    assert problem.code == "NS214"
    assert problem.hint.endswith(hint)


@pytest.mark.parametrize(
    ("href", "is_told"),
    [
        ("https://acme.example/pricing?for={{ contact.company_size | fallback(1) }}", False),
        ("https://acme.example/{{ contact.country | fallback('de') }}", False),
        ("https://acme.example/plans/{{ contact.country | fallback('de') }}", True),
        ("https://acme.example/prices?for={{ contact.country | fallback('de') }}", True),
    ],
)
def test_of_a_link_that_depends_on_the_reader_only_what_is_fixed_is_held_against_it(
    house: House, href: str, *, is_told: bool
) -> None:
    letter = LETTER.replace("https://acme.example/pricing", href)
    files = {
        SEQUENCE: sequence(f'{REPORT}  - {{if: \'clicked("report", link="/pricing")\', then: [{{tag: buyer}}]}}\n'),
        "templates/report.mjml": letter,
    }
    assert codes(problems(house, **files)) == (["NS214"] if is_told else [])


def test_a_house_that_wants_fewer_values_before_an_ask_is_asked_for_fewer(house: House) -> None:
    ask = sequence("  - {id: ask, send: report, subject: Shall we talk?, kind: ask}\n")
    for wanted, told in ((0, []), (1, ["NS301"])):
        settings = f"{SETTINGS}[sending]\nvalues_per_ask = {wanted}\n"
        assert codes(problems(house, **{"settings.toml": settings, SEQUENCE: ask})) == told


def test_a_thousand_forks_are_looked_at_without_counting_the_ways_through_them(house: House) -> None:
    fork = "  - {{if: company_size > {0}, then: [{{wait: 1 day}}], else: [{{tag: t{0}}}]}}\n"
    steps = REPORT + "".join(fork.format(number) for number in range(120))
    assert said(house.read(**{SEQUENCE: sequence(steps)})) == ""
