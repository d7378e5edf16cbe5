"""The database server crashes and comes back while `nurture run` sends: nobody types anything, and everybody has their mail."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import sqlalchemy as sa

from nurture.app.house import App
from nurture.contacts.actions import get_contact
from nurture.database.claiming import end_worker
from nurture.engines.rounds import run_due
from nurture.sequences import entries
from tests.support.commands import CommandLine
from tests.support.counting import CountingSink, Taken, running_counter
from tests.support.people import add_contact
from tests.support.servers import OwnServer, own_server
from tests.support.workspaces import open_house, small_workspace

PEOPLE = 120
#: As many were read by the relay when the server crashes.
CRASH_AT = 40
WAIT_SECONDS = 60


@pytest.fixture
def server() -> Iterator[OwnServer]:
    # It writes to its disk later than it says: without a word from us it would forget the last seconds.
    with own_server(synchronous_commit="off", wal_writer_delay="10s") as running:
        yield running


@pytest.fixture
def sink() -> Iterator[CountingSink]:
    with running_counter() as running:
        yield running


@pytest.fixture
def house(server: OwnServer, sink: CountingSink, tmp_path: Path) -> Iterator[App]:
    """A workspace whose one mail is queued for everybody."""
    folder = small_workspace(tmp_path / "workspace")
    opened = open_house(folder, server.url, relay_port=sink.port, NURTURE_SENDING__FIRST_WAVE="0")
    opened.publish(opened.read_files(), published_by="a test")
    queue_for_everybody(opened)
    opened.database.engine.dispose()  # its connections do not survive the crash
    yield opened
    opened.close()


def queue_for_everybody(house: App) -> None:
    now = house.clock.now()
    with house.database.writing() as session:
        for number in range(PEOPLE):
            add_contact(session, house.hasher, f"reader{number:03d}@reader.example", now)
            contact = get_contact(session, f"reader{number:03d}@reader.example")
            assert entries.enroll(session, house.language, "evaluators", contact, because="a test", now=now)
    worker = house.register()
    run_due(house.bench(worker), now)
    with house.database.writing() as session:
        end_worker(session, worker)


def statuses(house: App) -> list[str]:
    with house.database.reading() as session:
        return list(session.scalars(sa.text("SELECT status FROM delivery")))


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


def read_until(words: str, stream: IO[str], said: list[str]) -> None:
    """The lines of a log up to one with these words."""
    while words not in (line := stream.readline()):
        assert line, f"it ended without saying {words}: {said}"
        said.append(line)
    said.append(line)


@pytest.mark.parametrize("is_long", [False, True], ids=["at once", "after the sender gave up"])
@pytest.mark.parametrize("others", [0, 1])
def test_a_server_that_crashes_and_comes_back_loses_nobody_and_mails_nobody_twice(
    house: App, server: OwnServer, sink: CountingSink, others: int, *, is_long: bool
) -> None:
    """STANDARDS 14. While it is down the relay says that it took what it was reading; that is stored afterwards.

    Everything that was due had been claimed: nothing else will be due that would wake the sender.
    """
    is_time, all_read = threading.Event(), threading.Event()

    def look(_: Taken) -> None:
        if len(sink.taken) == CRASH_AT:
            sink.is_silent = True
            is_time.set()
        if len(sink.counts) == PEOPLE:
            all_read.set()

    sink.on_read = look
    process = commands_of(house, sink).start("run", "--port", "0", "--workers", str(others))
    assert is_time.wait(WAIT_SECONDS)
    server.crash()
    sink.speak()
    assert process.stderr is not None
    said: list[str] = []
    # The engine's own word: whoever prints what goes out next finds the server away as well, and never says that it is back.
    read_until("they are kept until it does" if is_long else "goes on by itself", process.stderr, said)
    assert not all_read.is_set()
    server.start()
    assert all_read.wait(WAIT_SECONDS), said
    read_until("takes what we write again", process.stderr, said)
    process.terminate()
    _, rest = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0, rest
    assert "Traceback" not in "".join([*said, rest])
    assert max(sink.counts.values()) == 1
    found = statuses(house)
    assert found.count("sent") + found.count("uncertain") == PEOPLE
    assert found.count("uncertain") <= house.settings.smtp.connections
