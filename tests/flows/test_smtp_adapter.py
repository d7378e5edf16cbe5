"""The relay's side of the story: whatever a relay says, or fails to say, one try ends in the one right way.

The line that matters runs through the final dot. Before it nothing was handed over, so the mail may be tried again; after
it an answer that never came leaves it uncertain, and nobody sends it twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.adapters.smtp import Relay, SmtpConnection, SmtpMailer
from nurture.delivery.mailer import Envelope, RelayDown
from nurture.delivery.rules import Heard, Outcome
from tests.support.scripts import CERTIFICATE, Act, Script, ScriptedRelay, scripted

BODY = b"Subject: Hello\r\n\r\nHello.\r\n"
#: More than any socket keeps for somebody who does not read.
LONG = b"Subject: Hello\r\n\r\n" + b"0123456789012345678901234567890123456789\r\n" * 500_000
PATIENT = 10.0
IMPATIENT = 0.2


@dataclass
class Told:
    """What became of a message, the relay that was asked, and whether the connection may carry another."""

    outcome: Outcome
    relay: ScriptedRelay
    is_usable: bool

    @property
    def verdict(self) -> tuple[Heard, int | None, str]:
        return self.outcome.heard, self.outcome.code, self.outcome.reply


def converse(
    talk: Callable[[SmtpConnection, ScriptedRelay], Awaitable[None]],
    script: Script | None = None,
    *,
    host: str = "127.0.0.1",
    relay: dict[str, Any] | None = None,
    **connection: Any,
) -> None:
    """Open a connection to a scripted relay and talk over it."""

    async def run() -> None:
        async with scripted(script, **(relay or {})) as running:
            options = {"timeout_seconds": PATIENT, **connection}
            opened = await SmtpMailer(Relay(host, running.port, **options)).connect()
            try:
                await talk(opened, running)
            finally:
                await opened.close()

    asyncio.run(run())


async def send(connection: SmtpConnection, mail_from: str, rcpt_to: str, content: bytes) -> Outcome:
    envelope = Envelope(mail_from, rcpt_to, len(content))
    return await connection.begin(envelope) or await connection.finish(content)


def hand_over(
    script: Script | None = None,
    content: bytes = BODY,
    *,
    mail_from: str = "dana@acme.example",
    rcpt_to: str = "ana@reader.example",
    **more: Any,
) -> Told:
    """Hand one message to a scripted relay."""
    told: list[Told] = []

    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        outcome = await send(connection, mail_from, rcpt_to, content)
        told.append(Told(outcome, relay, connection.is_usable))

    converse(talk, script, **more)
    return told[0]


def refused_at_the_door(script: Script | None = None, **more: Any) -> str:
    """Why no connection came about."""

    async def never(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        raise AssertionError("there should be no connection")

    with pytest.raises(RelayDown) as refusal:
        converse(never, script, **more)
    return str(refusal.value).partition(": ")[2]


def test_a_polite_relay_takes_the_message_and_its_word_is_kept() -> None:
    told = hand_over()
    assert told.verdict == (Heard.ACCEPTED, 250, "250 2.0.0 taken as 4711")
    assert told.is_usable
    assert told.relay.bodies == [BODY]
    assert told.relay.heard[1:3] == ["MAIL FROM:<dana@acme.example>", "RCPT TO:<ana@reader.example>"]


def test_one_connection_carries_one_message_after_the_other() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        for number in range(3):
            outcome = await send(connection, "dana@acme.example", f"reader{number}@reader.example", BODY)
            assert outcome.heard is Heard.ACCEPTED
        assert (relay.connections, len(relay.bodies)) == (1, 3)

    converse(talk)


STAGES = ["MAIL", "RCPT", "DATA", "."]


@pytest.mark.parametrize("stage", STAGES)
def test_a_no_for_now_is_tried_again_and_kept_in_the_relays_words(stage: str) -> None:
    told = hand_over({stage: "451 4.7.1 greylisted, come back"})
    assert told.verdict == (Heard.DEFERRED, 451, "451 4.7.1 greylisted, come back")
    assert told.is_usable
    assert len(told.relay.bodies) == (stage == ".")


@pytest.mark.parametrize("stage", STAGES)
def test_a_no_for_good_fails_and_is_kept_in_the_relays_words(stage: str) -> None:
    told = hand_over({stage: "550 5.1.1 no such user"})
    assert told.verdict == (Heard.REJECTED, 550, "550 5.1.1 no such user")
    assert told.is_usable


@pytest.mark.parametrize("stage", STAGES)
def test_421_says_nothing_about_the_message_and_ends_the_connection(stage: str) -> None:
    told = hand_over({stage: "421 4.3.2 shutting down"})
    assert told.verdict == (Heard.DEFERRED, 421, "421 4.3.2 shutting down")
    assert not told.is_usable
    assert "RSET" not in told.relay.commands()


@pytest.mark.parametrize("act", [Act.CLOSE, Act.RESET])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_a_connection_lost_before_the_body_handed_nothing_over(stage: str, act: Act) -> None:
    told = hand_over({stage: act})
    assert (told.outcome.heard, told.outcome.code) == (Heard.LOST, None)
    assert not told.is_usable


@pytest.mark.parametrize(("read", "content"), [(0, BODY), (100, LONG)])
def test_a_connection_lost_within_the_body_handed_nothing_over(read: int, content: bytes) -> None:
    told = hand_over(content=content, relay={"hangs_up_after": read})
    assert (told.outcome.heard, told.relay.bodies) == (Heard.LOST, [])
    assert not told.is_usable


@pytest.mark.parametrize("act", [Act.CLOSE, Act.RESET])
def test_a_connection_lost_after_the_final_dot_leaves_the_message_uncertain(act: Act) -> None:
    told = hand_over({".": act})
    assert told.outcome.heard is Heard.UNANSWERED
    assert told.relay.bodies == [BODY]
    assert not told.is_usable


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_a_relay_that_falls_silent_before_the_body_was_handed_nothing(stage: str) -> None:
    told = hand_over({stage: Act.KEEP_SILENT}, timeout_seconds=IMPATIENT)
    assert told.verdict == (Heard.LOST, None, "the relay did not answer in time")
    assert not told.is_usable


def test_a_relay_may_take_longer_over_the_final_dot_but_not_for_ever() -> None:
    assert hand_over({".": Act.HESITATE}, timeout_seconds=IMPATIENT).outcome.heard is Heard.ACCEPTED
    assert hand_over({"DATA": Act.HESITATE}, timeout_seconds=IMPATIENT).outcome.heard is Heard.LOST
    told = hand_over({".": Act.KEEP_SILENT}, timeout_seconds=IMPATIENT)
    assert told.verdict == (Heard.UNANSWERED, None, "the relay did not answer in time")


def test_after_a_no_to_an_envelope_the_next_message_starts_afresh() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        first = await send(connection, "dana@acme.example", "gone@reader.example", BODY)
        second = await send(connection, "dana@acme.example", "ana@reader.example", BODY)
        assert (first.heard, second.heard) == (Heard.REJECTED, Heard.ACCEPTED)
        assert relay.commands() == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA", "."]

    converse(talk, {"RCPT": ["550 no such user", "250 OK"]})


@pytest.mark.parametrize("answer", ["500 what?", Act.CLOSE])
def test_a_relay_that_does_not_take_back_an_envelope_gets_no_further_message(answer: str | Act) -> None:
    told = hand_over({"RCPT": "550 5.1.1 no such user", "RSET": answer})
    assert told.verdict == (Heard.REJECTED, 550, "550 5.1.1 no such user")
    assert not told.is_usable


def test_a_connection_that_died_between_two_messages_costs_the_second_nothing_but_time() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        assert (await send(connection, "dana@acme.example", "ana@reader.example", BODY)).heard is Heard.ACCEPTED
        assert (await send(connection, "dana@acme.example", "ben@reader.example", BODY)).heard is Heard.LOST

    converse(talk, {"MAIL": ["250 OK", Act.CLOSE]})


def test_251_is_a_yes_to_a_recipient() -> None:
    assert hand_over({"RCPT": "251 will forward"}).outcome.heard is Heard.ACCEPTED


def test_a_reply_of_many_lines_is_one_reply() -> None:
    told = hand_over({".": "550-5.7.1 we do not like this\n550-5.7.1 see https://relay.example/why\n550 5.7.1 sorry"})
    reply = "550 5.7.1 we do not like this\n5.7.1 see https://relay.example/why\n5.7.1 sorry"
    assert told.verdict == (Heard.REJECTED, 550, reply)


def test_what_a_relay_says_is_kept_without_what_could_take_over_a_terminal() -> None:
    told = hand_over({"RCPT": "550 \x1b[31mred\x07"})
    assert told.outcome.reply == "550  [31mred "


@pytest.mark.parametrize("nonsense", ["HTTP/1.1 400 Bad Request", "", "²50 OK", "OK", "\n".join(["250-more"] * 101)])
def test_a_relay_that_does_not_speak_smtp_was_handed_nothing(nonsense: str) -> None:
    told = hand_over({"RCPT": nonsense})
    assert told.outcome.heard is Heard.LOST
    assert "which is not SMTP" in told.outcome.reply
    assert not told.is_usable


def test_a_line_without_an_end_is_no_answer() -> None:
    told = hand_over({"RCPT": "250 " + "x" * 200_000})
    assert (told.outcome.heard, told.outcome.reply) == (Heard.LOST, "the relay answered with an endless line")


def test_nonsense_after_the_final_dot_leaves_the_message_uncertain() -> None:
    assert hand_over({".": "Thank you!"}).outcome.heard is Heard.UNANSWERED


def test_an_address_beyond_ascii_travels_only_where_the_relay_offers_it() -> None:
    told = hand_over(rcpt_to="bücher@reader.example")
    assert told.verdict == (
        Heard.REJECTED,
        None,
        "the relay does not offer SMTPUTF8 (RFC 6531), which this address needs",
    )
    assert told.is_usable
    assert told.relay.commands() == ["EHLO"]

    told = hand_over({"EHLO": "250-relay.example\n250 SMTPUTF8"}, rcpt_to="bücher@reader.example")
    assert told.outcome.heard is Heard.ACCEPTED
    assert told.relay.heard[1:3] == ["MAIL FROM:<dana@acme.example> SMTPUTF8", "RCPT TO:<bücher@reader.example>"]


def test_a_message_larger_than_the_relay_takes_is_not_even_begun() -> None:
    told = hand_over({"EHLO": "250-relay.example\n250 SIZE 20"})
    assert told.verdict == (Heard.REJECTED, None, "the mail has 26 bytes and the relay takes 20 (RFC 1870)")
    assert told.relay.commands() == ["EHLO"]


@pytest.mark.parametrize("offer", ["SIZE 0", "SIZE", "SIZE 26"])
def test_the_size_is_told_to_whoever_asks_for_it(offer: str) -> None:
    told = hand_over({"EHLO": f"250-relay.example\n250 {offer}"})
    assert told.outcome.heard is Heard.ACCEPTED
    assert told.relay.heard[1] == "MAIL FROM:<dana@acme.example> SIZE=26"


@pytest.mark.parametrize(
    "address", ["", "-oQ/tmp@x.example", "a b@x.example", "a>\r\nRCPT TO:<evil@x.example", "a\0@x.example"]
)
def test_an_address_that_could_smuggle_a_command_is_never_said(address: str) -> None:
    for told in (hand_over(rcpt_to=address), hand_over(mail_from=address)):
        assert told.verdict == (Heard.REJECTED, None, "the address is not one that can be sent to")
        assert told.relay.commands() == ["EHLO"]


lines = st.lists(st.sampled_from([b".", b"..", b".hidden", b"", b"a.b.", b"x" * 990, b".\xc3\xbc"]), max_size=6)


@given(lines)
def test_dots_at_the_beginning_of_a_line_arrive_as_they_were_written(content: list[bytes]) -> None:
    body = b"\r\n".join([*content, b""])
    [arrived] = hand_over(content=body or b"x").relay.bodies
    unstuffed = b"".join(line.removeprefix(b".") for line in arrived.splitlines(keepends=True))
    assert unstuffed == (body or b"x\r\n")


def test_a_body_without_a_line_end_gets_one_so_that_the_dot_stands_alone() -> None:
    assert hand_over(content=b"Subject: x\r\n\r\nbye").relay.bodies == [b"Subject: x\r\n\r\nbye\r\n"]


@pytest.mark.parametrize("smuggled", [b"hi\n.\r\nMAIL FROM:<x@y>", b"hi\r\n.\rMAIL FROM:<x@y>", b"hi\n.\nRSET\n"])
def test_a_body_with_half_a_line_end_is_never_written(smuggled: bytes) -> None:
    told = hand_over(content=smuggled)
    assert told.verdict == (Heard.REJECTED, None, "the mail has a line that does not end with CR LF (RFC 5321, 2.3.8)")
    assert told.relay.bodies == []
    assert not told.is_usable


@pytest.mark.parametrize(
    ("script", "because"),
    [
        ({"": "421 4.3.2 too busy"}, "421 4.3.2 too busy"),
        ({"": "554 no service here"}, "554 no service here"),
        ({"": Act.CLOSE}, "the relay closed the connection"),
        ({"": "SSH-2.0-OpenSSH_9.6"}, "the relay answered 'SSH-2.0-OpenSSH_9.6', which is not SMTP"),
        ({"EHLO": "502 not here"}, "502 not here"),
        ({"EHLO": Act.CLOSE}, "the relay closed the connection"),
    ],
)
def test_a_relay_that_does_not_let_us_in_is_down_and_says_why(script: Script, because: str) -> None:
    assert refused_at_the_door(script) == because


@pytest.mark.parametrize("stage", ["", "EHLO"])
def test_a_relay_that_never_greets_is_down(stage: str) -> None:
    because = refused_at_the_door({stage: Act.KEEP_SILENT}, timeout_seconds=IMPATIENT)
    assert because == "the relay did not answer in time"


def test_a_port_where_nobody_listens_is_told_with_its_host() -> None:
    with pytest.raises(RelayDown, match=r"127\.0\.0\.1:1: Connect"):
        asyncio.run(SmtpMailer(Relay("127.0.0.1", 1)).connect())


#: The same machine under a name that nobody takes for loopback.
ELSEWHERE = "0.0.0.0"


def test_nothing_leaves_for_another_machine_without_tls() -> None:
    because = refused_at_the_door(host=ELSEWHERE)
    assert because == "the relay offers no STARTTLS, and mail never leaves this machine unencrypted"
    with pytest.raises(RelayDown, match=r"smtp\.tls is off, which is for loopback relays only; relay\.example needs"):
        asyncio.run(SmtpMailer(Relay("relay.example", 25, tls="off")).connect())


def test_loopback_needs_no_tls_unless_it_is_asked_for() -> None:
    assert hand_over().outcome.heard is Heard.ACCEPTED
    because = refused_at_the_door(tls="starttls")
    assert because == "the relay offers no STARTTLS, and mail never leaves this machine unencrypted"


OFFERS_TLS: Script = {"EHLO": "250-relay.example\n250-STARTTLS\n250 AUTH PLAIN"}


def test_after_starttls_everything_is_encrypted_and_offers_are_heard_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    script: Script = {"EHLO": ["250-relay.example\n250-SMTPUTF8\n250 STARTTLS", "250 relay.example"]}
    told = hand_over(script, tls="starttls")
    assert told.relay.is_encrypted
    assert told.outcome.heard is Heard.ACCEPTED
    assert told.relay.commands() == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "."]
    # What was offered before the handshake may have been said by anybody.
    assert hand_over(script, tls="starttls", rcpt_to="bücher@reader.example").outcome.heard is Heard.REJECTED


def test_what_was_slipped_in_before_the_handshake_is_not_taken_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    script = {**OFFERS_TLS, "STARTTLS": "220 go on\n250-relay.example\n250 SMTPUTF8"}
    told = hand_over(script, tls="starttls", rcpt_to="bücher@reader.example")
    assert told.outcome.heard is Heard.REJECTED


def test_implicit_tls_speaks_no_clear_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    told = hand_over(tls="implicit", relay={"is_implicit": True})
    assert told.outcome.heard is Heard.ACCEPTED
    assert "STARTTLS" not in told.relay.commands()


def test_a_relay_whose_certificate_nobody_vouches_for_gets_no_mail() -> None:
    assert "certificate verify failed" in refused_at_the_door(OFFERS_TLS, tls="starttls")
    assert "certificate verify failed" in refused_at_the_door(tls="implicit", relay={"is_implicit": True})


def test_a_certificate_for_another_host_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    assert "certificate is not valid for" in refused_at_the_door(OFFERS_TLS, host=ELSEWHERE)


def test_a_relay_that_changes_its_mind_about_tls_is_down() -> None:
    assert refused_at_the_door({**OFFERS_TLS, "STARTTLS": "454 not now"}, tls="starttls") == "454 not now"


def test_signing_in_is_plain_where_offered_and_login_otherwise() -> None:
    signed: dict[str, Any] = {"username": "nurture", "password": "open sesame"}
    told = hand_over({"EHLO": "250-relay.example\n250 AUTH LOGIN PLAIN"}, **signed)
    assert told.relay.heard[1] == "AUTH PLAIN AG51cnR1cmUAb3BlbiBzZXNhbWU="
    script: Script = {
        "EHLO": "250-relay.example\n250 AUTH LOGIN",
        "AUTH": ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 in"],
    }
    told = hand_over(script, **signed)
    assert told.relay.heard[1:4] == ["AUTH LOGIN", "bnVydHVyZQ==", "b3BlbiBzZXNhbWU="]
    assert told.outcome.heard is Heard.ACCEPTED


def test_a_wrong_password_is_told_without_the_password() -> None:
    script = {"AUTH": "535 5.7.8 authentication failed"}
    because = refused_at_the_door(script, username="nurture", password="open sesame")
    assert because == "signing in as nurture failed: 535 5.7.8 authentication failed"
    assert "sesame" not in repr(Relay("relay.example", 587, password="open sesame"))


def test_closing_says_goodbye_and_closing_twice_is_no_mistake() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        await connection.close()
        await connection.close()
        assert not connection.is_usable

    converse(talk)


def test_the_doctor_hears_where_the_connection_leads() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        assert connection.description == f"127.0.0.1:{relay.port}, no TLS, offers 8BITMIME, PIPELINING"

    converse(talk)
