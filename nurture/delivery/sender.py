"""Sends what is due: claims, renders, asks permission, hands over, records.

One asyncio loop speaks SMTP over a few warm connections; every transaction runs in one database thread, where the
requests of all connections that came in meanwhile share a commit. A connection holds at most one message whose fate is
open, so that a killed sender leaves no more doubt than it had connections. Stopping finishes the message at hand.
"""

import asyncio
import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from nurture.campaigns.declared import Declared, get_declared
from nurture.campaigns.store import get_content
from nurture.clock import Clock
from nurture.consent.rules import Purpose
from nurture.database.engine import Database, Session
from nurture.delivery import actions, composing, owners
from nurture.delivery.actions import Ended, Limits
from nurture.delivery.claimed import Claimed
from nurture.delivery.claiming.store import claim_due, keep_facts
from nurture.delivery.commits import SharedCommits
from nurture.delivery.composing import Composed, People, Recipient
from nurture.delivery.guard.granting import Granted, give_back, grant
from nurture.delivery.house import House
from nurture.delivery.leaving.actions import exchange
from nurture.delivery.mailer import Connection, Envelope, Mailer, RelayDown
from nurture.delivery.pacing import actions as pacing
from nurture.delivery.pacing.granting import PaceGrant
from nurture.delivery.pacing.rules import FREE, Pacing
from nurture.delivery.remembered import actions as remembered
from nurture.delivery.rules import Boundary, Heard, Priority, Status, Stop
from nurture.delivery.store import release_claims
from nurture.delivery.urls import message_id
from nurture.errors import NurtureError
from nurture.rendering.compiling import CompiledMail

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_CLAIM_PER_CONNECTION = 5
_COMMIT_TRIES = 5

#: How a try is counted in what a run reports.
_COUNTED = {
    Heard.ACCEPTED: "sent",
    Heard.REJECTED: "failed",
    Heard.DEFERRED: "deferred",
    Heard.LOST: "deferred",
    Heard.UNANSWERED: "uncertain",
}


@dataclass(frozen=True)
class Ready:
    """A claimed delivery with what it takes to make its bytes; `mail` is None when that failed."""

    delivery: Claimed
    recipient: Recipient | None
    mail: CompiledMail | None
    email: str = ""
    problem: str = ""
    lacks_a_yes: bool = False


class Sender:
    """The sending half of one worker incarnation."""

    def __init__(
        self,
        database: Database,
        mailer: Mailer,
        *,
        worker: int,
        clock: Clock,
        house: House,
        boundary: Boundary,
        limits: Callable[[Declared], Limits],
        connections: int = 4,
        limits_of_pace: Pacing = FREE,
        declared: Callable[[Session], Declared] = get_declared,
        coming: Callable[[Session, Sequence[int], datetime], Mapping[int, datetime]] = lambda *_: {},
        answered: composing.Answered = lambda *_: {},
    ) -> None:
        self._database = database
        self._mailer = mailer
        self._worker = worker
        self._clock = clock
        self._house = house
        self._boundary = boundary
        self._asked: set[str] = set()  # domains the name servers were heard about
        self._limits_of = limits
        self._declared = declared
        self._coming_to = coming
        self._answered = answered
        self._limits: Limits | None = None
        self._coming: Mapping[int, datetime] = {}
        self._hashes: Mapping[int, str] = {}
        self._granted: Granted | None = None
        self._pacing = limits_of_pace
        self._paced: PaceGrant | None = None
        self._pool: list[Connection | None] = [None] * connections
        self._database_thread = ThreadPoolExecutor(1, thread_name_prefix="nurture-sender-database")
        self._rendering_thread = ThreadPoolExecutor(1, thread_name_prefix="nurture-sender-rendering")
        self._commits = SharedCommits(self._exchange)
        self._counts: Counter[str] = Counter()
        self._relay_down = ""
        self.is_stopping = False
        self._has_claimed = False
        self._due_at: datetime | None = None
        self._only: Sequence[int] | None = None

    def stop(self) -> None:
        """Finish the messages at hand and take no more; safe to call from any thread."""
        self.is_stopping = True

    async def drain(
        self, now: datetime | None = None, *, only: Sequence[int] | None = None
    ) -> tuple[Counter[str], str]:
        """Send all that is due at `now` (default: as time goes by), or of that `only` some deliveries.

        Whether each may leave is asked at the moment it does: a window may close while the mails before it go out.

        Returns counts, and why the relay could not be reached if it could not.
        """
        self._counts = Counter()
        self._relay_down = ""
        self._due_at = now
        self._only = only
        self._has_claimed = False
        ready: deque[Ready] = deque()
        try:
            while not self.is_stopping and not self._relay_down:
                claimed = await self._in_database(self._claim)
                if claimed is None:
                    break
                # Empty when the limits let none of them leave now; whoever is behind them may.
                ready.extend(claimed)
                workers = min(len(self._pool), len(ready))
                await asyncio.gather(*(self._work(ready, number) for number in range(workers)))
        finally:
            if self._has_claimed:
                await self._in_database(self._give_back)
        return self._counts, self._relay_down

    async def close(self) -> None:
        """Close the connections and the threads."""
        for connection in self._pool:
            if connection is not None:
                await connection.close()
        self._database_thread.shutdown()
        self._rendering_thread.shutdown()

    async def _in_database(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._database_thread, work)

    def _claim(self) -> list[Ready] | None:
        """The next mails that may leave as far as limits go; None when nothing is due."""
        now = self._due_at or self._clock.now()
        with self._database.writing() as session:
            limit = _CLAIM_PER_CONNECTION * len(self._pool)
            claimed = claim_due(session, self._worker, limit, now, only=self._only)
            if not claimed:
                return None
            self._has_claimed = True
            declared = self._declared(session)
            self._limits = self._limits_of(declared)
            give_back(session, self._worker, self._granted)
            pacing.give_back(session, self._paced)
            elapsed = self._clock.elapsed()
            paced = pacing.grant(session, self._worker, claimed, now, elapsed, pacing=self._pacing)
            claimed = [one for one in claimed if one.id not in paced.kept]
            self._granted = grant(session, self._worker, claimed, self._limits.blast_guard, now)
            steps = [one.contact_id for one in claimed if one.priority == Priority.SEQUENCE]
            self._coming = self._coming_to(session, [one for one in steps if one is not None], now) if steps else {}
            people = composing.gather_people(session, [one.contact_id for one in claimed], self._answered)
            ready = [self._prepare(session, delivery, people, declared, now) for delivery in claimed]
            fresh = [new.delivery for new, old in zip(ready, claimed, strict=True) if new.delivery is not old]
            keep_facts(session, [(one.id, json.dumps(one.facts), one.message_id or "") for one in fresh])
            self._hashes = {one.delivery.id: one.recipient.address_hash for one in ready if one.recipient}
        # Only what was committed counts, and may be given back.
        self._paced = paced
        self._counts["held"] += sum(wait is not None for wait in paced.kept.values())
        return ready

    def _prepare(self, session: Session, delivery: Claimed, people: People, declared: Declared, now: datetime) -> Ready:
        """Keep the mail's facts on its row; a delivery that cannot be prepared fails alone."""
        try:
            recipient = composing.find_recipient(session, delivery)
            if recipient is None:
                return Ready(delivery, None, None, problem="nobody knows this person any more")
            content = get_content(session, delivery.version_id)
            mail = composing.get_mail(session, delivery)
            if delivery.facts is None or "rendered_at" not in delivery.facts:
                wanted = owners.name_for(session, delivery, content, people.owner_of(delivery))
                if wanted == owners.WAIT:
                    return Ready(delivery, recipient, mail, lacks_a_yes=True)
                facts = composing.gather_facts(people, delivery, content, declared, now, mail.uses, in_name_of=wanted)
                domain = facts["sender"]["email"].rpartition("@")[2]
                delivery = delivery._replace(
                    facts={**facts, "to_name": recipient.name},
                    message_id=message_id(self._house.keys, delivery.id, domain),
                )
            return Ready(delivery, recipient, mail, composing.email_of_contact(session, delivery))
        except (NurtureError, KeyError, ValueError) as error:
            log.exception("the mail cannot be prepared", extra={"delivery": delivery.id})
            return Ready(delivery, None, None, problem=f"it could not be prepared: {error}")

    async def _work(self, ready: deque[Ready], number: int) -> None:
        """Carry messages over connection `number` until none is ready."""
        ended: Ended | None = None
        while ready and not self.is_stopping and not self._relay_down:
            one = ready.popleft()
            composed = await self._compose(one)
            if composed is None:
                continue
            connection = await self._connection(number)
            if connection is None:
                break
            pause = self._pause_before(one.delivery)
            if pause > 0:
                if ended is not None:
                    # Whoever waits keeps no result to themselves: it would be in doubt if the process died meanwhile.
                    await self._commits.exchange(ended, None)
                    ended = None
                await asyncio.sleep(pause)
            stop = await self._commits.exchange(ended, one.delivery)
            ended = None
            if stop is not None:
                self._counts[_word_for(stop)] += 1
                continue
            if self._paced is not None:
                self._paced.use(one.delivery)
            envelope = Envelope(composed.mail_from, composed.rcpt_to, len(composed.content))
            outcome = await connection.begin(envelope) or await connection.finish(composed.content)
            self._counts[_COUNTED[outcome.heard]] += 1
            ended = Ended(one.delivery, outcome)
        if ended is not None:
            await self._commits.exchange(ended, None)

    async def _compose(self, one: Ready) -> Composed | None:
        """The bytes of a message, or None after settling a delivery that has none or may not leave the house."""
        delivery, recipient, mail = one.delivery, one.recipient, one.mail
        if recipient is None or mail is None:
            await self._fail(delivery, one.problem)
            return None
        if one.lacks_a_yes:
            self._counts["held"] += 1
            await self._write(lambda session, now: owners.hold_for_yes(session, delivery, now))
            return None
        domain = recipient.email.rpartition("@")[2].lower()
        objection = self._boundary.find_objection(domain)
        if objection is not None:
            self._counts["held"] += 1
            await self._write(lambda session, now: actions.hold_at_boundary(session, delivery, objection, now))
            return None
        if await self._is_unasked(delivery, domain):
            self._counts["held"] += 1
            return None
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._rendering_thread, composing.compose, mail, delivery, self._house, recipient, one.email
            )
        except Exception as error:  # noqa: BLE001 — a template may raise anything; it fails alone and says why
            log.warning("the mail cannot be rendered: %s", error, extra={"delivery": delivery.id})
            await self._fail(delivery, f"it could not be rendered: {error}")
            return None

    async def _is_unasked(self, delivery: Claimed, domain: str) -> bool:
        """Whether a campaign's mail has to wait until the name servers were asked about its domain."""
        if self._boundary.relay_is_loopback or delivery.purpose != Purpose.CAMPAIGN or domain in self._asked:
            return False
        held: list[bool] = []
        await self._write(lambda session, now: held.append(actions.hold_until_asked(session, delivery, domain, now)))
        if not held[0]:
            self._asked.add(domain)
        return held[0]

    async def _fail(self, delivery: Claimed, because: str) -> None:
        self._counts["failed"] += 1
        await self._write(lambda session, now: actions.fail_unsendable(session, delivery, because, now))

    async def _write(self, work: Callable[[Session, datetime], None]) -> None:
        def in_transaction() -> None:
            with self._database.writing() as session:
                work(session, self._clock.now())

        await self._in_database(in_transaction)

    async def _connection(self, number: int) -> Connection | None:
        connection = self._pool[number]
        if connection is not None and connection.is_usable:
            return connection
        if connection is not None:
            await connection.close()
        try:
            self._pool[number] = await self._mailer.connect()
        except RelayDown as error:
            self._relay_down = str(error)
            self._pool[number] = None
        return self._pool[number]

    def _pause_before(self, delivery: Claimed) -> float:
        leaves_at = self._paced.leaves_at(delivery) if self._paced else 0.0
        return leaves_at - self._clock.elapsed() if leaves_at else 0.0

    async def _exchange(self, ended: list[Ended], wanted: list[Claimed]) -> dict[int, Stop | None]:
        """One shared commit; tried again a few times, because a result that is lost is a mail in doubt."""

        def in_transaction() -> dict[int, Stop | None]:
            assert self._limits is not None  # whatever is wanted was claimed
            # Durable: after a power cut, what was being sent must still say so.
            with self._database.writing(durable=True) as session:
                now = self._clock.now()
                answers = exchange(
                    session,
                    self._worker,
                    ended,
                    wanted,
                    self._limits,
                    now,
                    coming=self._coming,
                    granted=self._granted,
                )
                begun = [one for one in wanted if answers[one.id] is None]
                remembered.note_intents(session, begun, self._hashes, now)
                remembered.note_outcomes(session, [(one.delivery, one.outcome) for one in ended], now)
                pacing.note(session, ended, now)
                return answers

        for left in reversed(range(_COMMIT_TRIES)):
            try:
                return await self._in_database(in_transaction)
            except DBAPIError:
                if not left:
                    raise
                log.warning("the database did not take %s results; trying again", len(ended))
                await asyncio.sleep(2 ** (_COMMIT_TRIES - left) / 10)
        raise AssertionError("the last try returns or raises")

    def _give_back(self) -> None:
        with self._database.writing() as session:
            release_claims(session, self._worker)
            give_back(session, self._worker, self._granted)
            pacing.give_back(session, self._paced)


def _word_for(stop: Stop) -> str:
    return "held" if stop.status is Status.HELD else "refused" if stop.status is Status.REFUSED else "cancelled"
