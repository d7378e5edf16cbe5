"""`nurture simulate` for thousands, and `check --simulate`: what becomes of everybody before anybody gets a mail."""

import re
from pathlib import Path

import pytest

from tests.support.terminals import Terminal

MONDAY = ("--from", "2026-03-02T09:00")
BEHAVIOR = "open: {p: 0.6, after: 1 hour..2 days}\nreply: {p: 0.1, after: 1 day}\nopt_out: {p: 0.05}\ntracked: 0.5\n"


@pytest.fixture
def people(house: Terminal) -> str:
    rows = "\n".join(f"p{number}@d{number % 2}.example,{'DE' if number % 2 else 'US'}" for number in range(120))
    return house.write(f"Email,Country\n{rows}\nnot an address,DE\n", "people.csv")


def test_a_population_is_told_in_figures_that_scripts_can_read(house: Terminal, people: str) -> None:
    behavior = house.write(BEHAVIOR, "behavior.yaml")
    words = ["simulate", "evaluators", "--contacts", people, *MONDAY, "--behavior", behavior, "--seed", "7"]
    before = house.json("deliveries")
    told = house.json(*words)
    assert told["contacts"] == 120
    assert 40 < told["tracked"] < 80
    assert sum(one["count"] for one in told["by_end"].values()) == 120
    assert sum(told["sends_per_day"].values()) == sum(told["by_sender_domain"].values())
    assert set(told["sales_ready"]) == {"count", "share", "low", "high"}
    assert {one["expect"] for one in told["expectations"]} >= {"at most 2 mails in 7 days"}
    assert all(one["holds"] for one in told["expectations"])
    assert house.json(*words) == told
    whose = house.json(*words, "--contact", "p3@d1.example")
    assert whose["timeline"][0]["what"] == "enrolled"
    assert house.json("deliveries") == before


def test_a_population_reads_well_in_a_pipe(house: Terminal, people: str) -> None:
    out, _ = house.type("simulate", "evaluators", "--contacts", people, *MONDAY, "--arrive", "60/day")
    assert "Mon 2026-03-02" in out
    assert "120 people, 60 of them tracked" in out  # by the consent table: readers in the US
    assert "✓ at most 2 mails in 7 days" in out


def test_the_plot_is_one_file_with_the_tables_behind_it(house: Terminal, people: str) -> None:
    for name in ("plot.svg", "plot.html"):
        out = house.write("", name)
        house.type("simulate", "evaluators", "--contacts", people, *MONDAY, "--out", out)
        text = Path(out).read_text(encoding="utf-8")
        assert '<title id="plot-title">Mails by day' in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "Day by day" in text
    said = house.refused("simulate", "evaluators", "--contacts", people, "--out", "plot.png")
    assert said == "plot.png: end the name with .svg or .html, which says what to write."


def test_our_own_contacts_come_with_what_they_agreed_to(house: Terminal, people: str) -> None:
    before = house.json("simulate", "evaluators", "--contacts", "database", *MONDAY)["contacts"]
    house.type("contacts", "import", people)  # on no basis: nobody of these may be mailed
    told = house.json("simulate", "evaluators", "--contacts", "database", *MONDAY)
    assert told["contacts"] == before + 120
    refused = sum(one["count"] for end, one in told["by_end"].items() if end not in {"finished", "replied"})
    assert refused >= 120


def test_what_was_measured_is_told_with_where_and_of_how_many(house: Terminal) -> None:
    out, err = house.type("simulate", "evaluators", "--contacts", "crowd", "--behavior", "measured", *MONDAY)
    assert "tracked: 0 of 2 (too few to tell), measured over the house" in err
    assert "reply after the sequence evaluators: 0 of 2 (too few to tell), measured over the house" in err
    assert "400 people" in out


def test_some_of_a_crowd_are_tracked_whatever_file_says_what_people_do(house: Terminal) -> None:
    behavior = house.write("click: {p: 0.5, after: 1 hour}\n", "clicks.yaml")
    words = ["simulate", "evaluators", "--contacts", "crowd", *MONDAY, "--behavior"]
    told = house.json(*words, behavior)
    assert 200 < told["tracked"] < 280
    assert told["got"]["case-study"]["count"] > 0
    assert house.json(*words, house.write("tracked: 0\n", "unseen.yaml"))["tracked"] == 0


def test_every_mail_is_told_also_one_that_nobody_gets(house: Terminal) -> None:
    words = [
        "simulate",
        "evaluators",
        "--contacts",
        "crowd",
        *MONDAY,
        "--behavior",
        house.write("tracked: 0\n", "b.yaml"),
    ]
    assert house.json(*words)["got"]["case-study"]["count"] == 0
    out, _ = house.type(*words)
    assert re.search(r"case-study +0\.0 % .* 0 of 400", out)


def test_a_crowd_is_told_to_come_in_over_a_year_and_few_of_it_are_sales_ready_before(house: Terminal) -> None:
    words = ["simulate", "evaluators", "--contacts", "crowd", *MONDAY]
    told = house.json(*words)
    before = told["sales_ready_before"]
    assert 0 < before < 40
    assert told["by_end"]["promoted, sales-ready before they came in"]["count"] <= before
    assert told["by_end"]["promoted"]["count"] <= told["sales_ready"]["count"]
    page = house.write("", "plot.html")
    out, _ = house.type(*words, "--out", page)
    assert re.search(rf"Become sales-ready: .* of {400 - before}.*, and {before} were before they came in", out)
    for text in (out, Path(page).read_text(encoding="utf-8")):
        assert re.search(r"They come in over 36\d days", text)


def test_an_end_that_the_simulation_did_not_reach_is_neither_kept_nor_broken(house: Terminal, people: str) -> None:
    words = ["simulate", "evaluators", "--contacts", people, *MONDAY, "--for", "5d"]
    out, _ = house.type(*words)  # which is no failure
    assert "? everyone finishes within 60 days: not known: look at least 60 days ahead" in out
    assert "✓ everyone finishes" not in out
    [one] = [one for one in house.json(*words)["expectations"] if one["expect"].startswith("everyone")]
    assert (one["holds"], one["because"]) == (None, "look at least 60 days ahead")
    page = house.write("", "plot.html")
    house.type(*words, "--out", page)
    assert "not known: everyone finishes within 60 days: look at least 60 days ahead" in Path(page).read_text("utf-8")
    crowd = house.json("simulate", "evaluators", "--contacts", "crowd", *MONDAY, "--for", "5d")["expectations"]
    assert {"look at least 60 days ahead"} >= {one["because"] for one in crowd if one["holds"] is None} != set()


def test_rows_that_are_nobody_are_told_with_the_reasons_of_an_import(house: Terminal) -> None:
    rows = (
        "Email,Country\nana@reader.example,US\nnot an address,DE\n,DE\ndup@reader.example,US\ndup@reader.example,US\n"
    )
    odd = house.write(rows, "odd.csv")
    out, err = house.type("simulate", "evaluators", "--contacts", odd, *MONDAY)
    assert "2 people" in out
    first, *why = err.splitlines()
    assert first.endswith("odd.csv: 5 rows, 2 of them people who come in.")
    assert [line for line in why if "(line 3)" in line]
    assert [line for line in why if "(line 4)" in line]
    assert why[-1] == "  1 with an address that came before, which is one person"
    imported, _ = house.type("contacts", "import", odd, "--dry-run")
    assert all(line in imported for line in why[:-1])


def test_one_person_cannot_be_spread_over_days(house: Terminal) -> None:
    said = house.refused("simulate", "evaluators", "--arrive", "20/day")
    assert said == "--arrive spreads many people; say who they are with --contacts or --segment, or leave it out."


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--contacts", "nobody.csv"], 'nobody.csv: there is no such file; name one, or write "database" or "crowd".'),
        (["--segment", "decision-maker"], 'there is no segment "decision-maker". Did you mean "decision-makers"?'),
        (["--contacts", "crowd", "--arrive", "many"], '--arrive "many": write a number and a time, such as "20/day".'),
        (["--contacts", "crowd", "--contact", "eve@reader.example"], "eve@reader.example is not among them."),
    ],
)  # fmt: skip
def test_people_who_cannot_be_found_end_it_with_one_sentence(house: Terminal, words: list[str], sentence: str) -> None:
    assert house.refused("simulate", "evaluators", *words).startswith(sentence)


@pytest.mark.parametrize("length", ["0d", "-3 days"])
def test_no_time_is_no_simulation(house: Terminal, length: str) -> None:
    said = house.refused("simulate", "evaluators", "--for", length)
    assert said == f'--for "{length}": nothing happens in no time; write how long to look ahead, such as "60d".'


def test_what_the_starter_expects_holds_of_everybody(house: Terminal) -> None:
    out, _ = house.type("check", "--simulate", "campaigns/sequences")
    assert out.startswith("No problems")


def test_an_expectation_that_does_not_hold_fails_with_the_person_the_instant_and_the_seed(house: Terminal) -> None:
    path = "campaigns/sequences/evaluators.yaml"
    house.edit(path, "days: mon-fri", "days: daily")
    line = 1 + (house.workspace / path).read_text(encoding="utf-8").splitlines().index("  - no send on a weekend")
    [problem] = house.json("check", "--simulate", path, "--seed", "5", code=1)["problems"]
    assert (problem["code"], problem["line"], problem["column"]) == ("NS290", line, 5)
    assert '"no send on a weekend" does not hold for person' in problem["message"]
    *lines, again = problem["hint"].splitlines()
    assert any("mail leaves" in one for one in lines)
    told, _ = house.type(*again.strip().removeprefix("Again: nurture ").split(), code=1)
    assert all(one.split()[1] in told for one in lines)  # on the same days
