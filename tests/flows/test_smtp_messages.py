"""The relay's side of the story: whatever a relay says, or fails to say, one try ends in the one right way.

The line that matters runs through the final dot. Before it nothing was handed over, so the mail may be tried again; after
it an answer that never came leaves it uncertain, and nobody sends it twice. Every story is told of relays that take
commands at once (PIPELINING) and of those that take them one by one.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.adapters.smtp import SmtpConnection
from nurture.delivery.mailer import Envelope
from nurture.delivery.rules import Heard
from tests.support.conversations import (
    BODY,
    IMPATIENT,
    LONG,
    PIPELINED,
    STEP_BY_STEP,
    carry,
    converse,
    envelope_to,
    hand_over,
    send,
)
from tests.support.scripts import Act, Script, ScriptedRelay

STAGES = ["MAIL", "RCPT", "DATA", "."]
BEFORE_THE_BODY = STAGES[:3]


@pytest.fixture(params=[PIPELINED, STEP_BY_STEP], ids=["at once", "one by one"])
def path(request: pytest.FixtureRequest) -> Script:
    """How the relay takes commands."""
    script: Script = request.param
    return script


def test_a_polite_relay_takes_the_message_and_its_word_is_kept(path: Script) -> None:
    """STANDARDS 2: addresses keep their case on the wire."""
    told = hand_over(path, rcpt_to="Ana.Lee@Reader.example")
    assert told.verdict == (Heard.ACCEPTED, 250, "250 2.0.0 taken as 4711")
    assert told.outcome.relay == "default"
    assert told.is_usable
    assert told.relay.bodies == [BODY]
    assert told.relay.heard[1:4] == ["MAIL FROM:<dana@acme.example>", "RCPT TO:<Ana.Lee@Reader.example>", "DATA"]


def test_one_connection_carries_one_message_after_the_other(path: Script) -> None:
    told = carry(path, [BODY] * 4)
    assert told.heard == [Heard.ACCEPTED] * 4
    assert (told.relay.connections, told.relay.bodies) == (1, [BODY] * 4)
    assert told.relay.commands() == ["EHLO", *["MAIL", "RCPT", "DATA", "."] * 4]


@pytest.mark.parametrize("stage", STAGES)
def test_a_no_for_now_is_tried_again_and_kept_in_the_relays_words(stage: str, path: Script) -> None:
    """STANDARDS 12."""
    told = hand_over({**path, stage: "451 4.7.1 greylisted, come back"})
    assert told.verdict == (Heard.DEFERRED, 451, "451 4.7.1 greylisted, come back")
    assert told.outcomes[-1].is_of_sender == (stage == "MAIL"), "it was not told yet whom the mail is for"
    assert told.is_usable
    assert len(told.relay.bodies) == (stage == ".")


@pytest.mark.parametrize("stage", STAGES)
def test_a_no_for_good_fails_and_is_kept_in_the_relays_words(stage: str, path: Script) -> None:
    """STANDARDS 12."""
    told = hand_over({**path, stage: "550 5.1.1 no such user"})
    assert told.verdict == (Heard.REJECTED, 550, "550 5.1.1 no such user")
    assert told.is_usable


@pytest.mark.parametrize("stage", STAGES)
def test_421_says_nothing_about_the_message_and_ends_the_connection(stage: str, path: Script) -> None:
    """STANDARDS 13."""
    told = hand_over({**path, stage: "421 4.3.2 shutting down"})
    assert told.verdict == (Heard.DEFERRED, 421, "421 4.3.2 shutting down")
    assert not told.is_usable
    assert "RSET" not in told.relay.commands()


@pytest.mark.parametrize("act", [Act.CLOSE, Act.RESET])
@pytest.mark.parametrize("stage", BEFORE_THE_BODY)
def test_a_connection_lost_before_the_body_handed_nothing_over(stage: str, act: Act, path: Script) -> None:
    """STANDARDS 14."""
    told = hand_over({**path, stage: act})
    assert told.verdict == (Heard.LOST, None, "the relay closed the connection")
    assert not told.is_usable


def test_a_connection_lost_within_a_body_that_could_not_be_written_whole_handed_nothing_over(path: Script) -> None:
    """STANDARDS 14: what the kernel never took was never said, and the dot is the last of it."""
    told = hand_over(path, LONG, relay={"hangs_up_after": 100})
    assert (told.outcome.heard, told.relay.bodies) == (Heard.LOST, [])
    assert not told.is_usable


def test_a_connection_lost_after_all_was_written_leaves_the_message_uncertain(path: Script) -> None:
    """STANDARDS 14: nobody can know how much of it the relay has read."""
    told = hand_over(path, relay={"hangs_up_after": 0})
    assert told.outcome.heard is Heard.UNANSWERED


@pytest.mark.parametrize("act", [Act.CLOSE, Act.RESET])
def test_a_connection_lost_after_the_final_dot_leaves_the_message_uncertain(act: Act, path: Script) -> None:
    """STANDARDS 14."""
    told = hand_over({**path, ".": act})
    assert told.outcome.heard is Heard.UNANSWERED
    assert told.relay.bodies == [BODY]
    assert not told.is_usable


@pytest.mark.parametrize("stage", BEFORE_THE_BODY)
def test_a_relay_that_falls_silent_before_the_body_was_handed_nothing(stage: str, path: Script) -> None:
    told = hand_over({**path, stage: Act.KEEP_SILENT}, timeout_seconds=IMPATIENT)
    assert told.verdict == (Heard.LOST, None, "the relay did not answer in time")
    assert not told.is_usable


def test_a_relay_may_take_longer_over_the_final_dot_but_not_for_ever(path: Script) -> None:
    assert hand_over({**path, ".": Act.HESITATE}, timeout_seconds=IMPATIENT).outcome.heard is Heard.ACCEPTED
    assert hand_over({**path, "DATA": Act.HESITATE}, timeout_seconds=IMPATIENT).outcome.heard is Heard.LOST
    told = hand_over({**path, ".": Act.KEEP_SILENT}, timeout_seconds=IMPATIENT / 4)
    assert told.verdict == (Heard.UNANSWERED, None, "the relay did not answer in time")


def test_the_watchdog_takes_a_slow_relay_for_a_silent_one_only_when_its_time_is_up(path: Script) -> None:
    """Each answer has its own time, although one timer watches them all."""
    told = hand_over({**path, "MAIL": Act.HESITATE, "RCPT": Act.HESITATE, "DATA": Act.HESITATE}, timeout_seconds=0.8)
    assert told.outcome.heard is Heard.ACCEPTED


def test_after_a_no_to_an_envelope_the_next_message_starts_afresh(path: Script) -> None:
    told = carry({**path, "RCPT": ["550 no such user", "250 OK"]}, [BODY, BODY])
    assert told.heard == [Heard.REJECTED, Heard.ACCEPTED]
    commands = told.relay.commands()
    assert commands[commands.index("RSET") :] == ["RSET", "MAIL", "RCPT", "DATA", "."]


def test_each_recipient_has_a_verdict_of_its_own(path: Script) -> None:
    """STANDARDS 15: a transaction carries one recipient, so that no verdict is another's."""
    told = carry({**path, "RCPT": ["250 OK", "450 busy", "550 gone", "250 OK"]}, [BODY] * 4)
    assert told.verdicts == [
        (Heard.ACCEPTED, 250, "250 2.0.0 taken as 4711"),
        (Heard.DEFERRED, 450, "450 busy"),
        (Heard.REJECTED, 550, "550 gone"),
        (Heard.ACCEPTED, 250, "250 2.0.0 taken as 4711"),
    ]
    assert len(told.relay.bodies) == 2


@pytest.mark.parametrize("answer", ["500 what?", Act.CLOSE, "421 no more"])
def test_a_relay_that_does_not_take_back_an_envelope_gets_no_further_message(answer: str | Act, path: Script) -> None:
    told = hand_over({**path, "RCPT": "550 5.1.1 no such user", "RSET": answer})
    assert told.verdict == (Heard.REJECTED, 550, "550 5.1.1 no such user")
    assert not told.is_usable


def test_a_connection_that_died_between_two_messages_costs_the_second_nothing_but_time(path: Script) -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        assert (await send(connection, "dana@acme.example", "ana@reader.example", BODY)).heard is Heard.ACCEPTED
        assert (await send(connection, "dana@acme.example", "ben@reader.example", BODY)).heard is Heard.LOST

    converse(talk, {**path, "MAIL": ["250 OK", Act.CLOSE]})


def test_251_is_a_yes_to_a_recipient(path: Script) -> None:
    assert hand_over({**path, "RCPT": "251 will forward"}).outcome.heard is Heard.ACCEPTED


def test_a_reply_of_many_lines_is_one_reply(path: Script) -> None:
    script = {**path, ".": "550-5.7.1 we do not like this\n550-5.7.1 see https://relay.example/why\n550 5.7.1 sorry"}
    reply = "550 5.7.1 we do not like this\n5.7.1 see https://relay.example/why\n5.7.1 sorry"
    assert hand_over(script).verdict == (Heard.REJECTED, 550, reply)
    envelope: Script = {"MAIL": "250-one\n250 two", "RCPT": "250-one\n250-two\n250 three", "DATA": "354-go\n354 on"}
    assert hand_over({**path, **envelope}).outcome.heard is Heard.ACCEPTED


def test_what_a_relay_says_is_kept_without_what_could_take_over_a_terminal(path: Script) -> None:
    told = hand_over({**path, "RCPT": "550 \x1b[31mred\x07"})
    assert told.outcome.reply == "550  [31mred "


@pytest.mark.parametrize("nonsense", ["HTTP/1.1 400 Bad Request", "", "²50 OK", "OK", "\n".join(["250-more"] * 101)])
def test_a_relay_that_does_not_speak_smtp_was_handed_nothing(nonsense: str, path: Script) -> None:
    told = hand_over({**path, "RCPT": nonsense})
    assert told.outcome.heard is Heard.LOST
    assert "which is not SMTP" in told.outcome.reply
    assert not told.is_usable


def test_a_line_without_an_end_is_no_answer(path: Script) -> None:
    told = hand_over({**path, "RCPT": "250 " + "x" * 200_000})
    assert (told.outcome.heard, told.outcome.reply) == (Heard.LOST, "the relay answered with an endless line")


@pytest.mark.parametrize("nonsense", ["Thank you!", "354 go on", "100 well", "600 no?", "999 x"])
def test_nonsense_after_the_final_dot_leaves_the_message_uncertain(nonsense: str, path: Script) -> None:
    told = hand_over({**path, ".": nonsense})
    assert told.outcome.heard is Heard.UNANSWERED
    assert not told.is_usable


@pytest.mark.parametrize(
    ("stage", "answer"),
    [
        ("MAIL", "354 go on"),
        ("RCPT", "354 go on"),
        ("DATA", "250 OK"),
        *((stage, "600 no?") for stage in BEFORE_THE_BODY),
    ],
)
def test_a_relay_that_is_out_of_step_is_left_before_a_body_is_written(stage: str, answer: str, path: Script) -> None:
    told = hand_over({**path, stage: answer})
    assert (told.outcome.heard, told.relay.bodies) == (Heard.LOST, [])
    assert not told.is_usable


def test_a_relay_that_speaks_out_of_turn_carries_no_further_message(path: Script) -> None:
    """A second answer to one message could be taken for the first to the next."""
    told = hand_over({**path, ".": "250 OK\n250 OK too"})
    assert told.verdict == (Heard.ACCEPTED, 250, "250 OK")
    assert not told.is_usable


def test_an_address_beyond_ascii_travels_only_where_the_relay_offers_it(path: Script) -> None:
    """STANDARDS 10."""
    told = hand_over(path, rcpt_to="bücher@reader.example")
    because = "the relay does not offer SMTPUTF8 (RFC 6531), which this address needs"
    assert told.verdict == (Heard.REJECTED, None, because)
    assert told.is_usable
    assert told.relay.commands() == ["EHLO"]

    told = hand_over(
        {"EHLO": f"{path['EHLO']}\n250 SMTPUTF8".replace("250 8B", "250-8B")}, rcpt_to="bücher@reader.example"
    )
    assert told.outcome.heard is Heard.ACCEPTED
    assert told.relay.heard[1:3] == ["MAIL FROM:<dana@acme.example> SMTPUTF8", "RCPT TO:<bücher@reader.example>"]


def test_a_domain_in_ascii_letters_needs_no_offer(path: Script) -> None:
    """STANDARDS 11: the A-label that imports keep travels as it is."""
    told = hand_over(path, rcpt_to="ana@xn--bcher-kva.example")
    assert told.outcome.heard is Heard.ACCEPTED
    assert told.relay.heard[2] == "RCPT TO:<ana@xn--bcher-kva.example>"


def test_a_message_larger_than_the_relay_takes_is_not_even_begun() -> None:
    """STANDARDS 18: RFC 1870."""
    told = hand_over({"EHLO": "250-relay.example\n250 SIZE 20"})
    assert told.verdict == (Heard.REJECTED, None, "the mail has 26 bytes and the relay takes 20 (RFC 1870)")
    assert told.relay.commands() == ["EHLO"]


def test_a_relay_that_finds_a_message_too_large_has_the_last_word(path: Script) -> None:
    """STANDARDS 18: 552 is final."""
    for stage in ("MAIL", "."):
        told = hand_over({**path, stage: "552 5.3.4 too large"})
        assert told.verdict == (Heard.REJECTED, 552, "552 5.3.4 too large")


@pytest.mark.parametrize("offer", ["SIZE 0", "SIZE", "SIZE 26"])
def test_the_size_is_told_to_whoever_asks_for_it(offer: str) -> None:
    """STANDARDS 18."""
    told = hand_over({"EHLO": f"250-relay.example\n250 {offer}"})
    assert told.outcome.heard is Heard.ACCEPTED
    assert told.relay.heard[1] == "MAIL FROM:<dana@acme.example> SIZE=26"


@pytest.mark.parametrize(
    "address",
    [
        "", "-oQ/tmp@x.example", "a b@x.example", "a>\r\nRCPT TO:<evil@x.example", "a\0@x.example", "a\x7f@x.example",
        "a@b.c\r\nRCPT TO:<x@y.z>", "x" * 243 + "@reader.example", "a\ud800@x.example",
    ],
)  # fmt: skip
def test_an_address_that_could_smuggle_a_command_is_never_said(address: str, path: Script) -> None:
    """STANDARDS 1 and 4."""
    for told in (hand_over(path, rcpt_to=address), hand_over(path, mail_from=address)):
        assert told.verdict == (Heard.REJECTED, None, "the address is not one that can be sent to")
        assert told.relay.commands() == ["EHLO"]


lines = st.lists(st.sampled_from([b".", b"..", b".hidden", b"", b"a.b.", b"x" * 990, b".\xc3\xbc"]), max_size=6)


@given(lines)
def test_dots_at_the_beginning_of_a_line_arrive_as_they_were_written(content: list[bytes]) -> None:
    """STANDARDS 20."""
    body = b"\r\n".join([*content, b""])
    [arrived] = hand_over(content=body or b"x").relay.bodies
    unstuffed = b"".join(line.removeprefix(b".") for line in arrived.splitlines(keepends=True))
    assert unstuffed == (body or b"x\r\n")


def test_a_body_without_a_line_end_gets_one_so_that_the_dot_stands_alone() -> None:
    """STANDARDS 20."""
    assert hand_over(content=b"Subject: x\r\n\r\nbye").relay.bodies == [b"Subject: x\r\n\r\nbye\r\n"]


@pytest.mark.parametrize(
    "smuggled", [b"hi\n.\r\nMAIL FROM:<x@y>", b"hi\r\n.\rMAIL FROM:<x@y>", b"hi\n.\nRSET\n", b"hi\r", b"\nhi\r\n"]
)
def test_a_body_with_half_a_line_end_is_never_written(smuggled: bytes, path: Script) -> None:
    """STANDARDS 4 and 20: SMTP smuggling, CVE-2023-51764."""
    told = hand_over(path, smuggled)
    assert told.verdict == (Heard.REJECTED, None, "the mail has a line that does not end with CR LF (RFC 5321, 2.3.8)")
    assert told.relay.bodies == []
    assert "." not in told.relay.heard
    assert not told.is_usable


def test_what_somebody_vouches_for_is_written_as_it_is_in_one_piece_or_in_several() -> None:
    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        for body in (BODY, (b"Subject: Hello", b"\r\n\r\n", b"Hello.\r\n"), [BODY]):
            outcome = await send_clean(connection, body)
            assert outcome is Heard.ACCEPTED
        assert relay.bodies == [BODY] * 3

    async def send_clean(connection: SmtpConnection, body: bytes | tuple[bytes, ...] | list[bytes]) -> Heard:
        assert await connection.begin(envelope_to("ana")) is None
        return (await connection.finish(body, is_clean=True)).heard

    converse(talk)


def test_a_report_is_asked_for_where_it_is_offered_and_wanted() -> None:
    """STANDARDS 53: RFC 3461."""

    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        wanted = Envelope("dana@acme.example", "ana+news@reader.example", 26, "d 42+")
        assert await connection.begin(wanted) is None
        assert (await connection.finish(BODY)).heard is Heard.ACCEPTED
        assert await connection.begin(wanted._replace(report_as="")) is None
        assert (await connection.finish(BODY)).heard is Heard.ACCEPTED
        heard.extend(line for line in relay.heard if line.startswith(("MAIL", "RCPT")))

    heard: list[str] = []
    converse(talk, {"EHLO": "250-relay.example\n250 DSN"})
    plain = ["MAIL FROM:<dana@acme.example>", "RCPT TO:<ana+news@reader.example>"]
    assert heard == [
        "MAIL FROM:<dana@acme.example> RET=HDRS ENVID=d+2042+2B",
        "RCPT TO:<ana+news@reader.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ana+2Bnews@reader.example",
        *plain,
    ]
    heard.clear()
    converse(talk)
    assert heard == plain * 2
