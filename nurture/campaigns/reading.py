"""Reads the files of a workspace so that every complaint knows its file, line and column.

A `Definition` is one file format; `read_definition` holds a YAML file against it and collects all problems at once, in
words, with "did you mean". The rooms above each offer a `Kind`: they read their own files into `Unit`s, which
`publishing` freezes. Nothing here knows what a sequence or a newsletter is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nurture.campaigns.complaints import Path_, complaints
from nurture.campaigns.definitions import Definition, Silencing
from nurture.campaigns.memory import Memory
from nurture.campaigns.store import hash_of, write_content
from nurture.conditions import Condition, ConditionError, Words, parse
from nurture.database.engine import Session
from nurture.errors import BadInput
from nurture.rendering.scanning import Original
from nurture.timing import DaySpan
from nurture.yaml import check_aliases, find_unreadable, plain_yaml

FORMAT = 1


@dataclass(frozen=True, order=True)
class Problem:
    """Something a careful colleague would say about a file; columns and lines count from 1."""

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        kind = f"{self.code}, warning" if self.severity == "warning" else self.code
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message} [{kind}]{hint}"


@dataclass(frozen=True)
class Silence:
    """What an author wants to hear no more of between two places of a file, and why; `silencing` judges it."""

    file: str
    code: str
    reason: str
    place: tuple[int, int]  # where it is written
    first: tuple[int, int] = (1, 1)
    last: tuple[int, int] | None = None  # the end of the file


@dataclass
class Problems:
    """Collects what is wrong, so that one run of `check` tells everything."""

    found: list[Problem] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        self.found.append(problem)

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.found if problem.severity == "error"]

    def sorted(self) -> list[Problem]:
        return sorted(set(self.found))


@dataclass(frozen=True)
class Workspace:
    """What files may refer to: the folder, and what settings.toml declares."""

    folder: Path
    words: Words
    topics: Mapping[str, str]  # name → label
    senders: frozenset[str]
    operators: frozenset[str] = frozenset()
    today: date | None = None  # by which a date in a file is past; None: nobody asks
    values_per_ask: int = 3  # mails that give something before one may ask; 0: nobody counts
    blackout: tuple[DaySpan, ...] = ()  # days on which no campaign mails
    questions: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # that mails may ask, as they are published
    not_recorded: float | None = None  # the share of contacts whose opens and clicks we may not record, if known
    memory: Memory | None = field(default=None, compare=False, repr=False)  # what was found before; None: nothing
    clean: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)  # mails nothing is said about

    @property
    def templates(self) -> Path:
        return self.folder / "templates"

    @property
    def campaigns(self) -> Path:
        return self.folder / "campaigns"

    def name_of(self, path: Path) -> str:
        """The path as people see it in messages."""
        return path.relative_to(self.folder).as_posix()


@dataclass(frozen=True)
class Unit:
    """What is published as one: its content is JSON and holds all that decides or is shown."""

    kind: str
    name: str
    file: str
    content: Mapping[str, Any]

    @cached_property
    def text(self) -> str:
        """The content as canonical JSON."""
        return write_content(self.content)

    @cached_property
    def hash(self) -> str:
        return hash_of(self.text)


class Kind(Protocol):
    """What a room hands to `app` so that its files can be checked and published."""

    name: str

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        """All units of this kind in the workspace, complaining about the rest."""

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parts by which a plan says what changed, by name."""

    def count_people(self, session: Session, name: str) -> int:
        """How many people are on their way through it now."""


class YamlFile:
    """A YAML 1.2 file: its data, and where in the text each of them stands."""

    def __init__(
        self, name: str, text: str, problems: Problems, first_line: int = 1, memory: Memory | None = None
    ) -> None:
        self.name = name
        self.problems = problems
        self.data: Any = None
        self._first_line = first_line
        self._root: Node | None = None
        # Two steps of ruamel's own loader, so that the nodes with their marks are still there afterwards.
        yaml = plain_yaml()
        try:
            known = memory.recall_document(name, text) if memory else None
            self._root = known or yaml.compose(text)
            if self._root is not None:
                check_aliases(self._root)
                self.data = yaml.constructor.construct_document(self._root)
                if memory and known is None:
                    memory.keep_document(name, text, self._root)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._syntax_error(error.problem or "unreadable", mark.line if mark else 0, mark.column if mark else 0)
        except (YAMLError, ValueError, RecursionError) as error:
            self._cannot_be_read(yaml, str(error).splitlines()[0])

    def _cannot_be_read(self, yaml: YAML, reason: str) -> None:
        """The document is YAML, and one of its values is none, such as the 30th of February."""
        node = find_unreadable(yaml, self._root) if self._root is not None else None
        if node is None:
            self._syntax_error(reason, 0, 0)
        else:
            self._syntax_error(f'"{node.value}": {reason}', node.start_mark.line, node.start_mark.column)

    def _syntax_error(self, reason: str, line: int, column: int) -> None:
        message = f"this is not YAML: {reason.strip()}."
        self.problems.add(Problem(self.name, self._first_line + line, column + 1, "NS001", message))

    def place(self, path: Path_, *, at_key: bool = False) -> tuple[int, int]:
        """Line and column of a value, or of its key; of the nearest thing around it when it is missing."""
        node = self._root
        mark = node.start_mark if node else None
        for depth, step in enumerate(path):
            following = None
            if isinstance(node, MappingNode):
                for key, value in node.value:
                    if isinstance(key, ScalarNode) and key.value == str(step):
                        following = value
                        # Where nothing stands, the mark is that of whatever comes next, lines below perhaps.
                        is_empty = isinstance(value, ScalarNode) and not value.value and value.style is None
                        is_about_key = (at_key and depth == len(path) - 1) or is_empty
                        mark = key.start_mark if is_about_key else value.start_mark
            elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
                following = node.value[step]
                mark = following.start_mark
            if following is None:
                break
            node = following
        return (self._first_line + mark.line, mark.column + 1) if mark else (self._first_line, 1)

    def original(self, path: Path_, text: str) -> Original:
        """A text that stands at `path`, with its place, for rooms that read it further."""
        line, column = self.place(path)
        return Original(self.name, text, line, column + (self._quote_width(path) or 0))

    def _quote_width(self, path: Path_) -> int | None:
        """Characters before the text of a scalar begins; None for a block, whose columns are not the text's."""
        style = getattr(self._node(path), "style", None)
        return None if style in {"|", ">"} else int(style in {"'", '"'})

    def _node(self, path: Path_) -> Node | None:
        node = self._root
        for step in path:
            if isinstance(node, MappingNode):
                node = next((v for k, v in node.value if isinstance(k, ScalarNode) and k.value == str(step)), None)
            elif isinstance(node, SequenceNode) and isinstance(step, int):
                node = node.value[step]
        return node

    def note_silence(self, at: Path_, silence: Mapping[Any, Any]) -> None:
        """Keep what the part at `at` wants to hear no more of."""
        node = self._node(at) if at else None
        first = self.place(at) if node else (1, 1)
        last = (self._first_line + node.end_mark.line, node.end_mark.column) if node else None
        for code, reason in silence.items():
            place = self.place((*at, "silence", code), at_key=True)
            self.problems.silences.append(Silence(self.name, str(code), str(reason), place, first, last))

    def complain(
        self, code: str, path: Path_, message: str, hint: str = "", *, severity: str = "error", at_key: bool = False
    ) -> None:
        """Add a problem about the value (or the key) at `path`."""
        line, column = self.place(path, at_key=at_key)
        where = f"{spell(path)}: " if path else ""
        self.problems.add(Problem(self.name, line, column, code, where + message, hint, severity))

    def read_condition(self, path: Path_, text: str, words: Words) -> Condition | None:
        """Parse a condition that stands at `path`; the column of a mistake is the one in the file."""
        try:
            return parse(text, words)
        except ConditionError as error:
            line, column = self.place(path)
            width = self._quote_width(path)
            if width is not None:
                column += width + error.column - 1
            message = f"{spell(path)}: {sentence(str(error))}"
            self.problems.add(Problem(self.name, line, column, "NS005", message, error.hint))
            return None


class PublishedFile(YamlFile):
    """A definition that was checked before it was published; a complaint about it now is a broken promise."""

    def __init__(self, name: str, data: Any) -> None:
        self.name = name
        self.data = data

    def note_silence(self, at: Path_, silence: Mapping[Any, Any]) -> None:
        """Nobody remarks on what is published."""

    def complain(
        self, code: str, path: Path_, message: str, hint: str = "", *, severity: str = "error", at_key: bool = False
    ) -> None:
        raise BadInput(f"{self.name}: {spell(path)}: {message} [{code}]")


def open_yaml(workspace: Workspace, path: Path, problems: Problems) -> YamlFile | None:
    """Read a YAML file of the workspace; None when nothing in it can be used."""
    name = workspace.name_of(path)
    if not path.is_file():
        # A pipe would be waited for, a device may never end.
        problems.add(Problem(name, 1, 1, "NS001", "this is no file with text in it; put one in its place."))
        return None
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        problems.add(Problem(name, 1, 1, "NS001", f"this is not UTF-8 text (byte {error.start}); save it as UTF-8."))
        return None
    file = YamlFile(name, text, problems, memory=workspace.memory)
    if file.data is None:
        if not any(problem.file == name for problem in problems.found):
            problems.add(Problem(name, 1, 1, "NS003", "the file is empty; begin with `format: 1`."))
        return None
    if not isinstance(file.data, dict):
        file.complain("NS004", (), "the file must be a list of `key: value` lines; begin with `format: 1`.")
        return None
    return file


AnyDefinition = TypeVar("AnyDefinition", bound=Definition)


def read_definition(
    file: YamlFile, model: type[AnyDefinition], at: Path_ = (), data: Any = None
) -> AnyDefinition | None:
    """Hold the data at `at` against a format; None after complaining about everything that does not fit."""
    given = file.data if data is None else data
    if isinstance(given, dict) and isinstance(given.get("silence"), dict) and issubclass(model, Silencing):
        file.note_silence(at, given["silence"])
    try:
        return model.model_validate(given)
    except ValidationError as error:
        for one in complaints(error, model, given):
            file.complain(one.code, (*at, *one.path), one.message, one.hint, at_key=one.is_about_key)
        return None


def sentence(text: str) -> str:
    """The text with an end."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def spell(path: Path_) -> str:
    """`steps[1].wait`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
