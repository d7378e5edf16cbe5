"""`behavior.yaml`: what people do with mails, for `nurture simulate`."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from nurture.campaigns.definitions import Definition
from nurture.campaigns.notations import FixedLength
from nurture.campaigns.reading import Problems, YamlFile, read_definition
from nurture.errors import BadInput
from nurture.sequences.simulation.habits import Behavior, Group, Habit
from nurture.sequences.simulation.world import Outage
from nurture.timing import parse_length


def read_delay(text: str) -> tuple[timedelta, timedelta | None]:
    """Read "2 hours", or "2 hours..3 days": any length between the two, by chance."""
    shortest, dots, longest = text.partition("..")
    found = parse_length(shortest), parse_length(longest) if dots else None
    if found[0] < timedelta(0) or (found[1] is not None and found[1] < found[0]):
        raise BadInput(f'"{text}" runs backwards; write the shorter one first, such as "2 hours..3 days".')
    return found


def _check_delay(text: str) -> str:
    try:
        read_delay(text)
    except BadInput as error:
        raise ValueError(str(error)) from None
    return text


Delay = Annotated[str, AfterValidator(_check_delay)]


class HabitDefinition(Definition):
    """How likely somebody does something with a mail, and when."""

    p: float = Field(ge=0, le=1, description="The probability, from 0 to 1.")
    after: Delay = Field(
        "2 hours", description='How long after the mail left; "2 hours..3 days": by chance in between.'
    )

    def to_habit(self) -> Habit:
        return Habit(self.p, *read_delay(self.after))


class ClickDefinition(HabitDefinition):
    """Clicking."""

    link: str = Field(
        "", description="The text of the link, or the path of its address; left out: any link, by chance."
    )

    def to_habit(self) -> Habit:
        return Habit(self.p, *read_delay(self.after), link=self.link)


class WishDefinition(HabitDefinition):
    """Saying what one wants, by a button in the mail."""

    interest: Literal["information", "demonstration", "need"] = Field("demonstration", description="What they want.")

    def to_habit(self) -> Habit:
        return Habit(self.p, *read_delay(self.after), interest=self.interest)


class AwayDefinition(HabitDefinition):
    """An auto-reply that says when they are back."""

    for_: FixedLength = Field("7 days", alias="for", description="How long they are away.")

    def to_habit(self) -> Habit:
        return Habit(self.p, *read_delay(self.after), lasting=parse_length(self.for_))


class BounceDefinition(Definition):
    """A relay that refuses the mail for good, at once."""

    p: float = Field(ge=0, le=1, description="The probability, from 0 to 1.")

    def to_habit(self) -> Habit:
        return Habit(self.p)


class HabitsDefinition(Definition):
    """What may become of one mail."""

    open: HabitDefinition | None = Field(None, description="They open it; seen of tracked people only.")
    click: ClickDefinition | None = Field(None, description="They click a link in it; seen of tracked people only.")
    scan: HabitDefinition | None = Field(
        None, description="A machine fetches every link in it, which counts for nothing."
    )
    reply: HabitDefinition | None = Field(None, description="They answer it.")
    book: HabitDefinition | None = Field(None, description="They choose one of the times that it offers.")
    wish: WishDefinition | None = Field(None, description="They press the button that says what they want.")
    away: AwayDefinition | None = Field(None, description="Their machine answers that they are out of office.")
    opt_out: HabitDefinition | None = Field(None, description="They leave.")
    bounce: BounceDefinition | None = Field(None, description="The relay refuses it for good.")

    def to_habits(self) -> dict[str, Habit]:
        given = {name: getattr(self, name) for name in HabitsDefinition.model_fields}
        return {name: one.to_habit() for name, one in given.items() if one is not None}


class GroupDefinition(HabitsDefinition):
    """A kind of people; what is left out here is as for everybody."""

    share: float = Field(gt=0, le=1, description="Which share of everybody they are, from 0 to 1.")
    name: str = Field("", description="What they are called.")


class OutageDefinition(Definition):
    """A time in which the relay does not take mail."""

    after: FixedLength = Field(description="When it begins, counted from the start of the simulation.")
    for_: FixedLength = Field(alias="for", description="How long it lasts.")
    defers: bool = Field(False, description="It answers, and puts off what it is handed; otherwise nobody answers.")


class BehaviorDefinition(HabitsDefinition):
    """The whole file: habits by default, for single steps, and for kinds of people."""

    format: int = Field(1, ge=1, le=1)
    steps: dict[str, HabitsDefinition] = Field({}, description="Habits for the mails of single steps.")
    groups: list[GroupDefinition] = Field([], description="Kinds of people who do otherwise than the rest.")
    tracked: float | None = Field(
        None, ge=0, le=1, description="The share of people whose opens and clicks are seen; left out: by consent."
    )

    outages: list[OutageDefinition] = Field([], description="When the relay does not take mail.")

    @model_validator(mode="after")
    def _check_shares(self) -> "BehaviorDefinition":
        total = sum(one.share for one in self.groups)
        if total > 1 + 1e-9:
            raise ValueError(f"the groups are {total:.0%} of everybody; make their shares add up to 1 or less.")
        return self

    def to_behavior(self) -> Behavior:
        return Behavior(
            self.to_habits(),
            {name: one.to_habits() for name, one in self.steps.items()},
            tuple(Group(one.share, one.to_habits(), one.name) for one in self.groups),
            self.tracked,
        )

    def to_outages(self, start: datetime) -> tuple[Outage, ...]:
        begins = [(start + parse_length(one.after), one) for one in self.outages]
        return tuple(Outage(at, at + parse_length(one.for_), one.defers) for at, one in begins)


def read_behavior(path: Path) -> BehaviorDefinition:
    """Read a behavior file."""
    if not path.exists():
        raise BadInput(f"{path}: there is no such file.")
    problems = Problems()
    file = YamlFile(str(path), path.read_text(encoding="utf-8-sig"), problems)
    definition = read_definition(file, BehaviorDefinition) if file.data is not None else None
    if definition is None:
        raise BadInput("\n".join(str(problem) for problem in problems.sorted()) or f"{path}: the file is empty.")
    return definition
