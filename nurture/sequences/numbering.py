"""The steps of a file, read: each with its place, the id it goes by, and the steps inside it.

A step that cannot be read is complained about and left out, so that one mistake does not hide the others.
"""

from collections.abc import Iterator
from typing import Any

from nurture.campaigns.complaints import shown
from nurture.campaigns.reading import YamlFile, read_definition
from nurture.errors import did_you_mean
from nurture.sequences.steps import (
    VERBS,
    IfStep,
    MailKeys,
    OfferMeetingStep,
    SendStep,
    SplitStep,
    StepDefinition,
    WaitForStep,
    WinnerDefinition,
)

Place = tuple[str | int, ...]


class Numbered:
    """A step as written, where it stands, the id it goes by, and the steps inside it by the way that leads there.

    Ways are "then", "elif-1" …, "else", or the names of a split's arms.
    """

    def __init__(self, path: Place, step: StepDefinition, id_: str) -> None:
        self.path = path
        self.step = step
        self.id = id_
        self.ways: dict[str, list[Numbered]] = {}

    @property
    def mail(self) -> MailKeys | None:
        """The mail this step sends, if it sends one."""
        match self.step:
            case SendStep() as step:
                return step
            case OfferMeetingStep() as step:
                return step.offer_meeting
        return None

    @property
    def mail_path(self) -> Place:
        """Where the keys of its mail stand."""
        return (*self.path, "offer_meeting") if isinstance(self.step, OfferMeetingStep) else self.path

    @property
    def conditions(self) -> Iterator[tuple[Place, str]]:
        """Every condition of the step itself, with its place."""
        match self.step:
            case IfStep() as step:
                yield (*self.path, "if"), step.if_
                for number, one in enumerate(step.elif_):
                    yield (*self.path, "elif", number, "if"), one.if_
            case WaitForStep() as step:
                yield (*self.path, "wait_for"), step.wait_for
            case SplitStep(winner=WinnerDefinition() as winner):
                yield (*self.path, "winner", "goal"), winner.goal

    @property
    def ids(self) -> list[str]:
        """The ids it takes in the program: each `elif` is a branch of its own."""
        further = len(self.step.elif_) if isinstance(self.step, IfStep) else 0
        return [self.id, *(f"{self.id}-elif-{number}" for number in range(1, further + 1))]

    def walk(self) -> Iterator["Numbered"]:
        """The step and those inside it, in the order of the file."""
        yield self
        for way in self.ways.values():
            for inner in way:
                yield from inner.walk()


def walk_all(steps: list[Numbered]) -> Iterator[Numbered]:
    """Every step of a file, in its order."""
    for one in steps:
        yield from one.walk()


def read_steps(file: YamlFile, steps: list[Any]) -> list[Numbered]:
    """Hold every step against its format; those that cannot be read are complained about and left out."""
    taken: dict[str, int] = {}
    numbered = _read_list(file, ("steps",), steps, taken)
    seen: set[str] = set()
    for one in walk_all(numbered):
        if twice := next((id_ for id_ in one.ids if id_ in seen), None):
            file.complain("NS201", (*one.path, "id"), f'another step is called "{twice}" already.')
        seen.update(one.ids)
    return numbered


def _read_list(file: YamlFile, at: Place, steps: list[Any], taken: dict[str, int]) -> list[Numbered]:
    found = []
    for number, raw in enumerate(steps):
        path = (*at, number)
        verb = _verb_of(file, path, raw)
        step = read_definition(file, VERBS[verb], path, raw) if verb else None
        if verb is None or step is None:
            continue
        one = Numbered(path, step, step.id or _derived_id(verb, step, taken))
        for way, (inner_path, inner) in _inner_lists(path, step).items():
            one.ways[way] = _read_list(file, inner_path, inner, taken)
        found.append(one)
    return found


def _inner_lists(path: Place, step: StepDefinition) -> dict[str, tuple[Place, list[Any]]]:
    """The lists of steps inside a step, by the way that leads there."""
    match step:
        case IfStep():
            further = {
                f"elif-{number}": ((*path, "elif", number - 1, "then"), one.then)
                for number, one in enumerate(step.elif_, start=1)
            }
            return {"then": ((*path, "then"), step.then), **further, "else": ((*path, "else"), step.else_)}
        case WaitForStep():
            return {"then": ((*path, "then"), step.then), "else": ((*path, "else"), step.else_)}
        case SplitStep():
            return {name: ((*path, "split", name, "steps"), arm.steps) for name, arm in step.split.items()}
    return {}


def _verb_of(file: YamlFile, path: Place, raw: Any) -> str | None:
    if not isinstance(raw, dict):
        wrong = "nothing stands here" if raw is None else f"{shown(raw)} is not a step"
        file.complain("NS004", path, f"{wrong}; write one such as `- wait: 3 days`.")
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


def _derived_id(verb: str, step: StepDefinition, taken: dict[str, int]) -> str:
    """`case-study` for a mail, `wait-2` for the second wait: the same for the same file."""
    mail = Numbered((), step, "").mail
    stem = mail.send.rpartition("/")[2] if mail else verb.replace("_", "-")
    taken[stem] = taken.get(stem, 0) + 1
    return stem if taken[stem] == 1 and mail else f"{stem}-{taken[stem]}"
