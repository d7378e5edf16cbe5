"""What an SPF record is taken for: void wherever receivers take it for void, else what it says of an address."""

from dataclasses import replace

import pytest

from nurture.doctor.identity import Carrier, Identity, examine_identity
from nurture.doctor.spf import read_spf
from tests.support.zones import Zone

HOSTS = {"mail.acme.example": ["192.0.2.7"], "six.acme.example": ["2001:db8::7"]}
OURS = Identity(("acme.example",), carriers=(Carrier("mail.acme.example", is_ours=True),))


def zone(record: str) -> Zone:
    return Zone(txt={"acme.example": [f"v=spf1 {record}"], "closed.example": ["v=spf1 -all"]}, hosts=HOSTS)


@pytest.mark.parametrize(
    ("record", "term"),
    [
        ("ip4:192.0.2.7 ~all ipv4:203.0.113.5", "ipv4:203.0.113.5"), ("-all include:", "include:"),
        ("ip4:192.0.2.7 redirect= ~all", "redirect="), ("~all exp=mail", "exp=mail"), ("-all all:x", "all:x"),
        ("ip4:192.0.2.7\t~all", "ip4:192.0.2.7\t~all"), ("note=50% ~all", "note=50%"), ("a: ~all", "a:"),
        ("a/33 ~all", "a/33"), ("mx//129 ~all", "mx//129"), ("a:acme.example/024 ~all", "a:acme.example/024"),
        ("include:%{x}.acme.example ~all", "include:%{x}.acme.example"), ("exists:%{t}.example -all", "exists:%{t}.example"),
        ("include:acme.123 ~all", "include:acme.123"), ("ptr/24 ~all", "ptr/24"), ("~allow", "~allow"),
    ],
)  # fmt: skip
def test_one_misspelt_term_makes_all_of_a_record_void_wherever_it_stands(record: str, term: str) -> None:
    """RFC 7208, 4.6."""
    reading = read_spf(zone(record), "acme.example", "192.0.2.7")
    assert reading.fault.startswith(f'"{term}" in the record of acme.example ')
    assert reading.questions == 0, "nobody is asked about it"


@pytest.mark.parametrize(
    ("term", "why"),
    [
        ("a:192.0.2.7", "names an address where a name belongs; write ip4:192.0.2.7"),
        ("mx:2001:db8::7", "names an address where a name belongs; write ip6:2001:db8::7"),
        ("a:mail", 'names "mail", which is no full domain name'),
        ("redirect=mail", 'names "mail", which is no full domain name'),
    ],
)
def test_what_is_no_name_of_a_host_is_not_taken_for_a_host_that_is_gone(term: str, why: str) -> None:
    """RFC 7208, 7.1."""
    found = examine_identity(zone(f"{term} ~all"), OURS)[0]
    assert found.what == f'acme.example: "{term}" in the record of acme.example {why}'
    assert found.do.startswith("mend the TXT record at acme.example")


@pytest.mark.parametrize("word", ["redirect", "exp"])
def test_a_modifier_that_may_stand_once_stands_once(word: str) -> None:
    """RFC 7208, 6."""
    again = f"{word.upper()}=closed.example"
    reading = read_spf(zone(f"{word}=acme.example {again}"), "acme.example")
    assert reading.fault == f'"{again}" in the record of acme.example is a second {word}=, and a record may have one'
    assert read_spf(zone("note=a note=b ~all"), "acme.example").fault == "", "of others nobody says so"


@pytest.mark.parametrize(
    ("term", "verdict"),
    [
        ("exists:mail.acme.example", "pass"), ("-exists:%{d}", "softfail"), ("exists:gone.acme.example", "softfail"),
        ("exists:six.acme.example", "softfail"), ("a:mail.acme.example.", "pass"), ("include:closed.example.", "softfail"),
    ],
)  # fmt: skip
def test_a_name_that_is_the_same_for_every_mail_is_looked_up(term: str, verdict: str) -> None:
    """RFC 7208, 5.7."""
    reading = read_spf(zone(f"{term} ~all"), "acme.example", "192.0.2.7")
    assert (reading.verdict, reading.depends, reading.questions, reading.fault) == (verdict, False, 1, "")


def test_an_mx_of_more_than_ten_servers_is_void_and_the_advice_is_to_name_less() -> None:
    """RFC 7208, 4.6.4."""
    servers = [f"mx{turn}.acme.example" for turn in range(11)]
    many = replace(zone("mx ~all"), mx={"acme.example": servers}, hosts={one: ["192.0.2.7"] for one in servers})
    found = examine_identity(many, OURS)[0]
    assert "mail to acme.example goes to 11 servers, and receivers stop at 10" in found.what
    assert found.do.startswith("take out of the TXT record at acme.example")
    assert read_spf(replace(many, mx={"acme.example": servers[:10]}), "acme.example", "192.0.2.7").verdict == "pass"


def test_of_the_names_in_reverse_receivers_look_at_ten() -> None:
    """RFC 7208, 4.6.4."""
    others = [f"h{turn}.other.example" for turn in range(10)]
    for names, verdict in ((["mail.acme.example", *others], "pass"), ([*others, "mail.acme.example"], "neutral")):
        there = replace(zone("ptr"), reverse={"192.0.2.7": names})
        assert read_spf(there, "acme.example", "192.0.2.7").verdict == verdict


def test_a_redirect_that_depends_on_each_mail_is_told_as_that() -> None:
    found = examine_identity(zone("redirect=%{i}._spf.acme.example"), OURS)[0]
    assert (found.is_ok, "it depends on each mail" in found.what) == (True, True)


def test_a_fault_is_known_by_what_it_is_and_not_by_the_words_in_a_name() -> None:
    asked = Zone(txt={"questions.example": ["v=spf1 a:mail ~all"]})
    found = examine_identity(asked, Identity(("questions.example",)))[0]
    assert found.do.startswith("mend the TXT record at questions.example")
