"""The database is away or full for a while: said in one line when it begins and in one when it is over.

Everything an engine does is tried again by itself, some of it every second; whoever reads the log wants to know what is
wrong and that nothing has to be done beyond mending it. An error that nobody can mend from outside is a bug, and keeps
its traceback each time.
"""

import logging
import threading

from nurture.database.failing import failure_of

log = logging.getLogger(__name__)


class Outage:
    """What all threads of an engine know of it; any of them may find that it began."""

    def __init__(self) -> None:
        self._said = ""
        self._lock = threading.Lock()

    def tell(self, what: str, error: BaseException) -> None:
        """`what` failed and is tried again."""
        failure = failure_of(error)
        if failure is None:
            log.error("%s", what, exc_info=error)
            return
        with self._lock:
            is_known, self._said = self._said == str(failure), str(failure)
        if not is_known:
            log.warning("%s: %s Everything goes on by itself once it is mended", what, failure)

    def is_over(self) -> None:
        """Something was written."""
        with self._lock:
            was_said, self._said = self._said, ""
        if was_said:
            log.warning("the database takes what we write again, and everything goes on")
