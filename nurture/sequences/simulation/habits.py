"""What people do with mails, as a simulation believes it: probabilities with delays, by step and by kind of people. Pure.

`behavior` reads them from a file, `crowd` invents them, the database has measured them. Opens and clicks are only seen of
people who may be tracked; everything else is seen of everybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

#: What may happen to a mail after it left, in the order in which it is drawn; a bounce is drawn before.
DEEDS = ("open", "click", "scan", "reply", "book", "wish", "away", "opt_out")

_AWAY = timedelta(days=7)


@dataclass(frozen=True)
class Habit:
    """How likely somebody does something with a mail, and how long after it left: `after`, or up to `at_most`."""

    p: float = 0.0
    after: timedelta = timedelta(hours=2)
    at_most: timedelta | None = None
    link: str = ""  # of a click: its text or its path; empty: any of them
    interest: str = "demonstration"  # of a wish
    lasting: timedelta = _AWAY  # of an absence

    def delay(self, chance: float) -> timedelta:
        """How long after the mail; `chance` is in [0, 1)."""
        if self.at_most is None:
            return self.after
        return self.after + timedelta(seconds=int(chance * (self.at_most - self.after).total_seconds()))


Habits = Mapping[str, Habit]


@dataclass(frozen=True)
class Group:
    """A kind of people: which share of everybody they are, and what they do otherwise than the rest."""

    share: float
    habits: Habits
    name: str = ""


@dataclass(frozen=True)
class Behavior:
    """What people do with mails: by default, with the mails of single steps, and in groups.

    `tracked` is the share of people whose opens and clicks may be recorded; None: what is known of each.
    """

    default: Habits = field(default_factory=dict)
    steps: Mapping[str, Habits] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    tracked: float | None = None

    def habits(self, step: str, group: Group | None = None) -> dict[str, Habit]:
        """What somebody of a group does with the mail of a step; what the group does goes before what a step says."""
        return {**self.default, **self.steps.get(step, {}), **(group.habits if group else {})}

    def group(self, chance: float) -> Group | None:
        """Whom chance, in [0, 1), makes of somebody; None: nobody special."""
        for one in self.groups:
            if chance < one.share:
                return one
            chance -= one.share
        return None
