"""What a worker has in its hands is taken away, changed or claimed once more: only what was made ready last may leave."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import col

from nurture.consent.identity.actions import change_address
from nurture.consent.rules import Proof
from nurture.contacts.actions import get_contact
from nurture.contacts.addresses import get_address
from nurture.contacts.history.rules import Author
from nurture.database.claiming import end_worker, register_worker
from nurture.database.driver import Driver
from nurture.database.engine import Session
from nurture.delivery import actions, transactions
from nurture.delivery.claiming.store import keep_facts, readdress
from nurture.delivery.guard.store import CampaignDay
from nurture.delivery.places import Places
from nurture.delivery.preparing import Ready
from nurture.delivery.rules import Status
from nurture.delivery.sender import Sender
from nurture.delivery.store import Delivery, hold_for_recheck, release_rechecked
from nurture.delivery.transactions import Transactions
from nurture.delivery.waves.store import CampaignWave
from nurture.engines.rounds import run_due
from nurture.privacy import erasing
from tests.flows.test_faults import PEOPLE, SetClock, Town, address, open_again, settled, sink, town, with_a_sender
from tests.support.counting import SILENCE

__all__ = ["open_again", "sink", "town"]  # fixtures


class Killed(BaseException):
    """The process is gone, and nothing behind this is done."""


class Crew:
    """Workers, each with what it does in the database; the mails are queued."""

    def __init__(self) -> None:
        self.at_work: list[Transactions] = []

    def add(self, town: Town) -> tuple[int, Transactions]:
        with town.app.database.writing() as session:
            worker = register_worker(session)
        run_due(town.app.workshop().bench(worker), town.clock.at)
        self.at_work.append(town.app.sender(worker)._transactions)
        return worker, self.at_work[-1]

    def claim(self, town: Town) -> tuple[Transactions, list[Ready]]:
        """Another one, and what it claims first."""
        _, theirs = self.add(town)
        return theirs, theirs.claim(None, None).ready


@pytest.fixture
def crew(open_again: object) -> Iterator[Crew]:
    """Before the house is closed they leave it."""
    made = Crew()
    yield made
    for one in made.at_work:
        one.close()


def bury(town: Town, worker: int) -> None:
    """It is found dead, and what it had in hand is taken back."""
    with town.app.database.writing() as session:
        end_worker(session, worker)
        actions.take_back(session, town.clock.at)


def is_in(town: Town, one: Ready) -> tuple[str, int]:
    with town.app.database.reading() as session:
        row = session.get_one(Delivery, one.delivery.id)
        return row.status, row.attempts


def granted(town: Town) -> tuple[int, int]:
    """How many people count as met by the first wave, and as mailed by the campaign."""
    with town.app.database.reading() as session:
        met = session.scalar(sa.select(sa.func.sum(col(CampaignWave.people))))
        return met or 0, session.scalar(sa.select(sa.func.sum(col(CampaignDay.people)))) or 0


@pytest.fixture
def guarded(open_again: Callable[..., Town]) -> Town:
    """First waves of 50 people, and a guard that lets 60 be mailed."""
    limits = {"NURTURE_SENDING__FIRST_WAVE": "50", "NURTURE_SENDING__BLAST_GUARD": "60"}
    return settled(open_again(SetClock(), **limits))


# What it has in hand.


def test_what_is_claimed_once_more_leaves_by_its_last_claim_alone(crew: Crew, town: Town) -> None:
    """A reply held it for a recheck and the sequence let it go, while a lane had it written already."""
    theirs, [one, *others] = crew.claim(town)
    with town.app.database.writing() as session:
        assert hold_for_recheck(session, one.delivery.contact_id or 0) == 1
        assert release_rechecked(session, [one.delivery.id], town.clock.at) == 1
    [again] = theirs.claim(None, None).ready
    assert again.delivery.id == one.delivery.id
    stale, *beside = theirs.exchange([], [one, *others[:3]], [])
    assert (stale and stale.because, beside) == ("no longer claimed by this worker", [None] * 3)
    assert is_in(town, one) == (Status.CLAIMED, 0)
    assert theirs.exchange([], [again], []) == [None]
    assert is_in(town, one) == (Status.SENDING, 1)


def test_two_claims_of_one_mail_that_ask_together_are_told_apart(crew: Crew, town: Town) -> None:
    theirs, [one, *_] = crew.claim(town)
    with town.app.database.writing() as session:
        hold_for_recheck(session, one.delivery.contact_id or 0)
        release_rechecked(session, [one.delivery.id], town.clock.at)
    [again] = theirs.claim(None, None).ready
    stale, fresh = theirs.exchange([], [one, again], [])
    assert (stale is None, fresh is None) == (False, True)
    assert is_in(town, one) == (Status.SENDING, 1)


def test_a_mail_in_hand_does_not_leave_to_an_address_that_its_reader_has_changed(crew: Crew, town: Town) -> None:
    theirs, [one, *_] = crew.claim(town)
    with town.app.database.writing() as session:
        contact, right = get_contact(session, one.email), get_address("right@elsewhere.example")
        change_address(session, contact, right, town.app.hasher, town.clock.at, Author("staff"))
        readdress(session, contact.id, contact.domain)
    assert theirs.exchange([], [one], []) != [None]
    [again] = theirs.claim(None, None).ready
    assert (again.recipient.email, again.delivery.domain) == ("right@elsewhere.example", "elsewhere.example")
    assert theirs.exchange([], [again], []) == [None]


def test_whoever_is_erased_while_their_mail_is_made_ready_leaves_nothing_in_it(
    crew: Crew, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, theirs = crew.add(town)
    go_on = Transactions._give_back_spare

    def erased_meanwhile(self: Transactions) -> None:
        with town.app.database.writing() as session:
            contact = get_contact(session, address(3))
            erasing.begin(session, contact.address_hash, proof=Proof("a test"), now=town.clock.at)
        assert erasing.finish(town.app.database, town.clock.at) == 1
        go_on(self)

    monkeypatch.setattr(Transactions, "_give_back_spare", erased_meanwhile)
    ready = theirs.claim(None, None).ready
    assert len(ready) == PEOPLE - 1
    assert address(3) not in {one.email for one in ready}
    with town.app.database.reading() as session:
        gone = session.scalars(sa.select(Delivery).where(col(Delivery.contact_id).is_(None))).one()
        assert not gone.facts


def test_a_worker_that_slept_through_its_burial_takes_nothing_out_of_the_hands_of_another(
    crew: Crew, open_again: Callable[..., Town], monkeypatch: pytest.MonkeyPatch
) -> None:
    town = settled(open_again(SetClock(), NURTURE_SENDING__PER_SECOND="4"))
    sleeper, theirs = crew.add(town)
    go_on, has_slept, others = Transactions._give_back_spare, Event(), []

    def asleep(self: Transactions) -> None:
        if not has_slept.is_set():
            has_slept.set()
            bury(town, sleeper)
            _, ready = crew.claim(town)
            others.extend(ready)
        go_on(self)

    monkeypatch.setattr(Transactions, "_give_back_spare", asleep)
    assert theirs.claim(None, None).ready == []
    assert others
    assert {is_in(town, one)[0] for one in others} == {Status.CLAIMED}


# The places that were granted for it.


@pytest.mark.parametrize("stage", ["ask", "take_effect"])
def test_a_worker_killed_in_the_middle_of_a_claim_takes_no_places_with_it(
    crew: Crew, guarded: Town, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    worker, theirs = crew.add(guarded)

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(Places, stage, killed)
    with pytest.raises(Killed):
        theirs.claim(None, None)
    bury(guarded, worker)
    assert granted(guarded) == (0, 0)


def test_a_worker_killed_before_it_was_granted_places_takes_none_off_that_others_use(
    crew: Crew, guarded: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had claimed was granted places once before, and given back."""
    first, ready = crew.claim(guarded)
    first.exchange([], ready[:20], [])
    first.give_back()
    assert granted(guarded) == (20, 20)
    worker, second = crew.add(guarded)

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(Places, "ask", killed)
    with pytest.raises(Killed):
        second.claim(None, None)
    bury(guarded, worker)
    assert granted(guarded) == (20, 20)
    monkeypatch.undo()
    _, again = crew.claim(guarded)
    assert (len(again), granted(guarded)) == (20, (40, 40))


def test_a_claim_that_broke_while_it_was_written_down_is_granted_its_places_once(
    crew: Crew, guarded: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def breaks(session: Session, worker: int, rows: str) -> int:
        tries.append(worker)
        if len(tries) == 1:
            raise OperationalError("UPDATE", None, Exception("disk I/O error"))
        return keep_facts(session, worker, rows)

    monkeypatch.setattr(transactions, "keep_facts", breaks)
    _, ready = crew.claim(guarded)
    assert (len(tries), len(ready), granted(guarded)) == (2, PEOPLE, (PEOPLE, PEOPLE))


def test_places_are_not_given_back_twice_where_the_server_took_the_commit_and_broke(
    crew: Crew, guarded: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ready = crew.claim(guarded)
    theirs.exchange([], ready[:10], [])
    commit = Driver.commit

    def takes_it_and_breaks(self: Driver) -> None:
        commit(self)
        raise OperationalError("COMMIT", None, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(Driver, "commit", takes_it_and_breaks)
    with pytest.raises(DBAPIError):
        theirs.give_back()
    assert theirs.has_claimed, "it is tried again"
    monkeypatch.undo()
    theirs.give_back()
    assert granted(guarded) == (10, 10)


# A run that is given up.


@pytest.mark.parametrize("at", [1, 7, 20])
def test_nothing_stays_half_sent_when_a_run_is_cancelled(town: Town, at: int) -> None:
    async def send(sender: Sender) -> None:
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(sender.drain())

        def cancel(_: object) -> None:
            if len(town.sink.taken) == at:
                loop.call_soon_threadsafe(running.cancel)

        town.sink.on_read = cancel
        with suppress(asyncio.CancelledError):
            await running
        town.sink.on_read = lambda _: None
        await sender.drain()
        await sender.drain()
        assert "sending" not in town.statuses()
        await sender.close()

    with_a_sender(town, send)
    town.send_until_all_is_settled()
    town.judge(most_uncertain=4)


def test_what_was_permitted_when_a_run_is_cancelled_leaves_in_the_next_one(town: Town) -> None:
    """The relay has the envelope and thinks about it: no body was written, so nothing is in doubt."""
    waits: list[Callable[[], object]] = []

    def think(stage: str, _: str) -> str:
        if stage != "data" or not waits:
            return ""
        waits.pop()()
        return SILENCE

    async def send(sender: Sender) -> None:
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(sender.drain())
        waits.append(lambda: loop.call_soon_threadsafe(running.cancel))
        town.sink.act = think
        with suppress(asyncio.CancelledError):
            await running
        await sender.drain()
        assert town.statuses() == {"sent": PEOPLE}
        await sender.close()

    with_a_sender(town, send)
    town.judge()


def test_an_erasure_waits_for_the_mail_on_its_way_and_for_nobody_elses(crew: Crew, town: Town) -> None:
    theirs, [one, *_] = crew.claim(town)
    assert theirs.exchange([], [one], []) == [None]
    with town.app.database.writing() as session:
        for email in (one.email, address(20), address(21)):
            erasing.begin(session, get_contact(session, email).address_hash, proof=Proof("a test"), now=town.clock.at)
    assert erasing.finish(town.app.database, town.clock.at) == 2
