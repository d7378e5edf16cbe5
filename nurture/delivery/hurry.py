"""Hurry: mails leave before the permission of each is on the disk, because all that was claimed would be in doubt anyway.

SQLite's commits are seen by all at once, and survive whatever kills a process. A power cut is another matter: it may take
back those that are not on the disk yet, and a mail whose `sending` it took back would be sent again. So a sender waits for
the disk before each body. Once it sends a thousand a second, that is a quarter of its time. Then it says so in its row of
the workers and brings every claim to the disk before it hands out one mail of it: what it had claimed when the power went
is in doubt as a whole (`left_behind`), a few hundred mails instead of one for each connection. Nothing else
changes: a process that is killed leaves no more doubt than it had connections, in a hurry or not.

Used by the transactions of one sender on SQLite. Where it is not known which start of a machine is which, nobody hurries.
"""

from collections.abc import Callable

from nurture.database.claiming import knows_boots, set_hurried
from nurture.database.engine import Session

#: From so many mails a second on, waiting for the disk is what takes longest; fewer mails than that tell nothing.
ABOVE = 1_000
TELLING = 100
#: Who had nothing to say for so long can as well wait for the disk.
PAUSE_SECONDS = 0.05


class Hurry:
    """Whether this worker is in a hurry: decided anew with each claim, and over with the first pause."""

    def __init__(self, worker: int, elapsed: Callable[[], float]) -> None:
        self._worker = worker
        self._elapsed = elapsed
        self._can_be = knows_boots()
        self._is_on = self._is_coming = False
        self._begun = self._begun_before = 0
        self._claimed_at = self._exchanged_at = elapsed()

    def begin_claim(self, session: Session, *, is_all_new: bool = True) -> bool:
        """In the transaction that claims: whether the claim has to be on the disk before a mail of it is handed out.

        One that is not all new has brought something that is in hand already, and might leave before the claim is there.
        """
        now = self._elapsed()
        begun, self._begun_before = self._begun - self._begun_before, self._begun
        seconds, self._claimed_at = now - self._claimed_at, now
        is_fast = self._can_be and is_all_new and begun >= TELLING and begun > seconds * ABOVE
        if not is_fast:
            # Said again each time: the transaction in which it was last may have been undone.
            self._calm_down(session)
        elif not self._is_on:
            set_hurried(session, self._worker, is_hurried=True)
            self._is_coming = True
        return is_fast

    def claim_is_on_disk(self) -> None:
        """What was said of this worker is there too: from now on it is in a hurry. No exchange runs meanwhile."""
        self._is_on, self._is_coming = self._is_on or self._is_coming, False

    def must_wait(self, session: Session, begun: int) -> bool:
        """In the transaction of an exchange: whether its bodies have to wait until it is on the disk."""
        now = self._elapsed()
        if now - self._exchanged_at > PAUSE_SECONDS:
            self.end(session)
        self._exchanged_at = now
        self._begun += begun
        return not self._is_on

    def end(self, session: Session) -> bool:
        """No more hurry from this transaction on, which brings all that was before to the disk with it; whether there was any."""
        was_on = self._is_on or self._is_coming
        if was_on:
            self._calm_down(session)
        return was_on

    def _calm_down(self, session: Session) -> None:
        set_hurried(session, self._worker, is_hurried=False)
        self._is_on = self._is_coming = False
