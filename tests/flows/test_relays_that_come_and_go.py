"""Relays that refuse a connection now and then, are away for long, or slow: nobody else waits for them in vain."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from nurture import clock
from nurture.app.house import App
from nurture.database.columns import new_id
from nurture.database.engine import Database
from nurture.delivery.sender import Sender
from nurture.delivery.store import Delivery, count_by_status, deliveries_of_ids
from nurture.engines.rounds import run_due
from nurture.engines.sending import Heart
from tests.flows.test_smtp_relays import DOWN, enrolled_house
from tests.support.counting import DROP, CountingSink, Taken, running_counter
from tests.support.workspaces import SETTINGS

#: Far longer than any of this takes.
SECONDS = 30
#: Nothing but the relays keeps mail back.
FREELY = (
    SETTINGS
    + """
[sending]
blast_guard = 0
first_wave = 0
"""
)
#: More than is taken in for one relay.
MANY = 2_300


def relay_settings(name: str, port: int, *, connections: int = 1, domain: str = "") -> str:
    route = f'domains = ["{domain}"]\n' if domain else ""
    return f'\n[[relays]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {port}\nconnections = {connections}\n{route}'


class Opened:
    """Who connected how often; some are refused, and something is done at the last expected one."""

    def __init__(self, refused: set[int], last: int, then: Callable[[], None]) -> None:
        self.count = 0
        self._refused, self._last, self._then = refused, last, then

    def act(self, stage: str, _rcpt_to: str) -> str:
        if stage != "connect":
            return ""
        self.count += 1
        if self.count == self._last:
            self._then()
        return "421 4.3.2 not now" if self.count in self._refused else ""


def drain(house: App, on_sender: Callable[[Sender], None] = lambda _: None) -> tuple[Counter[str], str]:
    """What one run of the sender does, and which relay it could not reach."""

    async def run(worker: int) -> tuple[Counter[str], str]:
        sender = house.sender(worker)
        on_sender(sender)
        try:
            async with asyncio.timeout(SECONDS):
                counts, relay_down = await sender.drain()
                return +counts, relay_down
        finally:
            await sender.close()

    with Heart(house.database) as heart:
        return asyncio.run(run(heart.worker))


def decide(house: App) -> None:
    with Heart(house.database) as heart:
        run_due(house.workshop().bench(heart.worker), house.clock.now())


def queue_more_like(house: App, domain: str, count: int) -> set[int]:
    """Many mails to somebody there, due before everything else."""
    with house.database.writing() as session:
        [row] = session.execute(sa.select(Delivery.__table__).where(sa.column("domain") == domain)).mappings()  # type: ignore[attr-defined]  # SQLModel does not declare it
        earlier = {"due_at": row["due_at"] - timedelta(minutes=1), "enrollment_id": None, "status": "queued"}
        rows = [dict(row) | earlier | {"id": new_id(), "key": f"more:{n}"} for n in range(count)]
        session.execute(sa.insert(Delivery), rows)
    return {row["id"] for row in rows}


def statuses(house: App) -> dict[str, int]:
    with house.database.reading() as session:
        return count_by_status(session)


def test_a_connection_that_is_refused_once_is_opened_a_moment_later(database: Database, tmp_path: Path) -> None:
    """The other one gets no answer before it is."""
    with running_counter(is_silent=True) as sink:
        opened = Opened({2}, 3, sink.speak)
        sink.act = opened.act
        text = FREELY + relay_settings("only", sink.port, connections=2)
        with enrolled_house(database, tmp_path, text, [f"ana{n}@reader.example" for n in range(6)]) as house:
            decide(house)
            assert drain(house) == ({"sent": 6}, "")
    assert opened.count == 3
    assert set(sink.counts.values()) == {1}


def test_a_relay_that_is_back_carries_its_mail_while_another_is_at_work(sqlite: Database, tmp_path: Path) -> None:
    with running_counter(is_silent=True) as busy, running_counter(on_read=lambda _: busy.speak()) as back:
        opened = Opened({1}, 0, busy.speak)
        back.act = opened.act
        text = FREELY + relay_settings("busy", busy.port) + relay_settings("back", back.port, domain="else.example")
        people = [*(f"ana{n}@reader.example" for n in range(3)), "ben@else.example", "eve@else.example"]
        with enrolled_house(sqlite, tmp_path, text, people) as house:
            decide(house)
            assert drain(house) == ({"sent": 5}, "")
    assert opened.count == 2
    assert sorted(back.counts) == ["ben@else.example", "eve@else.example"]


def test_the_mail_of_a_relay_that_is_down_goes_another_way_while_a_third_is_at_work(
    sqlite: Database, tmp_path: Path
) -> None:
    people = [f"ana{n}@reader.example" for n in range(12)]
    with running_counter(is_silent=True) as busy:

        def speak_at_last(_: object) -> None:
            if len(up.taken) == len(people):
                busy.speak()

        with running_counter(on_read=speak_at_last) as up:
            text = FREELY + relay_settings("down", DOWN) + relay_settings("up", up.port)
            text += relay_settings("busy", busy.port, domain="else.example")
            with enrolled_house(sqlite, tmp_path, text, [*people, "ben@else.example"]) as house:
                decide(house)
                assert drain(house)[0] == {"sent": 13}
            assert sorted(up.counts) == sorted(people)


def test_that_a_relay_died_in_the_middle_of_a_run_is_said_once(
    sqlite: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    people = [f"ana{n}@reader.example" for n in range(40)]
    with running_counter() as dying, running_counter() as spare:
        dying.act = lambda stage, _: DROP if len(dying.taken) >= 5 and stage in {"connect", "rcpt"} else ""
        text = FREELY + relay_settings("dying", dying.port, connections=2)
        text += relay_settings("spare", spare.port) + "weight = 0\n"
        with enrolled_house(sqlite, tmp_path, text, people) as house:
            decide(house)
            drain(house)
            assert len(spare.taken) > 5
    said = [one for one in caplog.messages if "a relay cannot be reached, and the others go on" in one]
    assert len(said) == 1


def test_when_nothing_else_can_be_done_a_run_ends_and_says_which_relay_is_down(
    sqlite: Database, tmp_path: Path
) -> None:
    text = FREELY + relay_settings("only", DOWN, connections=3)
    with enrolled_house(sqlite, tmp_path, text, ["ana@reader.example"]) as house:
        decide(house)
        counts, relay_down = drain(house)
        assert not counts
        assert relay_down.startswith("127.0.0.1:1: Connect")
        assert statuses(house) == {"queued": 1}


def test_one_try_is_enough_to_find_that_a_relay_is_down(database: Database, tmp_path: Path) -> None:
    """Places that have nothing to do need not find out one after the other."""
    with running_counter() as sink:
        opened = Opened({1, 2, 3, 4}, 0, lambda: None)
        sink.act = opened.act
        text = FREELY + relay_settings("only", sink.port, connections=4)
        with enrolled_house(database, tmp_path, text, ["ana@reader.example"]) as house:
            decide(house)
            counts, relay_down = drain(house)
            assert not counts
            assert "4.3.2 not now" in relay_down
    assert opened.count == 1


def test_mails_that_only_a_relay_that_is_down_may_carry_let_those_behind_them_pass(
    database: Database, tmp_path: Path
) -> None:
    with running_counter() as up:
        text = FREELY + relay_settings("down", DOWN, domain="lost.example") + relay_settings("up", up.port)
        people = ["eve@lost.example", *(f"ana{n}@reader.example" for n in range(5))]
        with enrolled_house(database, tmp_path, text, people) as house:
            decide(house)
            many = queue_more_like(house, "lost.example", MANY)
            counts, relay_down = drain(house)
            assert counts["sent"] == 5
            assert "down: 127.0.0.1:1: Connect" in relay_down
            assert sorted(up.counts) == people[1:]
            assert statuses(house) == {"queued": MANY + 1, "sent": 5}
            with house.database.reading() as session:
                later = [one for one in deliveries_of_ids(session, many) if one.due_at > house.clock.now()]
            # The next run begins with the others: whether their relay is back is found out by them.
            assert 0 < len(later) <= MANY - 2_000


def test_mail_goes_no_way_whose_terms_leave_its_reader_out(sqlite: Database, tmp_path: Path) -> None:
    with running_counter() as strict:
        text = SETTINGS + relay_settings("down", DOWN) + relay_settings("strict", strict.port)
        text += 'weight = 0\naccepts = ["double-opt-in"]\n'
        with enrolled_house(sqlite, tmp_path, text, [f"ana{n}@reader.example" for n in range(3)]) as house:
            decide(house)
            drain(house)
            assert not strict.taken
            assert statuses(house) == {"queued": 3}
            drain(house)  # the relay that is down is not asked for now
            assert statuses(house) == {"held": 3}


@pytest.fixture
def silent() -> Iterator[CountingSink]:
    with running_counter(is_silent=True) as sink:
        yield sink


def test_mails_behind_those_of_a_slow_relay_leave_meanwhile(
    database: Database, tmp_path: Path, silent: CountingSink
) -> None:
    """It does not say a word before they have left."""
    senders: list[Sender] = []
    people = ["eve@slow.example", *(f"ana{n}@reader.example" for n in range(5))]

    def stop_at_last(_: object) -> None:
        if len(up.taken) == 5:
            senders[0].stop()
            silent.speak()

    with running_counter(on_read=stop_at_last) as up:
        text = FREELY + relay_settings("slow", silent.port, domain="slow.example") + relay_settings("up", up.port)
        with enrolled_house(database, tmp_path, text, people) as house:
            decide(house)
            many = queue_more_like(house, "slow.example", MANY)
            counts, _ = drain(house, senders.append)
            assert counts["sent"] == 6
            assert sorted(up.counts) == people[1:]
            with house.database.reading() as session:
                now = house.clock.now()
                assert all(one.due_at <= now for one in deliveries_of_ids(session, many))  # they are due as before
            assert statuses(house) == {"queued": MANY, "sent": 6}


def test_what_falls_due_while_a_relay_takes_its_time_over_a_mail_leaves_meanwhile(
    database: Database, tmp_path: Path
) -> None:
    """It does not answer the first before it has the second."""

    def queue_another(taken: Taken) -> None:
        if taken.rcpt_to == "ana@reader.example":
            queue_more_like(house, "else.example", 1)
        else:
            sink.speak()

    with running_counter(is_silent=True, on_read=queue_another) as sink:
        text = FREELY + relay_settings("only", sink.port, connections=2)
        with enrolled_house(database, tmp_path, text, ["ana@reader.example", "ben@else.example"]) as house:
            decide(house)
            with house.database.writing() as session:
                session.execute(sa.text("UPDATE delivery SET status = 'cancelled' WHERE domain = 'else.example'"))
            assert drain(house) == ({"sent": 2}, "")
    assert sink.counts == {"ana@reader.example": 1, "ben@else.example": 1}


def test_what_falls_due_while_a_relay_does_not_greet_leaves_over_the_others(sqlite: Database, tmp_path: Path) -> None:
    """It was refused once, and tries for the second time while nothing else is due."""
    people = ["ana@reader.example", "ben@later.example", "eve@else.example"]
    has_left = threading.Event()

    def note_second(_: Taken) -> None:
        if len(up.taken) == 2:
            has_left.set()

    def postpone_ben(length: timedelta) -> None:
        later = sa.update(Delivery).where(sa.column("domain") == "later.example")
        with house.database.writing() as session:
            session.execute(later.values(due_at=house.clock.now() + length))

    def ben_in_a_moment() -> None:
        """Everybody else has looked by then and found nothing."""
        postpone_ben(timedelta(seconds=0.4))
        up.speak()
        has_left.wait(SECONDS)

    with running_counter(is_silent=True, on_read=note_second) as up, running_counter() as mute:
        opened = Opened({1, 2}, 2, ben_in_a_moment)
        mute.act = opened.act
        text = FREELY + relay_settings("mute", mute.port, domain="else.example") + relay_settings("up", up.port)
        with enrolled_house(sqlite, tmp_path, text, people) as house:
            decide(house)
            postpone_ben(timedelta(days=1))
            counts, relay_down = drain(house)
            assert counts == {"sent": 2}
            assert "4.3.2 not now" in relay_down
    assert opened.count == 2


def test_a_relay_that_gives_few_connections_is_not_asked_for_more_whenever_it_gives_one(
    sqlite: Database, tmp_path: Path
) -> None:
    """It takes one of six, and closes that after every second mail."""
    refused, closed, offered = 0, 0, 0

    def act(stage: str, _rcpt_to: str) -> str:
        nonlocal refused, closed, offered
        if stage == "connect" and len(sink.open_ports) > 1:
            refused += 1
            return "421 4.7.0 too many connections"
        if stage == "mail":
            offered += 1
            if offered % 3 == 0:
                closed += 1
                return "421 4.7.0 enough for this connection"
        return ""

    with running_counter(delay=lambda: 0.03, act=act) as sink:
        text = FREELY + relay_settings("only", sink.port, connections=6)
        with enrolled_house(sqlite, tmp_path, text, [f"ana{n}@reader.example" for n in range(40)]) as house:
            decide(house)
            began = clock.real_seconds()
            counts, _ = drain(house)
    assert counts["sent"] + counts["deferred"] == 40
    assert closed >= 10
    # Each of the others found out at the beginning; from then on one of them tries, once a second.
    assert refused <= 7 + (clock.real_seconds() - began)


def test_a_relay_that_takes_over_keeps_to_its_own_limits(sqlite: Database, tmp_path: Path) -> None:
    """What was claimed for the relay that is down was granted no place of the one that takes over."""
    people = [f"ana{n}@reader.example" for n in range(6)]
    with running_counter() as sink:
        spare = relay_settings("spare", sink.port) + "weight = 0\nper_hour = 2\n"
        with enrolled_house(sqlite, tmp_path, FREELY + relay_settings("away", DOWN) + spare, people) as house:
            decide(house)
            for _ in range(3):
                drain(house)
            assert statuses(house) == {"sent": 2, "held": 4}
        assert len(sink.counts) == 2
