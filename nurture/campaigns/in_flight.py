"""People in flight: those on their way through something when its next version is published.

Whoever publishes says what becomes of them: they stay on their version (`keep`, unless something else is said), go on
in the new one where they stand (`move`), or begin the new one anew (`restart`); what is retired may also `end` for
them. A kind that has people on their way is `Followed`; `publishing` records the order, and the kind carries it out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from nurture.database.engine import Session
from nurture.errors import BadInput, NotFound, did_you_mean


class InFlight(StrEnum):
    """What becomes of people in flight."""

    KEEP = "keep"
    MOVE = "move"
    RESTART = "restart"
    END = "end"


@dataclass(frozen=True)
class Policies:
    """What was said about people in flight: for everything, and for what was named."""

    otherwise: InFlight = InFlight.KEEP
    named: Mapping[str, InFlight] = field(default_factory=dict)

    def of(self, name: str) -> InFlight:
        return self.named.get(name, self.otherwise)

    @classmethod
    def read(cls, texts: Iterable[str]) -> "Policies":
        """Read `move` (for everything) and `evaluators=move`; the later one of the same kind counts."""
        otherwise, named = InFlight.KEEP, {}
        for text in texts:
            name, equals, word = text.rpartition("=")
            if word not in set(InFlight) or (equals and not name):
                hint = did_you_mean(word, list(InFlight))
                raise BadInput(
                    f'--in-flight: "{text}" is none of keep, move, restart and end; write one of them, '
                    f"or `NAME=move` for one sequence.{hint}"
                )
            if equals:
                named[name] = InFlight(word)
            else:
                otherwise = InFlight(word)
        return cls(otherwise, named)

    def check_names(self, known: Iterable[str]) -> None:
        """Refuse a name that nothing with people on their way has."""
        names = sorted(known)
        for name in self.named:
            if name not in names:
                raise NotFound(
                    f'--in-flight: nothing called "{name}" is published and has people on their way; '
                    f"known: {', '.join(names) or 'nothing'}.{did_you_mean(name, names)}"
                )


@dataclass(frozen=True)
class Standing:
    """How many people stand on one step of one version, and on which step each policy would put them; None: the end."""

    version: int
    step: str | None
    people: int
    move: str | None
    restart: str | None
    is_gone: bool = False  # the step, in the new version


@runtime_checkable
class Followed(Protocol):
    """A kind with people on their way through it."""

    name: str

    def standings(self, session: Session, name: str, after: Mapping[str, Any]) -> Sequence[Standing]:
        """Where people stand now, and where they would go if `after` became the next version."""

    def remarks(self, session: Session, name: str, after: Mapping[str, Any]) -> Sequence[str]:
        """What whoever publishes `after` should know about the people on their way, in sentences."""

    def follow(self, session: Session, name: str, version_id: int, policy: InFlight, now: datetime) -> None:
        """Record that people on older versions are to follow to this one; carried out in small chunks later."""


@runtime_checkable
class Closing(Protocol):
    """A kind whose units are done at some time, so that their files may go."""

    name: str

    def is_closed(self, session: Session, name: str) -> bool:
        """Whether it has done all it is for."""
