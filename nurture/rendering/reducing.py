"""What a template says the same to everybody, worked out before anybody reads it.

A tree of Jinja becomes another one that prints the same with less to do: what depends on no reader is printed, branches
that are always taken lose their condition, loops over constants are written out turn by turn, and a macro is put where it
is called. What is worked out here is charged as it would have been: `Reduced.spent` is taken off each reader's budget.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import has_safe_repr
from markupsafe import Markup

from nurture.rendering.bounds import CALL, STEP, Budget
from nurture.rendering.environment import MailEnvironment, run
from nurture.rendering.links import OWN_ADDRESSES
from nurture.rendering.source import RenderError
from nurture.rendering.trees import (
    copy_of,
    is_loop_simple,
    is_same,
    join_outputs,
    stored_by,
    stored_in,
    substitute,
    substitute_in,
    targets_of,
    write_out_loop,
)

_MOST_TURNS = 50
_MOST_WRITTEN = 2_000  # nodes that are written more than once
_MOST_DEEP = 5  # macros that call macros
_OF_THE_READER = {"contact", "owner", "sender", "mail"} | OWN_ADDRESSES
_FAILING = (jinja2.TemplateError, RenderError, ArithmeticError, LookupError, TypeError, ValueError)


def reduce(tree: nodes.Template, environment: MailEnvironment) -> int:
    """Reduce a tree that is not on the budget yet; the answer is what was spent on it."""
    reducing = _Reducing(environment, tree)
    tree.body = reducing.body(tree.body, {}, is_top=True)
    reducing.drop_unused(tree)
    return reducing.spent


@dataclass
class _Reducing:
    environment: MailEnvironment
    tree: nodes.Template
    spent: int = 0
    written: int = 0
    depth: int = 0
    is_repeated: bool = False  # inside a loop that stays one
    macros: dict[str, nodes.Macro] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stores = Counter(stored_by(self.tree))

    # Statements.

    def body(self, body: Sequence[nodes.Node], known: Mapping[str, Any], *, is_top: bool = False) -> list[nodes.Node]:
        """What is left of these statements where these names stand for constants."""
        known = dict(known)
        left: list[nodes.Node] = []
        for node in body:
            match node:
                case nodes.Output():
                    left += self._output(node, known)
                case nodes.If():
                    left += self._if(node, known)
                case nodes.For():
                    left += self._for(node, known)
                case nodes.With():
                    left += self._with(node, known)
                case nodes.Scope():
                    left.append(nodes.Scope(self.body(node.body, known), lineno=node.lineno))
                case _:
                    substitute(node, known)
                    left.append(self._set(node, known) if is_top else node)
        return join_outputs(left)

    def _set(self, node: nodes.Node, known: dict[str, Any]) -> nodes.Node:
        """A statement that may give a name to something for the rest of the template."""
        match node:
            case nodes.Macro(name=name) if self.stores[name] == 1:
                self.macros[name] = node
            case nodes.Assign(target=nodes.Name(name=name)) if self.stores[name] == 1:
                is_constant, value = self._value(node.node)
                if is_constant:
                    known[name] = value
                    return nodes.Assign(node.target, nodes.Const(value), lineno=node.lineno)
            case nodes.AssignBlock(target=nodes.Name(name=name), filter=None) if self.stores[name] == 1:
                text = self._rendered(nodes.Scope([copy_of(one) for one in node.body])) if is_same(node) else None
                if text is not None:
                    # Escaped as it was rendered.
                    known[name] = Markup(text) if self.environment.autoescape else text  # noqa: S704
                    return nodes.Assign(node.target, nodes.Const(known[name]), lineno=node.lineno)
            case nodes.FilterBlock(filter=nodes.Filter(name=name)) if not name.startswith("_") and is_same(node):
                text = self._rendered(copy_of(node))
                if text is not None:
                    return nodes.Output([nodes.TemplateData(text)], lineno=node.lineno)
        return node

    def _output(self, node: nodes.Output, known: Mapping[str, Any]) -> list[nodes.Node]:
        substitute(node, known)
        done: list[nodes.Node] = []
        printed: list[nodes.Expr] = []
        for child in node.nodes:
            if (called := self._called(child)) is not None:
                done += [nodes.Output(printed, lineno=node.lineno), *called]
                printed = []
            else:
                printed.append(self._printed(child))
        return [*done, nodes.Output(printed, lineno=node.lineno)]

    def _printed(self, child: nodes.Expr) -> nodes.Expr:
        """The text an expression comes to for everybody, else the expression."""
        if isinstance(child, nodes.TemplateData) or not is_same(child):
            return child
        text = self._rendered(nodes.Output([copy_of(child)], lineno=1))
        return child if text is None else nodes.TemplateData(text, lineno=child.lineno)

    def _rendered(self, node: nodes.Node) -> str | None:
        """What something comes to for everybody; None if it fails for everybody, and the plain path says how."""
        try:
            text = run(self._prepared(nodes.Template([node], lineno=1)), {})
        except _FAILING:
            return None
        return None if "\r" in text else text

    def _if(self, node: nodes.If, known: Mapping[str, Any]) -> list[nodes.Node]:
        branches: list[nodes.If] = []
        otherwise = node.else_
        for branch in (node, *node.elif_):
            substitute_in(branch.test, known, branch, "test")
            is_constant, value = self._value(branch.test)
            if not is_constant:
                branches.append(branch)
            elif value:
                otherwise = branch.body
                break
        otherwise = self.body(otherwise, known)
        if not branches:
            return otherwise
        for branch in branches:
            branch.body, branch.elif_, branch.else_ = self.body(branch.body, known), [], []
        branches[0].elif_, branches[0].else_ = branches[1:], otherwise
        return [branches[0]]

    def _for(self, node: nodes.For, known: Mapping[str, Any]) -> list[nodes.Node]:
        substitute_in(node.iter, known, node, "iter")
        turns = self._turns(node)
        inner = {name: value for name, value in known.items() if name not in stored_by(node.target)}
        if turns is None:
            was, self.is_repeated = self.is_repeated, True
            if node.test is not None:
                substitute_in(node.test, inner, node, "test")
            node.body, node.else_ = self.body(node.body, inner), self.body(node.else_, known)
            self.is_repeated = was
            return [node]
        if not turns:
            return [nodes.Scope(self.body(node.else_, known), lineno=node.lineno)]
        texts = sum(len(text.data) for text in node.find_all(nodes.TemplateData))
        self.spent += len(turns) * (STEP + texts)
        written: list[nodes.Node] = []
        names = [name.name for name in targets_of(node)]
        for turn, item in enumerate(turns):
            values = [item] if isinstance(node.target, nodes.Name) else list(item)
            body = [copy_of(one) for one in node.body]
            for one in body:
                write_out_loop(one, turn, len(turns))
            written.append(nodes.Scope(self.body(body, {**known, **dict(zip(names, values, strict=True))})))
        return written

    def _turns(self, node: nodes.For) -> list[Any] | None:
        """What a loop goes over, if everybody's does and it can be written out."""
        targets = targets_of(node)
        if node.test is not None or node.recursive or not targets:
            return None
        if {name.name for name in targets} & set(stored_in(node.body)) or not is_loop_simple(node.body):
            return None
        is_constant, value = self._value(node.iter)
        if not is_constant or not isinstance(value, list | tuple | range | str | dict):
            return None
        turns = list(value)
        if isinstance(node.target, nodes.Tuple) and not all(
            isinstance(one, list | tuple) and len(one) == len(targets) for one in turns
        ):
            return None
        size = len(turns) * sum(1 for one in node.body for _ in one.find_all(nodes.Node))
        if len(turns) > _MOST_TURNS or self.written + size > _MOST_WRITTEN or not all(map(has_safe_repr, turns)):
            return None
        self.written += size
        return turns

    def _with(self, node: nodes.With, known: Mapping[str, Any]) -> list[nodes.Node]:
        inner, left = dict(known), list[tuple[nodes.Expr, nodes.Expr]]()
        assigned = set(stored_in(node.body))
        holder = nodes.List(node.values, lineno=node.lineno)
        substitute(holder, known)
        for target, value in zip(node.targets, holder.items, strict=True):
            is_constant, constant = self._value(value)
            for name in stored_by(target):
                inner.pop(name, None)
            if is_constant and isinstance(target, nodes.Name) and target.name not in assigned:
                inner[target.name] = constant
            else:
                left.append((target, value))
        body = self.body(node.body, inner)
        if not left:
            return [nodes.Scope(body, lineno=node.lineno)]
        node.targets, node.values, node.body = [one for one, _ in left], [one for _, one in left], body
        return [node]

    # Macros.

    def _called(self, child: nodes.Expr) -> list[nodes.Node] | None:
        """A macro's body in place of its call."""
        match child:
            case nodes.Call(node=nodes.Name(name=name), dyn_args=None, dyn_kwargs=None) if name in self.macros:
                macro = self.macros[name]
            case _:
                return None
        given = self._arguments(macro, child)
        size = sum(1 for _ in macro.find_all(nodes.Node))
        is_fit = self.depth < _MOST_DEEP and not self.is_repeated and self.written + size <= _MOST_WRITTEN
        if given is None or not is_fit or not self._stands_alone(macro):
            return None
        self.written += size
        self.spent += CALL + STEP + sum(len(text.data) for text in macro.find_all(nodes.TemplateData))
        targets: list[nodes.Expr] = [nodes.Name(name, "param", lineno=child.lineno) for name in given]
        body = [copy_of(one) for one in macro.body]
        self.depth += 1
        inlined = self._with(nodes.With(targets, list(given.values()), body, lineno=child.lineno), {})
        self.depth -= 1
        return inlined

    def _arguments(self, macro: nodes.Macro, call: nodes.Call) -> dict[str, nodes.Expr] | None:
        names = [arg.name for arg in macro.args]
        defaults = dict(zip(reversed(names), reversed(macro.defaults), strict=False))
        given = dict(zip(names, call.args, strict=False)) | {one.key: one.value for one in call.kwargs}
        if len(call.args) > len(names) or given.keys() - set(names) or len(given) < len(call.args) + len(call.kwargs):
            return None
        for name in names:
            if name not in given:
                if not isinstance(defaults.get(name), nodes.Const):
                    return None
                given[name] = copy_of(defaults[name])
        return {name: given[name] for name in names}

    def _stands_alone(self, macro: nodes.Macro) -> bool:
        """Whether its body means the same wherever it stands."""
        stored = Counter(stored_in(macro.body))
        if any(self.stores[name] != count for name, count in stored.items()):
            return False  # elsewhere it may have another value
        own = {arg.name for arg in macro.args} | stored.keys()
        loops = {"loop"} if any(True for _ in macro.find_all(nodes.For)) else set()
        known = own | _OF_THE_READER | self.macros.keys() | loops | {"range"}
        return all(
            name.name in known or name.name.startswith("_link") for name in macro.find_all(nodes.Name)
        ) and not any(True for _ in macro.find_all((nodes.CallBlock, nodes.NSRef)))

    # Constants.

    def _value(self, node: nodes.Node) -> tuple[bool, Any]:
        """Whether an expression is the same for everybody, and what it is."""
        if isinstance(node, nodes.Const):
            return True, node.value
        if not isinstance(node, nodes.Expr) or not is_same(node):
            return False, None
        result = nodes.Name("result", "store", lineno=node.lineno)
        try:
            template = self._prepared(nodes.Template([nodes.Assign(result, copy_of(node), lineno=1)], lineno=1))
            context = template.new_context({"_budget": Budget()})
            list(template.root_render_func(context))
        except _FAILING:
            return False, None
        value = context.vars["result"]
        value = list(value) if isinstance(value, range) else value
        return has_safe_repr(value), value

    def _prepared(self, template: nodes.Template) -> jinja2.Template:
        template.set_environment(self.environment)
        return self.environment.prepare_tree(template)

    # What nothing asks for any more.

    def drop_unused(self, tree: nodes.Template) -> None:
        """Leave out macros and constants that have been written out everywhere."""
        while True:
            asked = Counter(name.name for name in tree.find_all(nodes.Name) if name.ctx == "load")
            kept = [node for node in tree.body if not self._is_unused(node, asked)]
            if len(kept) == len(tree.body):
                break
            tree.body = kept  # what a macro asked for may not be asked for any more
        tree.body = join_outputs(kept)

    def _is_unused(self, node: nodes.Node, asked: Mapping[str, int]) -> bool:
        match node:
            case nodes.Macro(name=name) if name in self.macros:
                return not asked[name]
            case nodes.Assign(target=nodes.Name(name=name), node=nodes.Const()):
                return not asked[name]
        return False
