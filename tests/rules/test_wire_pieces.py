"""The pieces a message is joined of: each begins and ends a line, and tidying them one by one tidies the whole."""

import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from nurture.rendering.bounds import EmptyValue
from nurture.rendering.looking import BLANK, ODD, Looks, look_at
from nurture.rendering.planning import LINE, PAGE, PLAIN, Manner
from nurture.rendering.quoting import (
    fixed,
    in_html,
    in_line,
    in_text,
    in_text_or_empty,
    in_text_or_trailing,
    quote,
)
from nurture.rendering.residual import compile_part
from nurture.rendering.tidying import BEGINNING, BEHIND_WORD, NotAhead, Tidied, tidy
from tests.emails.workspace import unhurried

WRITTEN = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=40),
    st.text(alphabet=" \t\n.aF=é", max_size=12),
    st.sampled_from(["From ", "From me", ".", "..", "é" * 90, "x" * 76, "x" * 75 + "é", "=\n", "a\n", "\n.\nFrom x", "\0", "\x7f",
        "Franz", "é" * 25 + ".", "x" * 74 + " .", "x" * 75 + "From me",
        "x" * 75 + " \ny", "x" * 74 + "\t\n.", "O’Neill & Söhne", "Общество с ответственностью"]),
)  # fmt: skip


def read(piece: bytes) -> str:
    """What a mail program makes of it."""
    assert piece.isascii()
    return quopri.decodestring(piece).decode().replace("\r\n", "\n")


@unhurried
@given(st.lists(st.tuples(WRITTEN, st.booleans()), max_size=6))
def test_pieces_joined_decode_to_what_they_were_made_of(pieces: list[tuple[str, bool]]) -> None:
    joined = b"".join(fixed(text) if is_fixed else quote(text) for text, is_fixed in pieces)
    assert read(joined) == "".join(text for text, _ in pieces)
    assert not joined or joined.endswith(b"\r\n")
    for line in joined.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))


@unhurried
@given(st.one_of(WRITTEN, st.none(), st.integers(), st.booleans(), st.builds(Markup, WRITTEN)))
def test_a_value_that_is_looked_at_once_is_what_every_place_would_make_of_it(value: object) -> None:
    """Whatever is ready for a program, the place itself would have written; a blank is what `fallback` steps in for."""
    html, text = look_at(value)
    if html:
        assert html == in_html(value)
    if text:
        assert [text] * 4 == [write(value) for write in (in_text, in_line, in_text_or_empty, in_text_or_trailing)]
    assert (html is None) is (text is None) is (value is None or (type(value) is str and not value.strip()))


@unhurried
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(["Ana", "", None, 7, "Zoë"])), max_size=9))
def test_what_was_found_at_the_mail_before_never_stands_in_another(readers: list[dict[str, object]]) -> None:
    looks = Looks()
    names = [name for name in "abc" if looks.number(name) >= 0]
    for fields in readers:
        for _ in range(2):
            assert looks.at(fields) == [look_at(fields[name]) if name in fields else ODD for name in names]


def test_equal_values_of_other_types_are_not_taken_for_one_another() -> None:
    looks = Looks()
    assert [looks.number(name) for name in ("a", "b", "a")] == [0, 1, 0]
    for value, escaped in (("1", b"1=\r\n"), (1, b""), (True, b""), (1.0, b""), ("<b>", b"&lt;b&gt;=\r\n")):
        assert [looks.at({"a": value, "b": None})[0][0] for _ in range(2)] == [escaped] * 2
    assert looks.at({"a": "<i>", "b": None}) == [(b"&lt;i&gt;=\r\n", b"<i>=\r\n"), BLANK]
    assert looks.at({"a": Markup("<i>"), "b": None}) == [ODD, BLANK]
    assert looks.at({"a": 0, "b": False}) == [ODD, ODD]


def test_a_field_that_is_missing_is_left_to_where_it_is_printed() -> None:
    looks = Looks()
    looks.number("a"), looks.number("b")
    for _ in range(2):
        assert looks.at({"b": "x"}) == [ODD, (b"x=\r\n", b"x=\r\n")]
        assert looks.at({"a": "x", "b": ""}) == [(b"x=\r\n", b"x=\r\n"), BLANK]


@unhurried
@given(WRITTEN)
def test_a_value_in_html_is_escaped_as_jinja_escapes_it(text: str) -> None:
    assert read(in_html(text)) == str(escape(text))
    assert read(in_html(Markup(text))) == text


@pytest.mark.parametrize("text", ["a\r", "\r\n", "a\rb"])
def test_half_a_line_end_is_left_to_whoever_sees_both_halves(text: str) -> None:
    with pytest.raises(NotAhead):
        quote(text)


@pytest.mark.parametrize("value", [[], {}, object(), ["a"]])
def test_what_a_mail_does_not_print_is_not_written(value: object) -> None:
    for write in (in_html, in_text, in_line):
        with pytest.raises(NotAhead):
            write(value)
        with pytest.raises(EmptyValue):
            write(None)


RUNS = st.lists(st.sampled_from(["\n", "\n\n", " ", "\t", "a", "b.", "\xa0", "é"]), max_size=6).map("".join)


@unhurried
@given(st.lists(RUNS, max_size=5))
def test_text_tidied_piece_by_piece_is_tidied_as_a_whole(texts: list[str]) -> None:
    kept, place, written = Tidied(), BEGINNING, ""
    for text in texts:
        more, place = kept.take(place, text)
        written += more
    try:
        written += kept.end(place)
    except NotAhead:
        assert tidy("".join(texts)) != written + "\n"
        return
    assert written == tidy("".join(texts))


@unhurried
@given(
    st.lists(st.text(alphabet=" \t\nab.é", max_size=6), min_size=2, max_size=2),
    st.text(alphabet=" \n\tabé", max_size=6),
)
def test_a_value_that_fits_its_place_is_tidied_as_part_of_the_whole(around: list[str], value: str) -> None:
    """Whatever does not fit is NotAhead, and goes the plain way."""
    kept = Tidied()
    written, place = kept.take(BEGINNING, around[0])
    write = in_line if place == BEHIND_WORD and around[1][:1] not in {"", " ", "\t", "\n"} else in_text
    try:
        piece = write(value)
    except NotAhead:
        return
    before = written + kept.owed(place)
    behind, place = kept.take(BEHIND_WORD, around[1])
    try:
        behind += kept.end(place)
    except NotAhead:
        return
    assert before + read(piece) + behind == tidy(around[0] + value + around[1])


@pytest.mark.parametrize(
    "template",
    [
        "{% for x in range(3) %}{{ loop.index }}{{ ', ' if not loop.last else '' }}{% endfor %}",
        "{% for name, size in [('a', 1), ('b', 2)] %}{{ name | upper }}{{ size + 1 }} {% endfor %}",
        "{% if 1 > 2 %}no{% elif 'a' in 'abc' %}yes{% else %}no{% endif %}",
        "{% macro cell(text, tag='td') %}<{{ tag }}>{{ text }}</{{ tag }}>{% endmacro %}{{ cell('a&b') }}{{ cell('c', tag='th') }}",
        "{% macro a(x) %}[{{ x }}]{% endmacro %}{% macro b(y) %}{{ a(y) }}{{ a('é') }}{% endmacro %}{{ b('1') }}",
        "{% with x = 'a' ~ 'b' %}{{ x }}{% endwith %}{% set y %}<i>{{ 1 + 1 }}</i>{% endset %}{{ y }}",
        "{% filter upper %}quiet{% endfilter %}{% set z = [1, 2, 3] | sum %}{{ z * 2 }}",
        "{% for x in [] %}{{ x }}{% else %}none{% endfor %}",
        "{% for x in [1, 2] %}{% for y in [3, 4] %}{{ loop.index }}{{ x * y }}{% endfor %}{{ loop.revindex0 }}{% endfor %}",
    ],
)  # fmt: skip
def test_what_is_the_same_for_everybody_is_worked_out_ahead(template: str) -> None:
    """Nothing of it is left for Jinja, and what is written is what Jinja would have written."""
    expected = PAGE.environment().prepare(template).render()
    compiled = compile_part("<p>" + template + "</p>", PAGE)
    assert compiled.constant is not None
    assert read(compiled.constant) == f"<p>{expected}</p>"
    assert compiled.expressions == 0


@pytest.mark.parametrize(
    "template",
    [
        "{% for x in range(3) %}{{ contact.a }}{{ x }}{% endfor %}",
        "{% macro m(v) %}<b>{{ v }}</b>{% endmacro %}{{ m(contact.a) }}{{ m('x') }}",
        "{% if contact.a %}a{% elif contact.b == 'x' %}b{% endif %}",
        "{{ contact.a | fallback('there') }}{{ contact['b'] }}{{ leave_url }}",
    ],
)
@pytest.mark.parametrize("manner", [PAGE, PLAIN, LINE])
def test_the_usual_ways_to_say_something_ask_nothing_of_jinja(template: str, manner: Manner) -> None:
    compiled = compile_part("x" + template, manner)
    assert compiled.is_bare
    assert compiled.regions == ()
