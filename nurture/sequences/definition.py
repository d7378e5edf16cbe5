"""`campaigns/sequences/*.yaml`: the file format of a sequence, and the program it becomes.

A step is written as one key that says what it does (`send`, `wait`, `if` …) with its details beside it. Steps have ids,
given or derived from what they do, by which branches, mails and later versions find them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from nurture.campaigns.notations import ContactOrZone, Days, FixedLength, HalfLife, Hours, Length
from nurture.campaigns.reading import Definition, YamlFile, read_definition
from nurture.conditions import Words, parse
from nurture.errors import did_you_mean
from nurture.sequences import engine
from nurture.sequences.engine import Exit, Late, Sequence, Step
from nurture.timing import Window, parse_days, parse_duration, parse_hours


class EnrollDefinition(Definition):
    """Who comes in by themselves."""

    when: str | None = Field(None, description="Enrolls whoever this begins to hold for; left out: by hand only.")
    again: Literal["never"] | FixedLength = Field(
        "never", description='"never", or how long after the end: "180 days".'
    )

    @field_validator("again", mode="before")
    @classmethod
    def _without_after(cls, again: object) -> object:
        """`after 180 days` reads well, too."""
        return again.removeprefix("after ") if isinstance(again, str) else again


class ExitDefinition(Definition):
    """What ends the sequence wherever somebody stands in it."""

    when: str = Field(description="The condition.")
    as_: str = Field("exited", alias="as", description='The reason that is kept; "replied" also tells the owner.')


class WindowDefinition(Definition):
    """When mail may leave."""

    days: Days = Field("daily", description='Such as "mon-fri".')
    hours: Hours = Field("00:00-24:00", description='Such as "09:00-17:00".')
    timezone: ContactOrZone = Field("contact", description="contact, owner, or a time zone.")

    def to_window(self) -> Window:
        return Window(parse_days(self.days), *parse_hours(self.hours))


class LateDefinition(Definition):
    """What to do after an outage."""

    within: FixedLength = Field(description="How late a mail may still be sent.")
    otherwise: Literal["skip", "exit"] = Field("skip", description="What happens to a later one.")


class SequenceDefinition(Definition):
    """The whole file."""

    format: Literal[1]
    sequence: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Its name in commands and conditions.")
    name: str = Field("", description="Its name for people.")
    topic: str = Field(description="What its mails are about; permission is asked for this topic.")
    sender: str = Field("default", description='"default", "owner", or a name from settings.toml.')
    enroll: EnrollDefinition = Field(EnrollDefinition(), description="Who comes in by themselves.")
    exit: list[ExitDefinition] = Field([], description="What ends it early.")
    window: WindowDefinition | None = Field(None, description="When mail may leave; left out: at any time.")
    late: LateDefinition | None = Field(None, description="What to do after an outage; left out: send anyway.")
    steps: list[Any] = Field(min_length=1, description="What happens, in order.")


class _StepDefinition(Definition):
    id: str | None = Field(None, pattern=r"^[a-z0-9][a-z0-9-]*$", description="How branches and versions find it.")


class SendStep(_StepDefinition):
    """Send a mail and wait until it has left."""

    send: str = Field(description="The template, as its path below templates/ without the ending.")
    subject: str | None = Field(None, description="The subject; left out: the template's own.")
    preheader: str | None = Field(None, description="The line inboxes show behind the subject.")
    kind: Literal["value", "ask"] = Field(
        "value", description="Whether the mail gives something or asks for something."
    )
    on_failure: Literal["exit", "next"] = Field("exit", description="What happens when the relay refuses it.")


class WaitStep(_StepDefinition):
    """Stand still for a while, counted from when the last mail left."""

    wait: Length = Field(description='How long, such as "3 days" or "2 working days".')


class IfStep(_StepDefinition):
    """Go one way or the other; whoever took a branch stays on it."""

    if_: str = Field(alias="if", description="The condition.")
    then: list[Any] = Field([], description="The steps if it holds.")
    else_: list[Any] = Field([], alias="else", description="The steps if it does not.")


class TagStep(_StepDefinition):
    """Tag the contact."""

    tag: str = Field(min_length=1, max_length=60, description="The tag.")


class SetStep(_StepDefinition):
    """Set fields of the contact."""

    set: dict[str, str | int | float | bool | None] = Field(min_length=1, description="Field: value.")


class ScoreStep(_StepDefinition):
    """Give points."""

    score: float = Field(description="How many; negative ones take away.")
    because: str = Field("", description="Why, as `score explain` shows it.")
    half_life: HalfLife | None = Field(None, description="After this long they are worth half; left out: never.")


class HandOffStep(_StepDefinition):
    """Give the contact to a rep, with the whole story."""

    hand_off: dict[str, Any] = Field(max_length=0, description="`{}`: handoff.yaml says to whom and how soon.")


class EndStep(_StepDefinition):
    """End the sequence here."""

    end: str = Field("the end", description="Why, for the timeline.")


VERBS: Mapping[str, type[_StepDefinition]] = {
    "send": SendStep,
    "wait": WaitStep,
    "if": IfStep,
    "tag": TagStep,
    "set": SetStep,
    "score": ScoreStep,
    "hand_off": HandOffStep,
    "end": EndStep,
}


class Numbered:
    """A step as written, where it stands, and the id it goes by."""

    def __init__(self, path: tuple[str | int, ...], step: _StepDefinition, id_: str) -> None:
        self.path = path
        self.step = step
        self.id = id_
        self.then: list[Numbered] = []
        self.otherwise: list[Numbered] = []

    def walk(self) -> Iterator["Numbered"]:
        """The step and those in its branches, in the order of the file."""
        yield self
        for inner in (*self.then, *self.otherwise):
            yield from inner.walk()


def read_steps(file: YamlFile, steps: list[Any]) -> list[Numbered]:
    """Hold every step against its format; those that cannot be read are complained about and left out."""
    taken: dict[str, int] = {}
    numbered = _read_list(file, ("steps",), steps, taken)
    seen: set[str] = set()
    for one in (inner for outer in numbered for inner in outer.walk()):
        if one.id in seen:
            file.complain("NS201", (*one.path, "id"), f'another step is called "{one.id}" already.')
        seen.add(one.id)
    return numbered


def _read_list(file: YamlFile, at: tuple[str | int, ...], steps: list[Any], taken: dict[str, int]) -> list[Numbered]:
    found = []
    for number, raw in enumerate(steps):
        path = (*at, number)
        verb = _verb_of(file, path, raw)
        step = read_definition(file, VERBS[verb], path, raw) if verb else None
        if verb is None or step is None:
            continue
        one = Numbered(path, step, step.id or _derived_id(verb, step, taken))
        if isinstance(step, IfStep):
            one.then = _read_list(file, (*path, "then"), step.then, taken)
            one.otherwise = _read_list(file, (*path, "else"), step.else_, taken)
        found.append(one)
    return found


def _verb_of(file: YamlFile, path: tuple[str | int, ...], raw: Any) -> str | None:
    if not isinstance(raw, dict):
        file.complain("NS004", path, f'"{raw}" is not a step; write one such as `- wait: 3 days`.')
        return None
    verbs: list[str] = [key for key in raw if key in VERBS]
    if len(verbs) == 1:
        return verbs[0]
    if verbs:
        file.complain(
            "NS202", path, f"a step does one thing, and this one names {' and '.join(verbs)}; make two of it."
        )
        return None
    unknown = [str(key) for key in raw if key != "id"]
    hint = next((hint for key in unknown if (hint := did_you_mean(key, VERBS))), "").strip()
    file.complain("NS203", path, f"no step does this; a step is one of {', '.join(VERBS)}.", hint)
    return None


def _derived_id(verb: str, step: _StepDefinition, taken: dict[str, int]) -> str:
    """`case-study` for a mail, `wait-2` for the second wait: the same for the same file."""
    stem = step.send.rpartition("/")[2] if isinstance(step, SendStep) else verb.replace("_", "-")
    taken[stem] = taken.get(stem, 0) + 1
    return stem if taken[stem] == 1 and isinstance(step, SendStep) else f"{stem}-{taken[stem]}"


def build(definition: SequenceDefinition, steps: list[Numbered], words: Words) -> Sequence:
    """The program of a sequence whose file has no errors."""
    program: dict[str, Step] = {}
    first = _chain(steps, None, program, words)
    return Sequence(
        name=definition.sequence,
        topic=definition.topic,
        sender=definition.sender,
        first=first,
        steps=program,
        exits=tuple(Exit(parse(one.when, words), one.when, one.as_) for one in definition.exit),
        window=definition.window.to_window() if definition.window else None,
        window_zone=definition.window.timezone if definition.window else "contact",
        late=Late(parse_duration(definition.late.within).exact, definition.late.otherwise) if definition.late else None,
    )


def _chain(steps: list[Numbered], after: str | None, program: dict[str, Step], words: Words) -> str | None:
    """Link a list of steps so that its last one leads to `after`; the id of its first."""
    following = after
    for one in reversed(steps):
        program[one.id] = _build_step(one, following, program, words)
        following = one.id
    return following


def _build_step(one: Numbered, following: str | None, program: dict[str, Step], words: Words) -> Step:
    match one.step:
        case SendStep() as step:
            return engine.Send(one.id, following, step.kind, step.on_failure)
        case WaitStep() as step:
            return engine.Wait(one.id, following, parse_duration(step.wait))
        case IfStep() as step:
            then = _chain(one.then, following, program, words)
            otherwise = _chain(one.otherwise, following, program, words)
            return engine.Branch(one.id, parse(step.if_, words), step.if_, then, otherwise)
        case TagStep() as step:
            return engine.AddTag(one.id, following, step.tag)
        case SetStep() as step:
            return engine.SetFields(one.id, following, tuple(step.set.items()))
        case ScoreStep() as step:
            half_life = parse_duration(step.half_life).exact if step.half_life else None
            return engine.GivePoints(one.id, following, step.score, step.because or f"step {one.id}", half_life)
        case HandOffStep():
            return engine.HandOver(one.id, following)
        case EndStep() as step:
            return engine.End(one.id, step.end)
    raise AssertionError(f"{type(one.step).__name__} has no place in a program")
