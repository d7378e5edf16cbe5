"""What an SPF record is taken for: void wherever receivers take it for void, else what it says of an address."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

from nurture.doctor.findings import ASK_AGAIN, Finding
from nurture.doctor.identity import Carrier, Identity, examine_identity
from nurture.doctor.resolving import Found
from nurture.doctor.spf import read_spf
from tests.support.zones import Zone

HOSTS = {"mail.acme.example": ["192.0.2.7"], "six.acme.example": ["2001:db8::7"]}
OWN = Carrier("mail.acme.example", is_ours=True)
RELAY = Carrier("smtp.relay.example", include="spf.relay.example")
MAILBOX = Carrier("smtp.mailbox.example", include="spf.mailbox.example", returns_to_sender=True)
#: Some mail comes back to a domain of its own, and that by the mailbox to whoever wrote it.
MIXED = Identity(("acme.example",), "bounces.acme.example", carriers=(MAILBOX, OWN))
OURS = Identity(("acme.example",), carriers=(OWN,))


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


def looked_at(records: Mapping[str, str], identity: Identity, down: frozenset[str] = frozenset()) -> dict[str, Finding]:
    others = {"spf.relay.example": "v=spf1 -all", "spf.mailbox.example": "v=spf1 -all"}
    texts: dict[str, Sequence[str]] = {name: [record] for name, record in (others | dict(records)).items()}
    found = examine_identity(Zone(txt=texts, hosts=HOSTS, down=down), identity)
    return {one.check: one for one in found if one.check.startswith("SPF")}


def test_each_relay_is_looked_for_in_the_record_of_the_domain_that_its_mail_comes_back_to() -> None:
    right = {
        "bounces.acme.example": "v=spf1 ip4:192.0.2.7 ~all", "acme.example": "v=spf1 include:spf.mailbox.example ~all",
    }  # fmt: skip
    found = looked_at(right, MIXED)
    assert [(check, one.is_ok) for check, one in found.items()] == [("SPF", True), ("SPF acme.example", True)]
    both = {"bounces.acme.example": "v=spf1 ip4:192.0.2.7 include:spf.mailbox.example ~all"}
    missed = looked_at(both, MIXED)["SPF acme.example"]
    assert missed.do == 'add a TXT record at acme.example: "v=spf1 include:spf.mailbox.example ~all"'


def test_a_record_for_a_known_relay_and_for_one_of_our_own_names_both() -> None:
    shared = Identity(("acme.example",), carriers=(RELAY, OWN))
    wanted = '"v=spf1 include:spf.relay.example ip4:192.0.2.7 ~all"'
    assert looked_at({}, shared)["SPF"].do == f"add a TXT record at acme.example: {wanted}"
    found = looked_at({"acme.example": "v=spf1 ~all"}, shared)["SPF"]
    assert found.do == f"change its TXT record to {wanted}"
    assert found.what.endswith("by which our relay sends, and does not allow our own relay (ip4:192.0.2.7)")
    assert looked_at({"acme.example": wanted.strip('"')}, shared)["SPF"].is_ok


def test_what_stands_behind_all_is_moved_before_it_and_not_doubled() -> None:
    found = looked_at({"acme.example": "v=spf1 ~all ip4:192.0.2.7"}, OURS)["SPF"]
    assert found.do == 'change its TXT record to "v=spf1 ip4:192.0.2.7 ~all"'


@dataclass
class FadingZone(Zone):
    """Name servers that answer about one name once, and then no more."""

    fading: str = ""

    def _found(self, records: Mapping[str, Sequence[str]], name: str) -> Found:
        found = super()._found(records, name)
        self.down |= {name} & {self.fading}
        return found


def test_an_include_that_answers_once_and_then_no_more_is_no_reason_to_change_a_record() -> None:
    there = FadingZone(
        txt={"acme.example": ["v=spf1 include:in.example ~all"], "in.example": ["v=spf1 ip4:192.0.2.7 -all"]},
        hosts=HOSTS,
        fading="in.example",
    )
    found = examine_identity(there, OURS)[0]
    assert (found.what, found.do) == ("in.example could not be looked up (LifetimeTimeout)", ASK_AGAIN)


@pytest.mark.parametrize(
    ("record", "down"),
    [
        ("ptr:acme.example ~all", "192.0.2.7"), ("ptr ~all", "out.acme.example"), ("exists:out.acme.example ~all", "out.acme.example"),
        ("ip4:203.0.113.1 ~all", "mail.acme.example"),
    ],
)  # fmt: skip
def test_a_name_server_that_does_not_answer_is_asked_again(record: str, down: str) -> None:
    silent = replace(zone(record), reverse={"192.0.2.7": ["out.acme.example"]}, down=frozenset({down}))
    found = examine_identity(silent, OURS)[0]
    assert (found.is_ok, found.do) == (False, ASK_AGAIN)
    assert f"{down} could not be looked up" in found.what


def test_a_domain_without_mx_records_is_asked_for_its_address_and_may_not_answer() -> None:
    found = examine_identity(FadingZone(fading="in.example"), Identity(("acme.example",), inbound="in.example"))[-1]
    assert (found.check, found.is_ok, found.do) == ("mail to in.example", False, ASK_AGAIN)


def test_without_a_record_our_own_relay_is_asked_for_before_one_is_worded() -> None:
    found = looked_at({}, OURS, frozenset({"mail.acme.example"}))["SPF"]
    assert (found.is_ok, found.do) == (False, ASK_AGAIN)
