"""The places that the limits granted for the mails a sender has in hand: asked for, used, spared and given back.

They are the people each campaign may mail (`guard`), and the places in lanes and first waves (`pacing`). A place counts from
the commit in which it was granted. Given back twice, more would leave than the limits say: where a server may have taken
what gives them back before it broke, that is not tried again. Held by `transactions`, which takes care of whose turn it is.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from nurture.database.engine import Session
from nurture.delivery.actions import Limits
from nurture.delivery.guard.granting import Granted, give_back, grant
from nurture.delivery.pacing import actions as pacing
from nurture.delivery.pacing.granting import Memory, PaceGrant, Place
from nurture.delivery.pacing.lanes import Pacing
from nurture.delivery.pacing.meeting import look_once_more
from nurture.delivery.preparing import Ready


class Asked(NamedTuple):
    """What one claim was granted; it counts once that is committed."""

    ready: list[Ready]  # the mails that may leave
    paced: PaceGrant
    granted: Granted | None


class Places:
    """Of one worker incarnation."""

    def __init__(self, worker: int, pacing: Pacing, elapsed: Callable[[], float]) -> None:
        self._worker = worker
        self._pacing = pacing
        self._elapsed = elapsed
        self.granted: Granted | None = None
        self.memory = Memory()
        self._paced: list[PaceGrant] = []  # of claims whose mails are in hand
        self._spare: list[Place] = []  # of mails that did not leave after all

    def ask(self, session: Session, ready: Sequence[Ready], limits: Limits, now: datetime) -> Asked:
        """Which of these mails may leave; the others are held or put back."""
        paced = pacing.grant(
            session,
            self._worker,
            [one.delivery for one in ready],
            now,
            self._elapsed(),
            pacing=self._pacing,
            relays={one.delivery.id: one.relay for one in ready},
            memory=self.memory,
        )
        left = [one for one in ready if one.delivery.id not in paced.kept]
        rows = [one.delivery for one in left]
        return Asked(left, paced, grant(session, self._worker, rows, limits.blast_guard, now, self.granted))

    def take_effect(self, asked: Asked) -> None:
        """It was committed: what was counted may be given out."""
        self.granted = asked.granted
        asked.paced.take_effect(self.memory)
        self._paced = [one for one in self._paced if one.unused] + [asked.paced]

    def spare(self, one: Ready) -> None:
        """A mail does not leave after all: what was granted for it is given back with the next claim."""
        self._spare += one.pace.spare(one.delivery)

    def let_go(self, one: Ready) -> None:
        """A mail is not in our hands any more, and nobody asked whether it may leave."""
        if self.granted is not None:
            self.granted.let_go(one.delivery)
        self.spare(one)

    def take_spare(self) -> list[Place]:
        """The places of mails that did not leave, for whoever gives them back."""
        spare, self._spare = self._spare, []
        return spare

    def give_back(self, session: Session, now: datetime, *, is_alive: bool) -> None:
        """Nobody claims for now; whoever declared this worker dead has taken its people off the count already."""
        look_once_more(session, self.memory, now)
        if is_alive:
            give_back(session, self._worker, self.granted)
        pacing.give_back(session, self._paced, self._spare, self.memory, worker=self._worker)

    def forget(self) -> None:
        """All were given back, or may have been."""
        self.granted, self._paced, self._spare = None, [], []
        self.memory.let_go()

    def limits_relay(self, relay: str) -> bool:
        """Whether this relay takes only so much."""
        limit = self._pacing.relays.get(relay)
        return limit is not None and limit.is_any
