"""Reads the processor's clock of a thread around the stages of a sender: what each takes of a message, undistorted."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from nurture.delivery import composing
from nurture.delivery.transactions import Transactions
from nurture.rendering.wire import WireMail

RENDER, WIRE, CLAIM, EXCHANGE = "render, headers, tokens", "of it the bytes alone", "claim, facts, pacing", "exchange"


class Clocks:
    """Seconds by stage, and of the thread that it was made in."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._on_loop: dict[str, float] = defaultdict(float)  # of them, in the thread that it was made in
        self._made_in = threading.get_ident()
        for place, name, stage in (
            (composing, "compose", RENDER),
            (WireMail, "write", WIRE),
            (Transactions, "claim", CLAIM),
            (Transactions, "exchange", EXCHANGE),
        ):
            setattr(place, name, self._around(getattr(place, name), stage))
        self._loop = time.thread_time()
        self._process = time.process_time()

    def _around(self, work: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return work(*given, **named)
            finally:
                spent = time.thread_time() - began
                self.seconds[stage] += spent
                if threading.get_ident() == self._made_in:
                    self._on_loop[stage] += spent

        return timed

    def read(self) -> dict[str, float]:
        """Every stage; what is left of the loop's thread is SMTP, what is left of all others is waking up."""
        loop, process = time.thread_time() - self._loop, time.process_time() - self._process
        known = dict(self.seconds)
        smtp = loop - sum(self._on_loop[stage] for stage in (RENDER, CLAIM, EXCHANGE))
        beside = sum(self.seconds[stage] - self._on_loop[stage] for stage in (RENDER, CLAIM, EXCHANGE))
        return {**known, "SMTP and the loop": smtp, "threads, heartbeat": process - loop - beside}
