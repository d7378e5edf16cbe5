"""The house is asked to stop while a job goes over everybody, and goes on from there at its next start."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from nurture.database.claiming import get_mark
from nurture.database.engine import Database
from nurture.engines.local import LocalEngine
from nurture.engines.rounds import run_due
from nurture.engines.stopping import Stopping
from tests.flows.test_newsletter import FILES, MONDAY, ONE
from tests.support.people import add_contact
from tests.support.stories import Story, running_story

PEOPLE = 230


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    """A newsletter that is about to be announced to more people than fit into one chunk of any job."""
    with running_story(tmp_path / "house", database.url, MONDAY, {**FILES, **ONE}) as telling:
        with telling.database.writing() as session:
            for number in range(PEOPLE):
                add_contact(session, telling.app.hasher, f"reader{number}@reader.example", MONDAY)
        yield telling


@contextmanager
def asked_after(database: Database, commits: int) -> Iterator[Stopping]:
    """Whoever looks is asked to stop once the database has committed so often."""
    stopping, left = Stopping(), [commits]

    def count(_: object) -> None:
        left[0] -= 1
        if left[0] <= 0:
            stopping.ask()

    event.listen(database.engine, "commit", count)
    try:
        yield stopping
    finally:
        event.remove(database.engine, "commit", count)


def announced(database: Database) -> list[int]:
    """To whom the announcement is queued, once for each row."""
    with database.reading() as session:
        found = session.execute(sa.text("SELECT contact_id FROM delivery WHERE mail = 'announcement'"))
        return [int(contact) for (contact,) in found]


def test_jobs_that_are_stopped_in_the_middle_go_on_at_the_next_start_and_leave_nobody_out(story: Story) -> None:
    queued, starts = [0], 0
    while len(announced(story.database)) < PEOPLE:
        with asked_after(story.database, 3) as stopping:
            # Another start: a bench that knows nothing of the last one, and so small a chunk that many are needed.
            bench = story.app.bench(story.bench.worker)
            bench.stint.chunk.rows = 40
            run_due(replace(bench, stopping=stopping), story.now)
        assert stopping.is_asked
        queued.append(len(announced(story.database)))
        starts += 1
    assert starts > 5
    assert any(0 < one < PEOPLE for one in queued)
    run_due(story.bench, story.now)
    assert len(announced(story.database)) == len(set(announced(story.database))) == PEOPLE


def test_whoever_is_asked_before_it_begins_does_nothing(story: Story) -> None:
    stopping = Stopping()
    stopping.ask()
    done = run_due(replace(story.bench, stopping=stopping), story.now)
    assert sum(done.done.values()) == 0
    with story.database.reading() as session:
        assert get_mark(session, "sweep") == ""


def test_an_engine_that_is_asked_while_it_starts_sends_nothing_and_ends(story: Story) -> None:
    run_due(story.bench, story.now)
    process = Stopping()
    process.ask()
    engine = LocalEngine(story.app.workshop(), stopping=process)
    engine.start()
    engine.stop()
    assert story.post.tries == []
    assert engine.worker
    story.settle()
    assert story.post.letters


class Counting(Stopping):
    """Also counts how often somebody rested."""

    rests = 0

    def wait(self, seconds: float | None = None) -> bool:
        self.rests += 1
        return super().wait(seconds)


@pytest.mark.parametrize("status", ["claimed", "sending", "queued"])
def test_a_job_gives_way_as_long_as_a_sender_has_mails_in_hand(story: Story, status: str) -> None:
    run_due(story.bench, story.now)
    with story.database.writing() as session:
        session.execute(
            sa.text("UPDATE delivery SET status = :status, worker_id = :worker"),
            {"status": status, "worker": story.bench.worker},
        )
        for number in range(3):
            add_contact(session, story.app.hasher, f"late{number}@reader.example", story.now)
    stopping = Counting()
    run_due(replace(story.bench, stopping=stopping), story.now)
    assert bool(stopping.rests) == (status != "queued")
    assert len(announced(story.database)) == PEOPLE + 3


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_ends_the_process(first: signal.Signals, second: signal.Signals) -> None:
    done = _told(first, second)
    assert done.returncode == -second, done.stderr
    assert done.stdout.splitlines() == ["told", "True"]


def test_a_sender_process_hears_the_same_from_two_and_takes_its_time() -> None:
    done = _told(signal.SIGINT, signal.SIGTERM, second_ends=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["told", "True", "told", "over"]


def _told(
    first: signal.Signals, second: signal.Signals, *, second_ends: bool = True
) -> "subprocess.CompletedProcess[str]":
    code = f"""
import signal
from nurture.engines.stopping import Stopping

stopping = Stopping()
with stopping.on_signals(lambda: print("told", flush=True), second_ends={second_ends}):
    signal.raise_signal({int(first)})
    print(stopping.is_asked, flush=True)
    signal.raise_signal({int(second)})
    print("over", flush=True)
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def test_an_engine_stops_alone_or_with_its_process() -> None:
    process = Stopping()
    one, other = Stopping(within=process), Stopping(within=process)
    one.ask()
    assert (one.is_asked, other.is_asked, process.is_asked) == (True, False, False)
    process.ask()
    assert other.is_asked
