"""`behavior.yaml`: what people do with mails, for `nurture simulate`."""

from pathlib import Path

from pydantic import Field

from nurture.campaigns.notations import FixedLength
from nurture.campaigns.reading import Definition, Problems, YamlFile, read_definition
from nurture.errors import BadInput
from nurture.sequences.simulate import Behavior, Habit
from nurture.timing import parse_duration


class HabitDefinition(Definition):
    """How likely somebody does something with a mail, and when."""

    p: float = Field(ge=0, le=1, description="The probability, from 0 to 1.")
    after: FixedLength = Field("2 hours", description="How long after the mail left.")
    link: str = Field("", description="For a click: the text of the link, or the path of its address.")


class HabitsDefinition(Definition):
    """What somebody may do with one mail."""

    open: HabitDefinition | None = Field(None, description="Open it.")
    click: HabitDefinition | None = Field(None, description="Click a link in it.")
    reply: HabitDefinition | None = Field(None, description="Answer it.")
    opt_out: HabitDefinition | None = Field(None, description="Leave.")

    def to_habits(self) -> dict[str, Habit]:
        given = {name: getattr(self, name) for name in ("open", "click", "reply", "opt_out")}
        return {
            name: Habit(one.p, parse_duration(one.after).exact, one.link)
            for name, one in given.items()
            if one is not None
        }


class BehaviorDefinition(HabitsDefinition):
    """The whole file: habits by default, and for single steps."""

    format: int = Field(1, ge=1, le=1)
    steps: dict[str, HabitsDefinition] = Field({}, description="Habits for the mails of single steps.")


def read_behavior(path: Path) -> Behavior:
    """Read a behavior file."""
    if not path.exists():
        raise BadInput(f"{path}: there is no such file.")
    problems = Problems()
    file = YamlFile(str(path), path.read_text(encoding="utf-8-sig"), problems)
    definition = read_definition(file, BehaviorDefinition) if file.data is not None else None
    if definition is None:
        raise BadInput("\n".join(str(problem) for problem in problems.sorted()) or f"{path}: the file is empty.")
    return Behavior(definition.to_habits(), {name: one.to_habits() for name, one in definition.steps.items()})
