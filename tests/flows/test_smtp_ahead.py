"""With PIPELINING the envelope of the next message travels behind the body of the one at hand (RFC 2920, 3.1).

What a relay says to that envelope is the verdict of the next message, whatever became of the one before; its body is
written only after `begin` has heard a yes to all of it, and never if it may not be sent any more.
"""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.adapters.smtp import Relay, SmtpConnection, SmtpMailer
from nurture.delivery.rules import Heard
from tests.support.conversations import (
    BODY,
    IMPATIENT,
    LONG,
    PIPELINED,
    STEP_BY_STEP,
    Told,
    carry,
    converse,
    envelope_to,
)
from tests.support.scripts import CERTIFICATE, Act, Answer, Script, ScriptedRelay

TAKEN = (Heard.ACCEPTED, 250, "250 2.0.0 taken as 4711")
#: A body that fills more than one system call, so that no envelope is written behind it.
LARGE = b"Subject: Hello\r\n\r\n" + b"0123456789012345678901234567890123456789\r\n" * 5_000


def second(stage: str, answer: Answer, **polite: str) -> dict[str, list[Answer]]:
    """A relay that has nothing against the first message."""
    yes = {"MAIL": "250 OK", "RCPT": "250 OK", "DATA": "354 go on", ".": "250 2.0.0 taken as 4711", **polite}
    return {stage: [yes[stage], answer, yes[stage]]}


def carry_two(stage: str, answer: Answer, count: int = 2, **more: Any) -> Told:
    return carry({**PIPELINED, **second(stage, answer)}, [BODY] * count, **more)


def test_a_message_takes_one_round_trip() -> None:
    """The relay answers a body only once it has the whole next envelope: whoever waits for the answer waits for ever."""
    told = carry(PIPELINED, [BODY] * 5, relay={"answers_late": 4})
    assert told.verdicts == [TAKEN] * 5
    assert told.relay.bodies == [BODY] * 5


@pytest.mark.parametrize(("script", "may_pipeline"), [(STEP_BY_STEP, True), (PIPELINED, False)])
def test_without_the_offer_or_against_the_settings_nothing_is_sent_ahead(script: Script, may_pipeline: bool) -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        assert not connection.can_pipeline
        assert await connection.begin(envelope_to("ana")) is None
        assert (await connection.finish(BODY, envelope_to("ben"))).heard is Heard.ACCEPTED
        assert relay.commands() == ["EHLO", "MAIL", "RCPT", "DATA", "."]
        assert await connection.begin(envelope_to("ben")) is None
        assert (await connection.finish(BODY)).heard is Heard.ACCEPTED

    converse(talk, script, may_pipeline=may_pipeline)


@pytest.mark.parametrize("code", ["450 4.2.1 busy", "550 5.1.1 no such user"])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_a_no_to_an_envelope_sent_ahead_is_the_verdict_of_that_message_alone(stage: str, code: str) -> None:
    told = carry_two(stage, code, 3)
    heard = Heard.DEFERRED if code.startswith("4") else Heard.REJECTED
    assert told.verdicts == [TAKEN, (heard, int(code[:3]), code), TAKEN]
    assert told.is_usable
    assert told.relay.bodies == [BODY] * 2


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_421_between_two_messages_costs_the_second_nothing(stage: str) -> None:
    """STANDARDS 13: its body was never written; it may be begun again over another connection."""
    told = carry_two(stage, "421 4.7.0 too many messages")
    assert told.verdicts == [TAKEN, (Heard.DEFERRED, 421, "421 4.7.0 too many messages")]
    assert not told.is_usable
    assert told.relay.bodies == [BODY]


def test_421_to_a_body_costs_the_next_message_nothing() -> None:
    """STANDARDS 13."""
    told = carry({**PIPELINED, ".": "421 4.3.2 shutting down"}, [BODY] * 2)
    assert told.verdicts == [
        (Heard.DEFERRED, 421, "421 4.3.2 shutting down"),
        (Heard.LOST, None, "421 4.3.2 shutting down"),
    ]
    assert not told.is_usable
    assert told.relay.bodies == [BODY]


def test_a_good_bye_that_nobody_asked_for_is_no_answer_to_the_message_before() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        assert await connection.begin(envelope_to("ana")) is None
        assert (await connection.finish(BODY)).heard is Heard.ACCEPTED
        assert not connection.is_usable
        outcome = await connection.begin(envelope_to("ben"))
        assert outcome is not None
        assert (outcome.heard, outcome.reply) == (Heard.LOST, "421 4.4.2 idle for too long")

    converse(talk, {**PIPELINED, ".": "250 OK\n421 4.4.2 idle for too long"})


@pytest.mark.parametrize("act", [Act.CLOSE, Act.RESET])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_a_connection_lost_between_two_messages_leaves_neither_in_doubt(stage: str, act: Act) -> None:
    """STANDARDS 14."""
    told = carry_two(stage, act)
    assert told.heard == [Heard.ACCEPTED, Heard.LOST]
    assert not told.is_usable


@pytest.mark.parametrize("act", [Act.CLOSE, Act.RESET])
def test_a_connection_lost_before_the_answer_to_a_body_leaves_that_one_alone_in_doubt(act: Act) -> None:
    """STANDARDS 14: at most one message a connection."""
    told = carry({**PIPELINED, ".": act}, [BODY] * 2)
    assert told.heard == [Heard.UNANSWERED, Heard.LOST]
    assert told.relay.bodies == [BODY]


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_a_relay_that_falls_silent_between_two_messages_was_handed_the_first(stage: str) -> None:
    told = carry_two(stage, Act.KEEP_SILENT, timeout_seconds=IMPATIENT)
    assert told.verdicts == [TAKEN, (Heard.LOST, None, "the relay did not answer in time")]


def test_a_no_is_kept_although_the_relay_leaves_before_it_answered_the_rest() -> None:
    told = carry({**PIPELINED, "MAIL": ["250 OK", "550 5.7.1 not from you"], "RCPT": ["250 OK", Act.CLOSE]}, [BODY] * 2)
    assert told.verdicts == [TAKEN, (Heard.REJECTED, 550, "550 5.7.1 not from you")]
    assert not told.is_usable


def test_a_relay_that_wants_a_body_for_nobody_gets_a_lone_dot_and_stays_in_step() -> None:
    """RFC 2920, 3.1: no recipient was accepted, so nobody gets an empty mail."""
    script: Script = {
        **PIPELINED,
        "RCPT": ["250 OK", "550 gone", "250 OK"],
        "DATA": "354 go on",
        ".": ["250 OK", "554 nobody", "250 OK"],
    }
    told = carry(script, [BODY] * 3)
    assert told.verdicts == [
        (Heard.ACCEPTED, 250, "250 OK"),
        (Heard.REJECTED, 550, "550 gone"),
        (Heard.ACCEPTED, 250, "250 OK"),
    ]
    assert told.relay.bodies == [BODY, b"", BODY]
    assert told.is_usable


@pytest.mark.parametrize("said", ["250 OK", "600 who knows"])
def test_a_relay_that_wants_a_body_after_it_refused_only_the_sender_gets_none(said: str) -> None:
    """A lone dot might deliver an empty mail to the recipient it took."""
    script: Script = {**PIPELINED, "MAIL": ["250 OK", "550 not you"], "RCPT": ["250 OK", said], "DATA": "354 go on"}
    told = carry(script, [BODY] * 2)
    assert told.verdicts == [TAKEN, (Heard.REJECTED, 550, "550 not you")]
    assert told.relay.bodies == [BODY]
    assert not told.is_usable


def test_a_message_that_may_not_leave_any_more_is_abandoned_before_a_dot_is_said() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        assert await connection.begin(envelope_to("ana")) is None
        assert (await connection.finish(BODY, envelope_to("ben"))).heard is Heard.ACCEPTED
        await connection.abandon()
        assert not connection.is_usable
        relays.append(relay)

    relays: list[ScriptedRelay] = []
    converse(talk, PIPELINED)
    assert relays[0].bodies == [BODY]
    assert relays[0].commands() == ["EHLO", *["MAIL", "RCPT", "DATA", "."], *["MAIL", "RCPT", "DATA"]]
    assert "QUIT" not in relays[0].heard


def test_a_message_may_be_abandoned_after_the_relay_said_yes_to_it_on_either_path() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        assert await connection.begin(envelope_to("ana")) is None
        await connection.abandon()
        assert not connection.is_usable
        relays.append(relay)

    relays: list[ScriptedRelay] = []
    converse(talk, PIPELINED)
    converse(talk, STEP_BY_STEP)
    assert [relay.bodies for relay in relays] == [[], []]


def test_closing_while_the_relay_waits_for_a_body_delivers_none() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        assert await connection.begin(envelope_to("ana")) is None
        await connection.close()
        relays.append(relay)

    relays: list[ScriptedRelay] = []
    converse(talk, PIPELINED)
    assert (relays[0].bodies, relays[0].commands()) == ([], ["EHLO", "MAIL", "RCPT", "DATA"])
    assert "QUIT" not in relays[0].heard


def test_abandoning_nothing_costs_no_connection() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        await connection.abandon()
        assert connection.is_usable
        assert await connection.begin(envelope_to("gone")) is not None
        await connection.abandon()
        assert connection.is_usable

    converse(talk, {**PIPELINED, "RCPT": "550 gone"})


def test_a_body_is_never_written_for_an_envelope_that_is_not_its_own() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        with pytest.raises(RuntimeError, match="only for an envelope that was begun"):
            await connection.finish(BODY)
        assert await connection.begin(envelope_to("ana")) is None
        with pytest.raises(RuntimeError, match="while the relay waited for another one"):
            await connection.begin(envelope_to("ana"))
        assert (await connection.finish(BODY, envelope_to("ben"))).heard is Heard.ACCEPTED
        with pytest.raises(RuntimeError, match="while the relay waited for another one"):
            await connection.begin(envelope_to("eve"))
        await connection.close()
        assert relay.bodies == [BODY]

    converse(talk, PIPELINED)


@pytest.mark.parametrize("script", [PIPELINED, STEP_BY_STEP])
@pytest.mark.parametrize("is_abandoned", [False, True])
def test_after_somebody_stopped_waiting_no_answer_is_taken_for_the_one_to_another_message(
    script: Script, is_abandoned: bool
) -> None:
    """The envelope of one, accepted late, would get the mail of the other."""

    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        waiting = asyncio.create_task(connection.begin(envelope_to("ana")))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        if is_abandoned:
            await connection.abandon()
            assert not connection.is_usable
        outcome = await connection.begin(envelope_to("ben"))
        assert outcome is not None
        assert outcome.heard is Heard.LOST
        assert "RCPT TO:<ben@reader.example>" not in relay.heard

    converse(talk, script)


def test_an_envelope_that_this_relay_cannot_take_is_not_sent_ahead() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        assert await connection.begin(envelope_to("ana")) is None
        assert (await connection.finish(BODY, envelope_to("bücher"))).heard is Heard.ACCEPTED
        outcome = await connection.begin(envelope_to("bücher"))
        assert outcome is not None
        assert outcome.heard is Heard.REJECTED
        assert await connection.begin(envelope_to("ben")) is None
        assert (await connection.finish(BODY)).heard is Heard.ACCEPTED
        assert relay.commands() == ["EHLO", *["MAIL", "RCPT", "DATA", "."] * 2]

    converse(talk, PIPELINED)


def test_nothing_is_written_behind_a_body_that_the_kernel_may_take_in_part() -> None:
    """Of bytes taken in part nobody could say whether the dot was among them."""
    told = carry(PIPELINED, [LARGE, BODY])
    assert told.verdicts == [TAKEN, TAKEN]
    lost = carry(PIPELINED, [LONG, BODY], relay={"hangs_up_after": 100})
    assert lost.heard == [Heard.LOST, Heard.LOST]


def test_over_tls_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    sealed: dict[str, Any] = {"tls": "implicit", "relay": {"is_implicit": True, "pieces": [1, 2, 3, 5, 8, 13] * 9}}
    told = carry({**PIPELINED, **CAREFUL}, [BODY] * 4, **sealed)
    assert told.heard == [Heard.ACCEPTED, Heard.REJECTED, Heard.DEFERRED, Heard.DEFERRED]
    told = carry(PIPELINED, [BODY, LARGE, BODY], tls="implicit", relay={"is_implicit": True, "answers_late": 1})
    assert told.verdicts == [TAKEN] * 3
    assert told.relay.bodies == [BODY, LARGE, BODY]
    told = carry({**PIPELINED, ".": Act.CLOSE}, [BODY] * 2, tls="implicit", relay={"is_implicit": True})
    assert told.heard == [Heard.UNANSWERED, Heard.LOST]


CAREFUL: dict[str, Answer | list[Answer]] = {
    "MAIL": ["250 OK", "250-OK\n250 2.1.0 go on", "451 4.3.0 later", "250 OK"],
    "RCPT": ["250 OK", "550-5.1.1 gone\n550 5.1.1 for good", "503 5.5.1 no", "251 2.1.5 forwarded"],
    "DATA": ["354-end with\n354 a dot", "554 5.5.1 nobody", "503 5.5.1 no", "354 go on"],
    ".": ["250-2.0.0 taken\n250 as 1", "452-4.2.2 full\n452 4.2.2 come back"],
}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 60), max_size=80))
def test_it_does_not_matter_where_replies_are_split(pieces: list[int]) -> None:
    told = carry({**PIPELINED, **CAREFUL}, [BODY] * 4, relay={"pieces": pieces})
    assert told.verdicts == [
        (Heard.ACCEPTED, 250, "250 2.0.0 taken\nas 1"),
        (Heard.REJECTED, 550, "550 5.1.1 gone\n5.1.1 for good"),
        (Heard.DEFERRED, 451, "451 4.3.0 later"),
        (Heard.DEFERRED, 452, "452 4.2.2 full\n4.2.2 come back"),
    ]
    assert told.is_usable


def test_many_connections_at_once_do_not_mix_up_their_answers() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        async def carry_some() -> None:
            one = await SmtpMailer(Relay("127.0.0.1", relay.port)).connect()
            for number in range(20):
                assert await one.begin(envelope_to(f"r{number}")) is None
                ahead = envelope_to(f"r{number + 1}") if number < 19 else None
                assert (await one.finish(BODY, ahead)).heard is Heard.ACCEPTED
            await one.close()

        await asyncio.gather(*(carry_some() for _ in range(10)))
        assert len(relay.bodies) == 200

    converse(talk, PIPELINED)
