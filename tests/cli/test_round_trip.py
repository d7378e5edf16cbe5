"""`nurture doctor --round-trip`: mails go out through a real relay and come back in, changed on the way or not."""

import re
import smtplib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession

from nurture.inbound.server import SmtpServer
from tests.support.terminals import Terminal
from tests.support.zones import Zone, running_name_server

DOMAIN = "reply.acme.example"


def as_it_is(content: bytes) -> bytes:
    return content


@dataclass
class Forwarder:
    """A relay that hands every mail on to our inbound listener, after doing to it what it does."""

    port: int
    does: Callable[[bytes], bytes] = as_it_is
    passed: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd's hook
        assert isinstance(envelope.content, bytes)
        self.passed.append((envelope.mail_from or "", envelope.rcpt_tos[0]))
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
            client.sendmail(envelope.mail_from or "", envelope.rcpt_tos, self.does(envelope.content))
        return "250 OK passed on"


@contextmanager
def running_forwarder(port: int) -> Iterator[tuple[Forwarder, int]]:
    forwarder = Forwarder(port)
    server = SmtpServer(forwarder, "127.0.0.1", 0)
    server.start()
    try:
        yield forwarder, server.port
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@dataclass
class Surroundings:
    """A house that signs, a relay that hands its mail back to it, and name servers that show its keys."""

    house: Terminal
    relay: Forwarder
    zone: Zone

    def looked_at(self, *, code: int = 0) -> dict[str, dict[str, str | bool]]:
        found = self.house.json("doctor", "--round-trip", "--wait", "20", code=code)
        return {one["check"]: one for one in found}


@pytest.fixture
def there(house: Terminal) -> Iterator[Surroundings]:
    inbound = free_port()
    zone = Zone()
    with running_forwarder(inbound) as (relay, port), running_name_server(zone) as server:
        house.set(
            NURTURE_SMTP__PORT=str(port),
            NURTURE_INBOUND__DOMAIN=DOMAIN,
            NURTURE_INBOUND__PORT=str(inbound),
            NURTURE_DNS__SERVERS=server,
        )
        for one in house.json("dkim", "create")["keys"]:
            zone.txt[one["name"]] = [one["record"]]
        house.type("dkim", "use")
        yield Surroundings(house, relay, zone)


KINDS = ["newsletter", "sequence", "service", "internal", "test"]


def test_one_mail_of_each_kind_arrives_signed_and_as_it_was_sent(there: Surroundings) -> None:
    """STANDARDS 26, 43: on what was received, not on what was meant."""
    found = there.looked_at()
    assert [one.partition(":")[0] for one in found if one.endswith("arrives")] == KINDS
    assert all(one["ok"] for one in found.values())
    for kind in KINDS:
        assert "signed by n" in str(found[f"{kind}: SPF, DKIM, DMARC"]["what"])
        assert "(rsa-sha256) and n" in str(found[f"{kind}: SPF, DKIM, DMARC"]["what"])
        assert found[f"{kind}: as it was sent"]["what"] == "nothing was changed on the way"
    assert {one for one in found if one.endswith("List-Unsubscribe")} == {
        f"{kind}: List-Unsubscribe" for kind in ("newsletter", "sequence", "test")
    }
    came_back = [mail_from.partition("-")[0] for mail_from, _ in there.relay.passed]
    assert came_back == ["b", "b", "b", "dana@acme.example", "dana@acme.example"]
    assert there.looked_at()["newsletter: arrives"]["ok"], "and nothing of it is left for the next time"


def test_a_relay_that_meddles_is_told_what_it_does(there: Surroundings) -> None:
    def meddle(content: bytes) -> bytes:
        content = re.sub(rb"(?m)^List-Unsubscribe-Post: .*\r\n", b"", content)
        content = content.replace(b"</body>", b"<p>sent by a relay</p></body>").replace(b"</html>", b" </html>")
        head = (
            b"Return-Path: <bounce@relay.example>\r\n"
            b"Authentication-Results: mx.acme.example; spf=pass smtp.mailfrom=relay.example; dkim=fail (changed)\r\n"
            b" header.d=acme.example; dmarc=fail header.from=acme.example\r\n"
            b"Received: from relay.example (relay.example [192.0.2.9]) by mx.acme.example with ESMTP id 1\r\n"
            b"List-Owner: <mailto:relay@relay.example>\r\n"
        )
        return head + content

    there.relay.does = meddle
    found = there.looked_at(code=1)
    arrived, seen, way_out, sent = (
        found[f"newsletter: {one}"] for one in ("arrives", "SPF, DKIM, DMARC", "List-Unsubscribe", "as it was sent")
    )
    assert not any(one["ok"] for one in (arrived, seen, way_out, sent))
    assert "the last hop not encrypted: from relay.example" in str(arrived["what"])
    assert "does not hold: the body was changed on the way" in str(seen["what"])
    assert "its receiver says spf pass, dkim fail, dmarc fail" in str(seen["what"])
    assert "no signature that holds covers list-unsubscribe and list-unsubscribe-post" in str(way_out["what"])
    assert "it took list-unsubscribe-post away; it changed the body; it added list-owner" in str(sent["what"])
    assert "bounces go to relay.example, and not to us" in str(sent["what"])
    assert "click and open tracking" in str(sent["do"])


def test_a_signature_whose_key_nobody_shows_is_found_out(there: Surroundings) -> None:
    there.zone.txt.clear()
    found = there.looked_at(code=1)["sequence: SPF, DKIM, DMARC"]
    assert "the name servers show no key n" in str(found["what"])


def test_what_does_not_arrive_and_what_is_not_taken_is_said(there: Surroundings) -> None:
    there.relay.port = 1
    found = there.looked_at(code=1)
    assert list(found) == [f"{kind}: arrives" for kind in KINDS]
    assert "the relay did not take it: 5" in str(found["test: arrives"]["what"])


def test_without_a_mailbox_it_says_how_to_have_one(house: Terminal) -> None:
    assert "set inbound.domain, or name a mailbox with --to and --imap" in house.refused("doctor", "--round-trip")
    elsewhere = ("doctor", "--round-trip", "--to", "dana@acme.example", "--imap")
    for server in ("imap.example:99x", "imaps://imap.example", ":993"):
        assert f"--imap: {server} is no server" in house.refused(*elsewhere, server)
    assert "belong together" in house.refused("doctor", "--round-trip", "--to", "a@b.example")


def test_a_mailbox_without_a_round_trip_is_refused(house: Terminal) -> None:
    said = house.refused("doctor", "--to", "you@acme.example")
    assert said == "--to, --imap and --user say where a round trip goes; add --round-trip, or leave them out."
