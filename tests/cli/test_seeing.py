"""`nurture graph`, `book` and `calendar`: what a campaign is, what it would be like, and what is planned."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.terminals import Terminal


def test_a_sequence_of_the_files_is_drawn_before_anything_is_published(terminal: Terminal) -> None:
    out, _ = terminal.type("graph", "evaluators")
    assert ET.fromstring(out).tag == "{http://www.w3.org/2000/svg}svg"
    assert "[first name]" in out
    assert "here now" not in out


def test_the_form_is_as_the_file_is_called(terminal: Terminal) -> None:
    for name, begins in (
        ("e.svg", "<svg "),
        ("e.html", "<!doctype html>\n"),
        ("e.mmd", "---\ntitle: "),
        ("e.md", "```mermaid\n---\n"),
    ):
        out, err = terminal.type("graph", "evaluators", "--out", name)
        assert (out, err) == ("", f"{name}: the flow.\n")
        assert (terminal.here / name).read_text(encoding="utf-8").startswith(begins)
    assert terminal.type("graph", "evaluators", "--format", "mermaid")[0].count("flowchart TD") == 1


def test_a_page_of_a_graph_is_a_page_with_the_picture_in_it(terminal: Terminal) -> None:
    terminal.type("graph", "evaluators", "--out", "e.html")
    text = (terminal.here / "e.html").read_text(encoding="utf-8")
    assert text.count("<title>") == 1
    assert text.count("<svg ") == text.count("</svg>") == text.count("</html>") == 1


def test_a_name_that_does_not_say_what_to_draw_is_refused(terminal: Terminal) -> None:
    said = "e.png: end the name with .svg, .html, .mmd, .md, which says what to write."
    assert terminal.refused("graph", "evaluators", "--out", "e.png") == said
    assert "its name says svg, and --format mermaid" in terminal.refused(
        "graph", "evaluators", "--out", "e.svg", "--format", "mermaid"
    )
    assert not (terminal.here / "e.png").exists()
    terminal.type("graph", "evaluators", "--out", "e.txt", "--format", "mermaid")


def test_a_graph_counts_the_people_of_what_is_published(house: Terminal) -> None:
    told = house.json("graph", "evaluators")
    assert (told["sequence"], told["version"]) == ("evaluators", 1)
    assert {step["id"]: step["here"] for step in told["steps"]}["report"] == 1
    assert {"from": "interested", "way": "yes", "label": "yes", "to": "case-study", "taken": 0, "of": 0} in told["ways"]
    assert "1 person here now" in house.type("graph", "evaluators")[0]


def test_the_files_and_what_is_published_are_two_pictures(house: Terminal) -> None:
    house.edit(
        "campaigns/sequences/evaluators.yaml",
        "- wait: 4 days\n  - {id: checklist",
        "- wait: 6 days\n  - {id: checklist",
    )
    assert "waits 6 days" in house.type("graph", "evaluators")[0]
    assert "waits 6 days" not in house.type("graph", "evaluators", "--published")[0]


def test_what_cannot_be_drawn_says_why(terminal: Terminal) -> None:
    assert terminal.refused("graph", "evaluator") == (
        'there is no sequence "evaluator" without errors. Did you mean "evaluators"? `nurture check` says more.'
    )
    assert terminal.refused("graph", "evaluators", "--published").startswith('no sequence "evaluators" is published')


def read(terminal: Terminal, name: str) -> str:
    return (terminal.here / name).read_text(encoding="utf-8")


def test_a_book_of_a_sequence_holds_everything_a_reviewer_has_to_see(house: Terminal) -> None:
    house.edit("campaigns/sequences/evaluators.yaml", "wait: 5 days", "wait: 6 days")
    told = house.json("book", "evaluators", "--out", "e.html")
    assert told["mails"] == ["report", "case-study", "why-others-start", "checklist", "meet", "show-me"]
    assert all(one["holds"] for one in told["expectations"])
    page = read(house, "e.html")
    for words in (
        "<h1>Evaluators who asked for the benchmark report</h1>",
        f"the files are {told['hash'][:12]}",
        f"--expect&nbsp;{told['plan']}",
        "From eleven hours to three",  # a subject
        "whoever this begins to hold for: in_list(&#34;benchmark-report&#34;)",
        "replied() → replied",
        "mon-fri, 09:00-17:00, their own time; not on public holidays where they are",
        "sequence evaluators, v1 to v2: ~ wait-3 (wait); whoever is on it stays on that version",
        "1 person is on it now",
        "UWG § 7(3)",
        "opens and clicks are recorded only of people who said yes to that",
    ):
        assert words in page, words
    assert page.count("<iframe sandbox ") == 6


def test_the_plan_a_book_names_is_the_one_that_can_be_published(house: Terminal) -> None:
    house.edit("campaigns/sequences/evaluators.yaml", "wait: 5 days", "wait: 6 days")
    plan = house.json("book", "evaluators", "--out", "e.html")["plan"]
    house.type("publish", "--expect", plan)
    assert house.json("book", "evaluators", "--out", "e.html")["plan"] != plan
    assert "Nothing: what is published and what the files say is the same." in read(house, "e.html")


def test_a_book_of_a_newsletter_has_its_announcement_its_issues_and_its_slots(house: Terminal) -> None:
    told = house.json("book", "weekly")
    assert told["kind"] == "newsletter"
    page = read(house, "weekly.html")
    assert "every Tuesday at 09:00" in page
    assert "issue 1, “Five questions to ask before you sign”" in page
    assert page.count("<iframe sandbox ") == len(told["mails"])
    assert "--contacts and --seed are for sequences" in house.refused("book", "weekly", "--seed", "3")


def test_people_of_a_file_live_through_a_book(house: Terminal) -> None:
    file = house.write("email,country\nana@reader.example,US\nben@reader.example,DE\n")
    house.type("book", "evaluators", "--contacts", file, "--out", "e.html")
    assert "2 people of people.csv came in over a year." in read(house, "e.html")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("book", "evaluator"), 'there is no sequence or newsletter "evaluator" without errors. Did you mean "evaluators"?'),
        (("book", "evaluators", "--out", "e.pdf"), "e.pdf: a book is one page; end the name with .html."),
        (("graph", "evaluators", "--out", "nowhere/e.svg"), "nowhere/e.svg: there is no folder nowhere; make it first, or name another one."),
        (("calendar", "--out", "c.txt"), "c.txt: a calendar is one page; end the name with .html."),
        (("calendar", "--for", "500d"), "--for 500d: look at least a moment and at most 400 days ahead."),
        (("calendar", "--from", "2020-01-01"), "--from 2020-01-01: that day is over; a calendar is about what comes."),
    ],
)  # fmt: skip
def test_what_cannot_be_written_says_why(terminal: Terminal, words: tuple[str, ...], sentence: str) -> None:
    assert terminal.refused(*words).startswith(sentence)


def test_a_calendar_of_nothing_says_what_would_fill_it(terminal: Terminal) -> None:
    out, _ = terminal.type("calendar")
    assert out == "No mail is planned: nothing is in the outbox, no issue is ready, and nobody is on a sequence.\n"
    told = terminal.json("calendar", "--for", "7d")
    assert (len(told["days"]), told["people"], sum(day["mails"] for day in told["days"])) == (7, 0, 0)


def test_a_calendar_tells_issues_and_what_people_on_their_way_would_get(house: Terminal) -> None:
    house.type("enroll", "evaluators", "ben@reader.example")
    told = house.json("calendar", "--for", "60d")
    planned = [(day["on"], one) for day in told["days"] for one in day["planned"]]
    sources = {one["source"] for _, one in planned}
    assert sources == {"newsletter", "sequence"}
    assert (told["people"], told["lives"]) == (2, 2)
    ahead = [(one["what"].rpartition(": ")[2], one["people"]) for _, one in planned if one["source"] == "sequence"]
    assert ahead == [("report", 1), ("why-others-start", 1), ("checklist", 1), ("show-me", 1)], "nobody clicked yet"
    assert any(re.fullmatch(r"The Planning Letter, issue \d+", one["what"]) for _, one in planned)
    assert "Told beforehand for all 2 people on their way." in told["said"]


def test_a_mail_in_the_outbox_is_told_once(house: Terminal) -> None:
    house.set(NURTURE_SMTP__PORT="9")  # nothing leaves
    house.type("enroll", "evaluators", "ben@reader.example")
    house.type("run", "--once")
    told = house.json("calendar", "--for", "60d")
    reports = [one for day in told["days"] for one in day["planned"] if one["what"].endswith(": report")]
    assert [(one["source"], one["people"]) for one in reports] == [("outbox", 1)]


def test_a_calendar_names_days_on_which_nothing_leaves(house: Terminal) -> None:
    told = house.json("calendar", "--for", "3d")
    first = told["days"][0]["on"]
    house.set(NURTURE_SENDING__BLACKOUT=first)
    told = house.json("calendar", "--for", "3d")
    assert told["days"][0]["notes"][0] == "blackout: no marketing mail leaves"


def test_a_calendar_as_a_page_needs_nothing_from_anywhere(house: Terminal) -> None:
    house.type("calendar", "--for", "14d", "--out", "c.html")
    page = read(house, "c.html")
    assert page.count("<li>") == 14
    assert "default-src 'none'" in page
    assert not re.search(r"<script|<link|src=|href=", page)
    assert Path(house.here / "c.html").stat().st_size < 100_000
