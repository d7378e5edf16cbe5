"""From files to what one contact reads: loading, compiling, rendering, and the promises that hold for all of it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import BadInput
from nurture.rendering.compiling import compile_mail
from nurture.rendering.loading import load_markdown, load_template
from nurture.rendering.source import MailSource, RenderError, TemplateError
from tests.emails.approve import MAILS as EXAMPLES
from tests.emails.workspace import CONTEXT, Mails, compile_column, in_body, render_column, unhurried, urls


@pytest.fixture
def mails(tmp_path: Path) -> Mails:
    return Mails(tmp_path)


LETTER = """---
subject: "{{ contact.first_name | fallback('Hello') }}, your report"
preheader: The numbers of two hundred plants, and what three of them did about it.
---
Hi {{ contact.first_name | fallback("there") }},

here is [the report](https://www.uptime.example/report).
"""


def test_a_published_mail_is_json_and_comes_back_as_it_was(mails: Mails) -> None:
    mails.write("a.md", LETTER)
    source = load_template(mails.templates, "a")
    kept = json.loads(json.dumps(source.to_json()))
    assert MailSource.from_json(kept) == source
    assert set(kept) == {"template", "subject", "preheader", "body", "language"}
    with pytest.raises(BadInput, match="this is not a published mail"):
        MailSource.from_json({"title": "x"})


def test_a_published_mail_needs_no_file_any_more(mails: Mails) -> None:
    mails.write("a.md", LETTER)
    source = load_template(mails.templates, "a")
    for path in sorted(mails.templates.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    rendered = compile_mail(source).render(CONTEXT, urls())
    assert rendered.subject == "Ana, your report"
    assert rendered.text.startswith("Hi Ana,\n\nhere is the report <https://n.example/c/T/0>.\n\nBob Ray\n")


def test_what_the_caller_says_wins_over_the_front_matter(mails: Mails) -> None:
    mails.write("a.md", LETTER)
    source = load_template(mails.templates, "a", subject="Mine", preheader="Also mine, long enough to fill the line.")
    assert (source.subject, source.preheader) == ("Mine", "Also mine, long enough to fill the line.")


def test_a_mail_knows_what_it_takes(mails: Mails) -> None:
    text = in_body(
        "<mj-text>{{ contact['city'] or contact.company }} {{ owner.name }} {{ sender.postal_address }}"
        '<a href="{{ leave_url }}">x</a></mj-text>'
    )
    compiled = mails.compile("a.mjml", text, subject="{{ contact.first_name or mail.title }}", preheader="")
    assert compiled.uses == {
        "contact.city", "contact.company", "contact.first_name", "mail.title", "owner.name", "sender.postal_address",
    }  # fmt: skip
    assert compiled.addresses == {"leave_url"}
    assert "contact" in compile_column("<mj-text>{{ contact[mail.title] }}</mj-text>").uses


def test_what_was_kept_is_enough_to_render_again(mails: Mails) -> None:
    """Only what the mail takes is kept on a delivery; a retry and /view render from that."""
    mails.write("a.md", LETTER)
    compiled = compile_mail(load_template(mails.templates, "a"))
    kept: dict[str, dict[str, Any]] = {}
    for name in compiled.uses:
        root, _, field = name.partition(".")
        kept.setdefault(root, {})[field] = CONTEXT[root][field]
    assert compiled.render(json.loads(json.dumps(kept)), urls()) == compiled.render(CONTEXT, urls())


def test_an_issue_hands_back_its_front_matter(mails: Mails) -> None:
    path = mails.templates.parent / "campaigns" / "newsletters" / "weekly" / "five.md"
    path.parent.mkdir(parents=True)
    path.write_text("---\nnumber: 12\nready: true\nsubject: Five questions\non: 2026-03-10\n---\n# Five\n\nText.\n")
    front, source = load_markdown(mails.templates, path, default_layout="newsletter")
    assert (front["number"], front["ready"], front["subject"], str(front["on"])) == (
        12,
        True,
        "Five questions",
        "2026-03-10",
    )
    assert source.template == "campaigns/newsletters/weekly/five.md"
    rendered = compile_mail(source).render(CONTEXT, urls())
    assert rendered.text.startswith("The Uptime Letter\n\nIssue 12\n\nFive\n====\n\nText.\n")


def test_front_matter_fills_the_blocks_of_its_layout_and_cannot_inject_markup(mails: Mails) -> None:
    text = (
        "---\nsubject: s\nlayout: event\ntitle: R&D <b>day</b> for {{ contact.company }}\nwhen: 2026-03-12\n"
        "where: Hall 5\nurl: https://u.example/seat?a=1&b=2\n---\nCome.\n"
    )
    rendered = mails.compile("e.md", text).render(CONTEXT, urls(is_tracked=False))
    assert "R&amp;D &lt;b&gt;day&lt;/b&gt; for Lee &amp; Sons</h1>" in rendered.html
    assert "2026-03-12" in rendered.text
    assert "Save my seat: https://u.example/seat?a=1&b=2" in rendered.text
    assert "calendar" not in rendered.text
    with_calendar = text.replace("where:", "calendar: https://u.example/day.ics\nwhere:")
    rendered = mails.compile("e.md", with_calendar).render(CONTEXT, urls(is_tracked=False))
    assert "Add it to your calendar: https://u.example/day.ics" in rendered.text


def test_the_parts_of_the_starter_take_their_words_from_around_them(mails: Mails) -> None:
    text = in_body(
        '{% with label = "Book a time", url = "https://u.example/book?a=1&b=2" %}{% include "parts/button.mjml" %}'
        '{% endwith %}{% with title = "R&D", summary = "Short.", label = "Read it", url = "https://u.example/r" %}'
        '{% include "parts/article.mjml" %}{% endwith %}'
    ).replace("<mjml>", '{% include "parts/brand.mjml" %}<mjml>')
    compiled = mails.compile("p.mjml", text)
    assert [(link.label, link.destination) for link in compiled.links] == [
        ("Book a time", "https://u.example/book?a=1&b=2"),
        ("Read it", "https://u.example/r"),
    ]
    assert "R&D\n---\n\nShort.\n\nRead it: https://u.example/r" in compiled.render({}, urls(is_tracked=False)).text


class Page(HTMLParser):
    """What a mail program reads out of the head and the first lines of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.title = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "title":
            self.title += data


@pytest.mark.parametrize(
    ("written", "direction"), [('lang="ar"', "rtl"), ('lang="he-IL" dir="ltr"', "ltr"), ('lang="fr"', "ltr")]
)
def test_a_page_runs_the_way_its_own_language_does(written: str, direction: str) -> None:
    body = in_body("<mj-text>a</mj-text>").replace("<mjml", f"<mjml {written}", 1)
    page = Page(compile_mail(MailSource("a", "Hello", "", body)).render(CONTEXT, urls()).html)
    assert next(attributes for name, attributes in page.tags if name == "html")["dir"] == direction


@pytest.mark.parametrize(
    "tag",
    [
        '<img src="x" alt="{value}" />',
        '<a href="https://a.example" title="{value}">a</a>',
        '<p style="{value}">a</p>',
    ],
)
@pytest.mark.parametrize(
    "value", ["I ❤️ 👩\u200d💻", "20\u00a0%", "a\\b", "color:red;\n  font-size:3px", "क्षि", "tab\tbed", "next\x85line"]
)
def test_whatever_an_attribute_holds_is_read_as_it_was_written(tag: str, value: str) -> None:
    page = render_column(f"<mj-text>{tag.format(value=value)}</mj-text>", is_tracked=False).html
    read = [held for _, attributes in Page(page).tags for held in attributes.values()]
    assert re.sub(r"[\n\t\x85]", " ", value) in read


@pytest.mark.parametrize(
    ("layout", "language", "direction"),
    [("letter", "en", "ltr"), ("newsletter", "de", "ltr"), ("service", "ar", "rtl")],
)
def test_every_page_says_its_language_its_title_and_its_color_schemes(
    mails: Mails, layout: str, language: str, direction: str
) -> None:
    text = LETTER.replace("---\nsubject", f"---\nlayout: {layout}\nlanguage: {language}\nsubject", 1)
    page = Page(mails.compile("a.md", text, subject=None).render(CONTEXT, urls()).html)
    assert ("html", language, direction) == (page.tags[0][0], page.tags[0][1]["lang"], page.tags[0][1]["dir"])
    assert page.title == "Ana, your report"
    assert page.tags[2] == ("meta", {"charset": "utf-8"})
    meta = {attrs["name"]: attrs["content"] for tag, attrs in page.tags if tag == "meta" and "name" in attrs}
    assert meta["viewport"] == "width=device-width, initial-scale=1"
    assert meta["color-scheme"] == meta["supported-color-schemes"] == "light dark"
    for tag, attrs in page.tags:
        assert tag not in {"script", "link", "iframe", "form"}
        assert tag != "img" or (attrs.get("alt") is not None and attrs.get("width"))
        assert tag != "table" or attrs.get("role") == "presentation"


def test_the_hidden_preheader_comes_first_and_keeps_the_body_out_of_the_preview() -> None:
    mail = compile_column(
        "<mj-text>Body</mj-text>", preheader="For {{ contact.company }}: three numbers and a question."
    )
    page = mail.render(CONTEXT, urls()).html
    hidden = re.search(r'<body[^>]*><div style="display:none;[^"]*">(.*?)</div>', page, re.DOTALL)
    assert hidden
    assert hidden[1].startswith("For Lee &amp; Sons: three numbers and a question.&#847;&zwnj;&nbsp;")
    assert hidden[1].count("&nbsp;") >= 110


def test_mjmls_own_preview_is_the_preheader_unless_another_is_given(mails: Mails) -> None:
    text = in_body("<mj-text>a</mj-text>").replace(
        "<mjml>", "<mjml><mj-head><mj-preview>R&amp;D for {{ contact.company }}</mj-preview></mj-head>"
    )
    own = mails.compile("a.mjml", text).render(CONTEXT, urls()).html
    assert own.count("R&amp;D for Lee &amp; Sons") == 1
    other = mails.compile("a.mjml", text, preheader="Other").render(CONTEXT, urls()).html
    assert "R&amp;D" not in other
    assert ">Other&#847;" in other


def test_notes_between_authors_do_not_travel() -> None:
    mail = compile_column(
        "<!-- ask Bob -- now --><mj-text>a<!-- {{ contact.secret }} --></mj-text><!-- {% if x %}old -->"
    )
    page = mail.render(CONTEXT, urls()).html
    assert "Bob" not in page
    assert "<!-- " not in page
    assert "contact.secret" not in mail.uses
    assert "<!--[if mso | IE]>" in page


def test_a_comment_around_nothing_but_jinja_is_opened() -> None:
    text = "<mj-text>a<!-- {% if contact.city %} -->b<!--{% endif %}-->c</mj-text>"
    assert render_column(text).text == "ac\n"


def test_a_subject_with_angle_brackets_is_no_markup_in_the_title() -> None:
    rendered = render_column("<mj-text>a</mj-text>", subject='1 < 2 & "so"')
    assert rendered.subject == '1 < 2 & "so"'
    assert "<title>1 &lt; 2 &amp; &#34;so&#34;</title>" in rendered.html


def test_jinja_survives_markdown_and_html_does_not(mails: Mails) -> None:
    text = (
        "Hi *{{ contact.company }}*, [see]({{ mail.link }}?a=_b_)\n\n<b>bold</b>\n\n"
        '{% if contact.city %}\n[In {{ contact.city }}](https://c.example "button")\n{% else %}\n'
        "![A map](https://c.example/map.png)\n{% endif %}\n\n{% for x in [1, 2] %}\n- item {{ x }}\n{% endfor %}\n\n"
        "    code {braces}\n"
    )
    compiled = mails.compile("a.md", text)
    context = {**CONTEXT, "mail": {**CONTEXT["mail"], "link": "https://l.example"}}
    rendered = compiled.render(context, urls(is_tracked=False))
    assert "<em>Lee &amp; Sons</em>" in rendered.html
    assert 'href="https://l.example?a=_b_"' in rendered.html
    assert "&lt;b&gt;bold&lt;/b&gt;" in rendered.html
    assert rendered.html.count("<ul") == 1
    assert "[A map]\n\n- item 1\n- item 2\n\n    code {braces}\n" in rendered.text
    named = compiled.render({**context, "contact": {**CONTEXT["contact"], "city": "Ulm"}}, urls(is_tracked=False))
    assert "In Ulm: https://c.example\n\n- item 1" in named.text


def test_braces_in_markdown_are_braces(mails: Mails) -> None:
    text = (
        "Write &#123;&#123; 7 * 7 &#125;&#125; or `{`{{ mail.number }}`}`, never [&#123;%](https://x.example/%7B%7B7)."
    )
    shown = mails.compile("a.md", text).render(CONTEXT, urls(is_tracked=False)).text
    assert " ".join(shown.split()).startswith("Write {{ 7 * 7 }} or {12}, never {% <https://x.example/%7B%7B7>.")


VALUES = st.one_of(st.none(), st.text(alphabet="aé😀 <&\"'", max_size=20), st.integers(0, 10**6))
FIELDS = ["a", "b", "c"]
EXPRESSIONS = st.sampled_from([
    "{{ contact.a | fallback('A') }}", "{{ contact.b or 'B' }}", "{% if contact.c %}{{ contact.c }}{% else %}C{% endif %}",
    "{% for x in range(2) %}{{ x }}{% endfor %}", "text", "{# note #}", "{% raw %}raw{% endraw %}",
])  # fmt: skip
INLINE = st.one_of(
    EXPRESSIONS,
    EXPRESSIONS.map(lambda e: f"<b>{e}</b>"),
    EXPRESSIONS.map(lambda e: f'<a href="https://x.example/{e}">{e}</a>'),
    EXPRESSIONS.map(lambda e: f'<span title="{e}" style="color:red">{e}</span>'),
)
ELEMENTS = st.one_of(
    st.lists(INLINE, min_size=1, max_size=4).map(lambda parts: f"<mj-text>{' '.join(parts)}</mj-text>"),
    EXPRESSIONS.map(lambda e: f'<mj-button href="https://b.example/{e}" color="#fff">{e}</mj-button>'),
    EXPRESSIONS.map(lambda e: f'<mj-image src="https://i.example/{e}" alt="{e}" width="100px" />'),
    EXPRESSIONS.map(lambda e: f"<mj-table><tr><td>{e}</td></tr></mj-table>"),
    INLINE.map(lambda e: f"{{% if contact.a %}}<mj-text>{e}</mj-text>{{% endif %}}"),
    INLINE.map(lambda e: f"{{% for y in [1, 2] %}}<mj-text>{e}</mj-text>{{% endfor %}}"),
)


@unhurried
@given(st.lists(ELEMENTS, min_size=1, max_size=5), st.dictionaries(st.sampled_from(FIELDS), VALUES), st.booleans())
def test_no_tag_no_placeholder_and_no_none_is_ever_left(
    elements: list[str],
    values: dict[str, Any],
    is_tracked: bool,
) -> None:
    mail = compile_column(
        "\n".join(elements), subject="Hi {{ contact.a | fallback('you') }}", preheader="{{ contact.b or 'p' }}"
    )
    context = {"contact": dict.fromkeys(FIELDS) | values}
    rendered = mail.render(context, urls(is_tracked=is_tracked))
    for part in (rendered.subject, rendered.html, rendered.text):
        assert not re.search(r"\{\{|\{%|\{#|jJ\d|None|_link|_pixel", part)
    assert "\n\n\n" not in rendered.text
    again = compile_mail(MailSource("templates/x.mjml", "Hi {{ contact.a | fallback('you') }}", "{{ contact.b or 'p' }}",
                                    in_body("\n".join(elements))))  # fmt: skip
    assert again.render(json.loads(json.dumps(context)), urls(is_tracked=is_tracked)) == rendered


def test_a_template_that_cannot_be_compiled_names_itself() -> None:
    with pytest.raises(TemplateError) as told:
        compile_mail(MailSource("templates/x.mjml", "{{ contact.", "", in_body("<mj-text>{{ nobody }}</mj-text>")))
    assert [problem.code for problem in told.value.problems] == ["NT105", "NT204"]
    with pytest.raises(TemplateError, match="MJML cannot be compiled"):
        compile_mail(MailSource("templates/x.mjml", "a", "", in_body("<mj-text><p>a</mj-text>")))


FRAGMENTS = st.sampled_from([
    "", "{{", "}}", "{%", "%}", "{#", "<", "</", ">", '"', "<!--", "-->", "<mj-text>", "</mj-column>", "{% if x %}", "{% endif %}",
    "{% endblock %}", "{{ super() }}", "<![CDATA[", "<!--[if mso]>", "<![endif]-->", "{% raw %}", "\x00", "\n---\n", "```", "- ",
    "{% for i in range(3) %}", "{% endfor %}", "</mjml>", "<style>", "<mj-include path='x' />",
])  # fmt: skip
DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), FRAGMENTS), min_size=1, max_size=4)


@unhurried
@given(st.sampled_from(sorted(EXAMPLES.iterdir())), DAMAGE)
def test_no_damage_to_a_file_does_more_than_being_told(
    mails: Mails, path: Path, damage: list[tuple[float, int, str]]
) -> None:
    """Either the author hears what is wrong and where, or the mail renders and nothing of ours is left in it."""
    text = path.read_text(encoding="utf-8")
    for where, length, fragment in damage:
        at = int(where * len(text))
        text = text[:at] + fragment + text[at + length :]
    reading = mails.read(path.name, text, is_campaign=False)
    for problem in reading.problems:
        assert problem.file.startswith("templates/")
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message
    if reading.source is None:
        assert any(problem.severity == "error" for problem in reading.problems)
        return
    try:
        rendered = compile_mail(reading.source).render(CONTEXT, urls())
    except RenderError:
        return  # what a template asks of a contact only shows when it is asked
    assert not re.search(r"jJ\d{5}Jj|_link\d|_pixel", rendered.html + rendered.text)
