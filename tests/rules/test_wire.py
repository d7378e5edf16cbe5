"""What is written ahead says what the plain path says: sandboxed Jinja, then the standard library's EmailMessage."""

import email
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from markupsafe import escape

from nurture.delivery.kind import LETTERS, NOTICES
from nurture.delivery.offering import SAMPLE_MEETING
from nurture.delivery.printed_urls import make_urls
from nurture.errors import BadInput
from nurture.rendering.compiling import CompiledMail, RenderedMail, Urls
from nurture.rendering.explaining import explain, read_folder
from nurture.rendering.message import Headers, Letterhead, Wire
from nurture.rendering.source import RenderError, TemplateError
from nurture.rendering.tidying import NotAhead
from nurture.rendering.wire import compile_wire
from nurture.tokens import TokenKeys
from tests.emails.workspace import CONTEXT, STARTER, Mails, compile_column, in_body, unhurried, urls

KEYS = TokenKeys(["a secret for tests"])
DATE = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
HEADERS = Headers(
    Letterhead("Bob Ray", "bob@sender.example", DATE),
    to_name="Ana",
    to_email="ana@reader.example",
    message_id="<1.abc@sender.example>",
)


def real(base_url: str = "https://n.example", delivery: int = 7, *, is_tracked: bool = True) -> Urls:
    """Addresses as deliveries have them, which say themselves how they stand in a body."""
    return make_urls(KEYS, base_url, delivery, "0123456789abcdef" * 2, is_tracked=is_tracked)


def parsed(content: bytes) -> tuple[str, str, str]:
    """Subject, HTML and text as a mail program reads them."""
    message = email.message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    assert not [defect for part in message.walk() for defect in part.defects]
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html
    assert text
    line_ends = {"\r\n": "\n", "\r": "\n"}
    contents = [part.get_content() for part in (html, text)]
    for old, new in line_ends.items():
        contents = [content.replace(old, new) for content in contents]
    return " ".join(str(message["Subject"]).split()), contents[0].rstrip("\n"), contents[1].rstrip("\n")


def by_the_standard_library(rendered: RenderedMail) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{HEADERS.letterhead.from_name} <{HEADERS.letterhead.from_email}>"
    message["To"] = f"{HEADERS.to_name} <{HEADERS.to_email}>"
    message["Subject"] = rendered.subject
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    return message.as_bytes()


def check_lines(wire: Wire) -> None:
    """What SMTP and DKIM may take for granted."""
    assert wire.head.endswith(b"\r\n")
    assert b"\r\n\r\n" not in wire.head
    for line in wire.head.split(b"\r\n"):
        assert not line.startswith(b".")
        assert b"\r" not in line
        assert b"\n" not in line
    assert wire.body.endswith(b"\r\n")
    assert wire.size == len(wire.body)
    assert wire.body.isascii()
    for line in wire.body.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))
        assert b"\r" not in line
        assert b"\n" not in line


def same(mail: CompiledMail, context: Mapping[str, Any], given_: Urls) -> None:
    """Hold the fast path to the plain one, errors included."""
    wired = compile_wire(mail)
    try:
        rendered = mail.render(context, given_)
    except RenderError as error:
        with pytest.raises(RenderError) as told:
            wired.write(context, given_, HEADERS)
        assert str(told.value) == str(error)
        return
    wire = wired.write(context, given_, HEADERS)
    check_lines(wire)
    _, html, text = parsed(by_the_standard_library(rendered))
    # The subject as it was rendered: the standard library loses characters when it folds one with rare spaces.
    assert parsed(wire.content) == (" ".join(rendered.subject.split()), html, text)
    assert wire == wired.write(context, given_, HEADERS)


FIELDS = ("a", "b", "c")
VALUES = st.one_of(
    st.none(),
    st.integers(-5, 10**6),
    st.booleans(),
    st.floats(-1, 1),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    st.sampled_from([
        "", " ", "\n", "Ana", " Ana", "Ana ", "Zoë", "Владимир Ильич Преображенский-Александровский", "😀" * 40, "x" * 500,
        ".", ".hidden", "From here", "From", "a\nb", "a\n\n\n\nb", "a  \nb", "a\r\nb", "\r", "a\r", "<b>&amp;\"'", "=3D", "\xa0x",
        "x\xa0", "\u2028", "\x0b", "\tx\t", "a=b", "{{ x }}", "--=_", "https://l.example/?a=1&b=2", "javascript:alert(1)",
    ]),
)  # fmt: skip
EXPRESSIONS = st.sampled_from([
    "contact.a", "contact.b", "contact['c']", "contact.a | fallback('Ä <there>')", "contact.b | fallback('')",
    "contact.a or 'no'", "contact.a | upper", "contact.b | default('d', true) | replace('a', '<i>')",
    "contact.a ~ '-' ~ mail.number", "mail.number + 1", "'fixed <&> é'", "contact.a if contact.b else 'else'",
    "' ' ~ contact.a if contact.a", "owner.signature | line_breaks", "contact.c | fallback('x') | trim | title",
    "['p', 'q'] | join(', ')", "mail.items[0].name", "mail.reason", "contact[mail.which]", "leave_url",
    "contact.missing | default('m')", "wish_url('need')", "mail.items | map(attribute='name') | join('; ')", "contact.a | e", "7 // 2", "mail.title[:3]",
])  # fmt: skip
PIECES = st.one_of(
    EXPRESSIONS.map(lambda one: f"{{{{ {one} }}}}"),
    st.sampled_from([
        "word", " ", "  ", "\n", ".", "From ", "é", "=", "&amp;", "&lt;", "x" * 90, "<br />", "\u2003", "…", "two words",
        "{# note #}", "{% raw %}{{ raw }}{% endraw %}",
    ]),
)  # fmt: skip


def around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Everything a template may put around something else."""
    texts = st.lists(inner, min_size=1, max_size=3).map("".join)
    return st.one_of(
        texts,
        texts.map("<b>{}</b>".format),
        texts.map("<p>{}</p>".format),
        st.tuples(EXPRESSIONS, texts).map(lambda t: f"{{% if ({t[0]}) %}}{t[1]}{{% endif %}}"),
        st.tuples(EXPRESSIONS, texts, texts).map(
            lambda t: f"{{%- if ({t[0]}) %}}{t[1]}{{% else -%}}{t[2]}{{% endif %}}"
        ),
        st.tuples(EXPRESSIONS, texts, texts, texts).map(
            lambda t: f"{{% if contact.a %}}{t[1]}{{% elif ({t[0]}) %}}{t[2]}{{% else %}}{t[3]}{{% endif %}}"
        ),
        texts.map("{{% for x in range(3) %}}{{{{ x }}}}{}{{% endfor %}}".format),
        texts.map("{{% for x in mail.items %}}{{{{ x.name }}}}{{{{ loop.index }}}}{}{{% endfor %}}".format),
        texts.map("{{% for x in mail.items if contact.a %}}{}{{% else %}}none{{% endfor %}}".format),
        texts.map("{{% set kept %}}{}{{% endset %}}{{{{ kept }}}}|{{{{ kept }}}}".format),
        texts.map("{{% filter upper %}}{}{{% endfilter %}}".format),
        texts.map("{{% with y = contact.a %}}{}{{{{ y }}}}{{% endwith %}}".format),
        texts.map("{{% set z = contact.b %}}{}{{{{ z }}}}".format),
        texts.map(
            "{{% macro m(v, w='w') %}}{}{{{{ v }}}}{{{{ w }}}}{{% endmacro %}}{{{{ m('1') }}}}{{{{ m(contact.a) }}}}".format
        ),
        texts.map("{{% macro box() %}}[{{{{ caller() }}}}]{{% endmacro %}}{{% call box() %}}{}{{% endcall %}}".format),
        texts.map("{{% set ns = namespace(n=1) %}}{}{{% set ns.n = ns.n + 1 %}}{{{{ ns.n }}}}".format),
    )


INLINE = st.recursive(PIECES, around, max_leaves=8)
ELEMENTS = st.one_of(
    INLINE.map("<mj-text>{}</mj-text>".format),
    st.tuples(EXPRESSIONS, INLINE).map(lambda t: f"{{% if ({t[0]}) %}}<mj-text>{t[1]}</mj-text>{{% endif %}}"),
    INLINE.map("{{% for y in [1, 2] %}}<mj-text>{}</mj-text>{{% endfor %}}".format),
    st.tuples(EXPRESSIONS, INLINE).map(
        lambda t: f'<mj-button href="https://b.example/{{{{ {t[0]} }}}}">{t[1]}</mj-button>'
    ),
    EXPRESSIONS.map(lambda e: f'<mj-text><a href="{{{{ {e} }}}}">led</a></mj-text>'),
    st.just('<mj-button href="https://s.example/?a=1&amp;b=2">static</mj-button>'),
    st.just('<mj-text>see <a href="https://s.example/ä">there</a> · <a href="{{ leave_url }}">leave</a></mj-text>'),
)
SUBJECTS = st.lists(PIECES.filter(lambda piece: "<" not in piece), max_size=3).map(lambda parts: "s" + "".join(parts))


def context_of(values: Mapping[str, Any]) -> dict[str, Any]:
    mail = {**CONTEXT["mail"], "items": [{"name": values.get("b") or "é"}, {"name": "two"}], "which": "a"}
    return {**CONTEXT, "mail": mail, "contact": {"a": "Ana", "b": "Bö", "c": "C"} | dict(values)}


@pytest.fixture
def mails(tmp_path: Path) -> Mails:
    return Mails(tmp_path)


@unhurried
@given(
    st.lists(ELEMENTS, min_size=1, max_size=4).map("\n".join),
    SUBJECTS,
    st.dictionaries(st.sampled_from(FIELDS), VALUES),
    st.sampled_from([urls(), real(), urls(is_tracked=False)]),
)
def test_what_is_written_ahead_reads_as_the_plain_path_has_it(
    elements: str, subject: str, values: dict[str, Any], given_: Urls
) -> None:
    try:
        mail = compile_column(elements, subject=subject, preheader="{{ contact.b | fallback('p') }} é")
    except TemplateError:
        reject()  # such as a macro that stands in an attribute
    assert not compile_wire(mail).why_plain or "white space" in compile_wire(mail).why_plain
    same(mail, context_of(values), given_)


SAMPLES: Mapping[str, Mapping[str, Any]] = {**NOTICES, **LETTERS}


def mails_of_the_starter() -> list[tuple[str, CompiledMail]]:
    readings = [*read_folder(STARTER, STARTER), *read_folder(STARTER, STARTER.parent / "campaigns" / "newsletters")]
    return [(path.stem, reading.compiled) for path, reading in readings if reading.compiled]


@pytest.mark.parametrize(("name", "mail"), mails_of_the_starter())
def test_every_mail_of_the_starter_is_written_ahead_as_a_whole(name: str, mail: CompiledMail) -> None:
    wire = compile_wire(mail)
    assert (wire.why_plain, wire.regions) == ("", ())
    assert wire.share > 0.9
    context: dict[str, dict[str, Any]] = {root: dict(CONTEXT[root]) for root in CONTEXT}
    for use in mail.uses:
        root, _, field = use.partition(".")
        context[root].setdefault(field, f"{name} Ü & {field}")
    context["mail"] |= {"meeting": SAMPLE_MEETING, "topics": ["One", "Zwö"], **SAMPLES.get(name.partition(".")[0], {})}
    for given_ in (real(), urls(is_tracked=False)):
        written = wire.write_ahead(context, given_, HEADERS)
        assert parsed(written.content) == parsed(by_the_standard_library(mail.render(context, given_)))


def test_what_a_layout_and_its_parts_say_is_written_ahead(mails: Mails) -> None:
    mails.write("parts/greeting.mjml", "<mj-text>Dear {{ who }} of {{ contact.company }}</mj-text>")
    text = (
        '---\nsubject: "{{ contact.first_name }}"\n---\n{% extends "layouts/letter.mjml" %}{% block content %}'
        '{% set who = contact.first_name %}{% include "parts/greeting.mjml" %}{{ super() }}'
        "{% for x in [1, 2] %}<mj-text>{{ x }}: {{ owner.name }}</mj-text>{% endfor %}{% endblock %}"
    )
    mail = mails.compile("a.mjml", text, subject=None)
    assert compile_wire(mail).regions == ()
    compile_wire(mail).write_ahead(CONTEXT, real(), HEADERS)
    same(mail, CONTEXT, real())


def test_what_jinja_renders_for_each_reader_is_named_with_its_place(mails: Mails) -> None:
    """Region by region: the rest of the mail is written ahead all the same."""
    text = in_body(
        "<mj-text>\n{% macro box(v) %}[{{ v }}{{ caller() }}]{% endmacro %}\n"
        "{% call box(1) %}{{ contact.first_name }}{% endcall %}\n"
        "{% filter upper %}{{ contact.company }}{% endfilter %}\n"
        "{% set kept %}{{ contact.city | fallback('Ulm') }}{% endset %}{{ kept }} and {{ kept }}</mj-text>"
    )
    mail = mails.compile("a.mjml", text)
    explained = explain(mail)
    assert [(region.place, region.tag) for region in explained.regions] == [
        (("templates/a.mjml", 2, 1), "{% macro box(v) %}"),
        (("templates/a.mjml", 3, 1), "{% call box(1) %}"),
        (("templates/a.mjml", 4, 1), "{% filter upper %}"),
        (("templates/a.mjml", 5, 1), "{% set kept %}"),
    ]
    assert explained.why_plain == ""
    compile_wire(mail).write_ahead(CONTEXT, real(), HEADERS)
    same(mail, CONTEXT, real())


def test_a_text_whose_lines_depend_on_too_much_takes_the_plain_way_and_says_so() -> None:
    """Blanks that add up over a loop: nobody knows ahead how many there are when a line ends."""
    mail = compile_column(
        "<mj-text>a{% for x in mail.items %}{% if contact.b == 'x' %}b{% endif %} {% endfor %}<br />c</mj-text>"
    )
    assert compile_wire(mail).why_plain == "its white space depends on too much"
    same(mail, context_of({}), urls())


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ contact.a }}", "half a line end\r"),
        ("<p>{{ contact.a }}</p>", ""),
        ("<p>{{ contact.a }}</p><p>behind</p>", "\n\n"),
        ("{{ contact.a }}", "x" * 300_000),
        ("{% for x in mail.items %}{{ contact.a }}{% endfor %}", "x" * 700_000),
    ],
)
def test_a_value_that_nobody_thought_of_goes_the_plain_way(template: str, value: str) -> None:
    mail = compile_column(f"<mj-text>{template}</mj-text>")
    with pytest.raises(NotAhead):
        compile_wire(mail).write_ahead(context_of({"a": value}), urls(), HEADERS)
    same(mail, context_of({"a": value}), urls())


@pytest.mark.parametrize(
    "template",
    [
        "{{ contact.a }}",  # which this contact has not got
        "{{ contact.nothing }}",
        "{{ contact }}",
        "{{ contact.b[mail.which ~ 'x'].y }}",
        "{{ contact.b.format(1) }}",
        "{{ mail.items }}",
        "{{ contact.b | fallback('x', instead='y') }}",
        "{{ 1 / 0 }}",
        "{% for x in range(5000) %}{% endfor %}",
        "{% for x in range(1000) %}{% for y in range(1000) %}{{ y }}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{{ n }}{{ m(n + 1) if n < 90 else '' }}{{ m(n + 1) if n < 90 else '' }}{% endmacro %}{{ m(1) }}",
        "{{ 'a' * 1000000 }}",
    ],
)
def test_what_no_template_may_do_fails_as_it_does_on_the_plain_way(template: str) -> None:
    mail = compile_column(f"<mj-text>{template}</mj-text>")
    with pytest.raises(RenderError):
        compile_wire(mail).write(context_of({"a": None}), urls(), HEADERS)
    same(mail, context_of({"a": None}), urls())


def test_a_subject_that_is_empty_for_somebody_is_refused() -> None:
    mail = compile_column("<mj-text>a</mj-text>", subject="{{ contact.a }}")
    with pytest.raises(RenderError, match="the subject is empty for this contact"):
        compile_wire(mail).write(context_of({"a": " "}), urls(), HEADERS)


def test_headers_no_message_may_have_are_refused_here_as_well() -> None:
    wire = compile_wire(compile_column("<mj-text>a</mj-text>"))
    with pytest.raises(BadInput, match="is no address a message can carry"):
        wire.write(CONTEXT, urls(), HEADERS._replace(to_email="ana"))


def test_a_test_is_marked_in_its_subject() -> None:
    wire = compile_wire(compile_column("<mj-text>a</mj-text>", subject="Hello {{ contact.first_name }}"))
    marked = Letterhead("Bob Ray", "bob@sender.example", DATE, mark="[Test] ")
    written = wire.write(CONTEXT, urls(), HEADERS._replace(letterhead=marked))
    assert parsed(written.content)[0] == "[Test] Hello Ana"


def test_a_version_has_one_boundary_and_another_version_another() -> None:
    one, two = (compile_wire(compile_column(f"<mj-text>{text}</mj-text>")) for text in ("a", "b"))
    again = compile_wire(compile_column("<mj-text>a</mj-text>"))
    assert one.boundary == again.boundary != two.boundary
    assert one.write(CONTEXT, urls(), HEADERS) == again.write(CONTEXT, urls(), HEADERS)


def test_a_mail_is_compiled_once() -> None:
    mail = compile_column("<mj-text>a</mj-text>")
    assert compile_wire(mail) is compile_wire(mail)


def test_links_are_counted_alike_in_loops_and_out_of_them() -> None:
    """A link on its turn in a loop has a number of its own, on either way."""
    mail = compile_column(
        '{% for x in [1, 2] %}<mj-text><a href="https://l.example/{{ x }}/{{ contact.a }}">go</a></mj-text>{% endfor %}'
        '<mj-text><a href="https://s.example/">still</a></mj-text>'
    )
    written = compile_wire(mail).write_ahead(context_of({}), real(), HEADERS)
    _, html, text = parsed(written.content)
    for part in (html, text):
        assert [part.count(real().click(number)) for number in range(3)] == [1, 1, 1]
    same(mail, context_of({}), real())


BASES = st.one_of(
    st.sampled_from([
        "https://n.example", "https://n.example/", "http://127.0.0.1:8000", "https://n.example/a&b/'c'", "https://bücher.example",
        "https://n.example/a=b",
    ]),
    st.integers(1, 90).map(lambda length: f"https://{'n' * length}.example"),
    st.integers(1, 90).map(lambda length: f"https://n.example/{'.' * length}"),
)  # fmt: skip


@unhurried
@given(BASES, st.integers(0, 2**63 - 1), st.booleans())
def test_addresses_stand_in_a_mail_as_they_are_wherever_our_pages_are(
    base: str, delivery: int, is_tracked: bool
) -> None:
    mail = compile_column(
        '<mj-text>{{ leave_url }} · <a href="{{ view_url }}">view</a>{{ preferences_url }}</mj-text>'
        + "".join(f'<mj-button href="https://s.example/{number}">go</mj-button>' for number in range(12))
    )
    given_ = real(base, delivery, is_tracked=is_tracked)
    _, page, text = parsed(compile_wire(mail).write_ahead(CONTEXT, given_, HEADERS).content)
    for address in (given_.leave, given_.preferences, given_.view):
        assert escape(address) in page
        assert address in text
    counted = [escape(given_.click(number)) for number in range(12)]
    assert [f'"{one}"' in page for one in (*counted, escape(given_.open))] == [is_tracked] * 13
    same(mail, CONTEXT, given_)


@pytest.mark.parametrize("value", ["Ana", ""])
@pytest.mark.parametrize(
    "inside",
    [
        "{% if contact.a %}Hi {{ contact.b }}, {% endif %}we wrote<br />and {{ contact.b }}",
        "one{% if contact.a %}<br /><br /><br />{% else %} {% endif %}<br />two",
        "one {% if contact.a %}{{ contact.b }}<br />{% elif contact.b %}<br /> {% endif %}{{ contact.b }}",
        "{% for x in mail.items %}{% if contact.a %}<br />{{ x.name }}{% endif %}-{% endfor %}<br />behind",
        "{% if contact.a %}<br />{% endif %}{% for x in mail.items if contact.a %} {{ x.name }}{% else %}<br />{% endfor %}<br />x",
    ],
)
def test_white_space_that_a_branch_leaves_is_tidied_for_each_reader(inside: str, value: str) -> None:
    """Where the way through a template decides how many lines end, the program keeps the place."""
    mail = compile_column(f"<mj-text>before</mj-text><mj-text>{inside}</mj-text><mj-text>end</mj-text>")
    compile_wire(mail).write_ahead(context_of({"a": value}), real(), HEADERS)
    same(mail, context_of({"a": value}), real())
