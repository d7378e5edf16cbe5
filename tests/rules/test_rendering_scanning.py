"""Jinja tags in a text: found exactly as Jinja finds them, hidden and put back without a trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, TemplateSyntaxError

from nurture.rendering.scanning import Kind, Original, mask, restore, scan, text_of
from nurture.rendering.source import Findings
from tests.emails.workspace import unhurried

PIECES = st.sampled_from([
    "a", " ", "\n", "{", "}", "%", "#", '"', "'", "jJ", "00001Jj", "{{ x }}", "{{- x -}}", "{% if x %}", "{% endif %}",
    '{{ "}}" }}', "{{ '%}' }}", '{{ {"a": {"b": 1}}["a"] }}', "{# {{ no }} #}", "{% raw %}{{ x }}{% endraw %}",
    "{%- set a = [1, 2] -%}", "é", "😀", "<b>", "&#123;",
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=30).map("".join)


def original(text: str) -> Original:
    return Original("x.mjml", text)


@unhurried
@given(TEXTS)
def test_the_tokens_of_a_text_are_the_text(text: str) -> None:
    findings = Findings()
    tokens = scan(original(text), findings)
    if not findings.problems:
        assert text_of(tokens) == text


@unhurried
@given(TEXTS)
def test_jinja_finds_the_same_tags(text: str) -> None:
    """A tag that we saw differently from Jinja would be torn apart by MJML, or run when it should not."""
    findings = Findings()
    tokens = scan(original(text), findings)
    if findings.problems:
        if findings.problems[0].message.startswith("`{#"):
            return  # Jinja takes a lone `{#` at the end for a whole comment
        with pytest.raises(TemplateSyntaxError):
            Environment().parse(text)
        return
    try:
        theirs = [kind for _, kind, _ in Environment().lex(text)]
    except TemplateSyntaxError:
        return  # what Jinja refuses is reported where the whole template is read
    begins = {
        "variable_begin": Kind.OUTPUT,
        "block_begin": Kind.STATEMENT,
        "comment_begin": Kind.COMMENT,
        "raw_begin": Kind.RAW,
    }
    ours = [token.kind for token in tokens if token.kind is not Kind.TEXT]
    assert ours == [begins[kind] for kind in theirs if kind in begins]


@unhurried
@given(TEXTS)
def test_what_is_hidden_comes_back_as_it_was(text: str) -> None:
    findings = Findings()
    tokens = [token for token in scan(original(text), findings) if token.kind is not Kind.COMMENT]
    masked = mask(tokens)
    assert len(masked.word.findall(masked.text)) == sum(token.kind is not Kind.TEXT for token in tokens)
    restored = restore(masked.text, masked.word, {word: token.text for word, token in masked.tags.items()})
    assert restored.replace('{{ "{" }}', "{") == text_of(tokens)


def test_a_brace_that_is_only_text_never_becomes_jinja() -> None:
    masked = mask(scan(original("{{ x }}"), Findings()))
    restored = restore("{{ 7 }} {" + masked.text, masked.word, dict.fromkeys(masked.tags, "{{ x }}"))
    assert Environment().from_string(restored).render(x="X") == "{{ 7 }} {X"


@pytest.mark.parametrize("text", ["a {{ x", "a {% if x", "a {# x", "a {% raw %} x", "a {{ (x }}", "a {{ x) }}"])
def test_a_tag_that_is_never_closed_is_reported_where_it_begins(text: str) -> None:
    findings = Findings()
    scan(original("first\n" + text), findings)
    assert [(p.code, p.line, p.column) for p in findings.problems] == [("NT105", 2, 3)]


def test_a_place_is_the_line_and_column_its_author_sees() -> None:
    token = scan(Original("x.md", "one\ntwo {{ three }}", first_line=5, first_column=10), Findings())[1]
    assert token.place() == ("x.md", 6, 5)
    assert Original("x.md", "abc", first_line=5, first_column=10).place(2) == ("x.md", 5, 12)
