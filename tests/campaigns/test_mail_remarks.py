"""What a careful colleague says about a mail: each rule with mails it must flag, and near misses it must not."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from nurture.campaigns import wording
from nurture.campaigns.reading import Problem
from tests.campaigns.cases import House, open_for_reading, said
from tests.support.workspaces import SETTINGS

SEQUENCE = "campaigns/sequences/evaluators.yaml"
TEMPLATE = "templates/report.mjml"
BELOW = '<mj-text>{{ sender.postal_address }} · <a href="{{ leave_url }}">Leave</a></mj-text>'
GIFT = '<a href="https://acme.example/benchmark">The benchmark</a>'
PRICES = '<a href="https://acme.example/pricing">What it costs</a>'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_for_reading(tmp_path_factory.mktemp("remarks")) as opened:
        yield opened


def mail(body: str, below: str = BELOW) -> str:
    return (
        f"<mjml><mj-body><mj-section><mj-column>\n<mj-text>{body}</mj-text>\n{below}\n"
        "</mj-column></mj-section></mj-body></mjml>\n"
    )


def problems(
    house: House, body: str = "Hello.", *, subject: str = "Five questions", kind: str = "value", **more: str
) -> list[Problem]:
    step = f"  - {{id: report, send: report, kind: {kind}, subject: '{subject.replace(chr(39), chr(39) * 2)}'}}\n"
    silence = "silence: {NS301: this is about one mail alone}\n" if kind == "ask" else ""
    sequence = f"format: 1\nsequence: evaluators\ntopic: insights\n{silence}steps:\n{step}"
    found = house.read(**{SEQUENCE: sequence, TEMPLATE: mail(body), **more}).problems
    # What is said about the sequence around it is looked at elsewhere.
    return [one for one in found if one.code.startswith(("NS01", "NS23", "NS24", "NT"))]


def codes(found: list[Problem]) -> set[str]:
    return {problem.code for problem in found}


LONG_NAME = "{{ contact.first_name | fallback('you') }}, five questions to ask before you sign"  # in all 48 characters


@pytest.mark.parametrize(
    ("subject", "is_long"),
    [
        ("x" * 60, False),
        ("x" * 61, True),
        (LONG_NAME, False),
        (LONG_NAME + " anything new", True),
        ("{% if contact.first_name %}{{ contact.first_name }}{% else %}" + "x" * 61 + "{% endif %}", False),
    ],
)
def test_a_subject_is_measured_as_a_reader_with_an_ordinary_name_sees_it(
    house: House, subject: str, *, is_long: bool
) -> None:
    assert codes(problems(house, subject=subject)) == ({"NS240"} if is_long else set())


@pytest.mark.parametrize(
    "greeting",
    [
        'Hi {{ contact.first_name | fallback("") }},',
        "Hi {{ contact.first_name | default('') }}, how are you.",
        "Hi {% if contact.first_name %}{{ contact.first_name }}{% endif %}, hello.",
        "Hello {{ contact.first_name or '' }}, hello.",
        "We met people of your company ({{ contact.company | fallback('') }}) there.",
        "{% set name = contact.first_name | fallback('') %}Hi {{ name }}, hello.",
    ],
)
def test_a_field_that_may_be_missing_leaves_no_hole(house: House, greeting: str) -> None:
    [hole] = problems(house, greeting)
    assert (hole.code, hole.severity, hole.file) == ("NS241", "warning", TEMPLATE)


@pytest.mark.parametrize(
    "greeting",
    [
        'Hi {{ contact.first_name | fallback("there") }},',
        "Hi{% if contact.first_name %} {{ contact.first_name }}{% endif %},",
        "{% if contact.first_name %}Hi {{ contact.first_name }},{% else %}Hello,{% endif %}",
        "Hi {{ contact.email }},",
        "It costs 5 , not 6.",
    ],
)
def test_a_field_with_a_word_to_fall_back_on_leaves_none(house: House, greeting: str) -> None:
    assert problems(house, greeting) == []


def test_a_hole_in_the_subject_is_told_at_the_subject(house: House) -> None:
    [hole] = problems(house, subject='{{ contact.first_name | fallback("") }}, five questions')
    assert (hole.code, hole.file, hole.line) == ("NS241", SEQUENCE, 5)


def test_a_mail_that_some_contacts_could_not_get_is_told_once(house: House) -> None:
    [problem] = problems(house, "{% for word in contact.company.split() %}{{ word }}{% endfor %}")
    assert (problem.code, problem.severity) == ("NT205", "warning")


@pytest.mark.parametrize(
    "subject", ["Re: your question", "RE:Termin", "Fwd: five questions", "AW: Ihr Termin", "Re[2]: x"]
)
def test_a_subject_does_not_pose_as_an_answer(house: House, subject: str) -> None:
    [problem] = problems(house, subject=subject)
    assert problem.code == "NS242"


@pytest.mark.parametrize(
    "subject", ["Re-think your week", "Results: five plants", "Regarding Monday", "Award: the winners"]
)
def test_a_word_that_only_begins_like_one_is_none(house: House, subject: str) -> None:
    assert problems(house, subject=subject) == []


@pytest.mark.parametrize(
    "body",
    [
        "Hello, I am just checking in. Any news?",
        "Just\nfollowing up on this.",
        "Bumping this to the top of your inbox.",
        f"Circling back. {PRICES}",
        "Ich wollte nur kurz nachfragen.",
        "Je me permets de revenir vers vous.",
        "Solo quería saber.",
    ],
)
def test_a_reminder_that_gives_nothing_is_told(house: House, body: str) -> None:
    assert "NS243" in codes(problems(house, body))


@pytest.mark.parametrize(
    "body",
    [
        f"Just checking in, with something new: {GIFT}",
        f"Just checking in. {'Here is what three plants learned about their week. ' * 14}",
        "Checking the plan in the morning saves an hour. Shall I show you?",
    ],
)
def test_a_reminder_that_brings_something_is_none(house: House, body: str) -> None:
    assert problems(house, body) == []


@pytest.mark.parametrize(
    "body",
    [
        "Only 48 hours left!",
        "The offer ends tonight.",
        "It expires in 3 days.",
        "Last chance.",
        "Nur noch 2 Tage.",
        "Dernière chance.",
    ],
)
def test_a_deadline_that_moves_with_the_reader_is_told(house: House, body: str) -> None:
    [problem] = problems(house, body)
    assert problem.code == "NS244"
    assert (problem.file, problem.line) == (TEMPLATE, 2)


@pytest.mark.parametrize(
    "body",
    ["Prices change on 1 March 2030.", "It took 48 hours.", "Read it in 5 minutes.", "The plan ends on a Friday."],
)
def test_a_date_or_a_duration_is_no_such_deadline(house: House, body: str) -> None:
    assert problems(house, body) == []


ISSUE = "campaigns/newsletters/weekly/first.md"
NEWSLETTER = {
    "campaigns/newsletters/weekly/newsletter.yaml": (
        'format: 1\nnewsletter: weekly\ntopic: insights\nowner: dana@acme.example\naudience: stage != "disqualified"\n'
        'schedule: {on: tue, at: "09:00"}\n'
    ),
    "campaigns/newsletters/weekly/announcement.md": "---\nsubject: From now on\n---\nOne idea a week.\n",
}


def test_an_issue_that_all_get_on_one_day_may_say_tomorrow_and_is_looked_at_like_any_mail(house: House) -> None:
    text = "---\nnumber: 1\nsubject: {}\n---\nThe fair ends tomorrow.\n"
    assert problems(house, **NEWSLETTER, **{ISSUE: text.format("Five questions")}) == []
    [problem] = problems(house, **NEWSLETTER, **{ISSUE: text.format('"Fwd: five questions"')})
    assert (problem.code, problem.file, problem.line, problem.column) == ("NS242", ISSUE, 3, 10)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("by 31 March 2026", date(2026, 3, 31)),
        ("Register until March 3rd, 2026.", date(2026, 3, 3)),
        ("bis zum 3. Mai 2026", date(2026, 5, 3)),
        ("bis 3.4.2026", date(2026, 4, 3)),
        ("avant le 4 juin 2026", date(2026, 6, 4)),
        ("hasta el 5 de mayo de 2026", date(2026, 5, 5)),
        ("ends on 2026-01-02", date(2026, 1, 2)),
        ("in March 2026", None),
        ("by 31 February 2026", None),
        ("on 3 March 2026", None),
    ],
)
def test_a_deadline_is_read_as_people_write_it(written: str, day: date | None) -> None:
    assert [found for found, _ in wording.deadlines(written)] == ([day] if day else [])


@pytest.mark.parametrize(
    ("days", "is_told"),
    [(-1, True), (0, False), (30, False), (-1000, False)],
    ids=["passed", "today", "to come", "history"],
)
def test_a_deadline_that_has_passed_is_told(house: House, days: int, *, is_told: bool) -> None:
    today = house.today
    day = date.fromordinal(today.toordinal() + days)
    assert codes(problems(house, f"Register by {day.isoformat()}.")) == ({"NS245"} if is_told else set())


@pytest.mark.parametrize(
    ("body", "language", "is_told"),
    [
        ("We are proud. " * 6, "en", True),
        ("We are proud. " * 5, "en", False),
        ("We are proud of our work, and you are of yours. " * 6, "en", False),
        ("We are proud of our work. You see. " * 3, "en", False),
        ("Wir freuen uns. " * 3 + "Sie auch.", "de", True),
        ("Wir freuen uns. Freuen Sie sich? Wie Ihr Team. " * 3, "de", False),
        ("Nous sommes fiers de nos machines. " * 3, "fr-CA", True),
        ("Nosotros y nuestras ideas. " * 3, "es", True),
        ("We are proud. " * 6, "da", False),
        ("The US market. " * 9, "en", False),
    ],
)
def test_a_mail_speaks_of_its_reader(house: House, body: str, language: str, *, is_told: bool) -> None:
    text = f"---\nlanguage: {language}\n---\n{mail(body)}"
    found = problems(house, **{TEMPLATE: text})
    assert codes(found) == ({"NS246"} if is_told else set())
    if body.startswith("We are") and found:
        assert '"we" stands here 6 times and "you" 0 times' in found[0].message


@pytest.mark.parametrize(
    "body",
    [
        PRICES,
        '<a href="https://acme.example/book-a-demo">See it</a>',
        '<a href="https://calendly.com/dana/30">Half an hour</a>',
        '<a href="https://acme.example/kontakt">Kontakt</a> <a href="https://acme.example/">Acme</a>',
        '<a href="https://acme.example/prendre-rendez-vous">Venez</a>',
        """<a href="{{ wish_url('demonstration') }}">Show me</a>""",
    ],
)
def test_a_mail_that_only_leads_to_a_sale_is_not_called_value(house: House, body: str) -> None:
    [problem] = problems(house, body)
    assert (problem.code, problem.file, problem.line) == ("NS247", TEMPLATE, 2)
    assert problems(house, body, kind="ask") == []


@pytest.mark.parametrize(
    "body",
    [
        f"{GIFT} {PRICES}",
        "No link, but what three plants learned.",
        '<a href="https://acme.example/blog/pricing">How prices are made</a>',
        '<a href="https://acme.example/meet-the-team">The team</a>',
        '<a href="https://acme.example/customers/order-planning">A story</a>',
    ],
)
def test_a_mail_that_leads_to_something_useful_is_value(house: House, body: str) -> None:
    assert problems(house, body) == []


def test_an_ask_asks(house: House) -> None:
    [problem] = problems(house, "We have something to show.", kind="ask")
    assert problem.code == "NS248"
    for body in ("Shall I show you?", PRICES, """<a href="{{ wish_url('need') }}">Yes</a>"""):
        assert problems(house, body, kind="ask") == []
    assert problems(house, "We have something to show.", kind="value") == []


@pytest.mark.parametrize(
    ("below", "code"),
    [
        (
            BELOW.replace(
                '<a href="{{ leave_url }}">Leave</a>',
                '{% if contact.company %}<a href="{{ leave_url }}">Leave</a>{% endif %}',
            ),
            "NT402",
        ),
        (
            BELOW.replace(
                "{{ sender.postal_address }}", "{% if contact.company %}{{ sender.postal_address }}{% endif %}"
            ),
            "NT403",
        ),
        (BELOW.replace("postal_address }}", "postal_address | truncate(9) }}"), "NT403"),
    ],
)
def test_every_reader_gets_the_way_out_and_the_address(house: House, below: str, code: str) -> None:
    found = problems(house, **{TEMPLATE: mail("Hello.", below)})
    assert {(problem.code, problem.severity) for problem in found} == {(code, "error")}
    whole = BELOW.replace("{{ sender", "{% if contact.company %}Acme · {% endif %}{{ sender")
    assert problems(house, **{TEMPLATE: mail("Hello.", whole)}) == []


@pytest.mark.parametrize(("turns", "severity"), [(700, None), (900, "warning"), (1_000, "error")])
def test_what_a_loop_makes_too_large_is_measured_when_rendered(house: House, turns: int, severity: str | None) -> None:
    link = '<a href="https://acme.example/{{ n }}">{{ n }} and what it is all about</a> '
    found = problems(
        house, "{% for n in range(TURNS) %}LINK{% endfor %}".replace("TURNS", str(turns)).replace("LINK", link)
    )
    assert [(problem.code, problem.severity) for problem in found] == ([("NT405", severity)] if severity else [])


@pytest.mark.parametrize(
    ("name", "email", "code"),
    [
        ("Dana Reed", "no-reply@acme.example", "NS014"),
        ("Dana Reed", "nicht-antworten@acme.example", "NS014"),
        ("", "dana@acme.example", "NS015"),
        ("The Acme Team", "dana@acme.example", "NS015"),
        ("Marketing", "dana@acme.example", "NS015"),
        ("acme.example", "dana@acme.example", "NS015"),
        ("dana@acme.example", "dana@acme.example", "NS015"),
        ("Dana at Acme", "replies@acme.example", None),
        ("Dana Reed, Acme Marketing", "dana@acme.example", None),
        ("Ann Team-Smith", "dana@acme.example", None),
    ],
)
def test_a_sender_is_somebody_and_listens(house: House, name: str, email: str, code: str | None) -> None:
    named = f'\n[senders.named.press]\nname = "{name}"\nemail = "{email}"\n'
    found = problems(house, **{"settings.toml": SETTINGS + named})
    assert codes(found) == ({code} if code else set())
    if found:
        line = (SETTINGS + named).splitlines()[found[0].line - 1]
        assert line == "[senders.named.press]"


def test_what_the_house_writes_to_its_own_people_is_not_judged_by_these(house: House, tmp_path: Path) -> None:
    assert (
        said(
            house.read(
                **{"templates/service/handoff.md": "---\nsubject: 'Re: {{ mail.who }}'\n---\nJust checking in.\n"}
            )
        )
        == ""
    )
