"""One commit for every connection that waits for one.

A commit costs the same whether it carries one result or ten, so what comes in while one is on its way goes into the
next together. Called by the sender, on its event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable

from nurture.delivery.actions import Ended
from nurture.delivery.claimed import Claimed
from nurture.delivery.rules import Stop

Exchange = Callable[[list[Ended], list[Claimed]], Awaitable[dict[int, Stop | None]]]


class SharedCommits:
    """Gathers what connections want stored and asked, and hands it to `exchange` one transaction at a time."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._waiting: list[tuple[Ended | None, Claimed | None, asyncio.Future[Stop | None]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def exchange(self, ended: Ended | None, wanted: Claimed | None) -> Stop | None:
        """Store a result, ask for the next row; None means that its body may be written now."""
        answer: asyncio.Future[Stop | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((ended, wanted, answer))
        if self._committing is None or self._committing.done():
            # A task of its own: a connection that committed for the others would keep its own message waiting.
            self._committing = asyncio.create_task(self._commit_all())
        return await answer

    async def _commit_all(self) -> None:
        while self._waiting:
            await self._commit_waiting()

    async def _commit_waiting(self) -> None:
        batch, self._waiting = self._waiting, []
        try:
            answers = await self._exchange(
                [ended for ended, _, _ in batch if ended], [wanted for _, wanted, _ in batch if wanted]
            )
        except Exception as error:  # noqa: BLE001 — every connection learns of it and stops
            for _, _, answer in batch:
                answer.set_exception(error)
            return
        for _, wanted, answer in batch:
            answer.set_result(answers[wanted.id] if wanted else None)
