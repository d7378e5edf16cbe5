"""A template can neither reach code nor run for long, and what a contact typed is never more than text."""

import html
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import NurtureError
from nurture.rendering.compiling import compile_mail
from nurture.rendering.environment import text_environment
from nurture.rendering.source import MailSource, RenderError, TemplateError
from tests.emails.workspace import CONTEXT, compile_column, in_body, render_column, unhurried, urls

DOUBLING = "{{% set n = namespace(x='a') %}}{{% for i in range(100) %}}{{% set n.x = {} %}}{{% endfor %}}{{{{ n.x }}}}"

HOSTILE = [
    # out of the sandbox
    "{{ ''.__class__.__mro__ }}",
    "{{ ''['__class__'] }}",
    "{{ contact.__init__ }}",
    "{{ contact | attr('__class__') }}",
    "{{ range.__class__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ lipsum.__globals__ }}",
    "{{ wish_url.address }}",
    "{% for x in [1] %}{{ loop._iterable }}{% endfor %}",
    "{{ ''.format(1) }}",
    "{{ 'x'.join([1]) }}",
    "{{ {}.update({}) }}",
    "{{ [].append(1) }}",
    "{{ '<b>' | safe }}",
    "{% autoescape false %}{{ contact.company }}{% endautoescape %}",
    "{{ _budget }}",
    "{{ _clicks }}",
    "{{ 1 | _counted(1) }}",
    "{% include contact.company %}",
    "{% import '/etc/passwd' as x %}",
    "{{ contact }}",
    "{{ range }}",
    # out of memory or time
    "{% for x in range(10**9) %}{% endfor %}",
    "{% for x in range(1001) %}{% endfor %}",
    "{{ 'a' * 10**9 }}",
    "{{ 'a' * 1000000000 }}",
    "{{ [1] * 1000000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 999999999 * 999999999 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ 'a'.center(1000000000) }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ 'a' | indent(1000000000) }}",
    DOUBLING.format("n.x ~ n.x"),
    DOUBLING.format("n.x + n.x"),
    DOUBLING.format("n.x | replace('a', 'aaaaaaaaaa')"),
    DOUBLING.format("[n.x, n.x] | join"),
    "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% set x %}{% for a in range(999) %}{% for b in range(999) %}"
    + "long " * 50
    + "{% endfor %}{% endfor %}{% endset %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
    "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "{% macro m(n) %}{% if n and m(n - 1) and m(n - 1) %}{% endif %}x{% endmacro %}{{ m(40) }}",
    "{% set b = '" + "a" * 90_000 + "' %}{% for i in range(1000) %}{{ b | upper | truncate(5) }}{% endfor %}",
    "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "{% if 1 %}" * 500 + "{% endif %}" * 500,
    "{% for x in [1] %}" * 30 + "{% endfor %}" * 30,
]


@pytest.mark.timeout(10)  # each is refused well within a second; unbounded, most would never end
@pytest.mark.parametrize("text", HOSTILE, ids=[text[:50] for text in HOSTILE])
def test_what_reaches_for_code_or_runs_away_is_refused_at_once(text: str) -> None:
    with pytest.raises((TemplateError, RenderError)):
        render_column(f"<mj-text>{text}</mj-text>")
    with pytest.raises((TemplateError, RenderError)):
        compile_mail(MailSource("templates/x.mjml", text, "", in_body("<mj-text>a</mj-text>"))).render(CONTEXT, urls())


USEFUL = [
    ("{% for x in range(1000) %}{% if loop.last %}{{ x }}{% endif %}{% endfor %}", "999"),
    ("{% for x in ['a', 'b'] %}{{ loop.index }}{{ x }}{{ loop.cycle('-', '.') }}{% endfor %}", "1a-2b."),
    ("{{ contact.company | upper | replace('&', 'and') }}", "LEE and SONS"),
    ("{{ contact.city or 'nowhere' }}", "nowhere"),
    ("{{ contact.city | fallback('nowhere') }}", "nowhere"),
    ("{{ contact.city | default('nowhere') }}", "nowhere"),
    ("{{ '  ' | fallback('blank') }}", "blank"),
    ("{{ 2 * 3 + 7 // 2 - 9 % 4 }}", "8"),
    ("{{ mail.title ~ ' ' ~ mail.number }}", "The Uptime Letter 12"),
    ("{{ 'a,b'.split(',') | join(' + ') }}", "a + b"),
    ("{% macro m(x) %}<i>{{ x }}</i>{% endmacro %}{{ m('A') }}", "A"),
    ("{% set n = namespace(c=0) %}{% for x in [1, 2] %}{% set n.c = n.c + x %}{% endfor %}{{ n.c }}", "3"),
    ("{{ {'a': 1}.get('a') }}", "1"),
]


@pytest.mark.parametrize(("text", "expected"), USEFUL)
def test_what_a_mail_needs_of_jinja_works(text: str, expected: str) -> None:
    assert render_column(f"<mj-text>{text}</mj-text>").text.strip() == expected


EVIL = st.one_of(
    st.text(),
    st.sampled_from([
        "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='x", "--><script>", "</style><script>",
        "{{ 7 * 7 }}", "{% raw %}", "{# #}", "{{ contact.email }}", "A\r\nBcc: evil@x.example", "A\nSubject: b", "\x00",
        "javascript:alert(1)", "&lt;b&gt;", "]]>", "jJ00000Jj",
    ]),
)  # fmt: skip
EVERYWHERE = (
    '<mj-text css-class="{{ contact.a }}">{{ contact.a }}<b title="{{ contact.a }}">b</b>'
    '<a href="https://x.example/?q={{ contact.a }}">{{ contact.a }}</a></mj-text>'
    "<mj-raw><!--[if mso]>{{ contact.a }}<![endif]--><style>/* {{ contact.a }} */</style></mj-raw>"
    '<mj-image src="{{ contact.a }}" alt="{{ contact.a }}" href="{{ contact.a }}" />'
)
MAIL = compile_column(EVERYWHERE, subject="Hi {{ contact.a }}", preheader="{{ contact.a }} preheader")


def skeleton(page: str) -> list[str]:
    """The tags of a page without what stands in their attributes."""
    return re.findall(r"</?[a-z]+\b|<!--|-->", page)


@unhurried
@given(EVIL)
def test_nothing_a_contact_typed_becomes_markup_or_a_template(value: str) -> None:
    harmless = MAIL.render({"contact": {"a": "harmless"}}, urls())
    rendered = MAIL.render({"contact": {"a": value}}, urls())
    assert skeleton(rendered.html) == skeleton(harmless.html)
    assert rendered.html.count('"') == harmless.html.count('"')
    assert (rendered.text.count("49") > 0) == ("49" in value)


@unhurried
@given(EVIL)
def test_a_subject_stays_on_its_line_whatever_a_contact_typed(value: str) -> None:
    subject = MAIL.render({"contact": {"a": value}}, urls()).subject
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", subject)
    assert subject.startswith("Hi")


@pytest.mark.parametrize(
    ("text", "context", "expected"),
    [
        (
            "{{ contact.first_name }}",
            {"contact": {"first_name": None}},
            (
                "templates/x.mjml: contact.first_name is empty for this contact; "
                'write {{ contact.first_name | fallback("…") }}.'
            ),
        ),
        (
            "{{ contact.frist_name }}",
            {"contact": {"first_name": "Ana"}},
            'templates/x.mjml: contact has no field "frist_name". Did you mean "first_name"?',
        ),
        (
            "{{ contact.score / 0 }}",
            {"contact": {"score": 1}},
            "templates/x.mjml: the template fails for this contact (ZeroDivisionError: division by zero); mend it.",
        ),
        (
            "{{ contact.first_name.center(90) }}",
            {"contact": {"first_name": "Ana"}},
            "templates/x.mjml: access to attribute 'center' of 'str' object is unsafe; mend the template.",
        ),
    ],
)
def test_what_fails_for_one_contact_says_why(text: str, context: dict[str, Any], expected: str) -> None:
    with pytest.raises(RenderError) as told:
        render_column(f"<mj-text>{text}</mj-text>", context)
    assert str(told.value) == expected
    assert isinstance(told.value, NurtureError)


def test_a_subject_that_comes_out_empty_is_no_subject() -> None:
    with pytest.raises(RenderError, match="the subject is empty for this contact"):
        render_column("<mj-text>a</mj-text>", subject="{{ contact.city or '' }}")


def test_the_html_is_escaped_and_the_text_is_not() -> None:
    rendered = render_column("<mj-text>{{ contact.company }}</mj-text>", subject="{{ contact.company }}")
    assert html.escape("Lee & Sons") in rendered.html
    assert (rendered.text, rendered.subject) == ("Lee & Sons\n", "Lee & Sons")


def test_every_filter_that_is_offered_can_be_used() -> None:
    environment = text_environment()
    offered = [name for name in environment.filters if not name.startswith("_")]
    arguments = {"join": "('-')", "replace": "('a', 'b')", "fallback": "('x')", "default": "('x')", "d": "('x')",
                 "map": "('upper') | list", "select": "('string') | list", "reject": "('string') | list"}  # fmt: skip
    awkward = {"items", "dictsort", "sum", "abs", "round", "selectattr", "rejectattr"}
    for name in offered:
        if name not in awkward:
            environment.prepare(f"{{% set x = 'abc' | {name}{arguments.get(name, '')} %}}").render()
