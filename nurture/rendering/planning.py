"""What each tag of a part does when the part is written for a reader, decided once per version.

Text that never changes is encoded here, as far as it is known what stands around it: a text part is tidied, and what a
branch leaves behind depends on who reads it. So the plan follows every way through the template with the set of `Place`s
it may have come to. Where there is more than one, the program keeps the place in a variable and looks its piece up.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from jinja2 import nodes

from nurture.rendering import quoting
from nurture.rendering.environment import MailEnvironment, html_environment, text_environment
from nurture.rendering.looking import IN_HTML, IN_TEXT, Looks
from nurture.rendering.quoting import fixed, last
from nurture.rendering.rules import ROOTS
from nurture.rendering.tidying import BEGINNING, BEHIND_WORD, Begun, Kept, NotAhead, Place, Tidied, Whole

#: How a program reads our own addresses.
ADDRESSES = {"leave_url": "urls.leave", "preferences_url": "urls.preferences", "view_url": "urls.view"}
#: Which of a mail's `Urls` says what a reader may say.
SAYINGS = {"wish_url": "wish", "answer_url": "answer", "form_url": "form", "share_url": "share"}
_MOST_PLACES = 8
_MOST_FILTERS = 2  # on one value; `WireMail` allows for so many


@dataclass(frozen=True)
class Region:
    """Something that Jinja renders for each reader before it is encoded, and why."""

    line: int  # of the part, from 1
    tag: str
    why: str


@dataclass(frozen=True)
class Manner:
    """How a part is written."""

    environment: Callable[[], MailEnvironment]
    kept: Kept
    fixed: Callable[[str], Any]  # bytes, but for the subject
    last: Callable[[str], Any]
    #: The function for a value that (may be empty, may end with a blank), and for what Jinja has already rendered.
    value: Mapping[tuple[bool, bool], str]
    raw: Mapping[tuple[bool, bool], str]
    lines: str = "lines_in_text"  # the function for `line_breaks`
    column: int = IN_TEXT  # of what was looked at


_EITHER = [(False, False), (False, True), (True, False), (True, True)]
_IN_TEXT = dict(zip(_EITHER, ("in_text", "in_text_or_trailing", "in_text_or_empty", "in_line"), strict=True))
_IN_HTML = dict.fromkeys(_EITHER, "in_html")
_IN_SUBJECT = dict.fromkeys(_EITHER, "in_subject")

PAGE = Manner(html_environment, Begun(), fixed, last, _IN_HTML, dict.fromkeys(_EITHER, "raw"), "lines_in_html", IN_HTML)
PLAIN = Manner(text_environment, Tidied(), fixed, last, _IN_TEXT, _IN_TEXT)
LINE = Manner(text_environment, Whole(), str, str, _IN_SUBJECT, _IN_SUBJECT)


def root_field(node: nodes.Node | None) -> tuple[str, str] | None:
    """The root and the field of `contact.name` or `contact["name"]`."""
    match node:
        case nodes.Getattr(node=nodes.Name(name=root), attr=name) if root in ROOTS:
            return root, name
        case nodes.Getitem(node=nodes.Name(name=root), arg=nodes.Const(value=str(name))) if root in ROOTS:
            return root, name
    return None


Step: TypeAlias = tuple[str, Any, Any]
Places: TypeAlias = frozenset[Place]


@dataclass
class Plan:
    """What each node that writes into the part does instead."""

    manner: Manner
    looks: Mapping[str, Looks]
    steps: dict[int, list[Step]] = field(default_factory=dict)  # by the id of an Output
    wrapped: dict[int, str] = field(default_factory=dict)  # by the id of a block: the function for what it comes to
    tables: dict[str, dict[int, Any]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=lambda: [BEGINNING])
    regions: list[Region] = field(default_factory=list)
    fixed: int = 0
    expressions: int = 0
    has_dynamic_links: bool = False

    def run(self, tree: nodes.Template) -> None:
        filters = (block.filter.name for block in tree.find_all(nodes.FilterBlock))
        self.has_dynamic_links = "_link" in filters
        last = tree.body[-1] if tree.body else None
        is_closed = isinstance(last, nodes.Output) and isinstance(last.nodes[-1], nodes.TemplateData)
        body, closing = (tree.body[:-1], last) if is_closed else (tree.body, nodes.Output([]))
        assert isinstance(closing, nodes.Output)
        body, places = self._walk(body, frozenset({BEGINNING}))
        self._write(closing, places, is_last=True)
        tree.body = [*body, closing]
        for node in tree.find_all((nodes.Macro, nodes.CallBlock, nodes.AssignBlock, nodes.FilterBlock)):
            self._note(node)

    def constant(self, tree: nodes.Template) -> Any:
        """What the part always comes to, if it is the same for all."""
        if len(self.steps) > 1 or not all(isinstance(node, nodes.Output) for node in tree.body):
            return None
        steps = [step for node in tree.body for step in self.steps[id(node)]]
        is_fixed = all(kind == "fixed" for kind, _, _ in steps)
        return self.manner.fixed("").join(first for _, first, _ in steps) if is_fixed else None

    def _note(self, node: nodes.Node) -> None:
        match node:
            case nodes.Macro(name=name):
                self.regions.append(Region(node.lineno, f"macro {name}", "a macro is rendered before it is encoded"))
            case nodes.CallBlock():
                self.regions.append(Region(node.lineno, "call", "a call block hands its text to a macro"))
            case nodes.AssignBlock():
                self.regions.append(Region(node.lineno, "set", "a set block is rendered when it is set"))
            case nodes.FilterBlock(filter=nodes.Filter(name=name)) if not name.startswith("_"):
                self.regions.append(Region(node.lineno, f"filter {name}", "a filter takes its block as a whole"))

    # Where a reader's mail may have come to, node by node.

    def _walk(self, body: Sequence[nodes.Node], places: Places) -> tuple[list[nodes.Node], Places]:
        done: list[nodes.Node] = []
        for node in body:
            match node:
                case nodes.Output():
                    after = self._write(node, places)
                    done.append(node)
                case nodes.FilterBlock() | nodes.CallBlock():
                    done += [self._owed(places), node]
                    self.wrapped[id(node)] = self.manner.raw[places == {BEHIND_WORD}, False]
                    self.expressions += 1
                    after = frozenset({BEHIND_WORD})
                case nodes.If():
                    before, after = self._choose(node, places)
                    done += [*before, node]
                case nodes.For():
                    before, after = self._repeat(node, places)
                    done += [*before, node]
                case nodes.With() | nodes.Scope():
                    node.body, after = self._walk(node.body, places)
                    done.append(node)
                case nodes.Assign() | nodes.AssignBlock() | nodes.Macro() | nodes.ExprStmt():
                    after = places
                    done.append(node)
                case _:
                    raise NotAhead(f"`{type(node).__name__}` is not known here")
            places = after
        return done, places

    def _choose(self, node: nodes.If, places: Places) -> tuple[list[nodes.Node], Places]:
        branches: list[nodes.If] = [node, *node.elif_]
        ends: list[Places] = []
        for branch in branches:
            branch.body, end = self._walk(branch.body, places)
            ends.append(end)
        if node.else_:
            node.else_, end = self._walk(node.else_, places)
            ends.append(end)
        after = frozenset(places if not node.else_ else ()).union(*ends)
        if _is_open(after):
            for branch, end in zip(branches, ends, strict=False):
                branch.body += self._told(end)
            if node.else_:
                node.else_ += self._told(ends[-1])
        return (self._told(places) if _is_open(after) else []), after

    def _repeat(self, node: nodes.For, places: Places) -> tuple[list[nodes.Node], Places]:
        entering = places
        while not (reached := self._lead(node.body, entering)) <= entering:
            entering |= reached
            _is_open(entering)
        node.body, end = self._walk(node.body, entering)
        otherwise = places
        if node.else_:
            node.else_, otherwise = self._walk(node.else_, places)
        after = end | otherwise
        if _is_open(entering) or _is_open(after):
            node.body += self._told(end)
            if node.else_:
                node.else_ += self._told(otherwise)
            return self._told(places), after
        return [], after

    def _lead(self, body: Iterable[nodes.Node], places: Places) -> Places:
        """Where a body leads to, without writing anything."""
        for node in body:
            match node:
                case nodes.Output():
                    for child in node.nodes:
                        places = (
                            frozenset(self.manner.kept.take(place, child.data)[1] for place in places)
                            if isinstance(child, nodes.TemplateData)
                            else frozenset({BEHIND_WORD})
                        )
                case nodes.FilterBlock() | nodes.CallBlock():
                    places = frozenset({BEHIND_WORD})
                case nodes.If():
                    ends = [self._lead(branch.body, places) for branch in (node, *node.elif_)]
                    places = self._lead(node.else_, places).union(*ends)
                case nodes.For():
                    entering = places
                    while not (reached := self._lead(node.body, entering)) <= entering:
                        entering |= reached
                        _is_open(entering)
                    places = reached | self._lead(node.else_, places)
                case nodes.With() | nodes.Scope():
                    places = self._lead(node.body, places)
        return places

    # What is written.

    def _told(self, places: Places) -> list[nodes.Node]:
        """A node that notes the place, where it is known when the program is made and asked for when it runs."""
        if len(places) > 1:
            return []
        return [self._output([("place", self._index(*places), None)])]

    def _owed(self, places: Places) -> nodes.Output:
        owed = {place: self.manner.kept.owed(place) for place in places}
        return self._output(self._flushed(owed, self.manner.fixed))

    def _output(self, steps: list[Step]) -> nodes.Output:
        node = nodes.Output([], lineno=1)
        self.steps[id(node)] = steps
        self._made.append(node)  # an id is only good while its node lives
        return node

    _made: list[nodes.Output] = field(default_factory=list)

    def _write(self, node: nodes.Output, places: Places, *, is_last: bool = False) -> Places:
        kept, steps = self.manner.kept, list[Step]()
        written, reached = dict.fromkeys(places, ""), {place: place for place in places}
        left: list[nodes.Expr] = []
        for index, child in enumerate(node.nodes):
            if isinstance(child, nodes.TemplateData):
                for place in written:
                    text, reached[place] = kept.take(reached[place], child.data)
                    written[place] += text
                continue
            following = node.nodes[index + 1] if index + 1 < len(node.nodes) else None
            may_be_empty = all(place == BEHIND_WORD for place in reached.values())
            may_trail = isinstance(following, nodes.TemplateData) and following.data[:1] not in {"", " ", "\t", "\n"}
            owed = {place: text + kept.owed(reached[place]) for place, text in written.items()}
            steps += self._flushed(owed, self.manner.fixed)
            steps.append(self._value(child, self.manner.value[may_be_empty, may_trail], left))
            self.expressions += 1
            written, reached = {BEHIND_WORD: ""}, {BEHIND_WORD: BEHIND_WORD}
        if is_last:
            written = {place: text + kept.end(reached[place]) for place, text in written.items()}
        steps += self._flushed(written, self.manner.last if is_last else self.manner.fixed)
        if len(set(reached.values())) > 1 and any(start != end for start, end in reached.items()):
            moved = {self._index(start): self._index(end) for start, end in reached.items()}
            steps.append(("move", self._table(moved), None))
        node.nodes = left
        self.steps[id(node)] = steps
        return frozenset(reached.values())

    def _flushed(self, written: Mapping[Place, str], encode: Callable[[str], Any]) -> list[Step]:
        texts = set(written.values())
        self.fixed += max(map(len, texts), default=0)
        if texts <= {""}:
            return []
        if len(texts) == 1:
            return [("fixed", encode(texts.pop()), None)]
        return [("table", self._table({self._index(place): encode(text) for place, text in written.items()}), None)]

    def _value(self, child: nodes.Expr, function: str, left: list[nodes.Expr]) -> Step:
        match child:
            case nodes.Name(name=name) if name.startswith("_link") and name[5:].isdigit() and function != "in_subject":
                return "raw", f"links[{name[5:]}]", None
            case nodes.Name(name="_pixel") if function == "in_html":
                return "raw", "pixel", None
            case nodes.Name(name="_subject" | "_preheader" as name):
                return "value", function, name[1:]
            case nodes.Name(name=name) if name in ADDRESSES:
                return "raw", self._looked_at(function, ADDRESSES[name], "urls", name.removesuffix("_url")), None
            case nodes.Filter(
                node=node, name="fallback", args=[nodes.Const(value=str(instead))],
                kwargs=[], dyn_args=None, dyn_kwargs=None,
            ) if found := root_field(node):  # fmt: skip
                return "raw", self._looked_at(function, f"facts_{found[0]}[{found[1]!r}]", *found, instead), None
        if found := root_field(child):
            return "raw", self._looked_at(function, f"facts_{found[0]}[{found[1]!r}]", *found), None
        if (source := self._read(child)) is not None:
            return "value", function, source
        left.append(child)
        return "node", function, len(left) - 1

    def _looked_at(self, function: str, source: str, root: str, name: str, instead: str | None = None) -> str:
        """How a field is printed, or a text instead of it: what was found when it was looked at, if that was plain."""
        seen = f"seen_{root}[{self.looks[root].number(name)}][{self.manner.column}]"
        plain = f"{source} if {seen} else" if function == "in_subject" else f"{seen} or"
        if instead is None:
            return f"({plain} {function}({source}))"
        odd = f"{function}(fallen_back({source}, {instead!r}))"
        with suppress(NotAhead):
            piece = getattr(quoting, function)(instead)
            return f"({plain} ({piece!r} if {seen} is None else {odd}))"
        return f"({plain} {odd})"

    def _read(self, node: nodes.Node | None, depth: int = 0) -> str | None:
        """How the usual expressions are read without Jinja: a field, one or two plain filters, an address of ours."""
        if found := root_field(node):
            return f"facts_{found[0]}[{found[1]!r}]"
        match node:
            case nodes.Call(node=nodes.Name(name=name), args=[said], kwargs=[], dyn_args=None, dyn_kwargs=None) if (
                name in SAYINGS and not self.has_dynamic_links
            ):
                # A link that depends on the reader has to know what was said: then Jinja keeps the record.
                if isinstance(said, nodes.Const):
                    return f"urls.{SAYINGS[name]}({said.value!r})"
                if inner := self._read(said):
                    return f"urls.{SAYINGS[name]}(short({inner}))"
            case nodes.Filter(name=name, kwargs=[], dyn_args=None, dyn_kwargs=None) if depth < _MOST_FILTERS:
                inner = self._read(node.node, depth + 1)
                match inner, name, node.args:
                    case str(), "fallback", [nodes.Const(value=str(instead))]:
                        return f"fallen_back({inner}, {instead!r})"
                    case str(), "default" | "d", [nodes.Const(value=str(instead))] if found := root_field(node.node):
                        return f"defaulted(facts_{found[0]}.get({found[1]!r}), {instead!r})"
                    case str(), "upper" | "lower" | "capitalize" | "trim", []:
                        return f"{name}_of({inner})"
                    case str(), "line_breaks", []:
                        return f"{self.manner.lines}({inner})"
        return None

    def _index(self, place: Place) -> int:
        if place not in self.places:
            self.places.append(place)
        return self.places.index(place)

    def _table(self, entries: dict[int, Any]) -> str:
        name = f"table_{len(self.tables)}"
        self.tables[name] = entries
        return name


def _is_open(places: Places) -> bool:
    """Whether only the running program knows the place."""
    if len(places) > _MOST_PLACES:
        raise NotAhead("its white space depends on too much")
    return len(places) > 1
