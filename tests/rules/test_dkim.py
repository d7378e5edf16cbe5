"""DKIM signatures, read by another implementation: dkimpy takes what we sign, and takes nothing else for it."""

import base64
import re
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.errors import BadInput
from nurture.rendering.dkim import Signer, sign
from nurture.rendering.dkim_keys import KeyKind, SigningKey, in_strings, make_key, read_key
from nurture.rendering.message import quoted_printable

HEAD = (
    b"From: Dana Reed <dana@acme.example>\r\n"
    b'To: "Ruiz, Ana" <ana@reader.example>\r\n'
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?_aus_Berlin?=\r\n"
    b"Date: Tue, 10 Mar 2026 09:30:00 +0000\r\n"
    b"Message-ID: <1.abc@acme.example>\r\n"
    b"Reply-To: reply+abc@reply.acme.example\r\n"
    b"List-Unsubscribe: <https://news.acme.example/u/abc>,\r\n <mailto:leave+abc@reply.acme.example>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"X-Auto-Response-Suppress: OOF, AutoReply\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
)
BODY = b"Hello  Ana,\r\n\r\nhere it is.\r\n"

#: RFC 8463, A.2: the seed of the key, and the record it has there.
SEED = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
RECORD = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


@cache
def key(kind: KeyKind) -> SigningKey:
    return make_key(kind)


def signers(*kinds: KeyKind) -> list[Signer]:
    return [Signer("acme.example", f"{kind}1", key(kind)) for kind in kinds]


BOTH = (KeyKind.RSA, KeyKind.ED25519)


def verifies(message: bytes, signature: int = 0) -> bool:
    """Whether dkimpy believes signature number so-and-so, as the name servers show our keys."""
    shown = {f"{kind}1._domainkey.acme.example.".encode(): key(kind).record.encode() for kind in BOTH}
    try:
        return bool(dkim.DKIM(message).verify(idx=signature, dnsfunc=lambda name, timeout=5: shown.get(name)))
    except dkim.DKIMException:
        return False


def signed(head: bytes = HEAD, body: bytes = BODY, kinds: tuple[KeyKind, ...] = BOTH) -> bytes:
    return sign(signers(*kinds), head, body) + head + b"\r\n" + body


def names_in(line: bytes) -> list[str]:
    found = re.search(rb"h=([^;]*);", line)
    assert found
    return re.sub(rb"\s", b"", found[1]).decode().split(":")


def test_both_signatures_of_one_mail_verify_and_are_of_the_kinds_that_the_rfcs_allow() -> None:
    """STANDARDS 39, 42: rsa-sha256 with 2,048 bits, relaxed, no length; ed25519-sha256 beside it."""
    message = signed()
    assert [verifies(message, number) for number in (0, 1)] == [True, True]
    lines = dkim.DKIM(message)
    lines.verify(idx=0, dnsfunc=lambda name, timeout=5: key(KeyKind.RSA).record.encode())
    assert (lines.signature_fields[b"a"], lines.keysize) == (b"rsa-sha256", 2048)
    assert lines.signature_fields[b"c"] == b"relaxed/simple"
    assert lines.signature_fields[b"d"] == b"acme.example"
    assert b"l" not in lines.signature_fields


def test_a_key_of_the_rfc_has_the_record_of_the_rfc() -> None:
    """STANDARDS 42: RFC 8463, A.2."""
    pem = ed25519.Ed25519PrivateKey.from_private_bytes(SEED).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    assert read_key(pem).record == RECORD


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400), st.integers(0, 3))
def test_whatever_a_mail_says_its_signature_verifies(text: str, line_ends: int) -> None:
    """STANDARDS 43: emoji, long lines, blanks at the end, dots, empty bodies."""
    body = (quoted_printable(text) + "\r\n" * line_ends).encode()
    assert verifies(signed(body=body, kinds=(KeyKind.ED25519,)))


def test_what_a_relay_may_do_to_a_head_breaks_no_signature() -> None:
    message = signed()
    folded = message.replace(b"From: Dana Reed <dana", b"From:   Dana\r\n\tReed  <dana")
    assert folded != message
    assert verifies(b"Received: from us\r\n" + folded)


@pytest.mark.parametrize("name", ["From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "Content-Type"])
def test_nobody_can_add_a_header_that_a_reader_would_take_for_ours(name: str) -> None:
    """STANDARDS 40: oversigned, those that a mail has and those that it does not have."""
    assert not verifies(f"{name}: evil@elsewhere.example\r\n".encode() + signed())
    assert verifies(b"X-Spam-Status: No\r\n" + signed())


@pytest.mark.parametrize("name", ["List-Unsubscribe", "List-Unsubscribe-Post"])
def test_both_headers_of_the_way_out_are_covered_and_cannot_be_doubled_or_changed(name: str) -> None:
    """STANDARDS 26: RFC 8058, 4."""
    message = signed()
    assert names_in(message).count(name.lower()) == 2
    assert not verifies(f"{name}: <https://elsewhere.example/>\r\n".encode() + message)
    assert not verifies(re.sub(rb"(?m)^" + name.encode() + rb": (.)", name.encode() + rb": x\1", message))


def test_a_mail_without_a_way_out_may_get_one_from_its_relay() -> None:
    head = re.sub(rb"List-Unsubscribe: [^\r]*\r\n [^\r]*\r\n|List-Unsubscribe-Post: [^\r]*\r\n", b"", HEAD)
    assert b"List-Unsub" not in head
    assert verifies(b"List-Unsubscribe: <https://relay.example/>\r\n" + signed(head))


def test_headers_that_the_relay_writes_anew_are_not_covered() -> None:
    [signer] = signers(KeyKind.ED25519)
    careful = Signer(signer.domain, signer.selector, signer.key, frozenset({b"message-id", b"date"}))
    line = careful.sign(HEAD, BODY)
    assert not {"message-id", "date"} & set(names_in(line))
    assert verifies((line + HEAD + b"\r\n" + BODY).replace(b"1.abc@acme", b"0100-ses@relay"))


def test_a_changed_body_is_found_out() -> None:
    assert not verifies(signed().replace(b"here it is", b"here it was"))


def test_the_same_mail_signs_to_the_same_bytes() -> None:
    """STANDARDS 6: a retry is byte for byte what was tried before."""
    assert signed() == signed()


def test_a_signature_fits_its_lines() -> None:
    """STANDARDS 1."""
    lines = sign(signers(*BOTH), HEAD, BODY).split(b"\r\n")
    assert lines.pop() == b""
    assert max(map(len, lines)) <= 78
    assert all(line.startswith((b"DKIM-Signature: v=1;", b" ")) for line in lines)


def test_without_a_key_there_is_no_signature() -> None:
    assert sign([], HEAD, BODY) == b""


@pytest.mark.parametrize("kind", BOTH)
def test_a_key_is_the_same_once_it_was_written_and_read(kind: KeyKind) -> None:
    again = read_key(key(kind).to_pem())
    assert (again.record, again.algorithm, again.kind) == (key(kind).record, f"{kind}-sha256", kind)
    assert again.bits == {KeyKind.RSA: 2048, KeyKind.ED25519: 256}[kind]


def test_a_record_is_split_into_strings_that_name_servers_take() -> None:
    strings = in_strings(key(KeyKind.RSA).record)
    assert [len(one) <= 255 for one in strings] == [True, True]
    assert "".join(strings) == key(KeyKind.RSA).record


def pem_of(secret: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


#: 768 bits: no library makes such a key any more.
SHORT = b"""\
-----BEGIN PRIVATE KEY-----
MIIB5QIBADANBgkqhkiG9w0BAQEFAASCAc8wggHLAgEAAmEAxP3+mJkMyOLscTxg
l7QFUuLIEgC7N+1W9JdlxgE9dwYZkfRNzmllPlDvWOP97lkjLie0MbU2dL7A9A2j
VfT6DqolGBGjLK/R/8YvK+TZxxyWvzgPwi6jobKZufDIKFNZAgMBAAECYQCf6x5L
HTxevLF7v6senHsR7Z7D1qol3dwQlfN+CbWvMVmCvlSHs9IIA8Y6YGPdoafa8cbI
XnPZEBSh5NVEoOrUSsKjylzqtISR5FIyuf11u+a4lHiwxXAhnX7y6tXXC90CMQDy
vpEo3seSMqbNlOZNgWz48xruhnpLeHksVpP37cIA0A/d2RO29v8M0jyBNJwtZ88C
MQDPv9Ygoq1EVQmwevI8AitgUYf6PTrXetwEPMKNppJutqwNvoBgKdzMDMJwlg8c
NFcCMCm3pHzQpJ20hMQqBdZmGtNB/Gvnwpa70p9TFcTzIHdBSqjGyMOV+Uk7zFgs
MXcAMwIwHliSSaAZmSKm0K2U1qkmduJR736kKreajc/mR1SujReH2FYcYG+c/f1b
JaD1whPvAjEA2yG3BwFEAJYIZnAW/OxbL3Annceo8Ahf+BYlETsSE6nKQ+zKnd7B
o48kmh01d5Hq
-----END PRIVATE KEY-----
"""


def test_what_is_no_key_for_a_signature_is_refused_with_what_to_do() -> None:
    """STANDARDS 39: RFC 8301 forbids RSA below 1,024 bits."""
    with pytest.raises(BadInput, match=r"no private key in PEM.*nurture dkim create"):
        read_key(b"-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(BadInput, match="neither RSA nor Ed25519"):
        read_key(pem_of(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(BadInput, match=r"768 bits.*RFC 8301"):
        read_key(SHORT)
