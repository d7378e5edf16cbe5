"""The transactions of one sender: claim, exchange results for permission, settle what cannot be sent, give back.

Claims run in a thread of their own, so that the connections do not wait while the next mails are made ready; an exchange
where the sender has it, and all others in the database thread. They take turns with what both use: how many places the limits granted.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.exc import DBAPIError

from nurture.campaigns.declared import Declared
from nurture.clock import Clock
from nurture.database.claiming import beat
from nurture.database.desk import Desk, in_a_moment
from nurture.database.engine import Database, Session
from nurture.database.json_text import as_json
from nurture.delivery import actions
from nurture.delivery.actions import Ended, Limits
from nurture.delivery.claiming.store import Line, keep_facts, keep_in_hand, read_lines, release, take
from nurture.delivery.hurry import Hurry
from nurture.delivery.leaving.actions import NOT_OURS, exchange, turn_away
from nurture.delivery.mailed.store import Interest
from nurture.delivery.outcomes.store import put_back_unsaid
from nurture.delivery.pacing import actions as pacing
from nurture.delivery.pacing.lanes import Pacing
from nurture.delivery.places import Asked, Places
from nurture.delivery.preparing import Preparing, Ready, Unready
from nurture.delivery.relayed.rules import OwnIds
from nurture.delivery.relayed.store import note_ids
from nurture.delivery.remembered import actions as remembered
from nurture.delivery.rules import Priority, Status, Stop
from nurture.delivery.supplying import CLAIM, Claim

log = logging.getLogger(__name__)

_CLAIM_TRIES = 3
#: Claims from one time to the next that SQLite's log is brought over: the pages of a mail change with its claim, its
#: permission and its result, and are written once. Four make some 2,000 pages, half of what a log may have.
_BRING_OVER_EVERY = 4


class Transactions:
    """What one worker incarnation does in the database for its mails."""

    def __init__(
        self,
        database: Database,
        worker: int,
        clock: Clock,
        preparing: Preparing,
        *,
        limits: Callable[[Declared], Limits],
        pacing: Pacing,
        declared: Callable[[Session], Declared],
        coming: Callable[[Session, Sequence[int], datetime], Mapping[int, datetime]],
        own_ids: OwnIds,
    ) -> None:
        self._database = database
        self._desk = Desk(database)
        # Only one of them may write to SQLite anyway, and each commit of another connection empties the memory of the first.
        self._claim_desk = self._desk if database.is_sqlite else Desk(database)
        self._tidy_desk = Desk(database)  # brings SQLite's log to the disk and into its file while others write
        self._turn = threading.Lock()
        self._worker = worker
        self._clock = clock
        self._preparing = preparing
        self._limits_of = limits
        self._declared = declared
        self._coming_to = coming
        self._own_ids = own_ids
        self._interest = Interest()
        self._limits: Limits | None = None
        self._places = Places(worker, pacing, clock.elapsed)
        self._in_hand: dict[int, Ready] = {}  # claimed, and not begun to be sent
        self._hurry = Hurry(worker, clock.elapsed)
        self._waits_for_disk = True
        self._claims = 0
        self.has_claimed = False

    def claim(self, at: datetime | None, only: Sequence[int] | None) -> Claim:
        """Take the next mails that are due, settle those that cannot be sent, and make the others ready.

        These are short transactions; what lies between keeps nobody waiting. Exchanges wait only for the one that asks for
        places.
        """
        for left in reversed(range(_CLAIM_TRIES)):
            try:
                return self._claim(at or self._clock.now(), only)
            except DBAPIError as error:
                # A server that broke all connections: a desk opens another one.
                if not left:
                    raise
                log.warning("the database did not let us claim, trying again: %s", error)
                self._release_strays()
        raise AssertionError("the last try returns or raises")

    def _claim(self, now: datetime, only: Sequence[int] | None) -> Claim:
        self.has_claimed = True  # before it is sure: a server may take the commit and break before it says so
        with self._claim_desk.writing() as session:
            ids = take(session, self._worker, CLAIM, now, only=only)
            is_all_new = self._in_hand.keys().isdisjoint(ids)
            is_hurried = self.must_settle and self._hurry.begin_claim(session, is_all_new=is_all_new)
        if not ids:
            return Claim([], is_last=True)
        if not is_all_new:
            # Taken from us and claimed once more: what we had in hand of it is out of date, and may not leave.
            with self._turn:
                for i in ids:
                    self._in_hand.pop(i, None)
        with self._database.reading() as session:
            lines = read_lines(session, self._worker, ids)
            declared = self._declared(session)
            ready, unready = self._preparing.prepare(session, lines, declared, now)
            self._look_for_issues(session, ready, now)
        limits = self._limits_of(declared)
        settled: Counter[str] = Counter()
        ready = self._settle(lines, ready, unready, settled, now)
        ready, paced, _ = self._ask_for_places(ready, limits, now)
        settled["held"] += sum(wait is not None for wait in paced.kept.values())
        if is_hurried:
            self._tidy_desk.settle()
            with self._turn:
                self._hurry.claim_is_on_disk()
        self._in_hand.update({one.delivery.id: one for one in ready})
        return Claim(ready, settled, has_put_back=None in paced.kept.values())

    def _release_strays(self) -> None:
        """Give back what a claim took that broke: nobody has it, and it would lie there until the run ends."""
        try:
            with self._turn, self._claim_desk.writing() as session:
                release(session, self._worker, besides=list(self._in_hand))
        except DBAPIError as error:
            log.warning("what was claimed cannot be given back yet: %s", error)

    def _settle(
        self,
        lines: Sequence[Line],
        ready: list[Ready],
        unready: Sequence[Unready],
        settled: Counter[str],
        now: datetime,
    ) -> list[Ready]:
        """See to what does not leave for good; the others."""
        doubtful = [line.claimed for line in lines if line.is_doubtful]
        if not (unready or doubtful):
            return ready
        with self._claim_desk.writing() as session:
            mine = keep_in_hand(session, self._worker, {one.id for one in unready} | {one.id for one in doubtful})
            unfit = [one for one in unready if one.id in mine]
            for one in unfit:
                one.settle(session)
            stops = turn_away(session, [line for line in doubtful if line.id in mine], now)
        settled.update(one.becomes for one in unfit)
        settled.update(str(stop.status) for stop in stops.values())
        return [one for one in ready if one.delivery.id not in stops]

    def _ask_for_places(self, ready: Sequence[Ready], limits: Limits, now: datetime) -> Asked:
        """Those that are still in hand and that the limits let leave; the others are held or put back.

        In one transaction with what their mails take from their people, and their Message-IDs: whoever finds a first try
        with one among what a dead worker had claimed knows that a place was granted for it.
        """
        self._give_back_spare()
        fresh = [one for one in ready if one.fresh_facts]
        # Spelled before anybody is kept from writing.
        facts = as_json([(one.delivery.id, one.fresh_facts, one.delivery.message_id) for one in fresh])
        with self._turn:
            with self._claim_desk.writing() as session:
                if fresh and keep_facts(session, self._worker, facts) < len(fresh):
                    mine = keep_in_hand(session, self._worker, [one.delivery.id for one in ready])
                    ready = [one for one in ready if one.delivery.id in mine]
                asked = self._places.ask(session, ready, limits, now)
            self._places.take_effect(asked)
            self._limits = limits
        for one in asked.ready:
            one.pace = asked.paced
            one.fresh_facts = ""
        return asked

    def _give_back_spare(self) -> None:
        """Give back the places of mails that did not leave after all.

        In a transaction of its own: who counts while they hold lanes, waits for nobody who holds them.
        """
        with self._turn:
            spare = self._places.take_spare()
        if spare:
            with self._claim_desk.writing() as session:
                pacing.give_back(session, spare=spare, worker=self._worker)

    def _look_for_issues(self, session: Session, ready: Sequence[Ready], now: datetime) -> None:
        """Find for steps of sequences whether an issue that is not queued yet goes first."""
        steps = [one for one in ready if one.delivery.priority == Priority.SEQUENCE]
        people = [one.delivery.contact_id for one in steps if one.delivery.contact_id is not None]
        if people:
            coming = self._coming_to(session, people, now)
            for one in steps:
                one.issue_at = coming.get(one.delivery.contact_id or 0)

    def exchange(
        self, ended: Sequence[Ended], wanted: Sequence[Ready], unsaid: Sequence[int], *, at_once: bool = False
    ) -> list[Stop | None]:
        """Store how tries ended and ask for the next mails, in one commit; `settle` brings it to the disk.

        What comes back is in the order of those that are `wanted`: None, its body may be written, or why not.
        `at_once` raises `Taken`, and nothing has happened, where it would have to wait for long for somebody else who writes.
        """
        with in_a_moment(self._turn) if at_once else self._turn:
            return self._exchange(ended, wanted, unsaid, at_once=at_once)

    def _exchange(
        self, ended: Sequence[Ended], asked: Sequence[Ready], unsaid: Sequence[int], *, at_once: bool
    ) -> list[Stop | None]:
        limits = self._limits
        assert limits is not None  # whatever ended or is asked for was claimed
        # The others were claimed once more since: only what was made ready last may leave.
        wanted = [one for one in asked if self._in_hand.get(one.delivery.id) is one]
        # It is tried again if it is not committed: until then nothing counts.
        places = self._places
        granted = places.granted.copy() if places.granted is not None else None
        with self._desk.writing(at_once=at_once) as session:
            now = self._clock.now()
            self._waits_for_disk = self.must_settle and self._hurry.must_wait(session, len(wanted))
            if unsaid:
                put_back_unsaid(session, self._worker, unsaid)
            pacing.note(session, ended, now, places.memory)
            rows = [one.delivery for one in wanted]
            kept = pacing.keep_back(session, self._worker, rows, now, places.memory)
            coming = {one.delivery.contact_id or 0: one.issue_at for one in wanted if one.issue_at is not None}
            answers = exchange(
                session,
                self._worker,
                ended,
                [one for one in rows if one.id not in kept] if kept else rows,
                limits,
                now,
                coming=coming,
                granted=granted,
                interest=self._interest,
            )
            answers |= {i: Stop(Status.HELD, wait.because, wait.until) for i, wait in kept.items()}
            if granted is not None and kept:
                granted.let_go(*[one for one in rows if one.id in kept])
            hashes = {one.delivery.id: one.recipient.address_hash for one in wanted}
            remembered.note_intents(session, [one for one in rows if answers[one.id] is None], hashes, now)
            remembered.note_outcomes(session, [(one.delivery, one.outcome) for one in ended], now)
            if self._own_ids:
                found = [(self._own_ids.read(one.outcome), one.delivery.id) for one in ended]
                note_ids(session, [(relay_id, delivery) for relay_id, delivery in found if relay_id is not None])
        places.granted = granted
        for one in wanted:
            del self._in_hand[one.delivery.id]
            if answers[one.delivery.id] is None:
                one.pace.use(one.delivery)
            else:
                places.spare(one)
        if len(wanted) == len(asked):
            return [answers[one.delivery.id] for one in asked]
        current = {id(one) for one in wanted}
        for one in asked:
            if id(one) not in current:
                places.let_go(one)
        return [answers[one.delivery.id] if id(one) in current else NOT_OURS for one in asked]

    def limits_relay(self, relay: str) -> bool:
        """Whether this relay takes only so much."""
        return self._places.limits_relay(relay)

    @property
    def must_settle(self) -> bool:
        """Whether an exchange is not yet on the disk when it returns."""
        return self._desk.must_settle

    @property
    def waits_for_disk(self) -> bool:
        """Whether what was exchanged last counts only when it is on the disk."""
        return self._waits_for_disk

    def settle(self) -> None:
        """What was exchanged until now would survive a power cut when this returns; called in a thread of its own."""
        self._desk.settle()

    def bring_over(self) -> None:
        """Spare the exchanges what SQLite does now and then with its log; called after each claim, in their thread."""
        self._claims += 1
        if self._claims % _BRING_OVER_EVERY:
            return
        try:
            self._tidy_desk.bring_over()
        except DBAPIError as error:
            log.warning("SQLite's log cannot be brought into its file: %s", error)

    def fail(self, one: Ready, because: str) -> None:
        """A mail that cannot be written."""
        with self._turn:
            if self._in_hand.get(one.delivery.id) is one:
                with self._desk.writing() as session:
                    if keep_in_hand(session, self._worker, [one.delivery.id]):
                        actions.fail_unsendable(session, one.delivery, because, self._clock.now())
                del self._in_hand[one.delivery.id]
            self._places.let_go(one)

    def let_go(self, one: Ready) -> None:
        """It has been in our hands for too long: somebody claims it again."""
        with self._turn:
            if self._in_hand.get(one.delivery.id) is one:
                with self._desk.writing() as session:
                    # This process may have stood still for so long that another one has it by now, or has sent it.
                    release(session, self._worker, only=one.delivery.id)
                del self._in_hand[one.delivery.id]
            self._places.let_go(one)

    def give_back(self) -> None:
        """Put back what was claimed and not begun, with the places that were granted for it."""
        with self._turn:
            is_told = False
            try:
                with self._desk.writing() as session:
                    is_alive = beat(session, self._worker)
                    if is_alive:  # else whoever declared this worker dead has taken back its claims
                        release(session, self._worker)
                    self._places.give_back(session, self._clock.now(), is_alive=is_alive)
                    was_hurried = self._hurry.end(session)
                    is_told = True
            finally:
                if is_told:
                    self._places.forget()  # even if the commit failed: a server may have taken it before it broke
            self._in_hand.clear()
            self.has_claimed = False
        if was_hurried:
            self._tidy_desk.settle()

    def close(self) -> None:
        """Leave the database."""
        for desk in (self._desk, self._claim_desk, self._tidy_desk):
            desk.close()
