"""Conversations with a scripted relay: one message, several with the next envelope sent ahead, or none at all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from nurture.adapters.smtp import Relay, SmtpConnection, SmtpMailer
from nurture.delivery.mailer import Envelope, RelayDown
from nurture.delivery.rules import Heard, Outcome
from tests.support.scripts import Script, ScriptedRelay, scripted

BODY = b"Subject: Hello\r\n\r\nHello.\r\n"
#: More than any socket keeps for somebody who does not read.
LONG = b"Subject: Hello\r\n\r\n" + b"0123456789012345678901234567890123456789\r\n" * 500_000
PATIENT = 10.0
IMPATIENT = 0.2

PIPELINED: Script = {"EHLO": "250-relay.example\n250-PIPELINING\n250 8BITMIME"}
STEP_BY_STEP: Script = {"EHLO": "250-relay.example\n250 8BITMIME"}

#: How a message ended: what was heard, the code, the words.
Verdict: TypeAlias = tuple[Heard, int | None, str]


@dataclass
class Told:
    """What became of messages, the relay that was asked, and whether the connection may carry another."""

    outcomes: list[Outcome]
    relay: ScriptedRelay
    is_usable: bool

    @property
    def outcome(self) -> Outcome:
        return self.outcomes[-1]

    @property
    def verdict(self) -> Verdict:
        return self.verdicts[-1]

    @property
    def verdicts(self) -> list[Verdict]:
        return [(one.heard, one.code, one.reply) for one in self.outcomes]

    @property
    def heard(self) -> list[Heard]:
        return [one.heard for one in self.outcomes]


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
    """One message by itself."""
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
        told.append(Told([outcome], relay, connection.is_usable))

    converse(talk, script, **more)
    return told[0]


def envelope_to(name: str, content: bytes = BODY) -> Envelope:
    return Envelope("dana@acme.example", f"{name}@reader.example", len(content))


def carry(script: Script | None, contents: Sequence[bytes], **more: Any) -> Told:
    """Carry messages to reader0, reader1, … as the sender does: the next envelope ahead of its turn."""
    told: list[Told] = []

    async def talk(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        envelopes = [envelope_to(f"reader{number}", content) for number, content in enumerate(contents)]
        outcomes = []
        for envelope, following, content in zip(envelopes, [*envelopes[1:], None], contents, strict=True):
            outcome = None if connection.is_begun(envelope) else await connection.begin(envelope)
            outcomes.append(outcome or await connection.finish(content, following))
        told.append(Told(outcomes, relay, connection.is_usable))

    converse(talk, script, **more)
    return told[0]


def refused_at_the_door(script: Script | None = None, **more: Any) -> str:
    """Why no connection came about."""

    async def never(connection: SmtpConnection, relay: ScriptedRelay) -> None:
        raise AssertionError("there should be no connection")

    with pytest.raises(RelayDown) as refusal:
        converse(never, script, **more)
    return str(refusal.value).partition(": ")[2]
