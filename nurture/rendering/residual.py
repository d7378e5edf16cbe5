"""What is left of a part of a mail once everything that stays the same has been written: a program for each reader.

Jinja's own compiler makes the program, so that every tag keeps its meaning and its walls. It differs in what it writes:
text that never changes stands in it as quoted-printable, and what a reader's data comes to is encoded as it is printed. The
usual expressions, such as `contact.first_name`, `| fallback("…")`, a link, our own addresses, are read without Jinja's
detours. What has to be rendered as a whole before it can be encoded (macros, `call`, `filter` and `set` blocks) is
rendered by Jinja, as a `Region` that `nurture preview --explain` names.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, TypeAlias

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from nurture.rendering import quoting
from nurture.rendering.bounds import Fields
from nurture.rendering.environment import MailEnvironment
from nurture.rendering.planning import ADDRESSES, Manner, Plan, Region, Step, root_field
from nurture.rendering.reducing import reduce

Given: TypeAlias = tuple[
    Mapping[str, Any], Mapping[str, Any], Mapping[str, Any], Mapping[str, Any],
    Sequence[str], Callable[[int], object] | None, Any, str, str, str,
]  # fmt: skip

#: What a program is given of a reader, in this order: fields by root, links as they are written, everything else as it is.
_GIVEN = ("facts_contact", "facts_owner", "facts_sender", "facts_mail", "links", "address", "urls", "subject",
          "preheader", "pixel")  # fmt: skip


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


def compile_part(text: str, manner: Manner) -> Residual:
    """The program for a part whose rules were checked; raises NotAhead where only the plain path will do."""
    environment = manner.environment()
    tree = environment.parse(text)
    spent = reduce(tree, environment)
    tree.set_environment(environment)
    environment.bound(tree)
    plan = Plan(manner)
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


_BEGIN = "place = None"


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
