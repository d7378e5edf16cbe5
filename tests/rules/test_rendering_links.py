"""Links: numbered once, led through our own address when tracked, and otherwise exactly as authored."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.rendering.links import is_harmless, is_web, number_links
from tests.emails.workspace import CONTEXT, compile_column, render_column, unhurried, urls

COUNTED = '<a href="https://a.example/one?x=1&amp;y=2">One</a> and <a href="http://b.example">Two</a>'
LEFT_ALONE = (
    '<a href="mailto:ana@reader.example">m</a><a href="tel:+441234">t</a><a href="#top">f</a><a href="/path">p</a>'
    '<a href="{{ leave_url }}">l</a><a href="{{ preferences_url }}">c</a><a href="{{ view_url }}?x=1">v</a>'
    "<a href=\"{{ wish_url('demonstration') }}\">w</a><a>none</a>"
)


def test_http_links_are_numbered_in_document_order_and_the_rest_is_left_alone() -> None:
    links = compile_column(f"<mj-text>{LEFT_ALONE}{COUNTED}</mj-text>").links
    assert [(link.number, link.label, link.destination, link.is_dynamic) for link in links] == [
        (0, "One", "https://a.example/one?x=1&y=2", False),
        (1, "Two", "http://b.example", False),
    ]


def test_without_tracking_every_href_is_as_authored_and_there_is_no_pixel() -> None:
    page = render_column(f"<mj-text>{COUNTED}</mj-text>", is_tracked=False).html
    assert COUNTED in page
    assert "<img" not in page


def test_with_tracking_only_counted_hrefs_differ_and_one_pixel_stands_at_the_very_end() -> None:
    mail = compile_column(f"<mj-text>{LEFT_ALONE}{COUNTED}</mj-text>")
    plain, tracked = (mail.render(CONTEXT, urls(is_tracked=is_tracked)).html for is_tracked in (False, True))
    pixel = '<img src="https://n.example/o/T.gif" width="1" height="1" alt="" style="display:block;border:0;">'
    assert tracked.endswith(pixel + "</body></html>")
    assert tracked.count("<img") == 1
    for number, href in enumerate(["https://a.example/one?x=1&amp;y=2", "http://b.example"]):
        tracked = tracked.replace(f'"https://n.example/c/T/{number}"', f'"{href}"')
    assert tracked.replace(pixel, "") == plain


def test_the_text_part_leads_the_same_way() -> None:
    mail = compile_column('<mj-text><a href="https://a.example/x?a=1&amp;b=2">Read it</a></mj-text>')
    assert mail.render(CONTEXT, urls(is_tracked=True)).text == "Read it: https://n.example/c/T/0\n"
    assert mail.render(CONTEXT, urls(is_tracked=False)).text == "Read it: https://a.example/x?a=1&b=2\n"


def test_a_destination_is_decoded_once() -> None:
    mail = compile_column('<mj-text><a href="https://a.example/?q=a&amp;amp;b">x</a></mj-text>')
    assert mail.destination(0, CONTEXT) == "https://a.example/?q=a&amp;b"


@pytest.mark.parametrize(
    ("href", "destination"),
    [
        ("https://a.example/?a=1&region=EU&copy=2&lt=3", "https://a.example/?a=1&region=EU&copy=2&lt=3"),
        ("https://a.example/?a=1&currency=EUR&amp;b=2", "https://a.example/?a=1&currency=EUR&b=2"),
        ("https://a.example/&copy;&#33;", "https://a.example/©!"),
        ("\n    https://a.example/x\n", "https://a.example/x"),
        (" https://a.example/my file.pdf ", "https://a.example/my%20file.pdf"),
        ("https://a.example/\n  ?a=1", "https://a.example/%20%20?a=1"),
        ("https://a.example/a\\b", "https://a.example/a\\b"),
    ],
)
def test_a_link_leads_where_a_browser_would_follow_it(href: str, destination: str) -> None:
    mail = compile_column(f'<mj-text><a href="{href}">x</a></mj-text>')
    assert mail.destination(0, CONTEXT) == destination
    plain = mail.render(CONTEXT, urls(is_tracked=False))
    assert plain.text == f"x: {destination}\n"


def test_the_fields_of_a_contact_stand_in_a_link_as_a_browser_would_follow_it() -> None:
    mail = compile_column('<mj-text><a href="{{ contact.site }}&region={{ contact.part }}">x</a></mj-text>')
    context = {"contact": {"site": " https://a.example/my file?b=1&copy=2", "part": "EU"}}
    assert mail.destination(0, context) == "https://a.example/my%20file?b=1&copy=2&region=EU"
    assert mail.render(context, urls(is_tracked=False)).text == (
        "x: https://a.example/my%20file?b=1&copy=2&region=EU\n"
    )


def test_a_link_may_lead_elsewhere_on_a_condition() -> None:
    mail = compile_column(
        '<mj-text><a href="{% if contact.is_german %}https://a.example/de{% else %}https://a.example/en{% endif %}">x</a>'
        "</mj-text>"
    )
    for is_german, path in ((True, "de"), (False, "en")):
        assert mail.destination(0, {"contact": {"is_german": is_german}}) == f"https://a.example/{path}"


def test_a_link_that_depends_on_the_contact_leads_where_it_led_that_contact() -> None:
    mail = compile_column(
        '<mj-text><a href="https://{{ contact.domain }}/?n={{ contact.name | urlencode }}&amp;x=1">y</a></mj-text>'
    )
    context = {"contact": {"domain": "lee.example", "name": "Ö & Co"}}
    assert mail.links[0].is_dynamic
    assert mail.links[0].destination == "https://{{ contact.domain }}/?n={{ contact.name | urlencode }}&x=1"
    assert mail.destination(0, context) == "https://lee.example/?n=%C3%96%20%26%20Co&x=1"
    plain = mail.render(context, urls(is_tracked=False))
    assert 'href="https://lee.example/?n=%C3%96%20%26%20Co&amp;x=1"' in plain.html
    assert plain.text == "y: https://lee.example/?n=%C3%96%20%26%20Co&x=1\n"
    assert 'href="https://n.example/c/T/0"' in mail.render(context, urls(is_tracked=True)).html


def test_each_turn_of_a_loop_has_a_link_number_of_its_own() -> None:
    mail = compile_column(
        '<mj-text><a href="https://first.example">f</a>'
        '{% for item in contact.items %}<a href="{{ item }}">i</a>{% endfor %}'
        '<a href="https://last.example">l</a></mj-text>'
    )
    context = {"contact": {"items": ["https://a.example", "https://b.example", "https://c.example"]}}
    rendered = mail.render(context, urls(is_tracked=True))
    numbers = [int(number) for number in re.findall(r"/c/T/(\d+)", rendered.html)]
    assert numbers == [0, 1, 4, 7, 2]
    assert [int(number) for number in re.findall(r"/c/T/(\d+)", rendered.text)] == numbers
    assert [mail.destination(number, context) for number in numbers] == [
        "https://first.example", "https://a.example", "https://b.example", "https://c.example", "https://last.example",
    ]  # fmt: skip
    assert [link.label for number in numbers if (link := mail.link(number))] == ["f", "i", "i", "i", "l"]
    assert mail.destination(10, context) is None
    assert mail.destination(3, context) is None  # the first link is in no loop
    assert mail.destination(-1, context) is None
    assert mail.link(-1) is None


@pytest.mark.parametrize(
    "value",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " java\tscript:alert(1)", "\x01javascript:x", "data:text/html,x",
     "vbscript:x", "file:///etc/passwd", "\u200bjavascript:alert(1)"],
)  # fmt: skip
@pytest.mark.parametrize("is_tracked", [True, False])
def test_an_address_from_a_contact_that_runs_code_leads_nowhere(value: str, is_tracked: bool) -> None:
    mail = compile_column('<mj-text><a href="{{ contact.site }}">x</a></mj-text>')
    rendered = mail.render({"contact": {"site": value}}, urls(is_tracked=is_tracked))
    assert re.findall(r'href="([^"]*)"', rendered.html) == ["#"]
    assert mail.destination(0, {"contact": {"site": value}}) is None


@pytest.mark.parametrize(
    "either",
    [
        "contact.site or view_url",
        "contact.site if contact.site else view_url",
        "contact.site | default(view_url, true)",
    ],
)
@pytest.mark.parametrize("is_tracked", [True, False])
def test_an_address_from_a_contact_is_no_own_one_because_another_stands_in_for_it(
    either: str, is_tracked: bool
) -> None:
    mail = compile_column(f'<mj-text><a href="{{{{ {either} }}}}">x</a></mj-text>')

    def led(site: str) -> list[str]:
        return re.findall(
            r'href="([^"]*)"', mail.render({**CONTEXT, "contact": {"site": site}}, urls(is_tracked=is_tracked)).html
        )

    assert led("javascript:alert(1)") == ["#"]
    assert led("https://lee.example/") == ["https://n.example/c/T/0" if is_tracked else "https://lee.example/"]
    [own] = led("")
    assert own.startswith("https://n.example/")
    assert "/c/" not in own


def test_an_own_address_stays_untouched_however_it_got_into_the_link() -> None:
    mail = compile_column(
        '<mj-text>{% set x = leave_url %}{% set w = wish_url("need") %}<a href="{{ x }}">l</a>'
        '<a href="{{ w }}">w</a></mj-text>'
    )
    rendered = mail.render(CONTEXT, urls(is_tracked=True))
    assert re.findall(r'href="([^"]*)"', rendered.html) == ["https://n.example/u/T", "https://n.example/wish/T/need"]


VML = (
    '<mj-raw><tr><td><!--[if mso]><v:roundrect href="{0}" style="height:44px;"><center>Go</center></v:roundrect>'
    '<![endif]--><!--[if !mso]><!--><a href="{0}">Go</a><!--<![endif]--></td></tr></mj-raw>'
)


@pytest.mark.parametrize("href", ["https://a.example/?a=1&amp;b=2", "https://{{ contact.domain }}/"])
def test_a_button_and_its_twin_for_outlook_share_their_number(href: str) -> None:
    mail = compile_column(f'<mj-text><a href="https://x.example">x</a></mj-text>{VML.format(href)}')
    assert [link.label for link in mail.links] == ["x", "Go"]
    context = {"contact": {"domain": "lee.example"}}
    page = mail.render(context, urls(is_tracked=True)).html
    assert re.findall(r'href="https://n.example/c/T/(\d)"', page) == ["0", "1", "1"]
    assert mail.destination(1, context) in {"https://a.example/?a=1&b=2", "https://lee.example/"}


def test_what_only_outlook_sees_has_a_number_too() -> None:
    document = '<!--[if mso]><v:rect href="https://o.example"></v:rect><![endif]--><a href="https://a.example">a</a>'
    spliced, numbered = number_links(document, is_web, lambda number, _: f"#{number}")
    assert spliced == document.replace("https://o.example", "#0").replace("https://a.example", "#1")
    assert [(number, href.is_vml, href.label) for number, href in numbered] == [(0, True, ""), (1, False, "a")]


def test_a_picture_is_called_by_what_it_shows() -> None:
    mail = compile_column('<mj-image href="https://a.example" src="https://a.example/i.png" alt="Our  plant" />')
    assert [link.label for link in mail.links] == ["Our plant"]


HREFS = st.lists(
    st.tuples(
        st.sampled_from(["https://a.example/x", "http://b.example/?a=1&amp;b=2", "mailto:a@b.example", "#x", "tel:1"]),
        st.text(alphabet="ab &<>é", max_size=5).map(html.escape),
    ),
    max_size=12,
)


@unhurried
@given(HREFS)
def test_as_many_links_are_tracked_as_are_counted(hrefs: list[tuple[str, str]]) -> None:
    body = "".join(f'<p><a href="{href}">{label}</a></p>' for href, label in hrefs)
    mail = compile_column(f"<mj-text>{body}</mj-text>")
    counted = [html.unescape(href) for href, _ in hrefs if href.startswith("http")]
    assert [link.destination for link in mail.links] == counted
    assert [mail.destination(number, {}) for number in range(len(counted))] == counted
    plain, tracked = (mail.render({}, urls(is_tracked=is_tracked)).html for is_tracked in (False, True))
    assert re.findall(r"/c/T/(\d+)", tracked) == [str(number) for number in range(len(counted))]
    assert re.findall(r'<a href="([^"]*)"', plain) == [href for href, _ in hrefs]


@unhurried
@given(st.text(), st.lists(st.text(max_size=5), max_size=3))
def test_nothing_but_hrefs_is_ever_spliced(document: str, parts: list[str]) -> None:
    """On any text at all, well formed or not."""
    mixed = (
        document.join(f'<a href="https://x.example/{i}">{html.escape(p)}</a>' for i, p in enumerate(parts)) + document
    )
    spliced, _ = number_links(mixed, is_web, lambda _, href: href.value)
    assert spliced == mixed


@pytest.mark.parametrize("address", ["https://x", "HTTP://x", " https://x"])
def test_a_web_address_is_one_a_browser_takes_for_one(address: str) -> None:
    assert is_web(address)
    assert is_harmless(address)
