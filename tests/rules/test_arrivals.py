"""What the doctor says about a mail that arrived, sentence by sentence; the rest is told with real servers."""

from functools import cache

import pytest

from nurture.doctor.arrivals import Sent, judge
from nurture.doctor.findings import Finding
from nurture.rendering.dkim import Signer, sign
from nurture.rendering.dkim_keys import KeyKind, SigningKey, make_key
from tests.support.zones import Zone

HEAD = (
    b"From: Dana Reed <dana@acme.example>\r\nTo: check@reply.acme.example\r\nSubject: Hello\r\n"
    b"Date: Tue, 10 Mar 2026 09:30:00 +0000\r\nMessage-ID: <1@acme.example>\r\n"
    b"List-Unsubscribe: <https://news.acme.example/u/abc>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
)
BODY = b"Hello.\r\n"
TLS = b"Received: from relay.example by mx.example with ESMTPS id 1\r\n"


@cache
def key() -> SigningKey:
    return make_key(KeyKind.ED25519)


def signed(domain: str = "acme.example", except_for: frozenset[bytes] = frozenset()) -> bytes:
    return sign([Signer(domain, "s", key(), except_for)], HEAD, BODY) + HEAD + b"\r\n" + BODY


ZONE = Zone(txt={f"s._domainkey.{one}": [key().record] for one in ("acme.example", "relay.example")})


def said(sent: bytes, arrived: bytes, seconds: float = 1.5) -> dict[str, Finding]:
    found = judge(ZONE, Sent("letter", sent, "b-token@reply.acme.example"), arrived, seconds)
    return {one.check.removeprefix("letter: "): one for one in found}


def test_a_mail_in_order_is_in_order() -> None:
    results = (
        b"Authentication-Results: mx.example; spf=pass; dkim=fail; dkim=pass (ok) header.d=acme.example; dmarc=pass\r\n"
    )
    found = said(signed(), results + TLS + signed())
    assert [one.is_ok for one in found.values()] == [True] * 4
    assert found["arrives"].what == "after 1.5 seconds, the last hop encrypted"
    assert found["SPF, DKIM, DMARC"].what.endswith("its receiver says spf pass, dkim pass, dmarc pass")


def test_a_signature_that_leaves_the_way_out_uncovered_is_found() -> None:
    """STANDARDS 26."""
    mail = signed(except_for=frozenset({b"list-unsubscribe-post"}))
    found = said(mail, mail)["List-Unsubscribe"]
    assert (found.is_ok, "Gmail and Yahoo show no button" in found.what) == (False, True)


def test_a_signature_in_the_relays_name_does_not_speak_for_us() -> None:
    """STANDARDS 41."""
    mail = signed("relay.example")
    found = said(mail, mail)["SPF, DKIM, DMARC"]
    assert (found.is_ok, found.what.startswith("no signature speaks for acme.example")) == (False, True)


def test_what_the_receiver_thinks_counts_although_we_think_otherwise() -> None:
    refused = b"Authentication-Results: mx.example; spf=fail smtp.mailfrom=x; dkim=pass; dmarc=fail\r\n"
    theirs = b"Authentication-Results: mx.example; spf=pass; dkim=pass; dmarc=pass\r\n"
    assert not said(signed(), refused + theirs + signed())["SPF, DKIM, DMARC"].is_ok, "only the topmost is its own"
    forwarded = b"Authentication-Results: mx.example; spf=softfail; dkim=pass; dmarc=pass\r\n"
    assert said(signed(), forwarded + signed())["SPF, DKIM, DMARC"].is_ok, "DMARC passes by DKIM alone"


def test_a_name_of_the_relays_own_is_no_fault_and_is_told() -> None:
    """STANDARDS 43."""
    mail = signed(except_for=frozenset({b"message-id", b"date"}))
    found = said(mail, mail.replace(b"<1@acme.example>", b"<0100@relay.example>"))
    assert found["as it was sent"].what == "it wrote its own message-id"
    assert all(one.is_ok for one in found.values())


def test_a_hop_on_one_machine_needs_no_encryption_and_another_one_does() -> None:
    here = b"Received: from localhost (localhost [127.0.0.1]) by mx.example with ESMTP id 2\r\n"
    there = b"Received: from relay.example by localhost with ESMTP id 2\r\n"
    assert said(signed(), here + signed())["arrives"].is_ok
    assert not said(signed(), there + TLS + signed())["arrives"].is_ok


#: What mailbox providers write above the hop by which they were handed a mail.
OWN_HOPS = {
    "Gmail": b"Received: by 2002:a05:7412:8d1c:b0:f9:7a7e:7a1 with SMTP id bj28csp1234rdb;\r\n Tue, 10 Mar 2026 02:30:05 -0700\r\n",
    "Microsoft": b"Received: from AM0PR05MB1.eurprd05.prod.outlook.com (2603:10a6:208:1::12)\r\n"
    b" by VI1PR05MB2.eurprd05.prod.outlook.com with HTTPS; Tue, 10 Mar 2026 09:30:05 +0000\r\n",
    "Cyrus": b"Received: from store.internal (store.internal [10.202.2.42])\r\n by slot1 (Cyrus 3.11) with LMTPA; Tue\r\n"
    b"Received: from mx.example (localhost [127.0.0.1]) by mail.internal (Postfix) with ESMTP id 1\r\n",
    "Dovecot": b"Received: from mx.example\r\n by mx.example with LMTP\r\n id abc (envelope-from <b@acme.example>)\r\n",
}


@pytest.mark.parametrize("provider", OWN_HOPS)
def test_how_a_provider_carries_a_mail_to_its_own_mailbox_is_not_the_last_hop(provider: str) -> None:
    plain = b"Received: from relay.example (relay.example [192.0.2.9]) by mx.example with ESMTP id 1\r\n"
    encrypted = said(signed(), OWN_HOPS[provider] + TLS + signed())["arrives"]
    assert (encrypted.is_ok, encrypted.what) == (True, "after 1.5 seconds, the last hop encrypted")
    found = said(signed(), OWN_HOPS[provider] + plain + TLS + signed())["arrives"]
    assert (found.is_ok, "not encrypted: from relay.example" in found.what) == (False, True)


def test_an_address_that_ends_like_that_of_this_machine_is_another_one() -> None:
    hop = b"Received: from relay.example (relay.example [IPv6:2001:db8::1]) by mx.example with ESMTP id 1\r\n"
    assert not said(signed(), hop + signed())["arrives"].is_ok
    assert said(signed(), hop.replace(b"2001:db8::1", b"::1") + signed())["arrives"].is_ok
