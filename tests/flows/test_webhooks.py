"""Calls to other machines: each decided once, signed, made again until it is heard, and never to where none may go."""

import base64
import hashlib
import hmac
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nurture.adapters.webhook import HttpLine
from nurture.clock import SteppedClock
from nurture.database.claiming import register_worker
from nurture.database.engine import Database
from nurture.database.installation import pause, resume, settle_in
from nurture.errors import BadInput, NotFound
from nurture.outgoing import actions, store
from nurture.outgoing.calling import Caller, Exchange, secret_for_receivers
from nurture.outgoing.rules import Outskirts, Status
from nurture.outgoing.store import Call
from nurture.tokens import TokenKeys
from tests.conftest import NOW
from tests.support.receivers import Got, Receiver, running_receiver

GIVE_UP_AFTER = timedelta(days=3)
CERTIFICATE = Path(__file__).parents[1] / "support" / "relay.pem"
MakeCaller = Callable[..., Caller]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOW)


@pytest.fixture
def make_caller(database: Database, keys: TokenKeys, clock: SteppedClock) -> MakeCaller:
    def make(
        outskirts: Outskirts | None = None, timeout: float = 10.0, keys: TokenKeys = keys, database: Database = database
    ) -> Caller:
        with database.writing() as session:
            worker = register_worker(session)
        line = HttpLine(outskirts or Outskirts(), timeout)
        return Caller(database, Exchange(line, keys, GIVE_UP_AFTER), worker, clock)

    return make


def queue(database: Database, url: str, *, key: str = "sequence:7:crm:1", **more: Any) -> bool:
    payload = more.pop("payload", {"email": "ana@reader.example", "score": 55})
    with database.writing() as session:
        return actions.queue_call(session, key=key, url=url, payload=payload, now=NOW, **more)


def only_call(database: Database) -> Call:
    with database.reading() as session:
        [(call, _)] = store.list_calls(session)
    return call


def verifies(got: Got, secret: str) -> bool:
    """What a receiver's library does (Standard Webhooks 1.0.0)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    mine = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(one, f"v1,{mine}") for one in got.headers["webhook-signature"].split(" "))


def test_a_call_is_made_once_with_its_key_and_a_signature(
    database: Database, keys: TokenKeys, make_caller: MakeCaller, receiver: Receiver
) -> None:
    assert queue(database, f"{receiver.url}?list=a%20b", headers={"X-Source": "nurture"})
    assert not queue(database, f"{receiver.url}?list=a%20b"), "the same intention"
    caller = make_caller()
    assert dict(caller.drain()) == {"called": 1}
    assert not caller.drain()
    [got] = receiver.got
    assert got.path == "/hook?list=a%20b"
    assert got.json == {"email": "ana@reader.example", "score": 55}
    assert got.headers["content-type"] == "application/json"
    assert got.headers["idempotency-key"] == "sequence:7:crm:1"
    assert got.headers["x-source"] == "nurture"
    assert int(got.headers["webhook-timestamp"]) == int(NOW.timestamp())
    assert verifies(got, secret_for_receivers(keys))
    call = only_call(database)
    assert (call.status, call.attempts, call.reply, call.settled_at) == (Status.SENT, 1, "200 ok", NOW)


def test_a_receiver_may_go_on_with_the_old_secret_while_both_are_known(
    sqlite: Database, make_caller: MakeCaller, receiver: Receiver
) -> None:
    queue(sqlite, receiver.url)
    make_caller(keys=TokenKeys(["the new one", "the old one"]), database=sqlite).drain()
    [got] = receiver.got
    assert verifies(got, secret_for_receivers(TokenKeys(["the new one"])))
    assert verifies(got, secret_for_receivers(TokenKeys(["the old one"])))
    assert not verifies(got, secret_for_receivers(TokenKeys(["another"])))


def test_what_is_not_heard_is_said_again_as_the_same_message(
    database: Database, make_caller: MakeCaller, receiver: Receiver, clock: SteppedClock
) -> None:
    receiver.answer(503, 500, 200)
    queue(database, receiver.url)
    caller = make_caller()
    for word in ("calls_put_off", "calls_put_off", "called"):
        assert dict(caller.drain()) == {word: 1}
        due_at = caller.next_due_at()
        if due_at is not None:
            assert due_at > clock.now()
            assert not caller.drain(), "not before it is due"
            clock.step_to(due_at)
    assert len({(got.headers["idempotency-key"], got.headers["webhook-id"], got.body) for got in receiver.got}) == 1
    assert len({got.headers["webhook-timestamp"] for got in receiver.got}) == 3
    assert only_call(database).status == Status.SENT


def test_a_receiver_that_is_away_for_too_long_is_given_up_and_tried_again_by_hand(
    database: Database, make_caller: MakeCaller, receiver: Receiver, clock: SteppedClock
) -> None:
    receiver.answer(503)
    queue(database, receiver.url)
    caller = make_caller()
    while (due_at := caller.next_due_at()) is not None:
        clock.step_to(due_at)
        caller.drain()
    failed = only_call(database)
    assert failed.status == Status.FAILED
    assert failed.because == f"given up after {failed.attempts} tries: answered 503"
    assert clock.now() <= NOW + GIVE_UP_AFTER
    receiver.answer(204)
    with database.writing() as session:
        actions.retry(session, failed.id, clock.now())
    assert dict(caller.drain()) == {"called": 1}
    assert {got.headers["idempotency-key"] for got in receiver.got} == {"sequence:7:crm:1"}


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 410, 422])
def test_a_no_is_final_and_a_redirect_is_not_followed(
    sqlite: Database, make_caller: MakeCaller, receiver: Receiver, status: int
) -> None:
    receiver.answer(status, headers={"Location": receiver.url})
    queue(sqlite, receiver.url)
    assert dict(make_caller(database=sqlite).drain()) == {"calls_failed": 1}
    assert len(receiver.got) == 1
    assert str(status) in only_call(sqlite).because


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 599])
def test_what_may_pass_is_tried_again(
    sqlite: Database, make_caller: MakeCaller, receiver: Receiver, status: int
) -> None:
    receiver.answer(status)
    queue(sqlite, receiver.url)
    assert dict(make_caller(database=sqlite).drain()) == {"calls_put_off": 1}


def test_a_receiver_may_ask_for_more_time(sqlite: Database, make_caller: MakeCaller, receiver: Receiver) -> None:
    receiver.answer(429, headers={"Retry-After": "7200"})
    queue(sqlite, receiver.url)
    caller = make_caller(database=sqlite)
    caller.drain()
    assert caller.next_due_at() == NOW + timedelta(hours=2)


def test_nothing_is_called_while_sending_is_paused(
    database: Database, make_caller: MakeCaller, receiver: Receiver
) -> None:
    queue(database, receiver.url)
    caller = make_caller()
    with database.writing() as session:
        settle_in(session, home="here", earlier_homes=(), suppression_fingerprint="", now=NOW)
        pause(session, because="a test", now=NOW)
    assert caller.next_due_at() is None
    assert not caller.drain()
    with database.writing() as session:
        resume(session, home="here")
    assert dict(caller.drain()) == {"called": 1}


def _call_and_die(url: str) -> None:
    """In a process of its own: one drain, which the receiver never answers."""
    database = Database(url)
    with database.writing() as session:
        worker = register_worker(session)
    exchange = Exchange(HttpLine(Outskirts(), 60.0), TokenKeys(["a secret for tests"]), GIVE_UP_AFTER)
    Caller(database, exchange, worker, SteppedClock(datetime(2026, 3, 10, 9, tzinfo=UTC))).drain()


def test_a_call_whose_worker_was_killed_is_made_again_with_the_same_key(
    database: Database, make_caller: MakeCaller, receiver: Receiver
) -> None:
    receiver.hold_answers = threading.Event()
    queue(database, receiver.url)
    process = multiprocessing.get_context("spawn").Process(target=_call_and_die, args=(database.url,))
    process.start()
    assert receiver.is_holding.wait(60)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    receiver.hold_answers.set()
    receiver.hold_answers = None
    assert only_call(database).status == Status.CLAIMED
    caller = make_caller()
    assert not caller.drain(), "it belongs to somebody until they are known to be dead"
    with database.writing() as session:
        assert actions.take_back(session) == 1
    assert dict(caller.drain()) == {"called": 1}
    first, second = receiver.got
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert only_call(database).status == Status.SENT


def test_two_workers_never_make_one_call_twice(database: Database, make_caller: MakeCaller, receiver: Receiver) -> None:
    for number in range(20):
        queue(database, receiver.url, key=f"call {number}")
    callers = [make_caller() for _ in range(3)]
    threads = [threading.Thread(target=caller.drain) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got.headers["idempotency-key"] for got in receiver.got) == sorted(f"call {n}" for n in range(20))


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1/hook", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://100.64.0.1/", "https://0.0.0.0/",
    ],
)  # fmt: skip
def test_private_addresses_are_not_called_unless_they_are_named(
    sqlite: Database, make_caller: MakeCaller, url: str
) -> None:
    queue(sqlite, url)
    assert dict(make_caller(database=sqlite).drain()) == {"calls_refused": 1}
    call = only_call(sqlite)
    assert "a private address" in call.because
    assert "webhooks.allow" in call.because


def test_in_a_rehearsal_only_this_machine_is_called(
    sqlite: Database, make_caller: MakeCaller, receiver: Receiver
) -> None:
    queue(sqlite, receiver.url, key="here")
    queue(sqlite, "https://192.0.2.1/hook", key="there")
    rehearsal = Outskirts(allow=frozenset({"192.0.2.1"}), only_loopback=True)
    assert dict(make_caller(rehearsal, database=sqlite).drain()) == {"called": 1, "calls_refused": 1}
    with sqlite.reading() as session:
        [(refused, _)] = store.list_calls(session, status=Status.REFUSED)
    assert "a rehearsal calls nobody but this machine" in refused.because


def test_an_answer_that_drips_is_cut_off(sqlite: Database, make_caller: MakeCaller, receiver: Receiver) -> None:
    receiver.drip_until = threading.Event()
    queue(sqlite, receiver.url)
    assert dict(make_caller(timeout=0.5, database=sqlite).drain()) == {"calls_put_off": 1}
    assert only_call(sqlite).because == "127.0.0.1 did not answer within 0.5 seconds"


def test_a_certificate_that_nobody_vouches_for_hears_nothing(sqlite: Database, make_caller: MakeCaller) -> None:
    with running_receiver(CERTIFICATE) as receiver:
        queue(sqlite, receiver.url)
        assert dict(make_caller(database=sqlite).drain()) == {"calls_put_off": 1}
        assert receiver.got == []
    assert only_call(sqlite).because.startswith("the certificate of 127.0.0.1 is not right")


def test_where_nobody_listens_is_tried_again(sqlite: Database, make_caller: MakeCaller, receiver: Receiver) -> None:
    queue(sqlite, "http://127.0.0.1:1/hook")
    assert dict(make_caller(database=sqlite).drain()) == {"calls_put_off": 1}
    assert only_call(sqlite).because.startswith("127.0.0.1 could not be reached: ")


def test_of_a_long_answer_only_the_first_words_are_kept_and_on_one_line(
    sqlite: Database, make_caller: MakeCaller, receiver: Receiver
) -> None:
    receiver.answer(400, body=b"No such\r\n\x00field: \xff " + b"x" * 5_000_000)
    queue(sqlite, receiver.url)
    make_caller(database=sqlite).drain()
    reply = only_call(sqlite).reply
    assert reply.startswith("400 No such field: \ufffd xxx")
    assert len(reply) == 300
    assert reply.isprintable()


def test_only_what_is_over_and_went_wrong_is_tried_again_by_hand(
    sqlite: Database, make_caller: MakeCaller, receiver: Receiver
) -> None:
    queue(sqlite, receiver.url)
    call = only_call(sqlite)
    with sqlite.writing() as session, pytest.raises(BadInput, match="is queued; only one that failed or was refused"):
        actions.retry(session, call.id, NOW)
    make_caller(database=sqlite).drain()
    with sqlite.writing() as session, pytest.raises(BadInput, match="is sent; only one"):
        actions.retry(session, call.id, NOW)
    with sqlite.writing() as session, pytest.raises(NotFound, match="there is no call 7;"):
        actions.retry(session, 7, NOW)


@pytest.mark.parametrize(
    ("url", "headers", "key"),
    [
        ("http://crm.example/hook", {}, "k"), ("https://crm.example/a b", {}, "k"), ("file:///etc/passwd", {}, "k"),
        ("https://crm.example/", {"X-A": "b\r\nHost: elsewhere"}, "k"), ("https://crm.example/", {}, "k\r\nX: y"),
    ],
)  # fmt: skip
def test_what_no_file_may_say_is_never_queued(sqlite: Database, url: str, headers: dict[str, str], key: str) -> None:
    with pytest.raises(BadInput):
        queue(sqlite, url, key=key, headers=headers)
    with sqlite.reading() as session:
        assert store.list_calls(session) == []
