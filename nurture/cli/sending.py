"""What a sender process of `nurture run --workers N` does; it is imported there without the command line around it."""

import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from nurture.app import open_to_send
from nurture.cli.logs import logging_on_stderr
from nurture.engines.processes import SenderProcesses, stop_with_parent
from nurture.engines.sending import SendingEngine
from nurture.engines.stopping import Stopping
from nurture.settings import Settings

log = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 1.0


def keep_working(
    make: Callable[[], SendingEngine],
    started: list[Any],
    stopping: Stopping,
    senders: SenderProcesses | None = None,
) -> None:
    """Work until it is time to stop, as one worker after another if it must be."""

    def begin() -> SendingEngine:
        engine = make()
        engine.start()
        started.append(engine)
        return engine

    engine = begin()
    if senders is not None and not stopping.is_asked:
        # Not before: what the journal knows and the database forgot has been put back by now, unless that was broken off.
        senders.start()
        started.append(senders)
    while not stopping.wait(_LOOK_EVERY_SECONDS):
        if senders is not None:
            senders.look()
        if engine.is_dead:
            # The machine slept, or the database was away: nothing is wrong with this process. So it begins anew right
            # here, while its pages go on taking opt-outs, and also where nobody would start it again. If even that
            # fails, the error ends the process and systemd has its turn.
            log.warning(
                "another process declared this worker dead, since its heart had stopped; going on as a new one",
                extra={"worker": engine.worker},
            )
            started.remove(engine)
            engine.stop()
            engine = begin()


def send(folder: Path, settings: Settings) -> None:
    """What a sender process does, with the settings of the one that started it: send until it is told to stop."""
    stopping, started = Stopping(), list[Any]()
    # A terminal tells everybody, and whoever started this one tells it again: the second signal is no impatience.
    with stopping.on_signals(second_ends=False), logging_on_stderr(settings.log.level):
        stop_with_parent(stopping.ask)
        with closing(open_to_send(folder, settings=settings)) as house:
            try:
                keep_working(
                    lambda: SendingEngine(house.database, house.clock, house.sender, stopping), started, stopping
                )
            finally:
                for engine in started:
                    engine.stop()
