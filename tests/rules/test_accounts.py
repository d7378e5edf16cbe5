"""Companies by domain, what is unknown about them, links that are only shown, touches that keep sequences quiet."""

from datetime import UTC, datetime, timedelta

import pytest

from nurture.contacts.companies import company_of, is_company
from nurture.contacts.history.rules import as_text
from nurture.contacts.links import read_kind, read_link
from nurture.errors import BadInput, NotAllowed
from nurture.handoff.accounts.rules import Known, contact_task, decides, refuse_surplus, unknown_about
from nurture.tracking.touches import rules as touches
from nurture.tracking.touches.rules import TouchKind, quiet_until

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("domain", "company"),
    [
        ("Reader.Example.", "reader.example"),
        ("gmail.com", None),
        ("yahoo.co.uk", None),
        ("t-online.de", None),
        ("mailinator.com", None),
        ("", None),
    ],
)
def test_where_anybody_may_have_an_address_is_no_company(domain: str, company: str | None) -> None:
    assert company_of(domain) == company
    assert is_company(domain) is (company is not None)


def known(**about: object) -> Known:
    settled = {
        "name": "Ana", "job_title": "Head of Production", "country": "DE", "has_owner": True, "is_mailable": True,
        "has_acted": True, "was_touched": False,
    }  # fmt: skip
    return Known(**{**settled, **about})  # type: ignore[arg-type]  # the table above types each


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ([], ["anybody who works there"]),
        ([known()], []),
        (
            [known(job_title=None)],
            ["who decides: nobody known there has a title that says so", "what 1 of 1 people do there"],
        ),
        ([known(country=None)], ["which country they are in, and so which law holds"]),
        ([known(), known(country=None)], []),
        ([known(has_owner=False)], ["whose they are: nobody there has an owner"]),
        ([known(is_mailable=False)], ["on which basis anybody there may be written to"]),
        ([known(has_acted=False)], ["whether anybody there is interested: nobody has done anything yet"]),
        ([known(has_acted=False, was_touched=True)], []),
    ],
)
def test_what_nobody_knows_about_a_company_is_told(people: list[Known], expected: list[str]) -> None:
    assert unknown_about(people) == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("CEO", True),
        ("VP, Operations", True),
        ("Leiterin Einkauf", True),
        ("Head of Production", True),
        ("Assistant", False),
        ("Headhunter", False),
        (None, False),
    ],
)
def test_a_title_says_whether_somebody_decides(title: str | None, expected: bool) -> None:
    assert decides(title) is expected


def test_a_rep_wants_twenty_companies_at_most() -> None:
    refuse_surplus("Luis", 19)
    with pytest.raises(NotAllowed, match="let one go with"):
        refuse_surplus("Luis", 20)


def test_the_first_word_goes_to_somebody_and_with_help_if_there_is_any() -> None:
    assert contact_task("reader.example", None, None).startswith("Find somebody to talk to")
    assert contact_task("Reader", "Ana", "Mei Tan") == "Talk to Ana at Reader, introduced by Mei Tan"


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("linkedin", "https://www.linkedin.com/in/ana-ruiz"),
        ("linkedin", "https://linkedin.com/in/ana"),
        ("website", "https://reader.example/"),
        ("other", "https://social.example:443/@ana"),
    ],
)
def test_a_profile_is_an_address_over_https_at_its_own_host(kind: str, url: str) -> None:
    assert read_link(read_kind(kind.upper()), f" {url} ") == url


@pytest.mark.parametrize(
    ("kind", "url", "words"),
    [
        ("linkedin", "http://www.linkedin.com/in/ana", "beginning with https://"),
        ("website", "javascript:alert(1)", "beginning with https://"),
        ("website", "https://user:pass@reader.example/", "beginning with https://"),
        ("website", "https://reader.example:8443/", "beginning with https://"),
        ("website", "https://localhost/", "beginning with https://"),
        ("website", "https://reader.example/a b", "beginning with https://"),
        ("website", f"https://reader.example/{'a' * 500}", "beginning with https://"),
        ("linkedin", "https://linkedin.com.evil.example/in/ana", "leads to linkedin.com, and this one to"),
        ("xing", "https://notxing.com/ana", "leads to xing.com"),
    ],
)
def test_anything_else_is_no_link_to_show(kind: str, url: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_link(kind, url)


def test_a_kind_that_nobody_knows_is_told_the_nearest() -> None:
    with pytest.raises(BadInput, match='Did you mean "linkedin"'):
        read_kind("linkdin")
    with pytest.raises(BadInput, match='Did you mean "visit"'):
        touches.read_kind("vist")


@pytest.mark.parametrize("kind", list(TouchKind))
def test_a_conversation_keeps_sequences_quiet_for_a_week_unless_somebody_says_otherwise(kind: TouchKind) -> None:
    is_talk = kind in {TouchKind.CALL, TouchKind.VISIT, TouchKind.LINKEDIN, TouchKind.MAIL}
    assert quiet_until(kind, NOW) == (NOW + timedelta(days=7) if is_talk else None)
    assert quiet_until(kind, NOW, is_wanted=True) == NOW + timedelta(days=7)
    assert quiet_until(kind, NOW, is_wanted=False) is None


def test_a_note_is_one_short_line() -> None:
    assert touches.read_note(" spoke\nabout  prices ") == "spoke about prices"
    with pytest.raises(BadInput, match="at most 500"):
        touches.read_note("a" * 501)


def test_a_change_reads_as_people_say_it() -> None:
    values = (None, "a", True, False, 50.0, 1234567.0, 0.5, 3)
    assert [as_text(one) for one in values] == [None, "a", "yes", "no", "50", "1234567", "0.5", "3"]
