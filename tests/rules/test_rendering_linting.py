"""What an author hears about MJML and Jinja: every problem at once, each where it stands, in words that say what to do."""

from pathlib import Path

import pytest

from nurture.errors import NurtureError
from nurture.rendering.compiling import compile_mail
from nurture.rendering.loading import load_markdown, load_template
from nurture.rendering.source import CODES, MailSource, TemplateError
from tests.emails.workspace import Mails, in_body


@pytest.fixture
def mails(tmp_path: Path) -> Mails:
    return Mails(tmp_path)


def column(text: str) -> str:
    """The column's content alone on line 2."""
    return in_body("\n" + text + "\n")


IN_MJML = [
    ("<mj-txt>a</mj-txt>", '2:1 NT301 MJML has no <mj-txt>; it would be lost. Did you mean "mj-text"?'),
    ("<MJ-TEXT>a</MJ-TEXT>", '2:1 NT301 MJML has no <MJ-TEXT>; it would be lost. Did you mean "mj-text"?'),
    ("<mj-text><p>a</mj-text>", "2:10 NT302 <p> is not closed before </mj-text> in line 2; add </p>"),
    ("<mj-text>a</p></mj-text>", "2:11 NT302 </p> closes nothing; open is <mj-text>; remove it"),
    ("<mj-text>a<br></br></mj-text>", "2:15 NT302 </br> closes nothing; write <br /> alone"),
    (
        '<mj-text colour="red">a</mj-text>',
        '2:10 NT303 <mj-text> has no attribute colour; MJML drops it. Did you mean "color"?',
    ),
    (
        "<mj-section />",
        "2:1 NT304 <mj-section> cannot stand directly in <mj-column>; put it into <mj-body> or <mj-wrapper>",
    ),
    ("<p>a</p>", "2:1 NT304 <p> cannot stand directly in <mj-column>; put it into <mj-text> or <mj-raw>"),
    ("words", '2:1 NT304 "words" stands directly in <mj-column>; put it into <mj-text>'),
    (
        "<mj-text><mj-button>a</mj-button></mj-text>",
        "2:10 NT304 <mj-button> stands inside <mj-text>; close <mj-text> first",
    ),
    ("<mj-text color=red>a</mj-text>", '2:10 NT306 the value of color has no quotes; write color="red"'),
    (
        "<mj-text {{ mail.title }}>a</mj-text>",
        (
            "2:10 NT306 a Jinja tag stands between attributes; "
            'write the Jinja tag inside the quotes: color="{{ accent_color }}"'
        ),
    ),
    ("<mj-text>a < b</mj-text>", "2:12 NT306 a `<` begins no tag; write &lt;"),
    (
        "<mj-raw><!--[if mso]>a<![endif] --></mj-raw>",
        (
            "2:9 NT306 a comment for Outlook is not written as it must be; write <!--[if mso]>…<![endif]-->, "
            "without a space between these signs"
        ),
    ),
    (
        "<mj-raw><![if !mso]>a<![endif]></mj-raw>",
        (
            "2:9 NT306 `<![if !mso]>` stands outside a comment; write <!--[if mso]>…<![endif]--> as one comment "
            "| 2:22 NT306 `<![endif]>` stands outside a comment; write <!--[if mso]>…<![endif]--> as one comment"
        ),
    ),
    (
        "<mj-raw><!--[if mso]>a -- b<![endif]--></mj-raw>",
        '2:9 NT306 a comment holds "--"; MJML cannot read that; write one hyphen',
    ),
    ("<mj-text><![CDATA[a]]></mj-text>", "2:10 NT306 MJML cannot read CDATA; write &lt; and &amp; instead"),
    (
        "{% if mail.number %}<mj-text>{% endif %}a</mj-text>",
        (
            "2:30 NT307 `{% if mail.number %}` began in <mj-column> in line 2 and `{% endif %}` stands elsewhere; "
            "begin and end it in the same tag"
        ),
    ),
    (
        '<mj-image src="https://x.example/a.png" alt="A" width="{{ mail.number }}" />',
        (
            "2:56 NT308 MJML drops `{{ mail.number }}` in width of <mj-image>; "
            "MJML computes with it, so write the value itself, or set it to a constant above"
        ),
    ),
    (
        '<mj-text data-x="{{ mail.title }}">a</mj-text>',
        (
            "2:10 NT303 <mj-text> has no attribute data-x; MJML drops it. "
            "| 2:18 NT308 MJML drops `{{ mail.title }}` in data-x of <mj-text>; "
            "MJML computes with it, so write the value itself, or set it to a constant above"
        ),
    ),
    (
        '<mj-image src="https://x.example/a.png" />',
        (
            '2:1 NT401 <mj-image> has no alt; say what it shows, or write alt="" if it only decorates: '
            "many readers see no images"
        ),
    ),
    (
        '<mj-image src="https://x.example/a.png" alt="IMG_1.PNG" />',
        '2:41 NT401 alt="IMG_1.PNG" is a file name; say what the picture shows',
    ),
    (
        '<mj-button href="javascript:alert(1)">a</mj-button>',
        "2:12 NT407 no mail program follows javascript:alert(1); write an https:// address",
    ),
    (
        '<mj-button href="javascript:{{ mail.title }}">a</mj-button>',
        "2:12 NT407 no mail program follows javascript:{{ mail.title }}; write an https:// address",
    ),
    (
        '<mj-social><mj-social-element name="github" href="https://x.example">a</mj-social-element></mj-social>',
        (
            "1:1 NT406 MJML makes this mail load https://www.mailjet.com/images/theme/v1/icons/ico-social/github.png from "
            "www.mailjet.com; name a file of your own (src, icon-wrapped-url, …): whoever serves it sees who reads your mail"
        ),
    ),
]

IN_JINJA = [
    (
        "{{ contact.first_name | upper }}",
        (
            "2:13 NT205 contact.first_name is printed, and some contacts have none; "
            'write {{ contact.first_name | fallback("…") }}; without, they get no mail'
        ),
    ),
    ("{{ contact.first_name or mail.title }}", ""),
    ("{% if contact.city %}in {{ contact.city }}{% endif %}", ""),
    ("{{ contact.city if contact.city else 'you' }}", ""),
    ("{{ contact.email }}", ""),
    (
        "{{ contact.city | fallbak('x') }}",
        (
            '2:28 NT203 there is no filter "fallbak"; there are abs, capitalize, count, d, default, dictsort, e, escape, '
            "fallback, first, float, int, items, join, last, length, line_breaks, list, lower, map, max, min, reject, "
            "rejectattr, replace, reverse, round, select, selectattr, sort, striptags, sum, title, trim, truncate, unique, "
            'upper, urlencode, wordcount. Did you mean "fallback"?'
        ),
    ),
    (
        "{{ contcat.city }}",
        (
            '2:13 NT204 a mail knows no "contcat"; a mail knows contact, mail, owner, sender and the addresses. '
            'Did you mean "contact"?'
        ),
    ),
    ("{{ 1 + }}", "2:10 NT201 Jinja cannot read `{{ 1 + }}`: unexpected 'end of print statement'; mend it"),
    (
        "{% if mail.number %}a{% endfor %}{% endif %}",
        (
            "2:31 NT105 `{% endfor %}` closes nothing; open is `{% if mail.number %}` from line 2; "
            "remove it, or mend its name"
        ),
    ),
    ("{% for x in range(3) %}{{ x }}", "2:10 NT105 `{% for x in range(3) %}` is never closed; add {% endfor %}"),
    ("{% iff mail.number %}", "2:10 NT201 Jinja cannot read this: encountered unknown tag 'iff'; mend it"),
    ("{{ mail.title", "2:10 NT105 `{{ mail.title</mj-text>` is never closed; close it, or write {% raw %}"),
    ("{{ ''.__class__ }}", '2:16 NT202 "__class__" is out of reach for a template; remove it'),
    ("{{ mail['__class__'] }}", '2:19 NT202 "__class__" is out of reach for a template; remove it'),
    ("{% set contact = 1 %}", '2:17 NT202 "contact" cannot be set; choose another name'),
    ("{{ 2 ** 3 }}", "2:10 NT202 `**` is not for mails; write the number"),
    (
        "{% for x in [1] recursive %}{% endfor %}",
        "2:26 NT202 a loop in a mail is not recursive; nest two loops",
    ),
    (
        "{% autoescape false %}{% endautoescape %}",
        "2:10 NT202 `autoescape` cannot be switched; remove it; mails always escape",
    ),
    (
        '{% import "parts/p.mjml" as p %}',
        "2:10 NT202 `import` is not for mails; put it into a part and include that",
    ),
]


@pytest.mark.parametrize(("text", "expected"), IN_MJML, ids=[expected[:40] for _, expected in IN_MJML])
def test_what_mjml_would_lose_is_said_with_its_place(mails: Mails, text: str, expected: str) -> None:
    assert told(mails, column(text)) == expected


@pytest.mark.parametrize(("text", "expected"), IN_JINJA, ids=[text for text, _ in IN_JINJA])
def test_what_jinja_would_trip_over_is_said_with_its_place(mails: Mails, text: str, expected: str) -> None:
    assert told(mails, column(f"<mj-text>{text}</mj-text>")) == expected


def told(mails: Mails, text: str) -> str:
    problems = mails.read("m.mjml", text, is_campaign=False).problems
    lines = [f"{p.line}:{p.column} {p.code} {str(p).partition(': ')[2]}" for p in problems]
    return " | ".join(line.removesuffix(".") if line.endswith("..") else line for line in lines)


def test_tags_nested_too_deep_never_reach_the_compiler(mails: Mails) -> None:
    deep = "<div>" * 5_000 + "</div>" * 5_000
    assert told(mails, column(f"<mj-text>{deep}</mj-text>")).startswith(
        "2:485 NT305 tags are nested more than 100 deep"
    )
    with pytest.raises(TemplateError, match="nested more than 100 deep"):
        compile_mail(MailSource("templates/x.mjml", "s", "", in_body(f"<mj-text>{deep}</mj-text>")))


def test_every_problem_is_told_at_once_and_in_order(mails: Mails) -> None:
    found = told(mails, column("<mj-txt>{{ nobody }}</mj-txt>\n<mj-image src='https://x.example/a.png'/>"))
    assert [part.split()[1] for part in found.split(" | ")] == ["NT301", "NT204", "NT401"]


def test_a_campaign_without_a_way_out_or_a_postal_address_is_refused(mails: Mails) -> None:
    text = in_body("<mj-text>Buy now</mj-text>")
    assert mails.problems("m.mjml", text, is_campaign=True) == [
        (
            'NT402 templates/m.mjml:1:1: this mail has no link to leave; write <a href="{{ leave_url }}">Unsubscribe</a>, '
            "or include a footer from parts/"
        ),
        (
            "NT403 templates/m.mjml:1:1: this mail has no postal address; write {{ sender.postal_address }}, "
            "or include a footer from parts/"
        ),
    ]
    assert mails.problems("m.mjml", text, is_campaign=False) == []


@pytest.mark.parametrize("layout", ["letter", "newsletter"])
def test_the_layouts_of_the_starter_lead_out_and_say_where_we_are(mails: Mails, layout: str) -> None:
    text = f'{{% extends "layouts/{layout}.mjml" %}}{{% block content %}}<mj-text>Hi</mj-text>{{% endblock %}}'
    assert mails.problems("m.mjml", text, is_campaign=True) == []


def test_asking_whether_there_is_a_way_out_is_no_way_out(mails: Mails) -> None:
    text = in_body("<mj-text>{% if leave_url %}a{% endif %}{# {{ leave_url }} #}<!-- {{ leave_url }} --></mj-text>")
    assert "NT402" in " ".join(mails.problems("m.mjml", text, is_campaign=True))


@pytest.mark.parametrize(
    ("preheader", "expected"),
    [
        ("", ""),
        ("x" * 40, ""),
        ("x" * 110, ""),
        ("x" * 39, "the preheader has about 39 characters; mail programs show 40 to 110; lengthen it"),
        ("x" * 111, "the preheader has about 111 characters; mail programs show 40 to 110; cut it"),
        ("{{ contact.email }}, " + "x" * 50, ""),
    ],
)
def test_a_preheader_fills_its_line_and_no_more(mails: Mails, preheader: str, expected: str) -> None:
    found = told_about(mails, preheader)
    assert found == expected


def told_about(mails: Mails, preheader: str) -> str:
    text = f'---\nsubject: Hi\npreheader: "{preheader}"\n---\n' + in_body("<mj-text>a</mj-text>")
    return told(mails, text).removeprefix("3:12 NT404 ")


@pytest.mark.parametrize(("size", "severity"), [(60_000, ""), (88_000, "warning"), (101_000, "error")])
def test_a_mail_that_gmail_would_cut_off_is_reported(mails: Mails, size: int, severity: str) -> None:
    found = mails.read("m.mjml", in_body(f"<mj-text>{'word ' * (size // 5)}</mj-text>"), is_campaign=False).problems
    assert [(p.code, p.severity) for p in found] == ([("NT405", severity)] if severity else [])


FRONT = [
    ("---\nsubject: [a\n---\nx", "m.md:3:1 NT109 the front matter cannot be read: expected ',' or ']', but got '<stream end>'; mend it"),
    ("---\nsubject: a\nsubject: b\n---\nx", 'm.md:3:1 NT109 the front matter cannot be read: found duplicate key "subject" with value "b" (original value: "a"); mend it'),
    ("---\nsubject: a\n", "m.md:1:1 NT109 the front matter is never closed; add a line `---` below it"),
    ("---\n- a\n---\nx", 'm.md:2:1 NT109 the front matter has no names; write lines such as subject: "Five questions"'),
    ("Hello", 'm.md:1:1 NT110 this mail has no subject; write subject: "…" between two lines of ---'),
    ("---\nlayout: leter\nsubject: a\n---\nx", 'm.md:2:9 NT101 there is no "layouts/leter.mjml"; it should be templates/layouts/leter.mjml. Did you mean "layouts/letter.mjml"?'),
    ("---\nsubject: '{{ contact.city'\n---\nx", "m.md:2:10 NT105 `{{ contact.city` is never closed; close it, or write {% raw %}"),
    ("---\nsubject: a\n---\nHi\n\n{{ contact.city }}\n", 'm.md:6:4 NT205 contact.city is printed, and some contacts have none; write {{ contact.city | fallback("…") }}; without, they get no mail'),
    ("---\nsubject: a\n---\n{% if 1 %}\nHi\n", "m.md:4:1 NT105 `{% if 1 %}` is never closed; add {% endif %}"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FRONT)
def test_markdown_and_its_front_matter_are_told_by_the_lines_of_the_file(
    mails: Mails, text: str, expected: str
) -> None:
    found = mails.read("m.md", text, subject=None, default_layout="letter").problems
    assert [
        f"{p.file.removeprefix('templates/')}:{p.line}:{p.column} {p.code} {str(p).partition(': ')[2]}" for p in found
    ] == [expected]


def test_a_mail_that_is_not_there_is_named_with_its_neighbor(mails: Mails) -> None:
    mails.write("sequences/evaluators/report.md", "x")
    with pytest.raises(TemplateError) as told_error:
        load_template(mails.templates, "sequences/evaluators/reprot")
    assert str(told_error.value) == (
        'templates/sequences/evaluators/reprot:1:1: there is no mail "sequences/evaluators/reprot"; write '
        "templates/sequences/evaluators/reprot.md or templates/sequences/evaluators/reprot.mjml. "
        'Did you mean "sequences/evaluators/report"?'
    )
    assert isinstance(told_error.value, NurtureError)


def test_a_mail_may_not_be_there_twice(mails: Mails) -> None:
    mails.write("a.md", "x")
    assert mails.problems("a.mjml", in_body("<mj-text>a</mj-text>")) == [
        'NT101 templates/a:1:1: "a" is there as .mjml and as .md; remove one of them'
    ]


def test_an_issue_that_is_not_there_or_is_no_text_is_named(mails: Mails) -> None:
    issue = mails.templates.parent / "campaigns" / "newsletters" / "weekly" / "issue.md"
    with pytest.raises(TemplateError, match=r"^campaigns/newsletters/weekly/issue.md:1:1: there is no such file"):
        load_markdown(mails.templates, issue, default_layout="newsletter")
    issue.parent.mkdir(parents=True)
    issue.write_bytes(b"---\nsubject: a\n---\n\xff\xfe")
    with pytest.raises(TemplateError, match="this file is not UTF-8 text; save it as UTF-8"):
        load_markdown(mails.templates, issue, default_layout="newsletter")


def test_every_code_that_is_used_is_explained() -> None:
    used = {
        word.strip("'\"(),")
        for path in (Path(__file__).parents[2] / "nurture" / "rendering").glob("*.py")
        for word in path.read_text(encoding="utf-8").replace('"', " ").split()
        if word.startswith("NT") and word[2:5].isdigit()
    }
    assert used == set(CODES)
