"""What `advance` decides: where an enrollment stands, what is to be done, what was passed. Frozen values, never rows.

Nothing here happens by being decided: `actions` writes it down in one transaction, and the loops of the house carry it
out. Every effect that leaves the house has a key that says what it is for, so that deciding twice does nothing twice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias

from nurture.sequences.program import AddTask, CallWebhook, Notify


class State(StrEnum):
    """Where an enrollment is in its life."""

    ACTIVE = "active"  # nobody has looked at it yet
    WAITING = "waiting"
    PAUSED = "paused"  # something outside the sequence stands in the way, and will pass
    FINISHED = "finished"
    EXITED = "exited"


OVER = frozenset({State.FINISHED, State.EXITED})


@dataclass(frozen=True)
class Enrollment:
    """One person's way through a sequence. `since` is when the clock of the present step began to run."""

    id: int
    contact_id: int
    sequence: str
    step: str | None
    since: datetime
    visit: int = 1
    status: str = State.ACTIVE
    exit_reason: str = ""
    wake_at: datetime | None = None
    revision: int = 0

    @property
    def is_over(self) -> bool:
        return self.status in OVER


@dataclass(frozen=True)
class QueueMail:
    """Ask for the mail of a step; it may leave from now on, and is not worth sending after `expires_at`."""

    step: str
    key: str
    kind: str = "value"
    sender: str = "default"
    expires_at: datetime | None = None


@dataclass(frozen=True)
class ReleaseMail:
    """A mail that was held for a second look may go."""

    delivery_id: int


@dataclass(frozen=True)
class CancelMails:
    """The enrollment ended: what it still asked for is not sent."""

    because: str


@dataclass(frozen=True)
class Tagged:
    tag: str


@dataclass(frozen=True)
class Untagged:
    tag: str


@dataclass(frozen=True)
class FieldsSet:
    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class ListChanged:
    list: str
    is_joining: bool


@dataclass(frozen=True)
class PointsGiven:
    key: str
    points: float
    because: str
    half_life: timedelta | None


@dataclass(frozen=True)
class Notified:
    key: str
    step: Notify


@dataclass(frozen=True)
class TaskAdded:
    key: str
    step: AddTask


@dataclass(frozen=True)
class WebhookCalled:
    key: str
    step: CallWebhook


@dataclass(frozen=True)
class Enrolled:
    """Into another sequence."""

    sequence: str


@dataclass(frozen=True)
class HandedOff:
    step: str


Effect: TypeAlias = (
    QueueMail
    | ReleaseMail
    | CancelMails
    | Tagged
    | Untagged
    | FieldsSet
    | ListChanged
    | PointsGiven
    | Notified
    | TaskAdded
    | WebhookCalled
    | Enrolled
    | HandedOff
)


@dataclass(frozen=True)
class Note:
    """What happened at a step and why, for the timeline."""

    step: str
    what: str
    why: str = ""


@dataclass(frozen=True)
class Passed:
    """A step that is done, and which way it led on: what a newer version must not repeat, and a graph counts."""

    step: str
    visit: int
    way: str = ""


@dataclass(frozen=True)
class Decision:
    """Where the enrollment stands now, what is to be done, what was passed, and the notes about it."""

    enrollment: Enrollment
    effects: tuple[Effect, ...] = ()
    notes: tuple[Note, ...] = ()
    passed: tuple[Passed, ...] = ()

    @property
    def wake_at(self) -> datetime | None:
        return self.enrollment.wake_at


def mail_key(enrollment: Enrollment, step: str) -> str:
    """What a step's mail is for; asking twice with one key is asking once."""
    return f"sequence:{enrollment.id}:{step}:{enrollment.visit}"


def effect_key(enrollment: Enrollment, step: str) -> str:
    """The same for whatever else a step does."""
    return f"{enrollment.id}:{step}:{enrollment.visit}"
