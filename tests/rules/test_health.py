"""What an address shows about itself before any mail."""

from datetime import date

import disposable_email_domains
import pytest

from nurture.contacts.checkup import Checkup
from nurture.contacts.freemail import _DOMAINS
from nurture.contacts.health import is_disposable, is_role_account, misspelt

MISTYPED = {
    "gmial.com": "gmail.com", "gmal.com": "gmail.com", "gmaill.com": "gmail.com", "gnail.com": "gmail.com",
    "gamil.com": "gmail.com", "gmail.con": "gmail.com", "gmail.co": "gmail.com", "gmial.con": "gmail.com",
    "GMIAL.com.": "gmail.com", "hotmial.com": "hotmail.com", "hotmai.fr": "hotmail.fr", "yaho.co.uk": "yahoo.co.uk",
    "yahooo.com": "yahoo.com", "outlok.de": "outlook.de", "iclod.com": "icloud.com", "tonline.de": "t-online.de",
    "comcat.net": "comcast.net", "acme.con": "acme.com", "firm.ney": "firm.net",
}  # fmt: skip
REAL = (
    "gmail.com gmail.de googlemail.com googlemail.de gmx.de gmx.net gmx.com mail.com email.com ymail.com hotmail.co.uk "
    "outlook.com yahoo.co.jp yahoo.fr icloud.com me.com aol.com web.de online.de t-online.de comcast.net comcast.com "
    "verizon.com hey.com fastmail.fm pm.me proton.me gail.com hostmail.com acme.co acme.cm reader.example qmail.com "
    "mailbox.org outlook-firm.com yahoo-inc.com localhost company-7.example"
)


@pytest.mark.parametrize(("domain", "meant"), MISTYPED.items())
def test_one_slip_from_a_big_provider_or_an_ending_nobody_has_is_a_mistyped_domain(domain: str, meant: str) -> None:
    assert misspelt(domain) == meant


@pytest.mark.parametrize("domain", sorted({*REAL.split(), *_DOMAINS}))
def test_a_domain_that_exists_is_not_mistyped(domain: str) -> None:
    assert misspelt(domain) is None


def test_what_was_meant_is_never_mistyped_itself() -> None:
    meant = {misspelt(domain) for domain in disposable_email_domains.blocklist} | set(MISTYPED.values())
    assert not [domain for domain in meant if domain and misspelt(domain)]


@pytest.mark.parametrize(
    "email", ["postmaster@x.example", "INFO@x.example", "no-reply@x.example", "sales+de@x.example"]
)
def test_an_address_of_a_task_is_a_role_account(email: str) -> None:
    """RFC 2142; STANDARDS 93."""
    assert is_role_account(email)


@pytest.mark.parametrize("email", ["ana@info.example", "informer@x.example", "ana.sales@x.example", "mark@x.example"])
def test_an_address_of_a_person_is_none(email: str) -> None:
    assert not is_role_account(email)


def test_a_disposable_domain_is_known_with_what_lies_below_it() -> None:
    """STANDARDS 93."""
    assert is_disposable("mailinator.com")
    assert is_disposable("eu.Mailinator.com")
    assert not [domain for domain in (*REAL.split(), *_DOMAINS) if is_disposable(domain)]


def test_a_checkup_counts_people_by_the_latest_day_anything_is_known_of_them() -> None:
    checkup = Checkup(date(2026, 3, 10))
    for day in (None, date(2026, 3, 10), date(2025, 3, 10), date(2025, 3, 9), date(2024, 3, 9), date(2024, 3, 8)):
        checkup.see("ana@reader.example", day)
    assert (checkup.people, checkup.undated) == (6, 1)
    assert (checkup.within_a_year, checkup.within_two_years, checkup.older) == (2, 2, 1)


def test_a_checkup_names_no_more_domains_than_somebody_reads() -> None:
    checkup = Checkup(date(2026, 3, 10))
    for domain in sorted(disposable_email_domains.blocklist)[:1_000]:
        checkup.see(f"ana@{domain}", None)
    assert checkup.disposable.total() + checkup.misspelt.total() == 1_000
    assert len(checkup.disposable) <= 201
