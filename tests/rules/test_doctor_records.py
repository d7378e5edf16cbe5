"""What the doctor makes of the records of DKIM and DMARC: read as strictly as receivers do, and no advice that takes away."""

from functools import cache

import pytest

from nurture.doctor.findings import Finding
from nurture.doctor.identity import Identity, OurKey, examine_identity
from nurture.doctor.keys import is_shown
from nurture.doctor.policies import fault_of_policy, is_policy, mended_policy, read_policy
from nurture.doctor.rules import read_tags
from nurture.rendering.dkim_keys import KeyKind, make_key
from tests.support.zones import Zone

NAME = "s._domainkey.acme.example"
POLICY = "_dmarc.acme.example"


@cache
def ours() -> str:
    return make_key(KeyKind.RSA).record


@cache
def another() -> str:
    return make_key(KeyKind.RSA).record


def with_(tags: str) -> str:
    return ours().replace("k=rsa", f"k=rsa; {tags}")


def looked_at(*, keys: list[str], policies: list[str]) -> dict[str, Finding]:
    key = OurKey("acme.example", NAME, ours(), "signing", "rsa-sha256")
    zone = Zone(txt={NAME: keys, POLICY: policies})
    return {one.check: one for one in examine_identity(zone, Identity(("acme.example",), keys=(key,)))}


def signed(*keys: str) -> Finding:
    return looked_at(keys=list(keys), policies=[])["DKIM"]


def told(*policies: str) -> Finding:
    return looked_at(keys=[ours()], policies=list(policies))["DMARC"]


def test_a_selector_shows_one_key_and_what_stands_beside_it_is_to_be_taken_out() -> None:
    """RFC 6376, 3.6.2.2."""
    for beside in (another(), "v=DKIM1; p="):
        for keys in ((ours(), beside), (beside, ours())):
            found = signed(*keys)
            assert (found.is_ok, f"{NAME} shows 2 keys" in found.what) == (False, True)
            assert found.do == f'take out of the TXT records at {NAME}: "{beside}"'
    assert signed("v=spf1 -all", "v=DKIM2; p=AAAA", ours()).is_ok, "these are no keys"
    assert signed(another(), "p=AAAA").do.startswith(f'keep one TXT record at {NAME}: "v=DKIM1; k=rsa; p=')


def test_a_retired_key_counts_as_shown_as_long_as_its_record_stands_there() -> None:
    """So that `nurture dkim rotate` does not call it gone."""
    assert is_shown(Zone(txt={NAME: [another(), with_("h=sha1")]}), NAME, ours())


def test_names_of_tags_are_told_apart_by_capitals() -> None:
    """RFC 6376, 3.2."""
    assert "is not our key" in signed(ours().replace("p=", "P=")).what
    assert signed(ours().replace("v=DKIM1", "V=DKIM9")).is_ok, "V is a tag that nobody knows, and is passed over"
    assert read_tags("P=1; p=2; p=3") == {"P": "1", "p": "2"}


@pytest.mark.parametrize("tags", ["h=sha1", "s=tlsrpt", "h=SHA256", "h=sha1; s=*"])
def test_a_key_that_is_not_for_our_mails_is_told(tags: str) -> None:
    """RFC 6376, 3.6.1."""
    found = signed(with_(tags))
    assert (found.is_ok, f"its {tags.partition(';')[0]} does not name " in found.what) == (False, True)
    assert found.do.startswith(f'change the TXT record at {NAME}: "v=DKIM1; k=rsa; p=')


@pytest.mark.parametrize("tags", ["h=sha1:sha256", "h=sha256; s=*", "s=tlsrpt : email", "t=s; n=note"])
def test_a_key_for_our_mails_among_others_is_right(tags: str) -> None:
    assert signed(with_(tags)).is_ok


@pytest.mark.parametrize(
    "record", ["v=DMARC1; p=none", "v = DMARC1 ; p = none", "v=DMARC1;p=none;", "v=DMARC1; P=none"]
)
def test_a_policy_begins_with_its_version(record: str) -> None:
    """RFC 7489, 6.4."""
    assert told(record).is_ok


@pytest.mark.parametrize(
    "record",
    [
        "v=dmarc1; p=reject", "v=DMARC10; p=reject", "v=DMARC2; p=reject", "v=DMARC1 p=reject", "v=DMARC1: p=reject",
        "p=reject; v=DMARC1", " v=DMARC1; p=reject", "V=DMARC1; p=reject", '"v=DMARC1; p=reject"', "v=DMARC1\\; p=reject",
    ],
)  # fmt: skip
def test_a_policy_whose_version_is_misspelt_is_none_and_keeps_what_it_says(record: str) -> None:
    """RFC 7489, 6.3."""
    found = told(record)
    assert (found.is_ok, "its version is misspelt" in found.what) == (False, True)
    assert found.do == 'write there: "v=DMARC1; p=reject; rua=mailto:dmarc@acme.example"'
    assert told(record, "v=DMARC1; p=none").is_ok, "beside a right one it does no harm"


def test_reports_may_go_elsewhere_too() -> None:
    assert told("v=DMARC1; p=none; rua=mailto:a@x.example!10m,https://r.example/").is_ok


@pytest.mark.parametrize(
    ("rua", "kept"),
    [
        ("mailto:a@x.example,b@x.example", "mailto:a@x.example,mailto:b@x.example"),
        ("mailto:a@x.example, nobody", "mailto:a@x.example"),
        ("https://r.example/,a@x.example", "https://r.example/,mailto:a@x.example"),
        ("https://r.example/", "mailto:dmarc@acme.example"),
        ("mailto:nobody", "mailto:dmarc@acme.example"),
    ],
)
def test_the_suggested_record_goes_on_reporting_to_whom_it_did(rua: str, kept: str) -> None:
    found = told(f"v=DMARC1; p=reject; rua={rua}")
    assert (found.is_ok, found.do) == (False, f'write there: "v=DMARC1; p=reject; rua={kept}"')


@pytest.mark.parametrize("said", ["sp=rejcet", "pct=110", "ruf=nobody", "rua=a@x.example", "ruf=mailto:a@x.example,b"])
def test_what_is_suggested_is_right(said: str) -> None:
    mended = mended_policy(read_policy(f"v=DMARC1; p=reject; {said}"), "acme.example")
    assert (is_policy(mended), fault_of_policy(read_policy(mended))) == (True, "")
    assert mended.startswith("v=DMARC1; p=reject; ")
