"""Whatever is killed at whatever moment: nobody is left out, nobody is mailed twice, and what nobody can know is shown.

The large version, with hundreds of kills at random moments, is `python -m benchmarks.chaos`.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

import pytest
import sqlalchemy as sa

from nurture.app.house import App
from nurture.cli.sending import send
from nurture.contacts.actions import get_contact
from nurture.database.claiming import beat, end_worker
from nurture.database.engine import Database
from nurture.delivery import store
from nurture.engines.local import run_once
from nurture.engines.rounds import run_due, take_back
from nurture.sequences import entries
from tests.support.commands import CommandLine
from tests.support.counting import CountingSink, Taken, ports_of, ports_to, running_counter
from tests.support.forgetting import forget_intents
from tests.support.people import add_contact
from tests.support.workspaces import open_house, small_workspace

PEOPLE = 160
#: When to strike, in messages read since the last blow, and which of the two that are at work.
BLOWS = ((2, 0), (7, 1), (4, 1), (9, 0), (3, 1), (5, 0), (8, 0), (2, 1), (6, 0), (4, 0), (9, 1), (3, 0))
WAIT_SECONDS = 60


@pytest.fixture
def sink() -> Iterator[CountingSink]:
    with running_counter() as running:
        yield running


@pytest.fixture
def house(database: Database, sink: CountingSink, tmp_path: Path) -> Iterator[App]:
    """A workspace whose one mail is queued for everybody."""
    folder = small_workspace(tmp_path / "workspace")
    opened = open_house(folder, database.url, relay_port=sink.port, NURTURE_SENDING__FIRST_WAVE="0")
    opened.publish(opened.read_files(), published_by="a test")
    queue_for_everybody(opened)
    yield opened
    opened.close()


def address(number: int) -> str:
    return f"reader{number:03d}@reader.example"


def queue_for_everybody(house: App) -> None:
    now = house.clock.now()
    with house.database.writing() as session:
        for number in range(PEOPLE):
            add_contact(session, house.hasher, address(number), now, first_name=f"Ana {number}")
            contact = get_contact(session, address(number))
            assert entries.enroll(session, house.language, "evaluators", contact, because="a test", now=now)
    worker = house.register()
    bench = house.bench(worker)
    run_due(bench, now)
    with house.database.writing() as session:
        end_worker(session, worker)
        assert store.count_by_status(session) == {"queued": PEOPLE}


def statuses(house: App) -> dict[str, str]:
    """What the house believes of each person's mail."""
    with house.database.reading() as session:
        rows = session.execute(
            sa.text("SELECT contact.email, status FROM delivery JOIN contact ON contact_id = contact.id")
        )
        return {str(email): str(status) for email, status in rows.all()}


class Slaughter:
    """Two sender processes at a time; one after the other is killed."""

    def __init__(self, house: App, sink: CountingSink, blows: Sequence[tuple[int, int]]) -> None:
        self._house = house
        self._sink = sink
        self._blows = blows
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["nurture.cli.sending"])
        self._strike_at = 0
        self._struck = threading.Event()
        sink.on_read = self._look
        self.bound = 0

    def _look(self, _: Taken) -> None:
        if len(self._sink.taken) == self._strike_at:
            self._sink.is_silent = True
            self._struck.set()

    def run(self) -> None:
        self._strike_at = self._blows[0][0]
        living = [self._start(), self._start()]
        worker = self._house.register()
        bench = self._house.bench(worker)
        for number, (_, which) in enumerate(self._blows):
            assert self._struck.wait(WAIT_SECONDS)
            self._struck.clear()
            self._strike_at = len(self._sink.taken) + self._blows[(number + 1) % len(self._blows)][0]
            is_race = number % 3 == 0  # between the answers and the blow
            if is_race:
                self._sink.speak()
            victim = living.pop(which)
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
            victim.join()
            self.bound += self._house.settings.smtp.connections
            living.append(self._start())
            with self._house.database.writing() as session:
                beat(session, worker)  # as an engine does; who has been silent for a while buries nobody
            take_back(bench, self._house.clock.now())
            if not is_race:
                self._sink.speak()
        self._strike_at = 0
        self._sink.speak()
        for process in living:
            process.terminate()
            process.join()
            assert process.exitcode in {0, -signal.SIGTERM}  # the last one may not have begun to listen
        with self._house.database.writing() as session:
            end_worker(session, worker)

    def _start(self) -> BaseProcess:
        process = self._context.Process(target=send, args=(self._house.folder, self._house.settings), daemon=True)
        process.start()
        return process


def test_senders_that_are_killed_lose_nobody_and_mail_nobody_twice(house: App, sink: CountingSink) -> None:
    """STANDARDS 14 and 121: kill -9 between the final dot and the commit, again and again."""
    slaughter = Slaughter(house, sink, BLOWS)
    slaughter.run()
    done = run_once(house.workshop(), house.clock.now())
    assert not done.relay_down
    found, read = statuses(house), sink.counts
    uncertain = {email for email, status in found.items() if status == "uncertain"}
    assert {email: count for email, count in read.items() if count > 1} == {}
    assert {email for email, status in found.items() if status == "sent"} == found.keys() - uncertain
    assert read.keys() | uncertain == {address(number) for number in range(PEOPLE)}
    assert 1 <= len(uncertain) <= slaughter.bound


def test_what_the_house_does_not_remember_it_sends_twice(house: App, sink: CountingSink) -> None:
    """So that the story above means something: with the intent forgotten at a death, it does not hold."""
    forget_intents(house.database.engine)
    Slaughter(house, sink, BLOWS[:4]).run()
    run_once(house.workshop(), house.clock.now())
    assert max(sink.counts.values()) > 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_who_prefers_a_mail_twice_to_a_mail_missed_gets_the_same_message_id_both_times(
    house: App, sink: CountingSink
) -> None:
    is_busy = threading.Event()
    sink.is_silent = True
    sink.on_read = lambda _: is_busy.set()
    process = commands_of(house, sink).start("run", "--once")
    assert is_busy.wait(WAIT_SECONDS)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    sink.speak()
    resending = open_house(
        house.folder,
        house.database.url,
        relay_port=sink.port,
        NURTURE_SENDING__FIRST_WAVE="0",
        NURTURE_SENDING__ON_UNCERTAIN="resend",
    )
    run_once(resending.workshop(), resending.clock.now())
    resending.close()
    assert set(statuses(house).values()) == {"sent"}
    twice = {email for email, count in sink.counts.items() if count > 1}
    assert twice
    names = {(one.rcpt_to, one.message_id) for one in sink.taken}
    assert len(names) == PEOPLE  # one for each, however often it came


# `nurture run --workers N`, as a process tree.


def test_a_sender_process_loads_only_what_sends() -> None:
    """What decides, what reads files and the command line would be twenty megabytes more in each."""
    rooms = "sequences newsletters forms scoring handoff inbound privacy merging reports doctor web demo"
    others = (
        "nurture.app.house nurture.engines.jobs typer rich apscheduler alembic ruamel.yaml markdown_it cryptography"
    )
    unwanted = {*(f"nurture.{room}" for room in rooms.split()), *others.split()}
    code = f"import {send.__module__}, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert unwanted.isdisjoint(loaded), unwanted.intersection(loaded)
    assert "nurture.delivery.sender" in loaded


def commands_of(house: App, sink: CountingSink) -> CommandLine:
    return CommandLine(
        house.folder,
        {
            "NURTURE_DATABASE__URL": house.database.url,
            "NURTURE_SMTP__PORT": str(sink.port),
            "NURTURE_SENDING__FIRST_WAVE": "0",
            "NURTURE_SECRET": "a secret for tests",
            "NURTURE_SUPPRESSION_KEY": "a suppression key for tests",
        },
    )


def read_until(words: str, stream: IO[str]) -> str:
    while words not in (line := stream.readline()):
        assert line, f"it ended without saying {words}"
    return line


def pids_at(sink: CountingSink) -> set[int]:
    """The processes that speak to the sink."""
    ports = ports_to(sink.port)
    numbers = (int(one.name) for one in Path("/proc").glob("[0-9]*"))
    return {pid for pid in numbers if pid != os.getpid() and ports_of(pid, ports)}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_sender_that_dies_is_replaced_and_the_page_of_health_tells_how_many_there_are(
    house: App, sink: CountingSink
) -> None:
    is_busy = threading.Event()
    sink.is_silent = True
    sink.on_read = lambda _: is_busy.set() if len(sink.unanswered) == 4 else None
    process = commands_of(house, sink).start("run", "--port", "0", "--workers", "2")
    assert process.stdout is not None
    assert process.stderr is not None
    url = process.stdout.readline().split()[2].rstrip(".")
    assert is_busy.wait(WAIT_SECONDS)
    victims = pids_at(sink)
    assert process.pid not in victims  # it decides, and others send
    os.kill(min(victims), signal.SIGKILL)
    assert "ended with -9" in read_until("another one takes its place", process.stderr)
    read_until("at work", process.stderr)
    assert urllib.request.urlopen(f"{url}/healthz", timeout=10).read() == b"ok\nsenders: 2 of 2 at work\n"
    sink.speak()
    process.terminate()
    _, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    run_once(house.workshop(), house.clock.now())
    found = list(statuses(house).values())
    assert 1 <= found.count("uncertain") <= 4
    assert found.count("sent") == PEOPLE - found.count("uncertain")
    assert max(sink.counts.values()) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_senders_whose_parent_was_killed_finish_the_messages_at_hand_and_end(house: App, sink: CountingSink) -> None:
    all_busy = threading.Event()
    sink.is_silent = True
    sink.on_read = lambda _: all_busy.set() if len(sink.unanswered) == 4 else None
    process = commands_of(house, sink).start("run", "--port", "0", "--workers", "2")
    assert all_busy.wait(WAIT_SECONDS)
    process.send_signal(signal.SIGKILL)
    assert process.stderr is not None
    for _ in range(2):
        read_until("the process that decides is gone", process.stderr)
    sink.speak()
    process.communicate(timeout=WAIT_SECONDS)  # until nobody is left who could say something
    found = statuses(house)
    assert set(found.values()) == {"sent", "queued"}
    assert {email for email, status in found.items() if status == "sent"} == sink.counts.keys()
    assert max(sink.counts.values()) == 1
