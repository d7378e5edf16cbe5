"""What is left of a part of a mail once everything that stays the same has been written: a program for each reader.

Jinja's own compiler makes the program, so that every tag keeps its meaning and its walls. It differs in what it writes:
text that never changes stands in it as quoted-printable, and what a reader's data comes to is encoded as it is printed. The
usual expressions, such as `contact.first_name`, `| fallback("…")`, a link, our own addresses, are read without Jinja's
detours. What has to be rendered as a whole before it can be encoded (macros, `call`, `filter` and `set` blocks) is
rendered by Jinja, as a `Region` that `nurture preview --explain` names.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, TypeAlias

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from nurture.rendering import quoting
from nurture.rendering.bounds import Fields
from nurture.rendering.environment import MailEnvironment, html_environment, text_environment
from nurture.rendering.message import quoted_printable
from nurture.rendering.quoting import NotAhead, fixed
from nurture.rendering.reducing import reduce
from nurture.rendering.rules import ROOTS
from nurture.rendering.tidying import BEGINNING, BEHIND_WORD, Begun, Kept, Place, Tidied, Whole

Given: TypeAlias = tuple[
    Mapping[str, Any], Mapping[str, Any], Mapping[str, Any], Mapping[str, Any],
    Sequence[str], Callable[[int], object] | None, Any, str, str, str,
]  # fmt: skip

#: What a program is given of a reader, in this order: fields by root, links as they are written, everything else as it is.
_GIVEN = ("facts_contact", "facts_owner", "facts_sender", "facts_mail", "links", "address", "urls", "subject",
          "preheader", "pixel")  # fmt: skip
_ADDRESSES = {"leave_url": "urls.leave", "preferences_url": "urls.preferences", "view_url": "urls.view"}
_MOST_PLACES = 8


@dataclass(frozen=True)
class Region:
    """Something that Jinja renders for each reader before it is encoded, and why."""

    line: int  # of the part, from 1
    tag: str
    why: str


@dataclass(frozen=True)
class Residual:
    """A part of a mail as a program, with what `--explain` tells of it."""

    program: Callable[["Reading | Bare"], object]
    environment: MailEnvironment
    eval_context: EvalContext
    names: frozenset[str]  # what it asks Jinja for
    is_bare: bool  # nothing is left to Jinja
    has_addresses: bool  # it asks for the address of a link, not only for how it is written
    constant: str | None  # all of it, where nothing is left to do
    spent: int  # what was worked out ahead would have cost each reader
    fixed: int  # characters that are written ahead
    expressions: int  # places where something of the reader's is printed
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class Manner:
    """How a part is written."""

    environment: Callable[[], MailEnvironment]
    kept: Kept
    fixed: Callable[[str], str]
    last: Callable[[str], str]
    #: The function for a value that (may be empty, may end with a blank), and for what Jinja has already rendered.
    value: Mapping[tuple[bool, bool], str]
    raw: Mapping[tuple[bool, bool], str]


_EITHER = [(False, False), (False, True), (True, False), (True, True)]
_IN_TEXT = dict(zip(_EITHER, ("in_text", "in_text_or_trailing", "in_text_or_empty", "in_line"), strict=True))
_IN_HTML = dict.fromkeys(_EITHER, "in_html")
_IN_SUBJECT = dict.fromkeys(_EITHER, "in_subject")

PAGE = Manner(html_environment, Begun(), fixed, quoted_printable, _IN_HTML, dict.fromkeys(_EITHER, "raw"))
PLAIN = Manner(text_environment, Tidied(), fixed, quoted_printable, _IN_TEXT, _IN_TEXT)
LINE = Manner(text_environment, Whole(), str, str, _IN_SUBJECT, _IN_SUBJECT)


def compile_part(text: str, manner: Manner) -> Residual:
    """The program for a part whose rules were checked; raises NotAhead where only the plain path will do."""
    environment = manner.environment()
    tree = environment.parse(text)
    spent = reduce(tree, environment)
    tree.set_environment(environment)
    environment.bound(tree)
    plan = _Plan(manner)
    plan.run(tree)
    _Names().visit(tree)
    generator = _Writer(environment, plan)
    generator.visit(tree)
    names: dict[str, Any] = {
        "environment": environment,
        "field": _field(environment),
        "raw": quoting.raw,
        "fallen_back": quoting.fallen_back,
        **{name: getattr(quoting, name) for name in _VALUES},
        **plan.tables,
    }
    source = generator.written.getvalue()
    exec(compile(source, "<mail>", "exec"), names)  # noqa: S102  # Jinja's way to load a template
    return Residual(
        names["root"],
        environment,
        EvalContext(environment),
        frozenset(name.name for name in tree.find_all(nodes.Name)),
        not re.search(r"\b(context|resolve)\b", source.partition(_BEGIN)[2].partition("\nblocks = ")[0]),
        "address(" in source.partition(_BEGIN)[2],
        plan.constant(tree),
        spent,
        plan.fixed,
        plan.expressions,
        tuple(plan.regions),
    )


_VALUES = ("in_html", "in_text", "in_text_or_empty", "in_text_or_trailing", "in_line", "in_subject")


def _field(environment: MailEnvironment) -> Callable[[Mapping[str, Any], str, str], Any]:
    def field(fields: Mapping[str, Any], root: str, name: str) -> Any:
        """What the environment answers for a field; what is missing is explained by the plain path."""
        try:
            value = fields[name]
        except KeyError:
            return environment.undefined(name=name)
        return Fields(f"{root}.{name}", value) if isinstance(value, Mapping) else value

    return field


def _source(python: str, lineno: int) -> nodes.InternalName:
    """A piece of Python as a node; Jinja's compiler writes it as it is."""
    node = object.__new__(nodes.InternalName)
    nodes.Node.__init__(node, python, lineno=lineno)
    return node


def _root_field(node: nodes.Node | None) -> tuple[str, str] | None:
    """The root and the field of `contact.name` or `contact["name"]`."""
    match node:
        case nodes.Getattr(node=nodes.Name(name=root), attr=name) if root in ROOTS:
            return root, name
        case nodes.Getitem(node=nodes.Name(name=root), arg=nodes.Const(value=str(name))) if root in ROOTS:
            return root, name
    return None


class _Names(NodeTransformer):
    """Reads the fields of the roots and our own addresses without asking Jinja for them."""

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802  # Jinja finds it by the node's name
        return self._field_of(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802  # Jinja finds it by the node's name
        return self._field_of(node)

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802  # Jinja finds it by the node's name
        if node.name in _ADDRESSES:
            return _source(_ADDRESSES[node.name], node.lineno)
        if node.name.startswith("_link") and node.name[5:].isdigit():
            return _source(f"address({node.name[5:]})", node.lineno)
        if node.name in {"_subject", "_preheader"}:
            return _source(node.name[1:], node.lineno)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802  # Jinja finds it by the node's name
        # A field that is a mapping equals nothing that a template can write, with Jinja's walls around it or not.
        if (found := _root_field(node.expr)) and all(isinstance(one.expr, nodes.Const) for one in node.ops):
            node.expr = _source(f"facts_{found[0]}[{found[1]!r}]", node.lineno)
            return node
        return self.generic_visit(node)

    def visit_If(self, node: nodes.If) -> nodes.Node:  # noqa: N802  # Jinja finds it by the node's name
        if found := _root_field(node.test):
            read = f"facts_{found[0]}[{found[1]!r}]"
            node.test = _source(f"({read} or {read} == {{}})", node.lineno)  # behind Jinja's walls, `{}` is not empty
        return self.generic_visit(node)

    def _field_of(self, node: nodes.Node) -> nodes.Node:
        if found := _root_field(node):
            root, name = found
            return _source(f"field(facts_{root}, {root!r}, {name!r})", node.lineno)
        return self.generic_visit(node)


Step: TypeAlias = tuple[str, Any, Any]
Places: TypeAlias = frozenset[Place]


@dataclass
class _Plan:
    """What each node that writes into the part does instead."""

    manner: Manner
    steps: dict[int, list[Step]] = field(default_factory=dict)  # by the id of an Output
    wrapped: dict[int, str] = field(default_factory=dict)  # by the id of a block: the function for what it comes to
    tables: dict[str, dict[int, Any]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=lambda: [BEGINNING])
    regions: list[Region] = field(default_factory=list)
    fixed: int = 0
    expressions: int = 0

    def run(self, tree: nodes.Template) -> None:
        last = tree.body[-1] if tree.body else None
        is_closed = isinstance(last, nodes.Output) and isinstance(last.nodes[-1], nodes.TemplateData)
        body, closing = (tree.body[:-1], last) if is_closed else (tree.body, nodes.Output([]))
        assert isinstance(closing, nodes.Output)
        body, places = self._walk(body, frozenset({BEGINNING}))
        self._write(closing, places, is_last=True)
        tree.body = [*body, closing]
        for node in tree.find_all((nodes.Macro, nodes.CallBlock, nodes.AssignBlock, nodes.FilterBlock)):
            self._note(node)

    def constant(self, tree: nodes.Template) -> str | None:
        """What the part always comes to."""
        if len(self.steps) > 1 or not all(isinstance(node, nodes.Output) for node in tree.body):
            return None
        steps = [step for node in tree.body for step in self.steps[id(node)]]
        return "".join(first for _, first, _ in steps) if all(kind == "fixed" for kind, _, _ in steps) else None

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

    def _flushed(self, written: Mapping[Place, str], encode: Callable[[str], str]) -> list[Step]:
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
            case nodes.Name(name=name) if name in _ADDRESSES:
                return "value", function, _ADDRESSES[name]
            case nodes.Filter(name="fallback", args=[nodes.Const(value=str(instead))], kwargs=[], dyn_args=None):
                if (found := _root_field(child.node)) and child.dyn_kwargs is None:
                    return "value", function, f"fallen_back(facts_{found[0]}[{found[1]!r}], {instead!r})"
        if found := _root_field(child):
            return "value", function, f"facts_{found[0]}[{found[1]!r}]"
        left.append(child)
        return "node", function, len(left) - 1

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


_BEGIN = "place = None"


class _Writer(CodeGenerator):
    """Jinja's compiler, writing what was planned into a list of pieces."""

    def __init__(self, environment: MailEnvironment, plan: _Plan) -> None:
        self.written = StringIO()
        super().__init__(environment, None, None, self.written)
        self.plan = plan
        # What is printed more than once is encoded once.
        printed = Counter(
            (first, second) for steps in plan.steps.values() for kind, first, second in steps if kind == "value"
        )
        often = [value for value, count in printed.items() if count > 1]
        self.kept = {value: f"value_{index}" for index, value in enumerate(often)}

    def write_commons(self) -> None:
        self.writeline("resolve = context.resolve_or_missing")
        self.writeline("undefined = environment.undefined")
        self.writeline("concat = environment.concat")
        self.writeline("cond_expr_undefined = Undefined")
        self.writeline(f"({', '.join(_GIVEN)}) = context.given")
        self.writeline("append, extend = context.pieces.append, context.pieces.extend")
        self.writeline("".join(f"{name} = " for name in self.kept.values()) + _BEGIN)

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:  # noqa: N802  # Jinja finds it by the node's name
        if frame.buffer is not None:
            super().visit_Output(node, frame)
            return
        steps = self.plan.steps[id(node)]
        pieces = [step for step in steps if step[0] not in {"place", "move"}]
        if pieces:
            self.writeline("extend((" if len(pieces) > 1 else "append(", node)
            for step in pieces:
                self._write_piece(step, node, frame)
                self.write(", " if len(pieces) > 1 else "")
            self.write("))" if len(pieces) > 1 else ")")
        for kind, first, _ in steps:
            if kind in {"place", "move"}:
                self.writeline(f"place = {first}" + ("[place]" if kind == "move" else ""), node)
        if not steps:
            self.writeline("pass", node)

    def _write_piece(self, step: Step, node: nodes.Output, frame: Frame) -> None:
        match step:
            case "fixed", text, _:
                self.write(repr(text))
            case "table", table, _:
                self.write(f"{table}[place]")
            case "raw", source, _:
                self.write(source)
            case "value", function, source:
                written = f"{function}({source})"
                if name := self.kept.get((function, source)):
                    written = f"({name} if {name} is not None else ({name} := {written}))"
                self.write(written)
            case "node", function, index:
                self.write(f"{function}(")
                self.visit(node.nodes[index], frame)
                self.write(")")

    def start_write(self, frame: Frame, node: nodes.Node | None = None) -> None:
        if frame.buffer is None:
            self.writeline(f"append({self.plan.wrapped[id(node)]}(", node)
        else:
            super().start_write(frame, node)

    def end_write(self, frame: Frame) -> None:
        if frame.buffer is None:
            self.write("))")
        else:
            super().end_write(frame)


class Bare:
    """What a program reads that asks Jinja for nothing."""

    __slots__ = ("given", "pieces")
    resolve_or_missing = None

    def __init__(self, given: Given) -> None:
        self.given = given
        self.pieces: list[str] = []


class Reading(Context):
    """Jinja's context for one reader and one part, made without what mails never use."""

    def __init__(self, residual: Residual, parent: dict[str, Any], given: Given) -> None:
        self.parent = parent
        self.vars = {}
        self.environment = residual.environment
        self.eval_ctx = residual.eval_context
        self.exported_vars = set()
        self.name = None
        self.globals_keys = set()
        self.blocks = {}
        self.given = given
        self.pieces: list[str] = []
