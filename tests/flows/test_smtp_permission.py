"""An envelope that travels ahead is no mail yet: whoever says no before its body is written gets nothing."""

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from nurture.app.house import App
from nurture.consent.suppressions.actions import opt_out
from nurture.database.engine import Database, Session
from nurture.database.installation import pause, resume
from nurture.delivery.store import count_by_status
from nurture.engines.local import run_once
from nurture.engines.sending import Heart
from nurture.sequences.entries import enroll
from tests.support.counting import CountingSink, Taken, running_counter
from tests.support.people import add_contact
from tests.support.workspaces import open_house, small_workspace

READERS = [f"reader{number}@reader.example" for number in range(8)]


@pytest.fixture
def sink() -> Iterator[CountingSink]:
    with running_counter() as running:
        yield running


@pytest.fixture
def house(sqlite: Database, sink: CountingSink, tmp_path: Path) -> Iterator[App]:
    """A house with one connection, whose one mail is due to everybody."""
    workspace = small_workspace(tmp_path / "workspace")
    opened = open_house(workspace, sqlite.url, relay_port=sink.port, NURTURE_SMTP__CONNECTIONS="1")
    opened.publish(opened.read_files(), published_by="a test")
    with opened.database.writing() as session:
        for email in READERS:
            contact = add_contact(session, opened.hasher, email, opened.clock.now())
            enroll(session, opened.language, "evaluators", contact, because="a test", now=opened.clock.now())
    yield opened
    opened.close()


def when_the_first_body_is_read(sink: CountingSink, house: App, act: Callable[[Session, str], None]) -> None:
    """Before the relay answers the first mail, and with the next envelope on its way if there is one."""

    def look(taken: Taken) -> None:
        if len(sink.taken) == 1:
            with house.database.writing(durable=True) as session:
                act(session, taken.rcpt_to)

    sink.on_read = look


@pytest.mark.parametrize("can_pipeline", [True, False])
def test_an_opt_out_reaches_the_very_next_mail_although_its_envelope_is_with_the_relay(
    house: App, sink: CountingSink, can_pipeline: bool
) -> None:
    sink.can_pipeline = can_pipeline

    def everybody_else_leaves(session: Session, first: str) -> None:
        for email in READERS:
            if email != first:
                opt_out(session, house.hasher.hash(email), how="page", now=house.clock.now())

    def listen(stage: str, rcpt_to: str) -> str:
        offered.update({rcpt_to} if stage == "data" else ())
        return ""

    offered: set[str] = set()
    sink.act = listen
    when_the_first_body_is_read(sink, house, everybody_else_leaves)
    run_once(house.workshop(), house.clock.now())
    assert len(sink.taken) == 1
    assert len(offered) == (2 if can_pipeline else 1)
    with house.database.reading() as session:
        assert count_by_status(session) == {"sent": 1, "refused": 7}


def test_a_pause_reaches_the_very_next_mail_although_its_envelope_is_with_the_relay(
    house: App, sink: CountingSink
) -> None:
    def stop(session: Session, first: str) -> None:
        pause(session, because="a test", now=house.clock.now())

    when_the_first_body_is_read(sink, house, stop)
    run_once(house.workshop(), house.clock.now())
    assert len(sink.taken) == 1
    with house.database.reading() as session:
        assert count_by_status(session)["sent"] == 1


def test_one_who_leaves_costs_the_others_nothing(house: App, sink: CountingSink) -> None:
    def one_leaves(session: Session, first: str) -> None:
        gone.append(next(email for email in READERS if email != first))
        opt_out(session, house.hasher.hash(gone[0]), how="page", now=house.clock.now())

    gone: list[str] = []
    when_the_first_body_is_read(sink, house, one_leaves)
    run_once(house.workshop(), house.clock.now())
    assert sorted(one.rcpt_to for one in sink.taken) == sorted(set(READERS) - set(gone))


def test_whoever_left_after_their_mail_was_queued_is_never_named_to_the_relay(house: App, sink: CountingSink) -> None:
    """Their envelope would cost the connection."""
    now = house.clock.now()
    with house.database.writing() as session:
        pause(session, because="a test", now=now)
    run_once(house.workshop(), now)
    with house.database.writing(durable=True) as session:
        assert count_by_status(session) == {"queued": len(READERS)}
        for email in READERS[::2]:
            opt_out(session, house.hasher.hash(email), how="page", now=now)
        resume(session, home=house.home, here=True)

    def listen(stage: str, rcpt_to: str) -> str:
        named.update({rcpt_to} if stage == "rcpt" else ())
        return ""

    async def send() -> Counter[str]:
        with Heart(house.database) as heart:
            sender = house.sender(heart.worker)
            counts, _ = await sender.drain(now)
            await sender.close()
        return counts

    named: set[str] = set()
    sink.act = listen
    assert +asyncio.run(send()) == {"sent": 4, "refused": 4}
    assert named == set(READERS[1::2])


def test_while_somebody_else_writes_connections_wait_for_their_turn_and_the_loop_does_not(
    house: App, sink: CountingSink
) -> None:
    now = house.clock.now()
    with house.database.writing() as session:
        pause(session, because="a test", now=now)
    run_once(house.workshop(), now)
    with house.database.writing() as session:
        resume(session, home=house.home, here=True)
    other = sqlite3.connect(
        str(make_url(house.database.url).database), isolation_level=None, check_same_thread=False, timeout=30
    )

    def write_now(taken: Taken) -> None:
        if len(sink.taken) == 1:
            other.execute("BEGIN IMMEDIATE")

    def waits_in_the_thread() -> bool:
        return any(one.name == "nurture-sender-database" for one in threading.enumerate())

    async def let_go() -> None:
        """Only a loop that goes on gets to this."""
        while not (other.in_transaction and waits_in_the_thread()):  # noqa: ASYNC110 — threads are listed, no event is set
            await asyncio.sleep(0)
        assert len(sink.taken) == 1, "nobody was told before it was written down"
        other.execute("COMMIT")

    async def send() -> Counter[str]:
        with Heart(house.database) as heart:
            sender = house.sender(heart.worker)
            (counts, _), _ = await asyncio.gather(sender.drain(now), let_go())
            await sender.close()
        return counts

    sink.on_read = write_now
    assert +asyncio.run(send()) == {"sent": len(READERS)}
    other.close()


@pytest.mark.parametrize("code", ["250 ok", "550 5.1.1 no such user"])
def test_a_relay_that_answers_an_envelope_only_once_its_permission_is_given_is_waited_for(
    house: App, sink: CountingSink, code: str
) -> None:
    """The body waits for both: for the commit, and for the relay's yes."""

    def answer_late(stage: str, rcpt_to: str) -> str:
        if stage != "rcpt":
            return ""
        late.append(any(may_leave(rcpt_to) for _ in range(20_000)))
        return code if rcpt_to == READERS[3] and not code.startswith("250") else ""

    def may_leave(email: str) -> bool:
        question = "SELECT status FROM delivery JOIN contact ON contact_id = contact.id WHERE email = :email"
        with house.database.reading() as session:
            return bool(session.execute(sa.text(question), {"email": email}).scalar() == "sending")

    late: list[bool] = []
    sink.act = answer_late
    counts = run_once(house.workshop(), house.clock.now()).counts
    failed = int(not code.startswith("250"))
    assert late == [True] * len(READERS)
    assert (counts["sent"], counts["failed"]) == (8 - failed, failed)
    assert sorted(one.rcpt_to for one in sink.taken) == sorted(set(READERS) - set(READERS[3:4] * failed))


def test_421_between_two_mails_costs_neither_a_try(house: App, sink: CountingSink) -> None:
    """STANDARDS 13: the next one goes out over another connection at once."""

    def after_three(stage: str, rcpt_to: str) -> str:
        return "421 4.7.0 too many mails" if stage == "mail" and said_three(rcpt_to) else ""

    def said_three(rcpt_to: str) -> bool:
        is_due = len(sink.taken) in {3, 6} and len(sink.taken) not in done
        done.update({len(sink.taken)} if is_due else ())
        return is_due

    done: set[int] = set()
    sink.act = after_three
    counts = run_once(house.workshop(), house.clock.now()).counts
    assert (counts["sent"], counts["deferred"]) == (8, 0)
    assert sorted(one.rcpt_to for one in sink.taken) == READERS
    assert done == {3, 6}
