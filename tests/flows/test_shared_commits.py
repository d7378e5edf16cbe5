"""What connections want stored and asked shares a transaction, and nobody is told before theirs is on the disk."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from nurture.delivery.actions import Ended
from nurture.delivery.claimed import Claimed
from nurture.delivery.commits import Answers, SharedCommits
from nurture.delivery.composing import Recipient
from nurture.delivery.preparing import Ready
from nurture.delivery.rules import Heard, Outcome, Stop
from nurture.rendering.compiling import compile_mail
from nurture.rendering.source import MailSource
from tests.conftest import NOW


class Connection:
    """Hears what becomes of what it asked."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.has_time = False  # apart from what it hears: how many turns fit into a millisecond nobody knows

    def asked(self) -> None:
        self.heard.append("asked")

    def answered(self, stop: Stop | None) -> None:
        self.heard.append("may leave" if stop is None else stop.because)

    def still_waits(self) -> None:
        self.has_time = True

    def broken(self, error: BaseException) -> None:
        self.heard.append(f"broken: {error}")


class Disk:
    """A database whose transactions end at once, and a disk that takes its time."""

    def __init__(self) -> None:
        self.exchanged: list[tuple[int, int, list[int]]] = []
        self.settling: list[asyncio.Future[None]] = []

    def exchange(self, ended: list[Ended], wanted: list[Ready], unsaid: list[int]) -> "asyncio.Future[Answers]":
        self.exchanged.append((len(ended), len(wanted), unsaid))
        answer: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
        answer.set_result([None] * len(wanted))
        return answer

    def settle(self) -> "asyncio.Future[None]":
        self.settling.append(asyncio.get_running_loop().create_future())
        return self.settling[-1]


def a_ready(number: int) -> Ready:
    nothing = dict.fromkeys(Claimed._fields)
    claimed = Claimed._make({**nothing, "id": number, "attempts": 0, "queued_at": NOW}.values())
    mail = compile_mail(MailSource("a.mjml", "Hello", "", "<mjml><mj-body><mj-section /></mj-body></mjml>"))
    return Ready(claimed, Recipient("ana@reader.example", "", "0" * 32), mail, "", "reader.example", "default")


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def run(story: Callable[[], Any]) -> None:
    asyncio.run(story())


def test_nobody_is_told_before_the_disk_has_it_and_the_next_transaction_begins_meanwhile() -> None:
    async def story() -> None:
        disk, first, second = Disk(), Connection(), Connection()
        commits = SharedCommits(disk.exchange, disk.settle)
        commits.ask(None, a_ready(1), first)
        await turns()
        commits.ask(None, a_ready(2), second)
        await turns()
        assert disk.exchanged == [(0, 1, []), (0, 1, [])]
        assert (first.heard, second.heard) == (["asked"], ["asked"])
        disk.settling[0].set_result(None)
        await turns()
        assert (first.heard, second.heard) == (["asked", "may leave"], ["asked"])
        disk.settling[1].set_result(None)
        await turns()
        assert second.heard == ["asked", "may leave"]
        assert not commits.owes

    run(story)


def test_what_is_done_meanwhile_begins_when_the_disk_has_begun() -> None:
    """An exchange that is over at once leaves the disk to wait for; else that time would pass with nothing done."""

    class Beginning(Connection):
        def asked(self) -> None:
            self.heard.append(f"asked, {len(disk.settling)} on their way to the disk")

    async def story() -> None:
        commits, one = SharedCommits(disk.exchange, disk.settle), Beginning()
        commits.ask(None, a_ready(1), one)
        await turns()
        assert one.heard == ["asked, 1 on their way to the disk"]

    disk = Disk()
    run(story)


def test_whoever_may_leave_has_time_for_something_else_when_all_have_left() -> None:
    class Waiting(Connection):
        def __init__(self) -> None:
            super().__init__()
            self.is_told = asyncio.Event()

        def still_waits(self) -> None:
            super().still_waits()
            self.is_told.set()

    async def story() -> None:
        disk, first, second = Disk(), Connection(), Waiting()
        commits = SharedCommits(disk.exchange, disk.settle)
        commits.ask(None, a_ready(1), first)
        commits.ask(None, a_ready(2), second)
        await turns()
        disk.settling[0].set_result(None)
        await second.is_told.wait()
        assert first.heard == second.heard == ["asked", "may leave"]
        assert first.has_time
        assert second.has_time

    run(story)


def test_a_disk_that_fails_lets_nothing_leave_and_the_next_transaction_takes_it_back() -> None:
    async def story() -> None:
        disk, first, second = Disk(), Connection(), Connection()
        commits = SharedCommits(disk.exchange, disk.settle)
        commits.ask(Ended(a_ready(7).delivery, Outcome(Heard.ACCEPTED, 250, "250 Ok", "default")), a_ready(1), first)
        await turns()
        disk.settling[0].set_exception(OSError("no space left"))
        await turns()
        assert first.heard == ["asked", "broken: no space left"]
        assert commits.owes
        commits.ask(None, a_ready(2), second)
        await turns()
        assert disk.exchanged == [(1, 1, []), (0, 1, [1])]
        assert not commits.owes

    run(story)


def test_a_result_that_nobody_waits_for_goes_with_the_next_commit_whatever_breaks_before() -> None:
    async def story() -> None:
        taken: list[int] = []

        def exchange(ended: list[Ended], wanted: list[Ready], unsaid: list[int]) -> "asyncio.Future[Answers]":
            answer: asyncio.Future[Answers] = asyncio.get_running_loop().create_future()
            if not taken:
                commits.owe(result(8))  # while another one is on its way
                answer.set_exception(ValueError("nobody thought of that"))
            else:
                answer.set_result([])
            taken.append(len(ended))
            return answer

        def result(number: int) -> Ended:
            return Ended(a_ready(number).delivery, Outcome(Heard.ACCEPTED, 250, "250 Ok", "default"))

        commits = SharedCommits(exchange)
        commits.owe(result(7))
        assert commits.owes
        with pytest.raises(ValueError, match="nobody thought"):
            await commits.store()
        await commits.store()
        assert taken == [1, 2]
        assert not commits.owes

    run(story)


@pytest.mark.parametrize("count", [1, 5])
def test_where_a_commit_is_on_the_disk_by_itself_everybody_is_told_at_once(count: int) -> None:
    async def story() -> None:
        disk, connections = Disk(), [Connection() for _ in range(count)]
        commits = SharedCommits(disk.exchange)
        for number, connection in enumerate(connections, 1):
            commits.ask(None, a_ready(number), connection)
        await turns()
        assert disk.exchanged == [(0, count, [])]
        assert all(one.heard == ["asked", "may leave"] for one in connections)

    run(story)
