"""What is left of a part of a mail once everything that stays the same has been written: a program for each reader.

Jinja's own compiler makes the program, so that every tag keeps its meaning and its walls. It differs in what it writes:
text that never changes stands in it as quoted-printable, and what a reader's data comes to is encoded as it is printed. The
usual expressions, such as `contact.first_name`, `| fallback("…")`, a link, our own addresses, are read without Jinja's
detours. What has to be rendered as a whole before it can be encoded (macros, `call`, `filter` and `set` blocks) is
rendered by Jinja, as a `Region` that `nurture preview --explain` names.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from nurture.rendering import quoting
from nurture.rendering.bounds import Budget, Fields, Sayings
from nurture.rendering.compiling import Urls
from nurture.rendering.environment import MailEnvironment
from nurture.rendering.looking import Looks, looks_of_a_mail
from nurture.rendering.planning import ADDRESSES, Manner, Plan, Region, Step, root_field
from nurture.rendering.reducing import reduce


class Given:
    """What the programs of a mail know of one reader, under the names by which they call it.

    By root the fields, and what they came to when they were looked at; then what is written or asked in every part.
    """

    __slots__ = (
        "address", "budgets", "context", "facts_contact", "facts_mail", "facts_owner", "facts_sender", "links", "pieces",
        "pixel", "preheader", "sayings", "seen_contact", "seen_mail", "seen_owner", "seen_sender",
        "seen_urls", "subject", "urls", "written",
    )  # fmt: skip

    def __init__(self, context: Mapping[str, Any], urls: Urls, looks: Mapping[str, Looks]) -> None:
        self.context = context
        self.urls = urls
        self.facts_contact: Mapping[str, Any] = context.get("contact") or {}
        self.facts_owner: Mapping[str, Any] = context.get("owner") or {}
        self.facts_sender: Mapping[str, Any] = context.get("sender") or {}
        self.facts_mail: Mapping[str, Any] = context.get("mail") or {}
        self.seen_contact = looks["contact"].at(self.facts_contact)
        self.seen_owner = looks["owner"].at(self.facts_owner)
        self.seen_sender = looks["sender"].at(self.facts_sender)
        self.seen_mail = looks["mail"].at(self.facts_mail)
        self.written = written = urls.written()
        self.seen_urls: Sequence[Any] = looks["urls"].at(urls) if written is None else written
        self.subject = self.preheader = ""
        self.pixel = b""
        self.links: Sequence[bytes] = ()  # as they are written in this part
        self.address: Callable[[int], object] | None = None  # of a link, as this part has it
        self.pieces: list[Any] = []  # what is written of this part
        self.sayings: dict[str, Sayings] = {}
        self.budgets: list[Budget] = []


_KNOWN = (*(name for name in Given.__slots__ if name not in {"budgets", "context", "pieces", "sayings", "written"}),)


@dataclass(frozen=True)
class Residual:
    """A part of a mail as a program, with what `--explain` tells of it."""

    program: Callable[["Reading | Given"], object]
    environment: MailEnvironment
    eval_context: EvalContext
    names: frozenset[str]  # what it asks Jinja for
    is_bare: bool  # nothing is left to Jinja
    has_addresses: bool  # it asks for the address of a link, not only for how it is written
    constant: Any  # all of it, where nothing is left to do; else None
    spent: int  # what was worked out ahead would have cost each reader
    fixed: int  # characters that are written ahead
    expressions: int  # places where something of the reader's is printed
    regions: tuple[Region, ...]


def compile_part(text: str, manner: Manner, looks: Mapping[str, Looks] | None = None) -> Residual:
    """The program for a part whose rules were checked; raises NotAhead where only the plain path will do."""
    environment = manner.environment()
    tree = environment.parse(text)
    spent = reduce(tree, environment)
    tree.set_environment(environment)
    environment.bound(tree)
    plan = Plan(manner, looks or looks_of_a_mail())
    plan.run(tree)
    _Names().visit(tree)
    generator = _Writer(environment, plan)
    generator.visit(tree)
    names: dict[str, Any] = {
        "environment": environment,
        "field": _field(environment),
        **{name: getattr(quoting, name) for name in quoting.WRITERS},
        **plan.tables,
    }
    source, used = _begun(generator.written.getvalue(), generator.kept.values())
    exec(compile(source, "<mail>", "exec"), names)  # noqa: S102  # Jinja's way to load a template
    return Residual(
        names["root"],
        environment,
        EvalContext(environment),
        frozenset(name.name for name in tree.find_all(nodes.Name)),
        "context" not in used,
        "address" in used,
        plan.constant(tree),
        spent,
        plan.fixed,
        plan.expressions,
        tuple(plan.regions),
    )


def _begun(source: str, kept: Iterable[str]) -> tuple[str, frozenset[str]]:
    """The program with its first lines, which name no more than it asks for; and what that is."""
    used = frozenset(node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    before, _, behind = source.partition(_BEGIN)
    lines = []
    if used & {"context", "resolve"}:
        used |= {"context"}
        lines += ["resolve = context.resolve_or_missing", "undefined = environment.undefined"]
        lines += ["concat = environment.concat", "cond_expr_undefined = Undefined", "given = context.given"]
    else:
        lines.append("given = context")
    lines += [f"{name} = given.{name}" for name in _KNOWN if name in used]
    lines += [f"{name} = given.pieces.{name}" for name in ("append", "extend") if name in used]
    lines.append("".join(f"{name} = " for name in kept) + "place = None")
    return before + "\n    ".join(lines) + behind, used


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


class _Names(NodeTransformer):
    """Reads the fields of the roots and our own addresses without asking Jinja for them."""

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802  # Jinja finds it by the node's name
        return self._field_of(node)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802  # Jinja finds it by the node's name
        return self._field_of(node)

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802  # Jinja finds it by the node's name
        if node.name in ADDRESSES:
            return _source(ADDRESSES[node.name], node.lineno)
        if node.name.startswith("_link") and node.name[5:].isdigit():
            return _source(f"address({node.name[5:]})", node.lineno)
        if node.name in {"_subject", "_preheader"}:
            return _source(node.name[1:], node.lineno)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802  # Jinja finds it by the node's name
        # A field that is a mapping equals nothing that a template can write, with Jinja's walls around it or not.
        if (found := root_field(node.expr)) and all(isinstance(one.expr, nodes.Const) for one in node.ops):
            node.expr = _source(f"facts_{found[0]}[{found[1]!r}]", node.lineno)
            return node
        return self.generic_visit(node)

    def visit_If(self, node: nodes.If) -> nodes.Node:  # noqa: N802  # Jinja finds it by the node's name
        if found := root_field(node.test):
            read = f"facts_{found[0]}[{found[1]!r}]"
            node.test = _source(f"({read} or {read} == {{}})", node.lineno)  # behind Jinja's walls, `{}` is not empty
        return self.generic_visit(node)

    def _field_of(self, node: nodes.Node) -> nodes.Node:
        if found := root_field(node):
            root, name = found
            return _source(f"field(facts_{root}, {root!r}, {name!r})", node.lineno)
        return self.generic_visit(node)


_BEGIN = "begin"  # stands for the first lines of a program until it is known what it asks for


class _Writer(CodeGenerator):
    """Jinja's compiler, writing what was planned into a list of pieces."""

    def __init__(self, environment: MailEnvironment, plan: Plan) -> None:
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
        self.writeline(_BEGIN)

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
