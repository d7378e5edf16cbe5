"""Statements that travel to PostgreSQL together and are waited for once.

The driver's own pipeline waits twice for each statement and looks at every value in Python, which was half of what an
exchange of the sender cost its process. Over the driver's connection this speaks to libpq as the driver does
(`psycopg.pq`): a statement is prepared the first time, values go as text, and of what comes back only the number of rows
is read. The transaction begins with the first of them, so that nobody waits for that either. Called by
`database.prepared` for desks alone, whose connection ends with a transaction that fails: when one is undone, the driver
has the server forget what was prepared, and nobody else is told.
"""

import select
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

#: A statement with $1, $2, … in it, and their values.
Leg = tuple[str, Sequence[Any]]

_BEGIN: Leg = ("BEGIN", ())
_READ_OR_WRITE = select.POLLIN | select.POLLOUT


class Flights:
    """Flights over one connection; their errors are the driver's."""

    _numbers = count()

    def __init__(self, driver: Any, connection: Any) -> None:
        self._driver = driver
        self._libpq: Any = connection.pgconn
        self._names: dict[str, bytes] = {}
        self._poll = select.poll()
        self._poll.register(self._libpq.socket, select.POLLIN)

    def fly(self, legs: Sequence[Leg]) -> list[int]:
        """How many rows each touched or found; each sees what was committed before it began."""
        libpq = self._libpq
        is_first = libpq.transaction_status == self._driver.pq.TransactionStatus.IDLE
        libpq.enter_pipeline_mode()
        # Whether what is answered is the statement itself, or that it was prepared.
        is_own = [one for text, values in ((_BEGIN, *legs) if is_first else legs) for one in self._send(text, values)]
        libpq.pipeline_sync()
        self._push()
        results = list(self._hear())
        libpq.exit_pipeline_mode()
        for result in results:
            if result.status == self._driver.pq.ExecStatus.FATAL_ERROR:
                raise self._driver.errors.error_from_result(result)
        counts = [result.command_tuples or 0 for own, result in zip(is_own, results, strict=True) if own]
        return counts[1:] if is_first else counts

    def _send(self, text: str, values: Sequence[Any]) -> Iterator[bool]:
        name = self._names.get(text)
        if name is None:
            name = self._names[text] = b"nurture_%d" % next(self._numbers)
            self._libpq.send_prepare(name, text.encode())
            yield False
        self._libpq.send_query_prepared(name, [None if one is None else str(one).encode() for one in values])
        yield True

    def _push(self) -> None:
        """Have everything on its way; the server may not take more before it has got rid of what it says."""
        while self._libpq.flush():
            self._poll.modify(self._libpq.socket, _READ_OR_WRITE)
            self._poll.poll()
            self._poll.modify(self._libpq.socket, select.POLLIN)
            self._libpq.consume_input()

    def _hear(self) -> Iterator[Any]:
        """What the server says, to the end."""
        libpq, end = self._libpq, self._driver.pq.ExecStatus.PIPELINE_SYNC
        is_between = False
        while True:
            while libpq.is_busy():
                self._wait()
            result = libpq.get_result()
            if result is None:  # once behind each answer; again, where a server that goes down said so and nothing else
                if libpq.status != self._driver.pq.ConnStatus.OK:
                    raise self._driver.OperationalError(libpq.get_error_message())
                if is_between:
                    self._wait()
                is_between = True
            elif result.status == end:
                return
            else:
                is_between = False
                yield result

    def _wait(self) -> None:
        """For more of it; a connection that is gone raises."""
        self._poll.poll()
        self._libpq.consume_input()
