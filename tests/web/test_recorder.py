"""Hits are taken down at once and stored a moment later; a database that is away loses none."""

import logging
import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from nurture.tracking.actions import Request
from nurture.tracking.recorder import FLUSH_AT, Recorder
from tests.support.schema import METADATA
from tests.web.houses import House, Mail


def hit(house: House, delivery_id: int, link: int | None = None) -> Request:
    return Request(delivery_id, link, house.clock.now(), "GET", "Mozilla/5.0 (X11)", "203.0.113.9")


def test_flush_stores_what_is_waiting(house: House, mail: Mail) -> None:
    for _ in range(100):
        house.recorder.add(hit(house, mail.id))
    assert house.recorder.pending == 100
    house.recorder.flush()
    assert house.recorder.pending == 0
    assert len(house.rows("activity")) == 100


def test_a_running_recorder_stores_by_itself(house: House, mail: Mail) -> None:
    stored = threading.Event()
    stop_asking = threading.Event()

    def wait_for_it() -> None:
        while not house.rows("activity") and not stop_asking.wait(0.02):
            pass
        stored.set()

    house.recorder.start()
    house.recorder.add(hit(house, mail.id))
    thread = threading.Thread(target=wait_for_it)
    thread.start()
    assert stored.wait(10)
    stop_asking.set()
    thread.join()


def test_stop_stores_what_is_left(house: House, mail: Mail) -> None:
    house.recorder.start()
    for _ in range(FLUSH_AT + 3):
        house.recorder.add(hit(house, mail.id))
    house.recorder.stop()
    assert house.recorder.pending == 0
    assert len(house.rows("activity")) == FLUSH_AT + 3


def test_a_database_that_is_away_loses_nothing(lite: House, lite_mail: Mail) -> None:
    """Taking the table away is as good as taking the database away, for whoever wants to write into it."""
    with lite.app.database.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE activity RENAME TO elsewhere")
        connection.commit()
    for _ in range(50):
        lite.recorder.add(hit(lite, lite_mail.id))
    with pytest.raises(OperationalError):
        lite.recorder.flush()
    assert lite.recorder.pending == 50
    with lite.app.database.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO activity")
        connection.commit()
    lite.recorder.flush()
    assert lite.recorder.pending == 0
    assert len(lite.rows("activity")) == 50


def test_a_hit_that_can_never_be_stored_is_dropped_alone(
    house: House, mail: Mail, caplog: pytest.LogCaptureFixture
) -> None:
    """Its mail is none of the published version, which only a broken row can say."""
    broken = house.send(house.add_contact("bo@reader.example"))
    deliveries = METADATA.tables["delivery"]
    with house.app.database.writing() as session:
        session.execute(sa.update(deliveries).where(deliveries.c.id == broken.id).values(mail="nowhere"))
    for number in range(60):
        house.recorder.add(hit(house, mail.id))
        if number % 20 == 7:
            house.recorder.add(hit(house, broken.id, 0))
    with caplog.at_level(logging.ERROR):
        house.recorder.flush()
    assert house.recorder.pending == 0
    assert {row["delivery_id"] for row in house.rows("activity")} == {mail.id}
    assert len(house.rows("activity")) == 60
    dropped = [vars(one)["delivery"] for one in caplog.records if "can never be stored" in one.getMessage()]
    assert dropped == [broken.id] * 3


def test_memory_is_bounded_and_what_is_let_go_is_counted(
    lite: House, lite_mail: Mail, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(lite.app.database, lite.clock, most_waiting=10)
    for _ in range(25):
        recorder.add(hit(lite, lite_mail.id))
    assert (recorder.pending, recorder.lost_count) == (10, 15)
    assert caplog.text.count("further ones are not kept") == 2
    recorder.flush()
    recorder.add(hit(lite, lite_mail.id))
    assert (recorder.pending, recorder.lost_count) == (1, 15)


def test_adding_from_many_threads_while_storing_loses_and_repeats_nothing(house: House, mail: Mail) -> None:
    house.recorder.start()

    def add() -> None:
        for _ in range(100):
            house.recorder.add(hit(house, mail.id))

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    house.recorder.stop()
    assert len(house.rows("activity")) == 600
