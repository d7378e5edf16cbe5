"""Who sends fast lets mails leave before their permission is on the disk, and says so where a power cut leaves it to be read."""

import pytest

from nurture.database.claiming import Worker, register_worker
from nurture.database.engine import Database
from nurture.delivery.hurry import ABOVE, PAUSE_SECONDS, TELLING, Hurry


class Telling:
    """A sender's hurry as it goes on, and what stands of it in the worker's row."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seconds = 0.0
        with database.writing() as session:
            self.worker = register_worker(session)
        self.hurry = Hurry(self.worker, lambda: self._seconds)

    def claim(self, *, is_all_new: bool = True) -> bool:
        with self._database.writing() as session:
            return self.hurry.begin_claim(session, is_all_new=is_all_new)

    def exchange(self, mails: int, *, after: float = 0.0) -> bool:
        self._seconds += after
        with self._database.writing() as session:
            return self.hurry.must_wait(session, mails)

    def send(self, mails: int, *, a_second: float) -> None:
        """In exchanges of ten, evenly."""
        for _ in range(mails // 10):
            self.exchange(10, after=10 / a_second)

    def hurry_up(self) -> None:
        self.send(100, a_second=2 * ABOVE)
        assert self.claim()
        self.hurry.claim_is_on_disk()

    @property
    def is_written(self) -> bool:
        with self._database.reading() as session:
            return session.get_one(Worker, self.worker).is_hurried


@pytest.fixture
def telling(database: Database) -> Telling:
    return Telling(database)


def test_who_sends_slowly_waits_for_the_disk_each_time(telling: Telling) -> None:
    assert not telling.claim()
    telling.send(200, a_second=ABOVE / 2)
    assert not telling.claim()
    assert telling.exchange(10)
    assert not telling.is_written


def test_who_sends_fast_does_not_once_it_is_on_the_disk_that_they_hurry(telling: Telling) -> None:
    telling.claim()
    telling.send(200, a_second=2 * ABOVE)
    assert telling.claim(), "the claim has to be brought to the disk"
    assert telling.is_written
    assert telling.exchange(10), "it is not there yet"
    telling.hurry.claim_is_on_disk()
    assert not telling.exchange(10)
    telling.send(200, a_second=2 * ABOVE)
    assert telling.claim(), "and so has every other one"
    assert not telling.exchange(10)


def test_the_first_pause_is_the_end_of_it(telling: Telling) -> None:
    telling.hurry_up()
    assert not telling.exchange(10, after=PAUSE_SECONDS / 2)
    assert telling.exchange(10, after=2 * PAUSE_SECONDS)
    assert not telling.is_written
    assert telling.exchange(10)


def test_a_pause_while_the_claim_goes_to_the_disk_is_the_end_of_it_as_well(telling: Telling) -> None:
    telling.send(200, a_second=2 * ABOVE)
    assert telling.claim()
    assert telling.exchange(10, after=2 * PAUSE_SECONDS)
    telling.hurry.claim_is_on_disk()
    assert telling.exchange(10)
    assert not telling.is_written


def test_a_claim_after_slow_ones_is_the_end_of_it(telling: Telling) -> None:
    telling.hurry_up()
    telling.send(100, a_second=ABOVE / 2)
    assert not telling.claim()
    assert telling.exchange(10)
    assert not telling.is_written


def test_who_has_nothing_to_send_any_more_takes_it_back(telling: Telling, database: Database) -> None:
    telling.hurry_up()
    with database.writing() as session:
        assert telling.hurry.end(session)
        assert not telling.hurry.end(session)
    assert not telling.is_written
    assert telling.exchange(10)


def test_a_transaction_that_was_undone_leaves_nobody_in_a_hurry(telling: Telling, database: Database) -> None:
    telling.hurry_up()

    def break_off() -> None:
        with database.writing() as session:
            telling.hurry.end(session)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert telling.is_written
    assert telling.exchange(10), "the row says more than is so: that is safe"
    telling.send(100, a_second=ABOVE / 2)
    telling.claim()
    assert not telling.is_written, "and the next claim puts it right"


def test_a_few_mails_in_no_time_are_no_hurry(telling: Telling) -> None:
    telling.claim()
    telling.send(TELLING - 10, a_second=100 * ABOVE)
    assert not telling.claim()


def test_a_claim_of_what_is_in_hand_already_is_the_end_of_it(telling: Telling) -> None:
    """Held and released meanwhile, it might leave by its first claim before the disk has its second."""
    telling.hurry_up()
    telling.send(100, a_second=2 * ABOVE)
    assert not telling.claim(is_all_new=False)
    assert telling.exchange(10)
    assert not telling.is_written
