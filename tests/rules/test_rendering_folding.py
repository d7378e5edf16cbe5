"""Names that only stand for a constant are written out; everything a contact could change is left to Jinja."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from nurture.rendering.folding import fold_constants
from nurture.rendering.scanning import Original, scan, text_of
from nurture.rendering.source import Findings
from tests.emails.workspace import unhurried


def folded(text: str) -> str:
    return text_of(fold_constants(scan(Original("x.mjml", text), Findings())))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{% set a = "#fff" %}<x c="{{ a }}">', '<x c="#fff">'),
        ("{% set a = 300 %}{{ a }}", "300"),
        ('{% set a = "R&D" %}{{ a }}', "R&amp;D"),
        ('{% with url = "https://x", n = 2 %}{{ url }}{{ n }}{% endwith %}', None),
        ('{% set a = "1" %}{{ a }}{% set a = "2" %}{{ a }}', "12"),
        ('{% set a = "1" %}{% if b %}{{ a }}{% endif %}', "{% if b %}1{% endif %}"),
        ('{% set a = "1" %}{% if b %}{% set a = "2" %}{% endif %}{{ a }}', "same"),
        ('{% set a = "1" %}{% for a in b %}{{ a }}{% endfor %}', "same"),
        ('{% set a = "1" %}{% macro m() %}{{ a }}{% endmacro %}', "same"),
        ('{% set a = "1" %}{{ a | upper }}', "same"),
        ("{% set a = contact.city %}{{ a }}", "same"),
        ("{% set a %}1{% endset %}{{ a }}", "same"),
        ("{% set a = true %}{{ a }}", "same"),
        ('{% set a = "1" %}{{- a -}}', "same"),
    ],
)
def test_a_constant_is_written_out_only_where_it_is_one(text: str, expected: str | None) -> None:
    wanted = '{% with url = "https://x", n = 2 %}https://x2{% endwith %}' if expected is None else expected
    assert folded(text) == (text if wanted == "same" else wanted)


LEAVES = st.sampled_from([
    '{% set a = "1" %}', '{% set b = "<2>" %}', "{% set a = v %}", "{{ a }}", "{{ b }}", "{{ a | upper }}", "x",
    "{% if m is defined %}{{ m() }}{% endif %}",
])  # fmt: skip
SHAPES = [
    "{{% if v %}}{}{{% else %}}{}{{% endif %}}",
    '{{% with a = "w" %}}{}{{% endwith %}}{}',
    "{{% for b in [1, 2] %}}{}{{% endfor %}}{}",
    "{{% macro m() %}}{}{{% endmacro %}}{}",
    "{{% set a %}}{}{{% endset %}}{}",
    "{{% filter lower %}}{}{{% endfilter %}}{}",
    "{}{}",
]
TEMPLATES = st.recursive(
    LEAVES,
    lambda inner: st.builds(lambda shape, first, second: shape.format(first, second), st.sampled_from(SHAPES), inner, inner),
    max_leaves=10,
)  # fmt: skip


@unhurried
@given(TEMPLATES, st.sampled_from(["", "v"]))
def test_a_folded_template_renders_what_it_did(text: str, value: str) -> None:
    """Over random nestings of set, with, if, for and macro: the folding may change nothing that anybody sees."""
    environment = Environment(autoescape=True)
    try:
        expected = environment.from_string(text).render(v=value)
    except RecursionError:  # a macro that calls itself
        return
    assert environment.from_string(folded(text)).render(v=value) == expected
