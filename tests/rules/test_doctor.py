"""What the doctor makes of a domain: right diagnoses, each with the very line to add. The name servers are a zone of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest

from nurture.doctor.findings import Finding
from nurture.doctor.identity import Carrier, Identity, OurKey, examine_identity
from nurture.doctor.rules import is_aligned, organization_of, read_tags
from nurture.doctor.servers import examine_relay_name, examine_tracking
from nurture.doctor.spf import read_spf
from nurture.rendering.dkim_keys import KeyKind, make_key
from tests.support.zones import Zone

RELAY = Carrier("smtp.relay.example", include="spf.relay.example", signs=True)
OWN = Carrier("mail.acme.example", is_ours=True)
RETURN = "bounces.acme.example"
NAME = "n20261122r._domainkey.acme.example"


@cache
def record() -> str:
    return make_key(KeyKind.RSA).record


def key(state: str = "signing", algorithm: str = "rsa-sha256") -> OurKey:
    return OurKey("acme.example", NAME, record(), state, algorithm)


def healthy() -> Zone:
    return Zone(
        txt={
            RETURN: ["v=spf1 include:spf.relay.example ~all"],
            "spf.relay.example": ["v=spf1 ip4:192.0.2.0/24 -all"],
            "_dmarc.acme.example": ["v=DMARC1; p=quarantine; rua=mailto:dmarc@acme.example"],
            NAME: [record()],
        },
        mx={RETURN: ["mail.acme.example"]},
        hosts={"mail.acme.example": ["192.0.2.7"], "news.acme.example": ["192.0.2.8"]},
        reverse={"192.0.2.7": ["mail.acme.example"]},
    )


IDENTITY = Identity(("acme.example",), return_path=RETURN, keys=(key(),), carriers=(RELAY,))


def looked_at(zone: Zone, identity: Identity = IDENTITY) -> dict[str, Finding]:
    return {one.check: one for one in examine_identity(zone, identity)}


def test_a_domain_in_order_is_told_in_one_line_each() -> None:
    found = looked_at(healthy())
    assert list(found) == ["SPF", "DKIM", "DMARC", f"mail to {RETURN}"]
    assert [one.is_ok for one in found.values()] == [True] * 4
    assert found["SPF"].what.endswith("~all (1 of 10 questions)")
    assert found["DMARC"].what.endswith("(aligned by DKIM and SPF)")
    assert "n20261122r (rsa-sha256), and the name servers show it" in found["DKIM"].what


#: What is in the zone instead, which finding says so, what it says, and the line that it names.
BROKEN: Sequence[tuple[Mapping[str, Sequence[str]], str, str, str]] = [
    ({RETURN: []}, "SPF", "has no such record", f'at {RETURN}: "v=spf1 include:spf.relay.example ~all"'),
    ({RETURN: ["v=spf1 a ~all", "v=spf1 mx ~all"]}, "SPF", "2 SPF records", "keep one TXT record"),
    (
        {RETURN: ["v=spf1 ip4:192.0.2.9 ~all"]}, "SPF", "does not name spf.relay.example",
        '"v=spf1 include:spf.relay.example ip4:192.0.2.9 ~all"',
    ),
    (
        {RETURN: ["v=spf1 include:spf.relay.example " + " ".join(f"a:h{n}.example" for n in range(10)) + " ~all"]},
        "SPF", "it takes 11 questions", "take out",
    ),
    (
        {RETURN: ["v=spf1 include:spf.relay.example a:x.example a:y.example a:z.example ~all"]},
        "SPF", "3 of its names do not exist", "take out",
    ),
    (
        {RETURN: ["v=spf1 include:spf.relay.example +all"]}, "SPF", "lets everybody write",
        '"v=spf1 include:spf.relay.example ~all"',
    ),
    ({RETURN: ["v=spf1 include:spf.relay.example"]}, "SPF", "says nothing about anybody else", "~all"),
    ({RETURN: ["v=spf1 include:spf.relay.example ipv4:1.2.3.4 ~all"]}, "SPF", '"ipv4:1.2.3.4"', "mend"),
    ({RETURN: ["v=spf1 include:spf.relay.example ip4: 192.0.2.7 ~all"]}, "SPF", '"ip4:"', "mend the TXT record"),
    ({RETURN: ["v=spf1 include:spf.relay.example ip4:192.0.2.300 ~all"]}, "SPF", '"ip4:192.0.2.300"', "mend"),
    ({RETURN: ["v=spf1 include:spf.relay.example ip6:192.0.2.7 ~all"]}, "SPF", '"ip6:192.0.2.7"', "mend"),
    ({RETURN: ["v=spf1 include:spf.relay.example ip4=192.0.2.7 ~all"]}, "SPF", '"ip4=192.0.2.7"', "mend"),
    (
        {"spf.relay.example": ["v=spf1 -all", "v=spf1 ~all"]}, "SPF", "spf.relay.example has 2 SPF records",
        f"what leads to spf.relay.example in the TXT record at {RETURN}",
    ),
    (
        {RETURN: ["v=spf1 include:spf.relay.example a:club.football ?all"], "club.football": ["v=spf1 -all"]},
        "SPF", "says nothing about anybody else", '"v=spf1 include:spf.relay.example a:club.football ~all"',
    ),
    (
        {RETURN: ["v=spf1 include:spf.relay.example redirect=_spf.acme.example"], "_spf.acme.example": ["v=spf1 +all"]},
        "SPF", "lets everybody write", "let the TXT record at _spf.acme.example, to which it leads, end with ~all",
    ),
    ({"spf.relay.example": []}, "SPF", "spf.relay.example has no SPF record", "mend"),
    ({NAME: []}, "DKIM", "is not there, so our signatures fail", f'add a TXT record at {NAME}: "v=DKIM1; k=rsa; p='),
    ({NAME: ["v=DKIM1; k=rsa; p=AAAA"]}, "DKIM", "is not our key", f"change the TXT record at {NAME}"),
    ({"_dmarc.acme.example": []}, "DMARC", "has no such record", 'at _dmarc.acme.example: "v=DMARC1; p=none; rua='),
    ({"_dmarc.acme.example": ["v=DMARC1; p=non"]}, "DMARC", "p=non is no policy", '"v=DMARC1; p=none;'),
    ({"_dmarc.acme.example": ["v=DMARC1; p=none; rua=dmarc@acme.example"]}, "DMARC", "rua names", "mailto:dmarc@"),
    (
        {"_dmarc.acme.example": ["v=DMARC1; p=reject; adkim=r; rua=dmarc@acme.example"]}, "DMARC", "rua names",
        '"v=DMARC1; p=reject; adkim=r; rua=mailto:dmarc@acme.example"',
    ),
    (
        {"_dmarc.acme.example": ["v=DMARC1; p=reject; sp=rejcet; rua=mailto:d@acme.example"]}, "DMARC", "sp=rejcet is no",
        '"v=DMARC1; p=reject; rua=mailto:d@acme.example"',
    ),
    ({"_dmarc.acme.example": ["v=DMARC1; rua="]}, "DMARC", "p= is no policy", '"v=DMARC1; p=none; rua=mailto:'),
    ({"_dmarc.acme.example": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "DMARC", "as good as none", "keep one"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "check", "what", "do"), BROKEN)
def test_each_broken_zone_has_its_diagnosis(texts: Mapping[str, Sequence[str]], check: str, what: str, do: str) -> None:
    """STANDARDS 44."""
    zone = healthy()
    zone.txt.update(texts)
    found = looked_at(zone)
    assert [one.check for one in found.values() if not one.is_ok] == [check]
    assert what in found[check].what
    assert do in found[check].do


@pytest.mark.parametrize(
    ("mx", "what", "do"),
    [
        ({}, "no MX record", f"{RETURN}. MX 10 mail.{RETURN}."),
        ({RETURN: ["."]}, "takes no mail (null MX)", "MX 10"),
        ({RETURN: ["gone.acme.example"]}, "gone.acme.example has no address", "add an A record for gone.acme.example"),
    ],
)
def test_bounces_that_nobody_takes_are_missed(mx: dict[str, Sequence[str]], what: str, do: str) -> None:
    found = looked_at(replace(healthy(), mx=mx))[f"mail to {RETURN}"]
    assert (found.is_ok, what in found.what, do in found.do) == (False, True, True)


def test_what_could_not_be_asked_is_told_as_that_and_not_as_missing() -> None:
    found = looked_at(replace(healthy(), down=frozenset({RETURN, NAME, "_dmarc.acme.example"})))
    assert {one.do for one in found.values()} == {"try again where DNS works"}
    assert all("could not be looked up" in one.what for one in found.values())


def test_a_relay_of_our_own_has_to_be_allowed_by_its_address() -> None:
    own = replace(IDENTITY, carriers=(OWN,))
    found = looked_at(replace(healthy(), txt={**healthy().txt, RETURN: ["v=spf1 ip4:198.51.100.1 -all"]}), own)["SPF"]
    assert found.do == 'change its TXT record to "v=spf1 ip4:192.0.2.7 ip4:198.51.100.1 -all"'
    for allowed in ("ip4:192.0.2.0/28", "mx", "a:mail.acme.example", "include:spf.relay.example"):
        zone = healthy()
        zone.txt[RETURN] = [f"v=spf1 {allowed} -all"]
        assert looked_at(zone, own)["SPF"].is_ok, allowed
    zone = healthy()
    zone.txt[RETURN] = []
    assert '"v=spf1 ip4:192.0.2.7 ~all"' in looked_at(zone, own)["SPF"].do


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        ("a/28 -all", "pass"), ("mx/28 -all", "pass"), ("mx/28//64 -all", "pass"), ("a//64 -all", "fail"),
        ("a:mail.acme.example/28//64 -all", "pass"), ("ip4:192.0.2.7 redirect=closed.example", "pass"),
        ("redirect=closed.example", "fail"), ("redirect=%{d}.hosted.example", "pass"), ("ip6:2001:db8::/32 -all", "fail"),
        ("ra=postmaster rp=10 x-note=_a.b ip4:192.0.2.7 -all", "pass"), ("+A:MAIL.acme.example -all", "pass"),
        ("ptr -all", "pass"), ("ptr:other.example -all", "fail"),
    ],
)  # fmt: skip
def test_a_record_lets_in_whom_receivers_would_let_in(record: str, verdict: str) -> None:
    zone = Zone(
        txt={
            "acme.example": [f"v=spf1 {record}"], "closed.example": ["v=spf1 -all"],
            "acme.example.hosted.example": ["v=spf1 ip4:192.0.2.7 -all"],
        },
        mx={"acme.example": ["mail.acme.example"]},
        hosts={
            "acme.example": ["192.0.2.9", "2001:db8::9"], "mail.acme.example": ["192.0.2.9", "2001:db8::9"],
            "MAIL.acme.example": ["192.0.2.7"], "out.acme.example": ["192.0.2.7"],
        },
        reverse={"192.0.2.7": ["out.acme.example"]},
    )  # fmt: skip
    reading = read_spf(zone, "acme.example", "192.0.2.7")
    assert (reading.verdict, reading.fault, reading.empty) == (verdict, "", 0)


@pytest.mark.parametrize("record", ["include:%{i}._ip.%{h}._ehlo.%{d}._spf.host.example", "exists:%{ir}.host.example"])
@pytest.mark.parametrize("carrier", [RELAY, OWN])
def test_what_depends_on_each_mail_is_told_as_that_and_not_as_missing(record: str, carrier: Carrier) -> None:
    """Services that keep a record for others put a macro there, which may let the relay in."""
    zone = healthy()
    zone.txt[RETURN] = [f"v=spf1 {record} ~all"]
    found = looked_at(zone, replace(IDENTITY, carriers=(carrier,)))["SPF"]
    assert (found.is_ok, "it depends on each mail; `nurture doctor --round-trip`" in found.what) == (True, True)


def test_a_name_server_that_is_silent_is_no_reason_to_change_a_record() -> None:
    zone = replace(healthy(), down=frozenset({"spf.acme.example"}))
    for record in ("a:spf.acme.example", "mx:spf.acme.example", "include:spf.acme.example"):
        zone.txt[RETURN] = [f"v=spf1 {record} -all"]
        found = looked_at(zone, replace(IDENTITY, carriers=(OWN,)))["SPF"]
        assert (found.is_ok, found.do) == (False, "try again where DNS works"), record


def test_alignment_is_strict_however_somebody_writes_it() -> None:
    zone = healthy()
    zone.txt["_dmarc.acme.example"] = ["v=DMARC1; p=none; aspf=S; adkim=S; rua=MAILTO:dmarc@acme.example"]
    found = looked_at(zone, replace(IDENTITY, domains=("news.acme.example",), carriers=(OWN,)))["DMARC"]
    assert "nothing that would pass for news.acme.example" in found.what


def test_an_ed25519_key_that_is_shown_without_its_kind_is_taken_for_rsa() -> None:
    ours = make_key(KeyKind.ED25519).record
    zone = healthy()
    second = OurKey("acme.example", "e._domainkey.acme.example", ours, "signing", "ed25519-sha256")
    identity = replace(IDENTITY, keys=(key(), second))
    zone.txt[second.name] = [ours]
    assert looked_at(zone, identity)["DKIM"].is_ok
    zone.txt[second.name] = [ours.replace("k=ed25519; ", "")]
    found = looked_at(zone, identity)["DKIM"]
    assert (found.is_ok, "k=ed25519" in found.do) == (False, True)


def test_a_relay_that_takes_bounces_itself_needs_no_record_of_ours() -> None:
    found = looked_at(Zone(), replace(IDENTITY, carriers=(replace(RELAY, replaces_return_path=True),)))
    assert found["SPF"].is_ok


def test_without_a_key_of_ours_it_depends_on_the_relay() -> None:
    keyless = replace(IDENTITY, keys=())
    assert looked_at(healthy(), keyless)["DKIM"].is_ok
    unknown = looked_at(healthy(), replace(keyless, carriers=(Carrier("smtp.elsewhere.example"),)))["DKIM"]
    assert (unknown.is_ok, "nurture dkim create --domain acme.example" in unknown.do) == (False, True)
    waiting = looked_at(healthy(), replace(keyless, keys=(key("waiting"),)))["DKIM"]
    assert (waiting.is_ok, "`nurture dkim use`" in waiting.do) == (False, True)


def test_ed25519_alone_is_a_signature_that_the_large_providers_do_not_read() -> None:
    """STANDARDS 42."""
    found = looked_at(healthy(), replace(IDENTITY, keys=(key(algorithm="ed25519-sha256"),)))["DKIM"]
    assert (found.is_ok, "--kind rsa" in found.do) == (False, True)


def test_a_key_of_the_domain_above_signs_for_the_one_below_and_its_policy_holds_there() -> None:
    """STANDARDS 41."""
    found = looked_at(healthy(), replace(IDENTITY, domains=("news.acme.example",)))
    assert (found["DKIM"].is_ok, found["DMARC"].is_ok) == (True, True)
    assert found["DMARC"].what.startswith("_dmarc.acme.example: ")


def test_dmarc_sees_when_neither_the_signature_nor_the_return_path_is_ours() -> None:
    stray = replace(
        IDENTITY, keys=(), carriers=(Carrier("smtp.elsewhere.example"),), return_path="bounces.other.example"
    )
    zone = healthy()
    assert not looked_at(zone, stray)["DMARC"].is_ok
    zone.txt["_dmarc.acme.example"] = ["v=DMARC1; p=none; aspf=s; rua=mailto:dmarc@acme.example"]
    strict = replace(stray, return_path=RETURN)
    assert "senders.return_path_domain" in looked_at(zone, strict)["DMARC"].do


def test_every_domain_that_we_write_from_is_looked_at() -> None:
    found = looked_at(healthy(), replace(IDENTITY, domains=("acme.example", "acme.test"), return_path=""))
    assert not found["DMARC acme.test"].is_ok
    assert not found["SPF acme.test"].is_ok


def test_a_record_that_includes_itself_ends() -> None:
    reading = read_spf(Zone(txt={"a.example": ["v=spf1 include:a.example ~all"]}), "a.example")
    assert "questions" in reading.fault


def test_a_redirect_is_followed_and_its_questions_count() -> None:
    zone = Zone(txt={"a.example": ["v=spf1 redirect=b.example"], "b.example": ["v=spf1 ip4:192.0.2.1 -all"]})
    assert (read_spf(zone, "a.example", "192.0.2.1").verdict, read_spf(zone, "a.example", "192.0.2.2").verdict) == (
        "pass", "fail",
    )  # fmt: skip
    assert read_spf(zone, "a.example").questions == 1


def test_a_relay_without_a_name_in_reverse_is_told_whom_to_ask() -> None:
    assert examine_relay_name(healthy(), "mail.acme.example").is_ok
    for reverse in ({}, {"192.0.2.7": ["dsl-7.provider.example"]}):
        found = examine_relay_name(replace(healthy(), reverse=reverse), "mail.acme.example")
        assert (found.is_ok, "PTR record 192.0.2.7 → mail.acme.example" in found.do) == (False, True)


def test_silence_about_a_server_is_told_as_that_and_not_as_a_missing_record() -> None:
    for down in ("192.0.2.7", "relay.acme.example", "mail.acme.example"):
        zone = replace(healthy(), down=frozenset({down}), reverse={"192.0.2.7": ["relay.acme.example"]})
        found = examine_relay_name(zone, "mail.acme.example")
        assert (found.is_ok, found.do) == (False, "try again where DNS works"), down
    found = looked_at(replace(healthy(), down=frozenset({"mail.acme.example"})))[f"mail to {RETURN}"]
    assert (found.is_ok, found.do) == (False, "try again where DNS works")
    today = datetime(2026, 11, 22, tzinfo=UTC)
    silent = replace(healthy(), down=frozenset({"news.acme.example"}))
    assert examine_tracking(silent, "news.acme.example", 443, "acme.example", today).do == "try again where DNS works"


def test_links_lead_to_a_host_that_is_there_and_ours() -> None:
    today = datetime(2026, 11, 22, tzinfo=UTC)
    gone = examine_tracking(healthy(), "gone.acme.example", 443, "acme.example", today)
    assert "A or CNAME record for gone.acme.example" in gone.do
    strange = examine_tracking(healthy(), "news.acme.example", 443, "other.example", today)
    assert "https://news.other.example" in strange.do


@pytest.mark.parametrize(
    ("domain", "organization"),
    [
        ("acme.example", "acme.example"), ("News.ACME.example.", "acme.example"), ("a.b.acme.co.uk", "acme.co.uk"),
        ("acme.co.uk", "acme.co.uk"), ("co.uk", "co.uk"), ("mail.acme.com", "acme.com"), ("com.acme.de", "acme.de"),
    ],
)  # fmt: skip
def test_an_organization_is_what_somebody_registered(domain: str, organization: str) -> None:
    assert organization_of(domain) == organization


def test_domains_are_aligned_by_organization_or_only_when_equal() -> None:
    assert is_aligned("bounces.acme.co.uk", "news.acme.co.uk")
    assert not is_aligned("acme.co.uk", "other.co.uk")
    assert not is_aligned("bounces.acme.example", "acme.example", strictly=True)
    assert not is_aligned("", "acme.example")


def test_tags_are_read_with_and_without_blanks() -> None:
    assert read_tags("v=DMARC1;p = none ; rua=mailto:a@b.example,mailto:c@d.example;") == {
        "v": "DMARC1", "p": "none", "rua": "mailto:a@b.example,mailto:c@d.example",
    }  # fmt: skip
