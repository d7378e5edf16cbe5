"""Over TLS a message ends as it does in clear: what the kernel never took was never said, and the dot is the last of it."""

from typing import Any

import pytest

from nurture.delivery.rules import Heard
from tests.support.conversations import IMPATIENT, LONG, PIPELINED, STEP_BY_STEP, Told, hand_over
from tests.support.scripts import CERTIFICATE, Script

STARTTLS: Script = {"EHLO": ["250-relay.example\n250 STARTTLS", str(STEP_BY_STEP["EHLO"])]}
#: More than a socket takes at once, and less than a test should take over.
MANY_TIMES = LONG[:4_000_002] + b"\r\n"


@pytest.fixture(params=["off", "starttls", "implicit"])
def tls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the relay is spoken to."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    how: str = request.param
    return how


def told_by(
    tls: str, content: bytes, *, script: Script | None = None, timeout_seconds: float = 10, **relay: Any
) -> Told:
    """What became of a message that this relay was handed."""
    return hand_over(
        {**(STARTTLS if tls == "starttls" else PIPELINED), **(script or {})},
        content,
        relay={"is_implicit": tls == "implicit", **relay},
        tls=tls,
        timeout_seconds=timeout_seconds,
    )


def test_a_relay_that_hangs_up_within_a_body_was_handed_nothing(tls: str) -> None:
    told = told_by(tls, LONG, hangs_up_after=100)
    assert told.verdict == (Heard.LOST, None, "the relay closed the connection")


def test_a_relay_that_reads_no_further_is_not_waited_for_as_long_as_one_that_thinks(tls: str) -> None:
    """It would go on before the time for an answer is up, and is given up before."""
    told = told_by(tls, LONG, timeout_seconds=IMPATIENT, stops_reading=True)
    assert told.verdict == (Heard.LOST, None, "the relay did not answer in time")
    assert told.relay.bodies == []


def test_a_yes_to_a_body_that_is_not_over_is_none(tls: str) -> None:
    told = told_by(tls, LONG, answers_after=1_000)
    assert told.verdict == (Heard.LOST, None, "the relay is out of step, it answered 250 2.0.0 taken as 4711")
    assert not told.is_usable


def test_a_no_to_a_body_that_is_not_over_is_a_no_and_the_rest_stays_here(tls: str) -> None:
    told = told_by(tls, LONG, script={".": "552 5.3.4 too large"}, answers_after=1_000)
    assert told.verdict == (Heard.REJECTED, 552, "552 5.3.4 too large")
    assert not told.is_usable


def test_a_body_that_the_kernel_takes_piece_by_piece_arrives_whole(tls: str) -> None:
    told = told_by(tls, MANY_TIMES)
    assert told.outcome.heard is Heard.ACCEPTED
    assert told.relay.bodies == [MANY_TIMES]
    assert told.is_usable


def test_a_relay_that_is_lost_after_a_long_body_was_written_leaves_it_uncertain(tls: str) -> None:
    """Once everything was taken the dot was, too, although it had to wait before."""
    told = told_by(tls, MANY_TIMES, script={".": ""})
    assert told.outcome.heard is Heard.UNANSWERED
    assert told.relay.bodies == [MANY_TIMES]
