"""Why a signature does not hold on a mail that arrived: what can be told apart is, and for the rest both are named."""

from base64 import b64encode
from functools import cache

import pytest

from nurture.doctor.arrivals import Sent, judge
from nurture.doctor.findings import ASK_AGAIN
from nurture.doctor.signatures import Checked, check_signatures
from nurture.rendering.dkim import Signer, sign
from nurture.rendering.dkim_keys import KeyKind, SigningKey, make_key
from tests.support.zones import Zone

HEAD = b"From: dana@acme.example\r\nTo: lee@reader.example\r\nSubject: Hello\r\n"
BODY = b"Hello.\r\n"
NAME = "s._domainkey.acme.example"
KINDS = [KeyKind.RSA, KeyKind.ED25519]
TO_DOCTOR = "see what `nurture doctor` says about DKIM"


@cache
def key(kind: KeyKind) -> SigningKey:
    return make_key(kind)


def mail(kind: KeyKind) -> bytes:
    return sign([Signer("acme.example", "s", key(kind))], HEAD, BODY) + HEAD + b"\r\n" + BODY


def checked(content: bytes, *records: str) -> Checked:
    return check_signatures(Zone(txt={NAME: records}), content)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_holds_with_its_key(kind: KeyKind) -> None:
    assert checked(mail(kind), "v=spf1 -all", key(kind).record).holds


def test_with_rsa_a_wrong_key_and_a_changed_header_are_told_apart() -> None:
    changed = checked(mail(KeyKind.RSA).replace(b"Subject: Hello", b"Subject: [list] Hello"), key(KeyKind.RSA).record)
    assert (changed.fault, changed.do.partition(" (")[0]) == (
        "a header was changed on the way", "let the relay change nothing",
    )  # fmt: skip
    wrong = checked(mail(KeyKind.RSA), make_key(KeyKind.RSA).record)
    assert wrong.fault.startswith(f"{NAME} shows another key than signed it")
    assert wrong.do == TO_DOCTOR


def test_with_ed25519_both_are_possible_and_both_are_named() -> None:
    content = mail(KeyKind.ED25519)
    changed = checked(content.replace(b"Subject: Hello", b"Subject: Bye"), key(KeyKind.ED25519).record)
    wrong = checked(content, make_key(KeyKind.ED25519).record)
    assert changed.fault == wrong.fault
    assert wrong.fault == f"a header was changed on the way, or {NAME} shows another key than signed it"
    assert "`nurture doctor` on DKIM" in wrong.do


def of_kind(kind: str) -> str:
    return f"v=DKIM1; k={kind}; p="


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_key_for_a_signature_is_told_as_that(kind: KeyKind) -> None:
    """RFC 6376, 3.6.1 and 3.6.2.2."""
    public = key(kind).record.partition("p=")[2]
    for records, fault in (
        ((), f"the name servers show no key {NAME}"),
        (("v=DKIM1; p=",), f"the key {NAME} is revoked (its p= is empty)"),
        ((key(kind).record, "v=DKIM1; p="), f"{NAME} shows 2 keys, and receivers take any of them, or none"),
        ((of_kind("dsa") + public,), f"{NAME} shows a key of another kind (dsa) than signed it ({kind}-sha256)"),
        ((of_kind(kind) + "AA==",), f"the key that {NAME} shows cannot be read"),
        ((of_kind(kind) + "A",), f"the key that {NAME} shows cannot be read"),
        ((key(kind).record + "; h=sha1",), f"the key {NAME} is not for it: its h=sha1 does not name sha256"),
    ):
        found = checked(mail(kind), *records)
        assert (found.fault, found.do) == (fault, TO_DOCTOR)


def test_a_key_under_the_name_of_rsa_that_is_none_is_told() -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    private = load_pem_private_key(key(KeyKind.ED25519).to_pem(), None)
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    found = checked(mail(KeyKind.RSA), of_kind("rsa") + b64encode(der).decode())
    assert found.fault == f"the key that {NAME} shows is no RSA key"


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_that_was_cut_is_told_as_that(kind: KeyKind) -> None:
    content = mail(kind).replace(b" b=", b" b=!")
    assert checked(content, key(kind).record).fault == "the signature itself was changed on the way"


def test_the_round_trip_says_to_ask_again_where_a_name_server_is_silent() -> None:
    content = mail(KeyKind.RSA)
    found = judge(Zone(down=frozenset({NAME})), Sent("letter", content, "dana@acme.example"), content, 1.0)[1]
    assert ("its key could not be looked up" in found.what, found.do) == (True, ASK_AGAIN)
