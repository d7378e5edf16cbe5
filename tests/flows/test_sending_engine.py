"""The engine that sends goes on, whatever happens to one run of its sender."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from nurture.database.engine import Database
from nurture.delivery.sender import Sender
from nurture.engines.rounds import run_due
from nurture.engines.sending import SendingEngine
from nurture.engines.stopping import Stopping
from tests.flows.test_newsletter import FILES, MONDAY, ONE
from tests.support.stories import running_story

WAIT_SECONDS = 60


def test_a_run_that_somebody_cancels_is_said_and_the_mail_leaves_with_the_next(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A cancellation is no `Exception`: it would end the thread, and with a heart that beats on nobody would notice."""
    runs, over = 0, Stopping()

    def cancelled_once(worker: int) -> Sender:
        sender = story.app.sender(worker)
        drain = sender.drain

        async def drained() -> tuple[Counter[str], str]:
            nonlocal runs
            runs += 1
            task = asyncio.current_task()
            if runs == 1 and task is not None:
                task.cancel()
            done = await drain()
            over.ask()
            return done

        monkeypatch.setattr(sender, "drain", drained)
        return sender

    with running_story(tmp_path / "house", database.url, MONDAY, {**FILES, **ONE}) as story:
        story.add_contact("ana@reader.example")
        run_due(story.bench, story.now)
        engine = SendingEngine(story.database, story.clock, cancelled_once)
        engine.start()
        over.wait(WAIT_SECONDS)
        engine.stop()
        assert [one.arrived.rcpt_to for one in story.post.letters] == ["ana@reader.example"]
    assert "sending stopped" in caplog.text
    assert "CancelledError" in caplog.text
