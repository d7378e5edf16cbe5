"""The text part says everything the HTML says, in the order in which it says it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.rendering.text import WIDTH, to_text
from tests.emails.workspace import CONTEXT, compile_column, render_column, unhurried, urls


def text_of(html: str) -> str:
    return render_column(f"<mj-text>{html}</mj-text>").text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>One</p><p>Two<br />three</p>", "One\n\nTwo\nthree\n"),
        ("<h1>Big</h1><h2>Middle</h2><h3>Small</h3>", "Big\n===\n\nMiddle\n------\n\nSmall\n"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><p>d</p>", "- a\n- b\n  - c\n\nd\n"),
        ("<ol start='3'><li>a</li><li><p>b</p><p>c</p></li></ol>", "3. a\n4. b\n   c\n"),
        ("<blockquote><p>q</p><p>r</p></blockquote><p>s</p>", "> q\n>\n> r\n\ns\n"),
        ("<pre>a\n  b</pre><p>c</p>", "    a\n      b\n\nc\n"),
        ("a<hr />b", "a\n\n--------------------\n\nb\n"),
        ("👩\u200d💻 می\u200cخواهم &zwnj;&nbsp;&zwnj; שלום!\u200f, a", "👩\u200d💻 می\u200cخواهم שלום!\u200f, a\n"),
        ('<a href="tel:+44 1234">Call</a>', "Call: +44 1234\n"),
        ("x &amp; y &lt;z&gt; &hellip; a&nbsp;b a\u200bb", "x & y <z> … a b ab\n"),
        ("&#123;&#123; 7 &#125;&#125; &#123;% if %&#125;", "{{ 7 }} {% if %}\n"),
        ('see <a href="https://a.example">our report</a>, please', "see our report <https://a.example>, please\n"),
        ('<a href="https://a.example">Book a time</a>', "Book a time: https://a.example\n"),
        ('<a href="https://a.example">Which one?</a>', "Which one? https://a.example\n"),
        ('<a href="https://a.example/x">a.example/x</a>', "https://a.example/x\n"),
        ('at <a href="https://a.example">https://a.example</a>', "at https://a.example\n"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example\n"),
        ('<a href="mailto:a@b.example?subject=x">Write</a>', "Write: a@b.example\n"),
        ('<a href="tel:+441234">+44 1234</a> <a href="#top">up</a>', "+44 1234\nup\n"),
        (
            '<a href="https://a.example">A</a> &nbsp;·&nbsp; <a href="{{ leave_url }}">Leave</a>',
            "A: https://a.example\nLeave: https://n.example/u/T\n",
        ),
        ('<img src="x" alt="A chart: up" /><img src="y" alt="" />', "[A chart: up]\n"),
        ('<a href="https://a.example"><img src="x" alt="Logo" /></a>', "Logo: https://a.example\n"),
        ('a<span style="display: none">hidden</span><span hidden="">too</span>b', "ab\n"),
        ("a<!-- note --><!--[if mso]>outlook<![endif]-->b", "ab\n"),
        ('<span class="n">20</span><b style="x:y">years</b> <b>in</b><i>one</i>', "20 years inone\n"),
        (
            "<table><tr><th>Plan</th><th>Price</th></tr><tr><td>Small</td><td>5</td></tr></table>",
            "Plan  | Price\n-------------\nSmall | 5\n",
        ),
        ('<table role="presentation"><tr><td>a</td><td><p>b</p></td></tr></table>', "a\n\nb\n"),
        ("<table><tr><td>{{ contact.company }}</td><td>b</td></tr></table>", "Lee & Sons | b\n"),
    ],
)
def test_each_element_reads_well_as_text(html: str, expected: str) -> None:
    assert text_of(html) == expected


def test_line_breaks_in_the_source_are_spaces_and_words_never_run_together() -> None:
    html = '<a href="https://a.example">A</a>\n<b>bold</b>\n  text\n<i>i</i>'
    rendered = render_column(f"<mj-text>{html}</mj-text>")
    assert rendered.text == "A <https://a.example> bold text i\n"
    assert "</a> <b>" in rendered.html


def test_what_a_condition_leaves_out_leaves_no_gap() -> None:
    html = "<p>a</p>{% if contact.city %}<p>b</p>{% endif %}<p>{% if contact.city %}c{% endif %}</p><p>d</p>"
    mail = compile_column(f"<mj-text>{html}</mj-text>")
    assert mail.render({"contact": {"city": None}}, urls()).text == "a\n\nd\n"
    assert mail.render({"contact": {"city": "X"}}, urls()).text == "a\n\nb\n\nc\n\nd\n"


def test_a_loop_makes_one_list_without_numbers() -> None:
    html = "<ol>{% for x in range(3) %}<li>n{{ x }}</li>{% endfor %}</ol>"
    assert text_of(html) == "- n0\n- n1\n- n2\n"


def test_a_name_that_is_set_where_nobody_sees_it_is_known_in_the_text() -> None:
    assert text_of('<span style="display:none">{% set x = contact.company %}</span><p>{{ x }}</p>') == "Lee & Sons\n"


def test_the_text_is_not_escaped() -> None:
    assert text_of("<p>{{ contact.company }} &amp; {{ owner.signature | line_breaks }}</p>") == (
        "Lee & Sons & Bob Ray\nUptime Ltd · +44 20 7946 0000\n"
    )


def test_the_preheader_and_the_title_are_not_in_it() -> None:
    mail = compile_column("<mj-text>Body</mj-text>", subject="Subject", preheader="Preheader")
    assert mail.render(CONTEXT, urls()).text == "Body\n"


WORDS = st.lists(st.text(alphabet="abcdefgé", min_size=1, max_size=12), min_size=1, max_size=60)


@unhurried
@given(WORDS)
def test_lines_are_wrapped_and_no_word_is_lost(words: list[str]) -> None:
    text = to_text(f"<p>{' '.join(words)}</p>", re.compile("jJ\\d+Jj"), frozenset(), {})
    assert text.split() == words
    assert all(len(line) <= WIDTH for line in text.split("\n"))


@unhurried
@given(
    st.lists(st.sampled_from(["p", "div", "b", "h1", "ul", "li", "table", "tr", "td", "blockquote", "a"]), max_size=8),
    WORDS,
)
def test_no_nesting_loses_a_word(tags: list[str], words: list[str]) -> None:
    html = "".join(f"<{tag}> {word} " for tag, word in zip(tags, words, strict=False))
    html += "".join(f"</{tag}>" for tag in reversed(tags[: len(words)]))
    text = to_text(html, re.compile("jJ\\d+Jj"), frozenset(), {})
    assert re.findall(r"\w+", text) == words[: len(tags)]
