"""The power goes at any moment of a fast run: of no mail that left does the house believe afterwards that it did not.

What is on the disk for sure is copied whenever somebody waits for the disk: the state of a moment before. Each copy is what
a power cut may leave at any moment until the next one.
"""

import shutil
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from nurture.contacts.actions import get_contact
from nurture.database.claiming import Worker, end_worker, set_hurried
from nurture.database.desk import Desk
from nurture.database.engine import Database
from nurture.delivery import actions, hurry, store
from nurture.delivery.claiming.store import take
from nurture.engines.local import run_once
from nurture.engines.rounds import run_due
from nurture.sequences import entries
from tests.conftest import NOW
from tests.support.counting import CountingSink, running_counter
from tests.support.people import add_contact
from tests.support.workspaces import open_house, small_workspace

PEOPLE = 620


@dataclass
class Cut:
    """What the disk has for sure, and who had got their mail by the time it had more."""

    disk: Path
    read: frozenset[str] = frozenset()


class Power:
    """Goes at every moment, in copies."""

    def __init__(self, folder: Path, database: Path, sink: CountingSink) -> None:
        self._folder = folder
        self._database = database
        self._sink = sink
        self._turn = threading.Lock()
        self.cuts: list[Cut] = []

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waiting = Desk.settle

        def settle(desk: Desk) -> None:
            with self._turn:
                self._copy()
                waiting(desk)
                # From here on the disk has at least what was just copied; until here it may have had no more than before.
                self.note_read()
                self.cuts.append(self._next)

        monkeypatch.setattr(Desk, "settle", settle)

    def note_read(self) -> None:
        if self.cuts:
            self.cuts[-1].read = frozenset(one.rcpt_to for one in list(self._sink.taken))

    def _copy(self) -> None:
        folder = self._folder / str(len(self.cuts))
        folder.mkdir(parents=True)
        still = sqlite3.connect(self._database, timeout=30, isolation_level=None)
        try:
            still.execute("BEGIN IMMEDIATE")  # nobody writes meanwhile
            for name in (self._database.name, f"{self._database.name}-wal"):
                if (self._database.parent / name).exists():
                    shutil.copy(self._database.parent / name, folder / name)
            still.execute("ROLLBACK")
        finally:
            still.close()
        self._next = Cut(folder / self._database.name)


def statuses(database: Database) -> dict[str, str]:
    with database.reading() as session:
        rows = session.execute(
            sa.text("SELECT contact.email, status FROM delivery JOIN contact ON contact_id = contact.id")
        )
        return {str(email): str(status) for email, status in rows.all()}


def after_the_cut(cut: Cut) -> tuple[dict[str, str], dict[str, str]]:
    """What the house finds when the machine has started anew, and what it makes of it."""
    database = Database(f"sqlite:///{cut.disk}")
    try:
        found = statuses(database)
        with database.writing() as session:
            session.execute(sa.text("UPDATE worker SET place = 'the start before:pid:[1]', beat_at = 0"))
            actions.take_back(session, NOW)
        return found, statuses(database)
    finally:
        database.close()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_no_mail_that_left_before_the_power_went_is_thought_to_be_waiting(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hurry, "ABOVE", 1)  # copying takes its time
    monkeypatch.setattr(hurry, "PAUSE_SECONDS", 60)
    monkeypatch.setattr(hurry, "TELLING", 10)
    path = Path(make_url(database.url).database or "")
    with running_counter() as sink:
        house = open_house(
            small_workspace(tmp_path / "workspace"), database.url, relay_port=sink.port, NURTURE_SENDING__FIRST_WAVE="0"
        )
        house.publish(house.read_files(), published_by="a test")
        now = house.clock.now()
        with house.database.writing() as session:
            for number in range(PEOPLE):
                address = f"reader{number}@reader.example"
                add_contact(session, house.hasher, address, now)
                contact = get_contact(session, address)
                entries.enroll(session, house.language, "evaluators", contact, because="a test", now=now)
        worker = house.register()
        run_due(house.bench(worker), now)
        with house.database.writing() as session:
            end_worker(session, worker)
            assert store.count_by_status(session) == {"queued": PEOPLE}
        power = Power(tmp_path / "disks", path, sink)
        power.watch(monkeypatch)
        run_once(house.workshop(), house.clock.now())
        power.note_read()
        assert set(statuses(house.database).values()) == {"sent"}
        places = house.settings.smtp.connections
        house.close()
    left_unseen = 0
    believed: dict[str, str] = {}
    for cut in power.cuts:
        found, believed = after_the_cut(cut)
        assert {address for address in cut.read if believed[address] not in {"sent", "uncertain"}} == set()
        in_doubt = [address for address, status in believed.items() if status == "uncertain"]
        left_unseen += sum(found[address] == "claimed" for address in cut.read)
        assert len(in_doubt) <= 400 + places
    assert left_unseen > PEOPLE / 4, "most left while the disk did not know of it"
    assert set(believed.values()) == {"sent"}, "when nothing is left to send, all of it is on the disk"


def test_what_may_have_left_is_out_of_reach_as_soon_as_the_house_is_opened(database: Database, tmp_path: Path) -> None:
    """An answer that comes in before anybody has settled what was in doubt would else have the mail sent again."""
    folder = small_workspace(tmp_path / "workspace")
    house = open_house(folder, database.url, relay_port=1)
    house.publish(house.read_files(), published_by="a test")
    now = house.clock.now()
    with house.database.writing() as session:
        add_contact(session, house.hasher, "ana@reader.example", now)
        ana = get_contact(session, "ana@reader.example")
        entries.enroll(session, house.language, "evaluators", ana, because="a test", now=now)
        contact_id = ana.id
    worker = house.register()
    run_due(house.bench(worker), now)
    with house.database.writing() as session:
        assert take(session, worker, 10, now)
        set_hurried(session, worker, is_hurried=True)
        session.execute(sa.update(Worker).values(place="the start before:pid:[1]"))
    house.close()
    again = open_house(folder, database.url, relay_port=1)
    assert statuses(again.database) == {"ana@reader.example": "sending"}
    with again.database.writing() as session:
        assert store.hold_for_recheck(session, contact_id) == 0
    again.close()
