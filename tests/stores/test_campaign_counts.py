"""Whatever is done with a campaign while it sends: its numbers add up to its audience, and a pause or a cancel holds."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.consent.suppressions.actions import opt_out
from nurture.database.claiming import end_worker, register_worker
from nurture.database.engine import Database, Session
from nurture.database.statements import ask_together
from nurture.delivery import actions, store
from nurture.delivery.actions import Ended, Limits
from nurture.delivery.doubts import store as doubts
from nurture.delivery.doubts.actions import take_evidence
from nurture.delivery.leaving.actions import exchange
from nurture.delivery.pausing import actions as pausing
from nurture.delivery.pausing import store as paused
from nurture.delivery.pausing.rules import Counts, count_of
from nurture.delivery.rules import STOPPABLE, Heard, Outcome, Status
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.stores.test_outbox import house, queue
from tests.support.claims import claim_due
from tests.support.databases import is_anybody_waiting

__all__ = ["house"]  # the fixture of the outbox

CAMPAIGN = "sequence:s"
LIMITS = Limits(cap_per_day=1, cap_per_week=2, give_up_after=timedelta(hours=2))
HOUR = timedelta(hours=1)
BY_NAME = {
    "accepted": Outcome(Heard.ACCEPTED, 250, "250 OK"),
    "rejected": Outcome(Heard.REJECTED, 550, "550 no"),
    "deferred": Outcome(Heard.DEFERRED, 451, "451 later"),
    "lost": Outcome(Heard.LOST),
    "unanswered": Outcome(Heard.UNANSWERED),
}


class Play:
    """One campaign, one worker after the other, and people who do things to it."""

    def __init__(self, session: Session, hasher: AddressHasher) -> None:
        self.session = session
        self.hasher = hasher
        self.now: datetime = NOW
        self.audience = 0
        self.worker = register_worker(session)

    def do(self, what: str) -> None:
        session, now = self.session, self.now
        match what:
            case "queue":
                expires_at = now + HOUR if self.audience % 3 == 0 else None
                queue(session, self.hasher, f"r{self.audience}@reader.example", due_at=now, expires_at=expires_at)
                self.audience += 1
            case "leave":
                opt_out(session, self.hasher.hash(f"r{self.audience // 2}@reader.example"), how="page", now=now)
            case "pause":
                paused.pause(session, CAMPAIGN, "a test", "a test", now)
                paused.set_aside(session, CAMPAIGN, 2)
            case "resume":
                paused.go_on(session, CAMPAIGN)
                paused.bring_forward(session, CAMPAIGN, now, 2)
            case "cancel":
                paused.cancel_some(session, CAMPAIGN, "cancelled", now, 3)
            case _:
                self._do_to_mails(what)

    def _do_to_mails(self, what: str) -> None:
        session, now = self.session, self.now
        match what:
            case "die":
                end_worker(session, self.worker)
                actions.take_back(session, now)
                self.worker = register_worker(session)
            case "release":
                actions.release_held(session, now)
            case "evidence":
                take_evidence(session, [one.id for one in doubts.list_uncertain(session, limit=1)], "a reply", now)
            case "sent" | "failed" | "resend":
                for one in doubts.list_uncertain(session, limit=1):
                    actions.resolve(session, one.id, what, now)
            case "hour":
                self.now += HOUR
            case _:
                self.send(BY_NAME[what])

    def send(self, outcome: Outcome) -> None:
        """A connection takes a mail and hears that of it."""
        claimed = claim_due(self.session, self.worker, 3, self.now)
        stops = exchange(self.session, self.worker, [], claimed[:1], LIMITS, self.now)
        begun = [one for one in claimed[:1] if stops[one.id] is None]
        assert not (begun and paused.find_pause(self.session, CAMPAIGN)), (
            "it was paused, and a mail of it began to leave"
        )
        if outcome.heard is not Heard.LOST or self.audience % 2:
            exchange(self.session, self.worker, [Ended(one, outcome) for one in begun], [], LIMITS, self.now)

    def counts(self) -> Counts:
        self.session.expire_all()
        return pausing.counts_of(self.session, CAMPAIGN)


operations = st.lists(
    st.sampled_from(
        ["queue"] * 6
        + ["accepted"] * 3
        + ["rejected", "deferred", "lost", "unanswered", "leave", "pause", "resume", "resume", "cancel", "die"]
        + ["release", "evidence", "sent", "failed", "resend", "hour"]
    ),
    max_size=40,
)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@given(operations)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sent_refused_cancelled_failed_expired_uncertain_and_waiting_are_the_audience_whatever_happens(
    house: Database, hasher: AddressHasher, wanted: list[str]
) -> None:
    with house.reading() as session:  # what is written in it is thrown away, so each example begins anew
        play = Play(session, hasher)
        for what in wanted:
            before = play.counts()
            play.do(what)
            after = play.counts()
            assert after.audience == play.audience
            assert after.cancelled >= before.cancelled
            assert after.refused >= before.refused
            assert after.expired >= before.expired


def test_every_state_is_counted_once() -> None:
    everything = count_of(dict.fromkeys(Status, 1))
    assert everything.audience == len(Status)
    assert everything.waiting == len(STOPPABLE) + 1  # and what is on the wire


def test_what_is_cancelled_while_it_is_claimed_does_not_leave_and_is_told_to_its_sequence(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        for number in range(5):
            queue(session, hasher, f"r{number}@reader.example")
        worker = register_worker(session)
        claimed = claim_due(session, worker, 3, NOW)
        exchange(session, worker, [], claimed[:1], LIMITS, NOW)
    told = pausing.cancel(house, CAMPAIGN, by="dana", now=NOW)
    assert (told.moved, told.counts) == (4, Counts(cancelled=4, waiting=1))
    with house.writing() as session:
        outcome = Ended(claimed[0], BY_NAME["accepted"])
        stops = exchange(session, worker, [outcome], claimed[1:], LIMITS, NOW)
        assert all(stop is not None for stop in stops.values())
        assert pausing.counts_of(session, CAMPAIGN) == Counts(sent=1, cancelled=4)
        cancelled = store.deliveries_of_ids(session, [one.id for one in claimed[1:]])
        assert {one.because for one in cancelled} == {"cancelled by dana"}


def test_a_paused_campaign_goes_on_where_it_stood(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        for number in range(3):
            queue(session, hasher, f"r{number}@reader.example")
    assert pausing.pause(house, CAMPAIGN, because="price", by="dana", now=NOW).moved == 3
    assert not pausing.pause(house, CAMPAIGN, because="another", by="luis", now=NOW).was_new
    with house.writing() as session:
        worker = register_worker(session)
        assert actions.release_held(session, NOW + 24 * HOUR) == 0
        assert list(claim_due(session, worker, 10, NOW)) == []
    assert pausing.go_on(house, CAMPAIGN, NOW).moved == 3
    with house.writing() as session:
        assert actions.release_held(session, NOW) == 3
        assert len(claim_due(session, worker, 10, NOW)) == 3


def test_what_is_queued_for_a_campaign_that_stands_still_is_set_aside_by_the_house_itself(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        assert ask_together(session, sa.select(paused.to_set_aside_at().label("at")))["at"] is None
        paused.pause(session, CAMPAIGN, "3 of 40 addresses do not exist", "nurture", NOW)
        assert ask_together(session, sa.select(paused.to_set_aside_at().label("at")))["at"] is None
        mail = queue(session, hasher)
        queue(session, hasher, "ben@reader.example", campaign="sequence:another")
        assert ask_together(session, sa.select(paused.to_set_aside_at().label("at")))["at"] < NOW
        assert pausing.set_some_aside(session, NOW) == 1
        session.expire_all()
        assert store.get_delivery(session, mail.id).because == "campaign paused"
        assert ask_together(session, sa.select(paused.to_set_aside_at().label("at")))["at"] is None


def test_who_sets_mails_aside_while_somebody_lets_the_campaign_go_on_holds_no_more_of_them(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        mails = [queue(session, hasher, f"r{number}@reader.example").id for number in range(3)]
        paused.pause(session, CAMPAIGN, "price", "dana", NOW)
        assert paused.set_aside(session, CAMPAIGN, 1) == 1
    assert pausing.go_on(house, CAMPAIGN, NOW).moved == 1
    with house.writing() as session:
        assert paused.set_aside(session, CAMPAIGN, 1) == 0
        actions.release_held(session, NOW)
        assert {store.get_delivery(session, mail).status for mail in mails} == {Status.QUEUED}


def test_what_was_held_for_a_pause_that_is_over_is_released_by_the_house_and_of_others_nothing(
    house: Database, hasher: AddressHasher
) -> None:
    others = ("sequence:a", "sequence:t")  # before it and behind it in the index
    with house.writing() as session:
        for number, campaign in enumerate((others[0], CAMPAIGN, CAMPAIGN, others[1])):
            queue(session, hasher, f"r{number}@reader.example", campaign=campaign)
        for campaign in (CAMPAIGN, *others):
            paused.pause(session, campaign, "price", "dana", NOW)
        assert pausing.set_some_aside(session, NOW) == 4
        assert when_to_release(session) is None
        paused.go_on(session, CAMPAIGN)  # and whoever did it was killed before the next step
    with house.writing() as session:
        found = when_to_release(session)
        assert found is not None
        assert found < NOW
        assert actions.release_held(session, NOW) == 2
        assert when_to_release(session) is None
        assert actions.release_held(session, NOW) == 0
        assert len(claim_due(session, register_worker(session), 10, NOW)) == 2


def when_to_release(session: Session) -> datetime | None:
    found: datetime | None = ask_together(session, sa.select(paused.to_release_at().label("at")))["at"]
    return found


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_mail_that_a_sender_holds_for_a_pause_while_that_ends_leaves_all_the_same(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        mail = queue(session, hasher)
        worker = register_worker(session)
        [claimed] = claim_due(session, worker, 10, NOW)
        paused.pause(session, CAMPAIGN, "price", "dana", NOW)
    with house.writing() as sender:
        assert exchange(sender, worker, [], [claimed], LIMITS, NOW)[mail.id] is not None
        assert pausing.go_on(house, CAMPAIGN, NOW).moved == 0
    with house.writing() as session:
        assert store.get_delivery(session, mail.id).because == "campaign paused"
        assert actions.release_held(session, NOW) == 1
        [claimed] = claim_due(session, worker, 10, NOW)
        assert exchange(session, worker, [], [claimed], LIMITS, NOW) == {mail.id: None}


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_who_lets_a_campaign_go_on_waits_for_what_is_being_set_aside(house: Database, hasher: AddressHasher) -> None:
    with house.writing() as session:
        queue(session, hasher)
        paused.pause(session, CAMPAIGN, "price", "dana", NOW)
    with ThreadPoolExecutor() as threads:
        with house.writing() as session:
            assert paused.set_aside(session, CAMPAIGN, 1) == 1
            going_on = threads.submit(pausing.go_on, house, CAMPAIGN, NOW)
            while not going_on.done() and not is_anybody_waiting(house):
                pass
        assert going_on.result().moved == 1


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_who_cancels_and_a_sender_that_asks_about_the_same_mails_do_not_wait_for_each_other(
    house: Database, hasher: AddressHasher
) -> None:
    with house.writing() as session:
        mails = [queue(session, hasher, f"r{number}@reader.example").id for number in range(3)]
        worker = register_worker(session)
        first, second, third = claim_due(session, worker, 10, NOW)
    with ThreadPoolExecutor() as threads:
        with house.writing() as sender:
            # One statement for each sort of mail, in no order that anybody else could know.
            assert exchange(sender, worker, [], [second], LIMITS, NOW)[second.id] is None
            cancelling = threads.submit(pausing.cancel, house, CAMPAIGN, by="dana", now=NOW)
            while not cancelling.done() and not is_anybody_waiting(house):
                pass
            assert list(exchange(sender, worker, [], [first], LIMITS, NOW).values()) != [None]
        assert cancelling.result().moved == 2
    with house.reading() as session:
        found = {store.get_delivery(session, mail).id: store.get_delivery(session, mail).status for mail in mails}
    assert found == {first.id: Status.CANCELLED, second.id: Status.SENDING, third.id: Status.CANCELLED}
