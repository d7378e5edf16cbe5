"""Whoever changes something a condition can read leaves a mark, and no reader of the marks overlooks one.

On SQLite writers take turns. On PostgreSQL their transactions overlap, so that a change may become visible long after
it was made, behind others that were made later.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from nurture.app.house import App
from nurture.campaigns import store as campaigns
from nurture.consent import actions as consent
from nurture.consent import store as consents
from nurture.consent.definition import CLOSED_TABLE
from nurture.consent.rules import Purpose
from nurture.consent.suppressions.actions import opt_out, undo_opt_out
from nurture.contacts import actions, store
from nurture.contacts.store import READERS, ChangedContact, Contact
from nurture.database.claiming import register_worker
from nurture.database.engine import Database, Session
from nurture.delivery.actions import Ended, Intention, Limits, queue_deliveries
from nurture.delivery.leaving.actions import exchange
from nurture.delivery.rules import Heard, Outcome, Priority
from nurture.delivery.store import Delivery, delivery_of_key
from nurture.scoring.actions import give_points
from nurture.sequences.actions import Surroundings, advance_all, record
from nurture.sequences.entries import enroll
from nurture.sequences.store import list_enrollments
from nurture.tokens import AddressHasher
from nurture.tracking.actions import Request, record_requests, record_words, settle_hits
from nurture.tracking.rules import ActivityKind
from tests.conftest import NOW
from tests.support.claims import claim_due
from tests.support.databases import Databases, is_anybody_waiting
from tests.support.people import add_contact
from tests.support.workspaces import open_house, small_workspace

LATER = NOW + timedelta(minutes=2)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
LIMITS = Limits(cap_per_day=1, cap_per_week=2, give_up_after=timedelta(days=4))


@pytest.fixture
def postgres(databases: Databases) -> Iterator[Database]:
    with databases.postgres() as made:
        yield made


def waiting_for(database: Database, reader: str) -> dict[int, int]:
    """The contacts a reader has to look at, with their counters."""
    with database.reading() as session:
        return store.list_changed(session, reader, 100)


def look_at_everybody(database: Database) -> None:
    """Every reader has looked at everybody."""
    with database.writing() as session:
        session.execute(sa.delete(ChangedContact))


def add_people(database: Database, hasher: AddressHasher, *names: str) -> list[int]:
    """Contacts at whom every reader has looked."""
    with database.writing() as session:
        ids = [add_contact(session, hasher, f"{name}@reader.example", NOW).id for name in names]
    look_at_everybody(database)
    return ids


# What leaves a mark.


@dataclass(frozen=True)
class Scene:
    """Ana and a mail of a sequence that she got, in one transaction."""

    session: Session
    house: App
    contact: Contact
    delivery: Delivery
    worker: int

    def ask_for_pixel(self, method: str) -> None:
        request = Request(self.delivery.id, None, NOW, method, CHROME, "192.0.2.1")
        assert record_requests(self.session, [request], NOW) == 1

    def advance(self) -> None:
        surroundings = Surroundings(self.house.language, timedelta(0))
        rows = [one for one in list_enrollments(self.session, [self.contact.id]) if one.ended_at is None]
        assert record(self.session, advance_all(self.session, rows, surroundings, NOW), surroundings, NOW) == 1

    def hear_from_the_relay(self) -> None:
        [claimed] = claim_due(self.session, self.worker, 1, NOW)
        exchange(self.session, self.worker, [], [claimed], LIMITS, NOW)
        answer = Ended(claimed, Outcome(Heard.ACCEPTED, 250, "250 OK"))
        exchange(self.session, self.worker, [answer], [], LIMITS, NOW)

    def judge_by_another_table(self) -> None:
        known = consents.list_to_judge(self.session, [self.contact.id])
        assert consent.judge_again(self.session, CLOSED_TABLE, known, NOW) == 1


#: In this order; each is a transaction of its own.
CHANGES: dict[str, Callable[[Scene], object]] = {
    "a mail left": Scene.hear_from_the_relay,
    "a column": lambda ana: actions.change_contact(ana.session, ana.contact, {"company": "Acme"}, NOW),
    "a declared field": lambda ana: actions.change_contact(ana.session, ana.contact, {"company_size": 50}, NOW),
    "a tag": lambda ana: actions.tag_contact(ana.session, ana.contact.id, "vip", NOW),
    "a tag taken away": lambda ana: actions.untag_contact(ana.session, ana.contact.id, "vip", NOW),
    "a list": lambda ana: actions.join_list(ana.session, "fair", [ana.contact.id], NOW),
    "a stage": lambda ana: actions.move_stage(ana.session, ana.contact, "lead", "a test", NOW),
    "an interest": lambda ana: actions.record_interest(ana.session, ana.contact, "need", "a test", NOW),
    "points": lambda ana: give_points(
        ana.session, ana.contact.id, key="k", points=5, because="a test", half_life=None, now=NOW
    ),
    "a machine's hit": lambda ana: ana.ask_for_pixel("HEAD"),
    "a reply": lambda ana: record_words(
        ana.session, ana.contact.id, ActivityKind.REPLIED, what="Hello", delivery=ana.delivery, now=NOW
    ),
    "the verdict on a hit": lambda ana: settle_hits(ana.session, LATER, after=timedelta(minutes=1)),
    "a way into a sequence": lambda ana: enroll(
        ana.session, ana.house.language, "evaluators", ana.contact, because="a test", now=NOW
    ),
    "a topic left": lambda ana: consent.choose_topic(
        ana.session, ana.contact, "insights", wanted=False, how="a test", now=NOW
    ),
    "the end of a sequence": Scene.advance,
    "a topic come back to": lambda ana: consent.choose_topic(
        ana.session, ana.contact, "insights", wanted=True, how="a test", now=NOW
    ),
    "an opt-out": lambda ana: opt_out(ana.session, ana.contact.address_hash, how="a test", now=NOW),
    "an opt-out undone": lambda ana: undo_opt_out(ana.session, ana.contact.address_hash, how="a test", now=NOW),
    "another consent table": Scene.judge_by_another_table,
}


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[App]:
    opened = open_house(small_workspace(tmp_path / "workspace"), database.url, relay_port=2525)
    opened.publish(opened.read_files(), published_by="a test")
    yield opened
    opened.close()


def test_every_change_that_a_condition_can_read_is_told_to_every_reader(house: App) -> None:
    with house.database.writing() as session:
        ana = add_contact(session, house.hasher, "ana@reader.example", NOW)
        version = campaigns.find_current_version(session, "sequence", "evaluators")
        assert version is not None
        mail = Intention(
            "k", Purpose.CAMPAIGN, "sequence:evaluators", version, "report", Priority.SEQUENCE, NOW, ana.id,
            topic="insights",
        )  # fmt: skip
        queue_deliveries(session, [mail], NOW)
        worker = register_worker(session)
    for name, change in CHANGES.items():
        if name == "the verdict on a hit":
            with house.database.writing() as session:
                _scene(session, house, ana.id, worker).ask_for_pixel("GET")
        look_at_everybody(house.database)
        with house.database.writing() as session:
            change(_scene(session, house, ana.id, worker))
        assert {reader for reader in READERS if ana.id in waiting_for(house.database, reader)} == set(READERS), name


def _scene(session: Session, house: App, contact_id: int, worker: int) -> Scene:
    delivery = delivery_of_key(session, "k")
    assert delivery is not None
    return Scene(session, house, session.get_one(Contact, contact_id), delivery, worker)


def test_what_changes_nothing_is_told_to_nobody(database: Database, hasher: AddressHasher) -> None:
    [ana] = add_people(database, hasher, "ana")
    with database.writing() as session:
        actions.tag_contact(session, ana, "vip", NOW)
        actions.join_list(session, "fair", [ana], NOW)
        opt_out(session, session.get_one(Contact, ana).address_hash, how="a test", now=NOW)
    look_at_everybody(database)
    with database.writing() as session:
        contact = session.get_one(Contact, ana)
        actions.tag_contact(session, ana, "vip", NOW)
        actions.untag_contact(session, ana, "never had it", NOW)
        actions.join_list(session, "fair", [ana], NOW)
        actions.change_contact(session, contact, {"country": contact.country, "company_size": None}, NOW)
        actions.move_stage(session, contact, contact.stage, "a test", NOW)
        opt_out(session, contact.address_hash, how="a test", now=NOW)
    assert not any(waiting_for(database, reader) for reader in READERS)


def test_what_is_thrown_away_leaves_no_mark(database: Database, hasher: AddressHasher) -> None:
    [ana] = add_people(database, hasher, "ana")
    with suppress(ZeroDivisionError), database.writing() as session:
        actions.tag_contact(session, ana, "vip", NOW)
        raise ZeroDivisionError
    assert waiting_for(database, "scoring") == {}


# Who reads marks.


def test_a_reader_that_has_looked_leaves_what_changed_meanwhile(database: Database, hasher: AddressHasher) -> None:
    ana, ben = add_people(database, hasher, "ana", "ben")
    with database.writing() as session:
        actions.mark_changed(session, [ana, ben], NOW)
    seen = waiting_for(database, "scoring")
    assert seen == {ana: 1, ben: 1}
    with database.writing() as session:
        actions.mark_changed(session, [ana], LATER)
    with database.writing() as session:
        store.drop_changed(session, "scoring", seen)
    assert waiting_for(database, "scoring") == {ana: 2}
    assert waiting_for(database, "sequences") == {ana: 2, ben: 1}, "each reader has marks of its own"


def test_a_change_that_is_told_while_a_job_looks_is_looked_at_again(database: Database, hasher: AddressHasher) -> None:
    [ana] = add_people(database, hasher, "ana")
    with database.writing() as session:
        actions.mark_changed(session, [ana], NOW)
    with database.writing() as session:
        seen = store.list_changed(session, "sequences", 10)
        actions.tag_contact(session, ana, "the job's own doing", NOW)
        store.drop_changed(session, "sequences", seen)
    assert list(waiting_for(database, "sequences")) == [ana]


def test_the_slower_of_two_writers_is_not_overlooked(postgres: Database, hasher: AddressHasher) -> None:
    ana, ben = add_people(postgres, hasher, "ana", "ben")
    with postgres.writing() as slow:
        actions.tag_contact(slow, ana, "made first", NOW)
        with postgres.writing() as quick:
            actions.tag_contact(quick, ben, "made later", LATER)
        seen = waiting_for(postgres, "sequences")
        assert list(seen) == [ben]
        with postgres.writing() as reader:
            store.drop_changed(reader, "sequences", seen)
    assert list(waiting_for(postgres, "sequences")) == [ana]


@dataclass
class Reading:
    """A reader that writes down which tags it has seen, in steps between which others may do as they like."""

    session: Session
    known: dict[int, frozenset[str]] = field(default_factory=dict)
    seen: dict[int, int] = field(default_factory=dict)

    def take(self) -> None:
        self.seen = store.list_changed(self.session, "sequences", 100)

    def look(self) -> None:
        tags = store.tags_of(self.session, list(self.seen))
        self.known.update({i: tags.get(i, frozenset()) for i in self.seen})

    def drop(self) -> None:
        store.drop_changed(self.session, "sequences", self.seen)
        self.session.commit()

    def read_to_the_end(self) -> None:
        self.take()
        while self.seen:
            self.look()
            self.drop()
            self.take()
        self.session.commit()


#: What happens one after the other, about Ana or Ben: a change that is committed at once, one that one of two slow
#: writers makes, the commit of a slow writer, or the next step of the reader.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.integers(0, 1)),
        st.tuples(st.just("change slowly"), st.integers(0, 3)),
        st.tuples(st.just("commit"), st.integers(0, 1)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("read"), st.just(0)),
    ),
    min_size=5,
    max_size=20,
)


@given(steps)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_reader_comes_to_know_everything_however_writers_overlap(
    postgres: Database, hasher: AddressHasher, happening: list[tuple[str, int]]
) -> None:
    with postgres.reading() as session:
        people = store.page_of_ids(session, 0, 10, store.everybody())
    people = people or add_people(postgres, hasher, "ana", "ben")
    with postgres.writing() as session:
        session.execute(sa.text("DELETE FROM contact_tag"))
    look_at_everybody(postgres)
    writers = [Session(postgres.engine) for _ in range(2)]
    reading = Reading(Session(postgres.engine))
    rounds = 0
    for number, (what, who) in enumerate(happening):
        match what:
            case "change":
                with postgres.writing() as session:
                    actions.tag_contact(session, people[who], f"tag {number}", NOW)
            case "change slowly":
                actions.tag_contact(writers[who // 2], people[who % 2], f"tag {number}", NOW)
            case "commit":
                writers[who].commit()
            case "read":
                (reading.take, reading.look, reading.drop)[rounds % 3]()
                rounds += 1
    for one in writers:
        one.commit()
        one.close()
    reading.session.rollback()
    reading.read_to_the_end()
    reading.session.close()
    with postgres.reading() as session:
        truth = store.tags_of(session, people)
    assert {i: tags for i, tags in reading.known.items() if tags} == truth


# Who waits for whom.


def test_a_job_and_somebody_who_writes_about_the_same_person_never_block_each_other(
    postgres: Database, hasher: AddressHasher
) -> None:
    [ana] = add_people(postgres, hasher, "ana")
    with postgres.writing() as session:
        actions.mark_changed(session, [ana], NOW)
    troubles: list[BaseException] = []

    def write() -> None:
        try:
            with postgres.writing() as session:
                actions.tag_contact(session, ana, "vip", NOW)
        except OperationalError as error:
            troubles.append(error)

    writer = threading.Thread(target=write)
    with postgres.writing() as job:
        seen = store.list_changed(job, "scoring", 10)
        store.add_changed(job, [ana], NOW, readers=("sequences", "newsletters"))
        job.flush()
        writer.start()
        while writer.is_alive() and not is_anybody_waiting(postgres):
            pass
        store.drop_changed(job, "scoring", seen)
    writer.join()
    assert not troubles
    assert list(waiting_for(postgres, "scoring")) == [ana]


def test_a_consent_and_a_mail_about_one_person_wait_for_each_other_and_a_click_for_neither(
    postgres: Database, hasher: AddressHasher
) -> None:
    [ana] = add_people(postgres, hasher, "ana")
    with postgres.writing() as deciding:
        store.lock_contacts(deciding, [ana], exclusively=True)
        with postgres.writing() as clicking:
            clicking.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
            record_words(clicking, ana, ActivityKind.REPLIED, what="Hello", delivery=None, now=NOW)
        with postgres.reading() as sending:
            sending.execute(sa.text("SET LOCAL lock_timeout = '20ms'"))
            with pytest.raises(OperationalError, match="lock timeout"):
                store.lock_contacts(sending, [ana], exclusively=True)
