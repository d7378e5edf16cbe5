"""A mail of each kind goes out and is read again where it arrives: how the world sees our mail, and not how we mean it.

They are real mails of the files, made and signed as any other, through the relay that any other would take; their
tokens belong to no delivery, so their links change nobody. They go to an address of ours, or to a mailbox whose password
was given, and never to a contact.
"""

import asyncio
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from typing import TYPE_CHECKING, NamedTuple, Protocol

from nurture.delivery.mailer import Envelope, RelayDown
from nurture.delivery.rules import Heard
from nurture.delivery.urls import letterbox_local_part
from nurture.doctor.arrivals import Sent, judge, missing
from nurture.doctor.findings import Finding
from nurture.errors import NotAllowed
from nurture.inbound import store as inbound

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.delivery.composing import Composed
    from nurture.inbound.listener import Listener

_MARK = "X-Nurture-Check"
_LOOK_EVERY = 0.25


class Letterbox(Protocol):
    """A mailbox that we read."""

    def take(self) -> list[bytes]:
        """What has arrived since the last time."""

    def close(self) -> None:
        """Let go of it."""


class OwnLetterbox:
    """An address of our own, whose mail comes in by the listener: that of `nurture run`, or one for this purpose."""

    def __init__(self, house: "App") -> None:
        domain = house.settings.inbound.domain
        if not domain:
            raise NotAllowed(
                "no mail comes in here: set inbound.domain, or name a mailbox with --to and --imap for this check."
            )
        self._house = house
        self._run = secrets.randbits(63)
        self._listener: Listener | None = house.listener()
        self.address = f"{letterbox_local_part(house.keys, self._run)}@{domain}"
        try:
            if self._listener is not None:
                self._listener.start()
        except OSError:
            self._listener = None  # a `nurture run` listens there and takes them in

    def take(self) -> list[bytes]:
        with self._house.database.reading() as session:
            if not inbound.has_checks(session, self._run):
                return []
        with self._house.database.writing() as session:
            return inbound.take_checks(session, self._run)

    def close(self) -> None:
        if self._listener is not None:
            self._listener.stop()


class Mail(NamedTuple):
    """One mail to send: what people call its kind, and the relay that it was composed for."""

    kind: str
    relay: str
    composed: "Composed"


@dataclass
class _Trip:
    """One mail on its way."""

    mail: Mail
    left_at: float = 0.0
    refusal: str = ""
    findings: Sequence[Finding] = ()


def make_trips(house: "App", letterbox: Letterbox, mails: Sequence[Mail], wait: float) -> list[Finding]:
    """Send these mails, wait for them and say what became of each; in the order in which they were given."""
    run = secrets.token_hex(8)
    trips = {f"{run}-{turn}": _Trip(mail) for turn, mail in enumerate(mails)}
    asyncio.run(_send(house, trips))
    deadline = house.clock.elapsed() + wait
    while house.clock.elapsed() < deadline and any(not one.findings and not one.refusal for one in trips.values()):
        _look(house, letterbox.take, trips)
    findings: list[Finding] = []
    for one in trips.values():
        if one.refusal:
            findings.append(
                Finding(f"{one.mail.kind}: arrives", False, one.refusal, "see what `nurture doctor` says of the relay")
            )
        else:
            findings += one.findings or [missing(one.mail.kind, wait)]
    return findings


async def _send(house: "App", trips: dict[str, _Trip]) -> None:
    for mark, trip in trips.items():
        composed = trip.mail.composed
        content = f"{_MARK}: {mark}\r\n".encode() + composed.content
        try:
            connection = await house.mailer.connect(trip.mail.relay)
        except RelayDown as error:
            trip.refusal = str(error)
            continue
        envelope = Envelope(composed.mail_from, composed.rcpt_to, len(content), is_utf8=composed.is_utf8)
        outcome = await connection.begin(envelope)
        trip.left_at = house.clock.elapsed()
        if outcome is None:
            outcome = await connection.finish(content)
        await connection.close()
        if outcome.heard is not Heard.ACCEPTED:
            trip.refusal = f"the relay did not take it: {outcome.reply}"


def _look(house: "App", take: Callable[[], list[bytes]], trips: dict[str, _Trip]) -> None:
    for arrived in take():
        mark = str(message_from_bytes(arrived).get(_MARK, "")).strip()
        trip = trips.get(mark)
        if trip is not None and not trip.findings:
            sent = Sent(
                trip.mail.kind,
                f"{_MARK}: {mark}\r\n".encode() + trip.mail.composed.content,
                trip.mail.composed.mail_from,
            )
            trip.findings = judge(house.resolver, sent, arrived, house.clock.elapsed() - trip.left_at)
    if any(not one.findings and not one.refusal for one in trips.values()):
        threading.Event().wait(_LOOK_EVERY)
