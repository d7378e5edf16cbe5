"""How a connection comes about: greeting, TLS with a verified name, signing in; and why it does not."""

import asyncio
import base64
import ssl
from typing import Any

import pytest

from nurture.adapters.smtp import Relay, SmtpConnection, SmtpMailer
from nurture.adapters.smtp.relay import Encryption
from nurture.delivery.mailer import RelayDown
from nurture.delivery.rules import Heard
from nurture.errors import NotAllowed
from tests.support.conversations import IMPATIENT, converse, hand_over, refused_at_the_door
from tests.support.scripts import CERTIFICATE, Act, Answer, Script, ScriptedRelay


@pytest.mark.parametrize(
    ("script", "because"),
    [
        ({"": "421 4.3.2 too busy"}, "421 4.3.2 too busy"),
        ({"": "554 no service here"}, "554 no service here"),
        ({"": Act.CLOSE}, "the relay closed the connection"),
        ({"": "SSH-2.0-OpenSSH_9.6"}, "the relay answered 'SSH-2.0-OpenSSH_9.6', which is not SMTP"),
        ({"EHLO": "502 not here", "HELO": "502 nor here"}, "502 not here"),
        ({"EHLO": "421 too busy", "HELO": "250 fine"}, "421 too busy"),
        ({"EHLO": Act.CLOSE}, "the relay closed the connection"),
    ],
)
def test_a_relay_that_does_not_let_us_in_is_down_and_says_why(script: Script, because: str) -> None:
    assert refused_at_the_door(script) == because


@pytest.mark.parametrize("stage", ["", "EHLO", "AUTH"])
def test_a_relay_that_falls_silent_before_it_lets_us_in_is_down(stage: str) -> None:
    because = refused_at_the_door({stage: Act.KEEP_SILENT}, timeout_seconds=IMPATIENT, username="nurture")
    assert because == "the relay did not answer in time"


@pytest.mark.parametrize("answer", ["421 4.3.2 too busy", Act.CLOSE, Act.RESET])
@pytest.mark.parametrize("stage", ["", "EHLO", "AUTH"])
def test_421_and_a_lost_connection_at_the_door_are_told_as_they_are(stage: str, answer: str | Act) -> None:
    """STANDARDS 13: nothing was begun, nothing counts as an attempt."""
    because = refused_at_the_door({stage: answer}, username="nurture")
    assert because.endswith("421 4.3.2 too busy" if isinstance(answer, str) else "the relay closed the connection")


def test_brackets_around_an_address_are_no_part_of_it() -> None:
    assert hand_over(host="[127.0.0.1]").outcome.heard is Heard.ACCEPTED


def test_a_port_where_nobody_listens_is_told_with_its_host() -> None:
    with pytest.raises(RelayDown, match=r"127\.0\.0\.1:1: Connect"):
        asyncio.run(SmtpMailer(Relay("127.0.0.1", 1)).connect())


@pytest.mark.parametrize("host", ["smtp..relay.example", f"{'s' * 64}.relay.example", "smtp.relay.example..", "smtp\0"])
def test_a_relay_with_a_name_that_no_host_can_have_cannot_be_reached(host: str) -> None:
    """As any other that is down: it must not end the run in which others carry their mail."""
    with pytest.raises(RelayDown, match="this is not the name of a host"):
        asyncio.run(SmtpMailer(Relay(host, 587)).connect())


#: The same machine under a name that nobody takes for loopback.
ELSEWHERE = "0.0.0.0"


def test_nothing_leaves_for_another_machine_without_tls() -> None:
    """STANDARDS 16 and 17."""
    because = refused_at_the_door(host=ELSEWHERE)
    assert because == "the relay offers no STARTTLS, and mail never leaves this machine unencrypted"
    with pytest.raises(RelayDown, match=r"smtp\.tls is off, which is for loopback relays only; relay\.example needs"):
        asyncio.run(SmtpMailer(Relay("relay.example", 25, tls="off")).connect())


def test_loopback_needs_no_tls_unless_it_is_asked_for() -> None:
    assert hand_over().outcome.heard is Heard.ACCEPTED
    because = refused_at_the_door(tls="starttls")
    assert because == "the relay offers no STARTTLS, and mail never leaves this machine unencrypted"


def test_tls_is_1_2_at_least_and_names_are_verified() -> None:
    """STANDARDS 16."""
    context = Relay("relay.example", 587).tls_context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


OFFERS_TLS: Script = {"EHLO": "250-relay.example\n250-STARTTLS\n250 AUTH PLAIN"}


def test_after_starttls_everything_is_encrypted_and_offers_are_heard_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """STANDARDS 16."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    script: Script = {"EHLO": ["250-relay.example\n250-SMTPUTF8\n250 STARTTLS", "250 relay.example"]}
    told = hand_over(script, tls="starttls")
    assert told.relay.is_encrypted
    assert told.outcome.heard is Heard.ACCEPTED
    assert told.relay.commands() == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "."]
    # What was offered before the handshake may have been said by anybody.
    assert hand_over(script, tls="starttls", rcpt_to="bücher@reader.example").outcome.heard is Heard.REJECTED


@pytest.mark.parametrize("slipped", ["250-relay.example\n250 SMTPUTF8", "250 OK", "half a lin"])
def test_whoever_slips_words_in_before_the_handshake_gets_no_mail(
    slipped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STANDARDS 16: CVE-2011-0411."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    because = refused_at_the_door({**OFFERS_TLS, "STARTTLS": f"220 go on\n{slipped}"}, tls="starttls")
    assert "out of turn" in because or "which is not SMTP" in because


@pytest.mark.parametrize("answer", ["421 4.3.2 too busy", "454 4.7.0 not now", Act.CLOSE, Act.KEEP_SILENT])
def test_a_relay_that_cannot_encrypt_after_all_gets_no_mail(answer: str | Act) -> None:
    """STANDARDS 16: there is no falling back to plain text."""
    relays: list[str] = [
        refused_at_the_door({**OFFERS_TLS, "STARTTLS": answer}, tls="starttls", timeout_seconds=IMPATIENT)
    ]
    expected = {Act.CLOSE: "the relay closed the connection", Act.KEEP_SILENT: "the relay did not answer in time"}
    assert relays == [expected.get(answer, answer) if isinstance(answer, Act) else answer]


def test_implicit_tls_speaks_no_clear_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    told = hand_over(tls="implicit", relay={"is_implicit": True})
    assert told.outcome.heard is Heard.ACCEPTED
    assert "STARTTLS" not in told.relay.commands()


@pytest.mark.parametrize(
    ("host", "port", "tls", "is_implicit"),
    [
        ("mail.acme.example", 465, "auto", True), ("mail.acme.example", 587, "auto", False),
        ("127.0.0.1", 465, "auto", False), ("mail.acme.example", 465, "starttls", False),
        ("mail.acme.example", 587, "implicit", True), ("email-smtp.eu-central-1.amazonaws.com", 2465, "auto", True),
    ],
)  # fmt: skip
def test_at_port_465_nobody_waits_for_a_greeting(host: str, port: int, tls: Encryption, is_implicit: bool) -> None:
    """RFC 8314, 7.3: settings name it with `auto`, and a relay says nothing there before the handshake."""
    assert Relay(host, port, tls=tls).is_implicit is is_implicit


def test_a_relay_whose_certificate_nobody_vouches_for_gets_no_mail() -> None:
    """STANDARDS 16: fails closed."""
    assert "certificate verify failed" in refused_at_the_door(OFFERS_TLS, tls="starttls")
    assert "certificate verify failed" in refused_at_the_door(tls="implicit", relay={"is_implicit": True})


def test_a_certificate_for_another_host_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """STANDARDS 16: the name is checked."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    assert "certificate is not valid for" in refused_at_the_door(OFFERS_TLS, host=ELSEWHERE)


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


def test_a_relay_that_knows_only_helo_gets_mail_step_by_step() -> None:
    """RFC 5321, 3.2; it offers nothing, so nobody signs in or encrypts there."""
    script: Script = {"EHLO": "502 5.5.1 unknown command", "HELO": "250 relay.example"}
    told = hand_over(script)
    assert told.outcome.heard is Heard.ACCEPTED
    assert told.relay.heard[:3] == ["EHLO localhost", "HELO localhost", "MAIL FROM:<dana@acme.example>"]
    for needs in ({"username": "dana", "password": "secret"}, {"tls": "starttls"}):
        assert refused_at_the_door(script, **needs) == "502 5.5.1 unknown command"


@pytest.mark.parametrize(
    ("offer", "mechanism"),
    [
        ("AUTH=LOGIN", "LOGIN"), ("AUTH LOGIN\n250-AUTH=LOGIN", "LOGIN"), ("AUTH LOGIN\n250-AUTH PLAIN", "PLAIN"),
        ("AUTH PLAIN\n250-AUTH XOAUTH2", "PLAIN"), ("auth=plain login", "PLAIN"),
    ],
)  # fmt: skip
def test_what_is_offered_for_signing_in_is_read_however_it_is_said(offer: str, mechanism: str) -> None:
    said: Script = {"AUTH": ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 in"]} if mechanism == "LOGIN" else {}
    script: Script = {"EHLO": f"250-relay.example\n250-{offer}\n250 SIZE 0", **said}
    for how in ("auto", mechanism.lower()):
        told = hand_over(script, username="dana", password="open sesame", auth=how)
        assert told.relay.heard[1].startswith(f"AUTH {mechanism}")
        assert told.outcome.heard is Heard.ACCEPTED


def test_the_settings_may_say_how_to_sign_in() -> None:
    signed: dict[str, Any] = {"username": "nurture", "password": "open sesame", "auth": "login"}
    script: Script = {
        "EHLO": "250-relay.example\n250 AUTH PLAIN LOGIN",
        "AUTH": ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 in"],
    }
    assert hand_over(script, **signed).relay.heard[1] == "AUTH LOGIN"
    because = refused_at_the_door({"EHLO": "250-relay.example\n250 AUTH PLAIN XOAUTH2"}, **signed)
    assert because == "the relay offers no sign-in by LOGIN; it offers PLAIN, XOAUTH2"


def test_a_token_is_asked_for_anew_at_each_sign_in() -> None:
    def token() -> str:
        asked.append("")
        return f"token{len(asked)}"

    asked: list[str] = []
    for number in (1, 2):
        told = hand_over(username="ana@acme.example", auth="xoauth2", token=token)
        shown = base64.b64decode(told.relay.heard[1].removeprefix("AUTH XOAUTH2 "))
        assert shown == f"user=ana@acme.example\1auth=Bearer token{number}\1\1".encode()
        assert told.outcome.heard is Heard.ACCEPTED


def test_a_token_that_is_refused_is_told_without_the_token() -> None:
    """STANDARDS 17: Google and Microsoft say no by 334 and wait for an empty line."""
    script: Script = {"AUTH": ["334 eyJzdGF0dXMiOiI0MDAifQ==", "535 5.7.8 not with sesame"]}
    because = refused_at_the_door(script, username="ana", auth="xoauth2", token=lambda: "sesame")
    assert because == "signing in as ana failed: 535 5.7.8 not with …"


def test_without_a_token_nobody_signs_in() -> None:
    def token() -> str:
        raise NotAllowed("the provider says that access was taken back")

    because = refused_at_the_door(username="ana", auth="xoauth2", token=token)
    assert because == "there is no token to sign in with: the provider says that access was taken back"


@pytest.mark.parametrize(
    ("mechanism", "said"),
    [("PLAIN", "AG51cnR1cmUAb3BlbiBzZXNhbWU="), ("PLAIN", "open sesame"), ("LOGIN", "b3BlbiBzZXNhbWU=")],
)
def test_a_wrong_password_is_told_without_the_password(mechanism: str, said: str) -> None:
    """STANDARDS 17: not even if the relay repeats it."""
    answers: list[Answer] = [*(["334 name", "334 password"] if mechanism == "LOGIN" else []), f"535 5.7.8 no {said}"]
    script: Script = {"EHLO": f"250-relay.example\n250 AUTH {mechanism}", "AUTH": answers}
    because = refused_at_the_door(script, username="nurture", password="open sesame")
    assert because == "signing in as nurture failed: 535 5.7.8 no …"
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
