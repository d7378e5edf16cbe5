"""Layouts, blocks and parts become one text, as Jinja would have put them together, and no place is forgotten."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment

from nurture.rendering.flattening import flatten, read
from nurture.rendering.library import Library
from nurture.rendering.scanning import Original, scan, text_of
from nurture.rendering.source import Findings, TemplateProblem
from tests.emails.workspace import Mails, in_body, unhurried


@pytest.fixture
def mails(tmp_path: Path) -> Mails:
    return Mails(tmp_path)


def flat(mails: Mails, text: str) -> tuple[str, list[TemplateProblem]]:
    findings = Findings()
    template = read(scan(Original("templates/mail.mjml", text), findings), findings)
    return text_of(flatten(template, Library(mails.templates), findings).tokens), findings.problems


def test_a_block_of_the_mail_takes_the_place_of_the_layouts(mails: Mails) -> None:
    mails.write("layouts/a.mjml", "<a>{% block x %}default{% endblock %}|{% block y %}kept{% endblock y %}</a>")
    text, problems = flat(mails, '{% extends "layouts/a.mjml" %}{% block x %}mine{% endblock %}')
    assert (text, problems) == ("<a>mine|kept</a>", [])


def test_super_brings_in_what_the_layout_says_at_every_level(mails: Mails) -> None:
    mails.write("layouts/base.mjml", "{% block x %}1{% endblock %}")
    mails.write("layouts/middle.mjml", '{% extends "layouts/base.mjml" %}{% block x %}{{ super() }}2{% endblock %}')
    text, problems = flat(mails, '{% extends "layouts/middle.mjml" %}{% block x %}{{ super() }}3{% endblock %}')
    assert (text, problems) == ("123", [])


def test_a_part_may_include_another_and_keeps_its_own_blocks(mails: Mails) -> None:
    mails.write("parts/outer.mjml", '[{% include "parts/inner.mjml" %}]')
    mails.write("parts/inner.mjml", "{% block x %}inner{% endblock %}")
    mails.write("layouts/a.mjml", "{% block x %}{% endblock %}{% include 'parts/outer.mjml' with context %}")
    text, problems = flat(mails, '{% extends "layouts/a.mjml" %}{% block x %}mine{% endblock %}')
    assert (text, problems) == ("mine[inner]", [])


def test_a_minus_takes_the_space_along_where_the_tag_goes_away(mails: Mails) -> None:
    mails.write("parts/p.mjml", "p")
    text, _ = flat(mails, 'a \n {%- include "parts/p.mjml" -%} \n b {%- block x -%} c {%- endblock -%} d {#- e -#} f')
    assert text == "apbcdf"


def test_mjmls_own_include_starts_at_the_file_it_stands_in(mails: Mails) -> None:
    mails.write("parts/deep/a.mjml", '<x><mj-include path="./b.mjml" /></x>')
    mails.write("parts/deep/b.mjml", "b")
    mails.write("parts/deep/c.css", ".c{}")
    text, problems = flat(
        mails, '<mj-include path="parts/deep/a.mjml" /><mj-include path="./parts/deep/c.css" type="css"></mj-include>'
    )
    assert (text, problems) == ("<x>b</x><mj-style>.c{}</mj-style>", [])


def test_other_jinja_stays_for_the_render(mails: Mails) -> None:
    kept = "{% if a %}{{ b | upper }}{% endif %}{% for c in d %}{{ c }}{% endfor %}{% macro e() %}{% endmacro %}"
    assert flat(mails, kept) == (kept, [])


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("{{ v }}\n", "Hello {{ v }}, how"),
        ("{{ v }}\n\n", "Hello {{ v }}\n, how"),
        ("{{- v -}}\n", "Hello {{ v }}, how"),
        (
            " {#- who -#} {{- v }} {# this #}{%- if v -%} ! {%- endif -%} ",
            "Hello {{ v }} {% if v -%} ! {%- endif %}, how",
        ),
        ("{%- raw -%} {{ {%- endraw -%} ", "Hello {% raw -%} {{ {%- endraw %}, how"),
    ],
)
def test_a_part_goes_on_in_the_line_that_includes_it_and_takes_no_space_of_it(
    mails: Mails, part: str, expected: str
) -> None:
    """As in Jinja: the line end that every editor leaves is not printed, and a minus ends where its file does."""
    mails.write("parts/p.mjml", part)
    assert flat(mails, 'Hello {% include "parts/p.mjml" %}, how') == (expected, [])
    mails.write("parts/outer.mjml", '{% include "parts/p.mjml" %}\n')
    assert flat(mails, 'Hello {% include "parts/outer.mjml" %}, how') == (expected, [])


def test_a_minus_of_a_block_or_beside_mjmls_own_include_ends_there_too(mails: Mails) -> None:
    mails.write("parts/p.mjml", "{{- v -}}\n")
    assert flat(mails, '{{ v -}} {% block x %} {{- v -}} {% endblock %} <mj-include path="parts/p.mjml"/> ') == (
        "{{ v }}{{ v }} {{ v }} ",
        [],
    )


BODIES = st.lists(
    st.sampled_from([
        "t", " ", "\n", "{{ v }}", "{{- v }}", "{{ v -}}", "{% if v %}y{% endif %}", "{%- if v -%} y {%- endif -%}",
        "{{ super() }}", "{{- super() -}}", "{#- c #}", "{# c -#}", "{%- raw %} r {% endraw -%}",
    ]),
    max_size=4,
)  # fmt: skip
MINUSES = st.tuples(*[st.sampled_from(["", "-"])] * 4)


@unhurried
@given(st.lists(st.tuples(BODIES, BODIES), min_size=1, max_size=3), BODIES, MINUSES)
def test_jinja_would_have_rendered_the_same(
    mails: Mails, levels: list[tuple[list[str], list[str]]], part: list[str], minuses: tuple[str, ...]
) -> None:
    """Two blocks, one inside the other, over up to three layouts with a part, against Jinja's own inheritance."""
    files = {"parts/p.mjml": "".join(piece for piece in part if "super" not in piece)}
    base, *derived = levels
    outer, inner = ("".join(piece for piece in body if "super" not in piece) for body in base)
    a, b, c, d = minuses
    inside = f'{outer}{{%{a} block b {b}%}}{inner}{{%{b} endblock {c}%}}{{%{c} include "parts/p.mjml" {d}%}} {outer}'
    files["layouts/l0.mjml"] = f"<{{% block a %}}{inside}{{% endblock %}}>"
    for number, (first, second) in enumerate(derived, start=1):
        blocks = f"{{% block a {a}%}}{''.join(first)}{{%{d} endblock %}}{{% block b {b}%}}{''.join(second)}{{% endblock {c}%}}"
        files[f"layouts/l{number}.mjml"] = f'{{% extends "layouts/l{number - 1}.mjml" %}}{blocks}'
    for name, text in files.items():
        mails.write(name, text)
    mail = f'{{% extends "layouts/l{len(derived)}.mjml" %}}'
    expected = Environment(loader=DictLoader(files)).from_string(mail).render(v="V")
    text, problems = flat(mails, mail)
    assert problems == []
    assert Environment().from_string(text).render(v="V") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{% extends "layouts/leter.mjml" %}',
            (
                'NT101 templates/m.mjml:1:1: there is no "layouts/leter.mjml"; it should be templates/layouts/leter.mjml. '
                'Did you mean "layouts/letter.mjml"?'
            ),
        ),
        (
            in_body('<mj-text>{% include "../secret.mjml" %}</mj-text>'),
            'NT102 templates/m.mjml:1:48: "../secret.mjml" leads outside templates/; name a file inside it',
        ),
        (
            in_body('<mj-include path="/etc/passwd" />'),
            'NT102 templates/m.mjml:1:39: "/etc/passwd" leads outside templates/; name a file inside it',
        ),
        (
            '{% include "parts/self.mjml" %}',
            "NT103 templates/parts/self.mjml:2:2: templates/parts/self.mjml includes itself; break the circle",
        ),
        (
            '{% extends "layouts/round.mjml" %}',
            "NT103 templates/layouts/round.mjml:1:1: templates/layouts/round.mjml extends itself; break the circle",
        ),
        (
            "{% include name %}",
            (
                "NT104 templates/m.mjml:1:1: `{% include name %}` cannot be read when this is published; "
                'write the name in quotes, such as {% include "parts/footer.mjml" %}'
            ),
        ),
        (
            '{% extends "layouts/letter.mjml" %}{% block contnt %}{% endblock %}',
            (
                'NT106 templates/m.mjml:1:36: no layout has a block "contnt"; its layout has: content, footer, signature. '
                'Did you mean "content"?'
            ),
        ),
        (
            '{% extends "layouts/letter.mjml" %}\n\nlost',
            "NT107 templates/m.mjml:3:1: `lost` stands outside every block; put it into a block of the layout",
        ),
        (
            '{% extends "layouts/needy.mjml" %}',
            (
                'NT106 templates/layouts/needy.mjml:2:3: the layout needs a block "title"; '
                "write {% block title %} in the mail"
            ),
        ),
        (
            "{% block a %}{% endblock %}{% block a %}{% endblock %}",
            'NT106 templates/m.mjml:1:28: a block "a" is already written above; give it another name',
        ),
        (
            "{% block a %}{% endblock %}{% endblock %}",
            "NT105 templates/m.mjml:1:28: `endblock` closes nothing; remove it",
        ),
        ("{% block a %}", 'NT105 templates/m.mjml:1:1: block "a" is never closed; add {% endblock %}'),
        (
            in_body("<mj-text>{{ super() }}</mj-text>"),
            "NT106 templates/m.mjml:1:48: super() stands where no layout has a block; remove it",
        ),
        (
            '{% include "parts/wide.mjml" %}',
            (
                "NT108 templates/parts/widest.mjml:1:1: the mail passes 500,000 characters here; "
                "Gmail cuts off what passes 102 kB; include less"
            ),
        ),
    ],
)
def test_what_cannot_be_put_together_is_said(mails: Mails, text: str, expected: str) -> None:
    mails.write("parts/self.mjml", '\n {% include "parts/self.mjml" %}')
    mails.write("layouts/round.mjml", '{% extends "layouts/round.mjml" %}')
    mails.write("layouts/needy.mjml", "<mjml>\n  {% block title required %}{% endblock %}</mjml>")
    mails.write("parts/wide.mjml", '{% include "parts/wider.mjml" %}' * 20)
    mails.write("parts/wider.mjml", '{% include "parts/widest.mjml" %}' * 20)
    mails.write("parts/widest.mjml", "." * 2_000)
    assert mails.problems("m.mjml", text) == [expected]


def test_a_link_inside_templates_does_not_lead_outside(mails: Mails, tmp_path: Path) -> None:
    (tmp_path / "secret.mjml").write_text("secret")
    (mails.templates / "parts" / "link.mjml").symlink_to(tmp_path / "secret.mjml")
    assert mails.problems("m.mjml", '{% include "parts/link.mjml" %}') == [
        'NT102 templates/m.mjml:1:1: "parts/link.mjml" leads outside templates/; name a file inside it'
    ]


def test_a_mistake_in_a_part_is_reported_where_it_stands(mails: Mails) -> None:
    mails.write("parts/bad.mjml", "<mj-text>\n  fine\n</mj-text>\n<mj-image src='x.png' alt='' wdth='3px' />\n")
    assert mails.problems("m.mjml", in_body('\n\n{% include "parts/bad.mjml" %}')) == [
        'NT303 templates/parts/bad.mjml:4:30: <mj-image> has no attribute wdth; MJML drops it. Did you mean "width"?'
    ]


def test_a_question_becomes_its_part_and_is_known_by_name(mails: Mails) -> None:
    reading = mails.read("a.md", 'Hello,\n\n{{ question("timing", "size") }}\n\nGoodbye.\n', is_campaign=False)
    source = reading.get_source()
    assert source.questions == ("timing", "size")
    assert "{% if mail.question %}" in source.body
    assert reading.compiled is not None
    assert (reading.compiled.links, "answer_url" in reading.compiled.addresses) == ((), True)  # no click is counted


def test_a_question_may_stand_in_a_block_of_jinja_and_in_mjml(mails: Mails) -> None:
    asked = mails.read("a.md", 'Hi\n{% if contact.company %}\n{{ question("size") }}\n{% endif %}\n', is_campaign=False)
    assert asked.get_source().questions == ("size",)
    assert mails.read("first.md", '{{ question("size") }}\n', is_campaign=False).get_source().questions == ("size",)
    column = in_body('<mj-text>Hi</mj-text>{{ question("size") }}')
    assert mails.read("b.mjml", column, is_campaign=False).get_source().questions == ("size",)


@pytest.mark.parametrize("asked", ["question(timing)", 'question("a" ~ "b")', "question()", 'question(name="timing")'])
def test_a_question_that_is_not_named_in_quotes_is_told(mails: Mails, asked: str) -> None:
    (problem,) = mails.problems("a.md", f"Hello\n\n{{{{ {asked} }}}}\n")
    assert problem.startswith("NT207 ")
    assert "a.md:3:1: " in problem
