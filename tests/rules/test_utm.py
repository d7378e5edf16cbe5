"""What links tell a website about the mail they stood in."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.rendering.compiling import Urls, compile_mail
from nurture.rendering.source import MailSource
from nurture.rendering.utm import Tagging, Utm

OURS = "https://news.acme.example"
TAG = Tagging(Utm("nurture", "email"), "evaluators", "report", OURS)
ALL = "utm_source=nurture&utm_medium=email&utm_campaign=evaluators&utm_content=report-2"


@pytest.mark.parametrize(
    ("address", "tagged"),
    [
        ("https://acme.example", f"https://acme.example?{ALL}"),
        ("https://acme.example/p?", f"https://acme.example/p?{ALL}"),
        ("https://acme.example/p?q=1&r=2#part", f"https://acme.example/p?q=1&r=2&{ALL}#part"),
        ("https://acme.example/#/page?x", f"https://acme.example/?{ALL}#/page?x"),
        (
            "https://acme.example/?utm_source=crm&UTM_Content=hero",
            "https://acme.example/?utm_source=crm&UTM_Content=hero&utm_medium=email&utm_campaign=evaluators",
        ),
    ],
)
def test_what_is_missing_is_added_before_the_fragment(address: str, tagged: str) -> None:
    assert TAG(1, address) == tagged


@pytest.mark.parametrize(
    "address",
    [
        "mailto:ana@reader.example",
        "tel:+49301234",
        "#part",
        "https://[broken",
        *(f"{OURS}/{page}/token" for page in ("u", "preferences", "view", "meet", "wish", "c", "archive")),
    ],
)
def test_our_own_pages_and_what_is_no_web_address_stay_as_they_are(address: str) -> None:
    assert TAG(1, address) == address


def test_only_the_named_domains_and_what_is_below_them() -> None:
    tag = Tagging(Utm("nurture", "email", frozenset({"acme.example"})), "evaluators", "report", OURS)
    assert "utm_" in tag(0, "https://acme.example/")
    assert "utm_" in tag(0, "https://docs.acme.example/")
    assert tag(0, "https://notacme.example/") == "https://notacme.example/"


@given(st.text(max_size=40), st.text(alphabet="abc=&%#?/ü ", max_size=30))
def test_nothing_of_an_address_is_lost_and_nothing_is_added_twice(host: str, rest: str) -> None:
    address = f"https://a.example/{host}?{rest}"
    once = TAG(1, address)
    assert TAG(1, once) == once
    before, after = urlsplit(address.rstrip()), urlsplit(once.rstrip())
    assert (before.path, before.fragment) == (after.path, after.fragment)
    assert set(parse_qsl(before.query)) <= set(parse_qsl(after.query))


BODY = """<mjml><mj-body><mj-section><mj-column>
<mj-button href="https://acme.example/report?a=1">Read it</mj-button>
<mj-text>{% for one in contact.sites %}<a href="{{ one }}">Site</a> {% endfor %}
<a href="{{ leave_url }}">Leave</a> <a href="mailto:x@acme.example">Write</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"""
CONTEXT = {"contact": {"sites": ["https://one.example/", f"{OURS}/meet/abc", "https://two.example/#top"]}}


def urls(*, is_tracked: bool) -> Urls:
    def own(page: str) -> str:
        return f"{OURS}/{page}/t"

    return Urls(
        is_tracked, own("o"), lambda n: f"{OURS}/c/t/{n}", own("u"), own("preferences"), own("view"),
        lambda kind: f"{OURS}/wish/t/{kind}", TAG,
    )  # fmt: skip


def test_a_mail_without_tracking_carries_them_itself_in_both_parts() -> None:
    mail = compile_mail(MailSource("a test", "Hello", "", BODY))
    rendered = mail.render(CONTEXT, urls(is_tracked=False))
    first = "https://acme.example/report?a=1&utm_source=nurture&utm_medium=email&utm_campaign=evaluators&utm_content="
    assert f'href="{first}report-1"'.replace("&", "&amp;") in rendered.html
    assert f"{first}report-1" in rendered.text
    for part in (rendered.html.replace("&amp;", "&"), rendered.text):
        assert "https://one.example/?utm_source=nurture&" in part
        assert "utm_content=report-6#top" in part, "a link in a loop has a number for each turn"
        assert f"{OURS}/u/t" in part
        assert f"{OURS}/u/t?" not in part
        assert f"{OURS}/meet/abc?" not in part
    assert "mailto:x@acme.example" in rendered.html


def test_in_a_tracked_mail_only_our_own_address_stands() -> None:
    rendered = compile_mail(MailSource("a test", "Hello", "", BODY)).render(CONTEXT, urls(is_tracked=True))
    assert "utm_" not in rendered.html + rendered.text
