"""Limits as the database keeps them: shared by workers, kept over restarts, given back; first waves; domains that rest."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Thread

import pytest
import sqlalchemy as sa
from sqlmodel import col

from nurture.campaigns.publishing import freeze_draft
from nurture.campaigns.reading import Unit
from nurture.consent.rules import Purpose
from nurture.consent.silence.store import save_signs
from nurture.consent.suppressions.actions import opt_out
from nurture.contacts.store import Contact
from nurture.database.claiming import end_worker, register_worker
from nurture.database.columns import new_id
from nurture.database.engine import Database, Session
from nurture.database.installation import settle_in
from nurture.database.json_text import as_json
from nurture.delivery import actions
from nurture.delivery.actions import Ended, Intention, queue_deliveries
from nurture.delivery.claimed import Claimed
from nurture.delivery.claiming.store import keep_facts
from nurture.delivery.pacing import store
from nurture.delivery.pacing.actions import forget_some, give_back, grant, keep_back, note
from nurture.delivery.pacing.granting import Memory, PaceGrant
from nurture.delivery.pacing.lanes import Limit, Pacing, Rule, Span
from nurture.delivery.pacing.meeting import look_once_more
from nurture.delivery.pacing.rules import Wait, bucket
from nurture.delivery.pacing.warming import WarmUp
from nurture.delivery.pausing.store import find_pause, go_on, pause
from nurture.delivery.resting.actions import rest_now
from nurture.delivery.resting.store import let_go, list_rests
from nurture.delivery.rules import Heard, HeldBecause, Outcome, Priority, Status
from nurture.delivery.store import Delivery
from nurture.delivery.waves.rules import LINE_UP_WITHIN, LOOK_AFTER, LOOK_EVERY
from nurture.inbound.returned import note_bounce
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.claims import claim_due
from tests.support.databases import is_anybody_waiting
from tests.support.people import add_contact

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)
SLOW_DOWN = Outcome(Heard.DEFERRED, 421, "421 4.7.28 unusual rate of mail")


def settled(database: Database) -> Database:
    with database.writing() as session:
        settle_in(session, home="here", suppression_fingerprint="f", now=NOW)
    return database


class Post:
    """Mails of one campaign, queued to people, and workers that claim them."""

    def __init__(self, house: Database, hasher: AddressHasher, campaign: str = "sequence:s") -> None:
        self.house, self.hasher, self.campaign = house, hasher, campaign
        with house.writing() as session:
            unit = Unit("sequence", f"s{new_id()}", "s.yaml", {"mails": {}})
            self.version = freeze_draft(session, unit, published_by="a test", now=NOW)

    def queue(self, emails: Sequence[str], now: datetime = NOW, purpose: Purpose = Purpose.CAMPAIGN) -> list[int]:
        with self.house.writing() as session:
            people = [self._person(session, email) for email in emails]
            mails = [
                Intention(
                    key=f"k{new_id()}", purpose=purpose, campaign=self.campaign, version_id=self.version, mail="m",
                    priority=Priority.SEQUENCE, due_at=now, contact_id=one.id, domain=one.domain, topic="insights",
                )
                for one in people
            ]  # fmt: skip
            queue_deliveries(session, mails, now)
            return [one.id for one in people]

    def _person(self, session: Session, email: str) -> Contact:
        known = session.scalars(sa.select(Contact).where(col(Contact.email) == email)).one_or_none()
        return known or add_contact(session, self.hasher, email, NOW)

    def worker(self) -> int:
        with self.house.writing() as session:
            return register_worker(session)

    def ask(
        self, pacing: Pacing, now: datetime = NOW, limit: int = 500, before: PaceGrant | None = None
    ) -> tuple[list[Claimed], PaceGrant]:
        """One claim of a worker of its own: what may leave, and what was granted."""
        worker = self.worker()
        with self.house.writing() as session:
            actions.release_held(session, now, 10_000)
            claimed = claim_due(session, worker, limit, now)
            give_back(session, [before] if before is not None else [])
            granted = grant(session, worker, claimed, now, 1000.0, pacing=pacing)
        return [one for one in claimed if one.id not in granted.kept], granted

    def send(
        self, mails: Sequence[Claimed], status: Status = Status.SENT, now: datetime = NOW, reply: str = ""
    ) -> None:
        with self.house.writing() as session:
            rows = sa.update(Delivery).where(col(Delivery.id).in_([one.id for one in mails]))
            session.execute(rows.values(status=status, attempted_at=now, worker_id=None, reply=reply))

    def held(self) -> dict[str, int]:
        with self.house.reading() as session:
            statement = (
                sa.select(col(Delivery.because), sa.func.count())
                .where(col(Delivery.status) == Status.HELD)
                .group_by(col(Delivery.because))
            )
            return dict(session.execute(statement).all())


@pytest.fixture
def post(sqlite: Database, hasher: AddressHasher) -> Post:
    return Post(settled(sqlite), hasher)


@pytest.fixture
def each_post(database: Database, hasher: AddressHasher) -> Post:
    """On SQLite, and again on PostgreSQL."""
    return Post(settled(database), hasher)


def people_at(domain: str, count: int, first: int = 0) -> list[str]:
    return [f"p{n}@{domain}" for n in range(first, first + count)]


HOURLY = Pacing(rules=(Rule("company", Limit(per_hour=10), to=frozenset({"*"})),))


def test_a_domain_gets_no_more_than_its_hour_whichever_worker_asks(post: Post) -> None:
    """STANDARDS 51."""
    post.queue([*people_at("one.example", 30), *people_at("two.example", 4)])
    went = [one for _ in range(5) for one in post.ask(HOURLY, limit=8)[0]]
    assert sorted(one.domain for one in went).count("one.example") == 10
    assert sorted(one.domain for one in went).count("two.example") == 4
    assert post.held() == {"pace: limit company one.example": 20}


def test_what_a_claim_did_not_need_is_given_back(post: Post) -> None:
    post.queue(people_at("one.example", 30))
    went, granted = post.ask(HOURLY)
    assert len(went) == 10
    for one in went[:6]:
        granted.use(one)
    again, _ = post.ask(HOURLY, now=NOW + 2 * MINUTE, before=granted)
    assert not again  # held ones come back an hour later
    post.queue(people_at("one.example", 9, first=100))
    assert len(post.ask(HOURLY, now=NOW + 3 * MINUTE)[0]) == 4


def test_a_worker_that_dies_takes_what_it_was_granted_with_it_until_the_hour_is_over(post: Post) -> None:
    post.queue(people_at("one.example", 10))
    post.ask(HOURLY)
    post.queue(people_at("one.example", 5, first=50))
    assert post.ask(HOURLY, now=NOW + 50 * MINUTE)[0] == []
    assert [len(post.ask(HOURLY, now=NOW + n * MINUTE)[0]) for n in (63, 69, 75, 81, 87)] == [1, 1, 1, 1, 1]


def test_what_no_longer_counts_is_forgotten_and_what_warms_up_is_not(each_post: Post) -> None:
    """A limit for every company by itself counts in thousands of lanes, each minute anew."""
    lanes = [f"limit:company {n}.example" for n in range(1500)]
    with each_post.house.writing() as session:
        for span, at in ((Span.HOUR, NOW - 3 * DAY), (Span.DAY, NOW - DAY), (Span.DATE, NOW - 300 * DAY)):
            store.add(session, {(lane, span, bucket(span, at)): 1 for lane in lanes})
        assert [forget_some(session, NOW) for _ in range(3)] == [1000, 500, 0]
        assert store.lanes_with_dates(session) == sorted(lanes)
        assert len(store.counted(session, lanes, Span.DAY, NOW - 2 * DAY, NOW)) == len(lanes)


def test_two_workers_share_the_places_of_a_second(post: Post) -> None:
    slow = Pacing(rules=(Rule("slow", Limit(per_second=2), to=frozenset({"one.example"})),))
    post.queue(people_at("one.example", 20))
    first, granted = post.ask(slow, limit=10)
    assert [round(granted.leaves_at(one) - 1000, 1) for one in first] == [-1000, 0.5, 1.0, 1.5, 2.0]
    _, other = post.ask(slow, limit=10)
    assert not other.leaves  # the next place is more than a moment away
    assert len(post.held()) == 1
    assert sum(post.held().values()) == 15


def test_claims_at_the_very_same_moment_take_no_place_twice(each_post: Post) -> None:
    each_post.queue(people_at("one.example", 60))
    went: list[Claimed] = []

    def work() -> None:
        for _ in range(3):
            went.extend(each_post.ask(HOURLY, limit=5)[0])

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(went) == 10


def test_so_many_are_in_the_hands_of_all_workers_at_once(post: Post) -> None:
    few = Pacing(rules=(Rule("few", Limit(at_once=3), to=frozenset({"one.example"})),))
    post.queue([*people_at("one.example", 8), *people_at("two.example", 2)])
    first, _ = post.ask(few)
    assert sorted(one.domain for one in first) == ["one.example"] * 3 + ["two.example"] * 2
    assert [one.domain for one in post.ask(few)[0]] == []
    post.send(first[:2])
    assert len(post.ask(few)[0]) == 2


def test_a_warm_up_of_ten_days_grows_day_by_day(post: Post) -> None:
    plan = Pacing(warm_up=WarmUp(frozenset({"acme.example"}), 4, 1.5, 30), senders={"default": "dana@acme.example"})
    post.queue([address for n in range(70) for address in (f"p{n}@gmail.com", f"p{n}@one.example")])
    days = []
    for day in range(10):
        went = [one for hour in (0, 4, 8) for one in post.ask(plan, now=NOW + day * DAY + hour * HOUR)[0]]
        days.append(len(went))
    # Eight days of growth up to the target; on the ninth the warm-up is over, and what is left leaves.
    assert days == [4, 6, 9, 13, 19, 28, 30, 31, 0, 0]


@pytest.mark.parametrize("reply", ["421 4.7.28 unusual rate", "550 5.7.1 blocked"])
def test_a_domain_that_refuses_us_rests_and_comes_back_little_by_little(each_post: Post, reply: str) -> None:
    """STANDARDS 50: the lane of that provider stops, backs off, and suppresses nobody."""
    each_post.queue([*people_at("gmail.com", 6), *people_at("googlemail.com", 4), "a@one.example"])
    went, _ = each_post.ask(Pacing())
    with each_post.house.writing() as session:
        heard = Heard.DEFERRED if reply.startswith("4") else Heard.REJECTED
        note(session, [Ended(went[0], Outcome(heard, int(reply[:3]), reply))], NOW)
        rest = list_rests(session, NOW)["google"]
    assert rest.until == NOW + 15 * MINUTE
    with each_post.house.writing() as session:
        session.execute(sa.update(Delivery).values(status=Status.QUEUED, worker_id=None))
    assert [one.domain for one in each_post.ask(Pacing(), now=NOW + MINUTE)[0]] == ["one.example"]
    assert sum(each_post.held().values()) == 10
    steps = [len(each_post.ask(Pacing(), now=rest.until + n * MINUTE)[0]) for n in range(5)]
    assert steps == [1, 1, 2, 4, 2]


def resting_google(post: Post) -> datetime:
    """Google refuses us; when its rest is over."""
    with post.house.writing() as session:
        rest = rest_now(session, "google", "4.7.28", "slow down", NOW)
    assert rest is not None
    return rest.until


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_of_two_workers_who_come_back_at_the_same_moment_one_lets_a_mail_go(each_post: Post) -> None:
    post, until = each_post, resting_google(each_post)
    post.queue(people_at("gmail.com", 2), purpose=Purpose.SERVICE)  # which no look at a campaign keeps apart
    worker = post.worker()
    with ThreadPoolExecutor() as threads:
        with post.house.writing() as session:
            first = grant(session, worker, claim_due(session, worker, 1, until), until, 1000.0)
            other = threads.submit(post.ask, Pacing(), until)
            while not other.done() and not is_anybody_waiting(post.house):
                pass
        assert len(first.unused) == 1
        went, _ = other.result()
    assert went == []


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_rest_that_begins_while_another_worker_comes_back_is_not_forgotten(each_post: Post) -> None:
    post, until = each_post, resting_google(each_post)
    post.queue(people_at("gmail.com", 1))
    with post.house.writing() as session:
        before = list_rests(session, until)["google"]
    with post.house.writing() as session:
        again = rest_now(session, "google", "4.7.28", "slow down", until)
    with post.house.writing() as session:
        let_go(session, before, 1, until)
        assert list_rests(session, until)["google"] == again


def test_whoever_has_mails_in_hand_for_a_domain_that_rests_tries_no_more_of_them_after_a_refusal(post: Post) -> None:
    """Whichever worker was refused first."""
    resting_google(post)
    post.queue(people_at("gmail.com", 9))
    worker, memory = post.worker(), Memory()
    with post.house.writing() as session:
        mine = claim_due(session, worker, 9, NOW)
        note(session, [Ended(mine[0], SLOW_DOWN)], NOW, memory)
        assert set(keep_back(session, worker, mine[1:], NOW, memory)) == {one.id for one in mine[1:]}


def test_a_relay_that_wants_nothing_from_the_sender_says_nothing_about_the_domain_of_the_reader(post: Post) -> None:
    post.queue(people_at("gmail.com", 2))
    went, _ = post.ask(Pacing())
    with post.house.writing() as session:
        note(session, [Ended(went[0], SLOW_DOWN._replace(is_of_sender=True))], NOW)
        assert list_rests(session, NOW) == {}


def test_a_rest_is_told_of_once_and_a_mere_putting_off_never(post: Post) -> None:
    post.queue(people_at("gmail.com", 2))
    went, _ = post.ask(Pacing())
    with post.house.writing() as session:
        note(session, [Ended(went[0], Outcome(Heard.DEFERRED, 450, "450 4.2.0 greylisted"))], NOW)
        assert list_rests(session, NOW) == {}
        note(session, [Ended(one, SLOW_DOWN) for one in went], NOW)
        note(session, [Ended(one, SLOW_DOWN) for one in went], NOW + MINUTE)
        assert list_rests(session, NOW)["google"].times == 1


WAVES = Pacing(first_wave=2)


def test_people_never_mailed_before_are_met_in_waves_the_most_recently_in_touch_first(each_post: Post) -> None:
    ids = each_post.queue(people_at("one.example", 20))
    with each_post.house.writing() as session:
        # The later they were queued, the more recently they were in touch.
        save_signs(session, {i: (NOW - timedelta(days=60 - n)).date() for n, i in enumerate(ids)})
    waiting = ids[::-1]
    for day, people in enumerate((2, 4, 8, 6)):
        met = []
        for minute in range(16):
            went, _ = each_post.ask(WAVES, now=NOW + day * DAY + minute * MINUTE)
            each_post.send(went, now=NOW + day * DAY)
            met += [one.contact_id for one in went]
        assert set(met) == set(waiting[:people])
        waiting = waiting[people:]


def test_a_worker_that_dies_with_a_wave_in_hand_makes_neither_this_one_smaller_nor_the_next_bigger(
    each_post: Post,
) -> None:
    each_post.queue(people_at("one.example", 20))
    lined_up, _ = each_post.ask(WAVES)
    at = NOW + LINE_UP_WITHIN
    went, granted = each_post.ask(WAVES, now=at)
    assert (len(lined_up), len(went)) == (0, 2)
    with each_post.house.writing() as session:
        worker = session.get_one(Delivery, went[0].id).worker_id
        assert worker is not None
        keep_facts(session, worker, as_json([(one.id, "{}", f"<{one.id}@acme.example>") for one in went]))
        end_worker(session, worker)
        assert actions.take_back(session, at) == 2
        give_back(session, [granted], worker=worker)  # should it live after all
    again, _ = each_post.ask(WAVES, now=at)
    assert {one.id for one in again} == {one.id for one in went}
    each_post.send(again, now=at)
    assert len(each_post.ask(WAVES, now=at + DAY + LINE_UP_WITHIN)[0]) == 4


def test_whoever_had_a_mail_from_here_waits_for_no_wave(post: Post) -> None:
    post.queue(people_at("one.example", 20), purpose=Purpose.SERVICE)
    post.send(post.ask(WAVES)[0])
    post.queue(people_at("one.example", 20))
    assert len(post.ask(WAVES)[0]) == 20


def test_a_campaign_whose_addresses_nobody_has_stops_and_says_why(post: Post) -> None:
    post.queue(people_at("one.example", 50))
    went, _ = post.ask(Pacing())
    post.send(went)
    post.send(went[:2], Status.BOUNCED)
    post.send(went[2:3], Status.FAILED, reply="550 5.1.1 no such user")
    post.queue(people_at("two.example", 1), now=NOW + LOOK_EVERY)
    post.ask(Pacing(), now=NOW + LOOK_EVERY)
    with post.house.writing() as session:
        paused = find_pause(session, "sequence:s")
        assert paused is not None
        assert paused.because == "3 of its first 50 mails went to addresses that nobody has (6.0 %)"
        go_on(session, "sequence:s")
    # Somebody let it go on: what was known then stops it no second time.
    post.queue(people_at("three.example", 1), now=NOW + HOUR)
    post.ask(Pacing(), now=NOW + HOUR)
    with post.house.reading() as session:
        assert find_pause(session, "sequence:s") is None


def asked_by_one_worker(post: Post, memory: Memory, now: datetime) -> list[Claimed]:
    with post.house.writing() as session:
        claimed = claim_due(session, register_worker(session), 500, now)
        grant(session, 1, claimed, now, 1000.0, memory=memory)
        return claimed


def test_the_last_mails_of_a_campaign_are_judged_without_waiting_for_the_next(post: Post) -> None:
    memory = Memory()
    post.queue(people_at("one.example", 40))
    went = asked_by_one_worker(post, memory, NOW)
    post.send(went)
    post.send(went[:20], Status.FAILED, reply="550 5.1.1 no such user")
    with post.house.writing() as session:
        assert find_pause(session, "sequence:s") is None
        look_once_more(session, memory, NOW)
        paused = find_pause(session, "sequence:s")
        assert paused is not None
        assert paused.because == "20 of its first 40 mails went to addresses that nobody has (50.0 %)"


def test_a_campaign_that_stood_still_is_judged_as_soon_as_somebody_lets_it_go_on(post: Post) -> None:
    memory = Memory()
    post.queue(people_at("one.example", 40))
    went = asked_by_one_worker(post, memory, NOW)
    post.send(went)
    post.send(went[:20], Status.FAILED, reply="550 5.1.1 no such user")
    with post.house.writing() as session:
        pause(session, "sequence:s", "a wrong link", "dana", NOW)
    post.queue(people_at("two.example", 1), now=NOW + LOOK_EVERY)
    asked_by_one_worker(post, memory, NOW + LOOK_EVERY)
    with post.house.writing() as session:
        go_on(session, "sequence:s")
    post.queue(people_at("three.example", 1), now=NOW + LOOK_EVERY)
    asked_by_one_worker(post, memory, NOW + LOOK_EVERY)
    with post.house.reading() as session:
        assert find_pause(session, "sequence:s") is not None


@pytest.mark.parametrize(("status", "stops"), [("5.1.1", True), ("5.2.2", False), ("5.7.1", False)])
def test_full_mailboxes_and_refusals_by_policy_are_no_addresses_that_nobody_has(
    post: Post, status: str, stops: bool
) -> None:
    post.queue(people_at("one.example", 50))
    went, _ = post.ask(Pacing())
    post.send(went)
    with post.house.writing() as session:
        for one in went[:3]:
            note_bounce(session, session.get_one(Delivery, one.id), status, NOW)
    post.queue(people_at("two.example", 1), now=NOW + LOOK_EVERY)
    post.ask(Pacing(), now=NOW + LOOK_EVERY)
    with post.house.reading() as session:
        assert (find_pause(session, "sequence:s") is not None) is stops


def test_a_campaign_whose_readers_leave_stops(each_post: Post) -> None:
    each_post.queue(people_at("one.example", 50))
    went, _ = each_post.ask(Pacing())
    each_post.send(went)
    with each_post.house.writing() as session:
        for one in went[:10]:
            contact = session.get_one(Contact, one.contact_id)
            opt_out(session, contact.address_hash, how="the page", now=NOW, delivery_id=one.id)
    each_post.queue(people_at("two.example", 1), now=NOW + LOOK_EVERY)
    each_post.ask(Pacing(), now=NOW + LOOK_EVERY)
    with each_post.house.reading() as session:
        paused = find_pause(session, "sequence:s")
    assert paused is not None
    assert paused.because == "10 readers of its first 50 mails left (20.0 %)"


def test_what_comes_back_while_a_campaign_is_paused_by_hand_stops_it_when_it_goes_on(post: Post) -> None:
    post.queue(people_at("one.example", 50))
    went, _ = post.ask(Pacing())
    post.send(went)
    with post.house.writing() as session:
        pause(session, "sequence:s", "wrong price", "dana", NOW)
    post.send(went[:3], Status.BOUNCED)
    for minute, is_gone_on in ((1, False), (2, True)):
        post.queue(people_at(f"{minute}.example", 1), now=NOW + minute * MINUTE)
        post.ask(Pacing(), now=NOW + minute * MINUTE)  # what was queued already may be claimed once more
        with post.house.writing() as session:
            paused = find_pause(session, "sequence:s")
            assert paused is not None
            assert paused.paused_by == ("nurture" if is_gone_on else "dana")
            assert is_gone_on or go_on(session, "sequence:s")


def test_the_first_thousand_mails_are_looked_at_though_they_leave_within_a_minute(post: Post) -> None:
    post.queue(people_at("one.example", 800))
    worker, memory, sent = post.worker(), Memory(), 0
    while True:
        with post.house.writing() as session:
            claimed = claim_due(session, worker, 50, NOW)
            grant(session, worker, claimed, NOW, 1000.0, memory=memory)
            if find_pause(session, "sequence:s") is not None:
                break
        post.send(claimed)
        post.send(claimed[:5], Status.FAILED, reply="550 5.1.1 no such user")
        sent += len(claimed)
        assert claimed
    assert sent <= 2 * LOOK_AFTER


def test_a_campaign_that_has_sent_thousands_is_looked_at_once_a_minute(post: Post) -> None:
    post.queue(people_at("one.example", 1001))
    post.send(post.ask(Pacing(), limit=2000)[0])
    post.queue(people_at("two.example", 300))
    worker, memory = post.worker(), Memory()
    later = NOW + LOOK_EVERY
    with post.house.writing() as session:
        for _ in range(6):
            grant(session, worker, claim_due(session, worker, 50, later), later, 1000.0, memory=memory)
    assert not memory.young


def test_without_limits_everything_may_leave_at_once(post: Post) -> None:
    post.queue(people_at("one.example", 20))
    went, granted = post.ask(Pacing())
    assert len(went) == 20
    assert not granted.unused
    assert {granted.leaves_at(one) for one in went} == {0.0}


def test_a_held_mail_says_why_and_until_when(post: Post) -> None:
    post.queue(people_at("one.example", 11))
    _, granted = post.ask(HOURLY)
    (wait,) = granted.kept.values()
    assert isinstance(wait, Wait)
    assert wait.because == f"{HeldBecause.PACE}: limit company one.example"
    assert HOUR < wait.until - NOW < HOUR + 5 * MINUTE
