"""Carries calls out: claims, signs, calls, records, never with a transaction open while it waits for an answer.

The body is signed as Standard Webhooks has it (https://www.standardwebhooks.com): `webhook-id` is the same on every
try, `webhook-timestamp` is that of the try, `webhook-signature` one HMAC-SHA256 for each of our keys, so that a receiver
may go on with the old secret while `NURTURE_SECRET` has both. The key of the intention travels as `Idempotency-Key`.
"""

import base64
import hashlib
import hmac
import json
import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from nurture.clock import Clock
from nurture.database.engine import Database
from nurture.outgoing import actions, store
from nurture.outgoing.rules import Answer, Status
from nurture.outgoing.store import Call
from nurture.tokens import TokenKeys, TokenPurpose

log = logging.getLogger(__name__)

_AT_ONCE = 4

#: How a try is counted in what a run reports, beside its mails.
_COUNTED = {
    Status.SENT: "called",
    Status.QUEUED: "calls_put_off",
    Status.FAILED: "calls_failed",
    Status.REFUSED: "calls_refused",
}


class Line(Protocol):
    """Something that makes one HTTP request and never raises for what comes of it."""

    def call(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST `body` and say how it ended."""


@dataclass(frozen=True)
class Exchange:
    """What calls of one house share: over which line, signed with what, and how long they are tried."""

    line: Line
    keys: TokenKeys
    give_up_after: timedelta


class Caller:
    """The calling half of one worker incarnation."""

    def __init__(self, database: Database, exchange: Exchange, worker: int, clock: Clock) -> None:
        self._database = database
        self._exchange = exchange
        self._worker = worker
        self._clock = clock
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Finish the calls at hand and make no more; safe to call from any thread."""
        self._stopping.set()

    def next_due_at(self) -> datetime | None:
        """When there is something to do."""
        with self._database.reading() as session:
            return store.next_due_at(session)

    def drain(self, now: datetime | None = None) -> Counter[str]:
        """Make every call that is due at `now` (default: as time goes by); how many ended how.

        1. claim a few in one transaction; 2. call, several at once and outside any transaction; 3. record each answer
        as it comes. A worker that dies at 2 leaves its calls claimed, and another one makes them again.
        """
        counts: Counter[str] = Counter()
        while not self._stopping.is_set():
            with self._database.writing() as session:
                claimed = actions.claim(session, self._worker, _AT_ONCE, now or self._clock.now())
            if not claimed:
                break
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="nurture-caller") as threads:
                counts.update(threads.map(self._carry_out, claimed))
        return counts

    def _carry_out(self, call: Call) -> str:
        body = body_of(call.payload)
        answer = self._exchange.line.call(call.url, body, self._headers(call, body))
        now = self._clock.now()
        with self._database.writing() as session:
            settling = actions.record_answer(session, self._worker, call, answer, self._exchange.give_up_after, now)
        if settling.status is not Status.SENT:
            # Where it went is the author's own address; what it said is about a person and stays out of the log.
            log.warning("a call is %s: %s", settling.status, settling.because, extra={"call": call.id})
        return _COUNTED[settling.status]

    def _headers(self, call: Call, body: bytes) -> dict[str, str]:
        number, at = f"msg_{call.id}", int(self._clock.now().timestamp())
        return {
            **call.headers,
            "Content-Type": "application/json",
            "Idempotency-Key": call.key,
            "webhook-id": number,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(secrets_of(self._exchange.keys), number, at, body),
        }


def body_of(payload: Mapping[str, Any]) -> bytes:
    """The body of a call: the same bytes on every try, whatever order a database gives the keys back in."""
    return json.dumps(payload, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def secrets_of(keys: TokenKeys) -> list[bytes]:
    """What our calls are signed with, that of the first key of `NURTURE_SECRET` first."""
    return keys.derive(TokenPurpose.WEBHOOK)


def secret_for_receivers(keys: TokenKeys) -> str:
    """The secret as receivers' libraries take it."""
    return f"whsec_{base64.b64encode(secrets_of(keys)[0]).decode()}"


def sign(secrets: Sequence[bytes], number: str, at: int, body: bytes) -> str:
    """The signatures of one try."""
    signed = f"{number}.{at}.".encode() + body
    return " ".join(
        f"v1,{base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()}" for secret in secrets
    )
