"""What a template says the same to everybody, worked out before anybody reads it.

A tree of Jinja becomes another one that prints the same with less to do: what depends on no reader is printed, branches
that are always taken lose their condition, loops over constants are written out turn by turn, and a macro is put where it
is called. What is worked out here is charged as it would have been: `Reduced.spent` is taken off each reader's budget.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jinja2
from jinja2 import nodes
from jinja2.compiler import has_safe_repr
from markupsafe import Markup

from nurture.rendering.bounds import CALL, STEP, Budget
from nurture.rendering.environment import MailEnvironment, run
from nurture.rendering.links import OWN_ADDRESSES
from nurture.rendering.source import RenderError

_MOST_TURNS = 50
_MOST_WRITTEN = 2_000  # nodes that are written more than once
_MOST_DEEP = 5  # macros that call macros
_OF_THE_READER = {"contact", "owner", "sender", "mail"} | OWN_ADDRESSES
_LOOP: dict[str, Callable[[int, int], int]] = {
    "index": lambda turn, _: turn + 1, "index0": lambda turn, _: turn, "first": lambda turn, _: turn == 0,
    "last": lambda turn, total: turn == total - 1, "length": lambda _, total: total,
    "revindex": lambda turn, total: total - turn, "revindex0": lambda turn, total: total - turn - 1,
}  # fmt: skip
_FAILING = (jinja2.TemplateError, RenderError, ArithmeticError, LookupError, TypeError, ValueError)
AnyNode = TypeVar("AnyNode", bound=nodes.Node)


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
        self.stores = Counter(_stored(self.tree))

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
                    _substitute(node, known)
                    left.append(self._set(node, known) if is_top else node)
        return _joined(left)

    def _set(self, node: nodes.Node, known: dict[str, Any]) -> nodes.Node:
        """A statement that may give a name to something for the rest of the template."""
        match node:
            case nodes.Macro(name=name) if self.stores[name] == 1:
                self.macros[name] = node
            case nodes.Assign(target=nodes.Name(name=name)) if self.stores[name] == 1:
                is_constant, value = self._value(node.node)
                if is_constant:
                    known[name] = value
            case nodes.AssignBlock(target=nodes.Name(name=name), filter=None) if self.stores[name] == 1:
                text = self._rendered(nodes.Scope([_copied(one) for one in node.body])) if _is_constant(node) else None
                if text is not None:
                    # Escaped as it was rendered.
                    known[name] = Markup(text) if self.environment.autoescape else text  # noqa: S704
                    return nodes.Assign(node.target, nodes.Const(known[name]), lineno=node.lineno)
            case nodes.FilterBlock(filter=nodes.Filter(name=name)) if not name.startswith("_") and _is_constant(node):
                text = self._rendered(_copied(node))
                if text is not None:
                    return nodes.Output([nodes.TemplateData(text)], lineno=node.lineno)
        return node

    def _output(self, node: nodes.Output, known: Mapping[str, Any]) -> list[nodes.Node]:
        _substitute(node, known)
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
        if isinstance(child, nodes.TemplateData) or not _is_constant(child):
            return child
        text = self._rendered(nodes.Output([_copied(child)], lineno=1))
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
            _substitute_in(branch.test, known, branch, "test")
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
        _substitute_in(node.iter, known, node, "iter")
        turns = self._turns(node)
        inner = {name: value for name, value in known.items() if name not in _stored(node.target)}
        if turns is None:
            was, self.is_repeated = self.is_repeated, True
            if node.test is not None:
                _substitute_in(node.test, inner, node, "test")
            node.body, node.else_ = self.body(node.body, inner), self.body(node.else_, known)
            self.is_repeated = was
            return [node]
        if not turns:
            return [nodes.Scope(self.body(node.else_, known), lineno=node.lineno)]
        texts = sum(len(text.data) for text in node.find_all(nodes.TemplateData))
        self.spent += len(turns) * (STEP + texts)
        written: list[nodes.Node] = []
        names = [name.name for name in _targets(node)]
        for turn, item in enumerate(turns):
            values = [item] if isinstance(node.target, nodes.Name) else list(item)
            body = [_copied(one) for one in node.body]
            for one in body:
                _write_out_loop(one, turn, len(turns))
            written.append(nodes.Scope(self.body(body, {**known, **dict(zip(names, values, strict=True))})))
        return written

    def _turns(self, node: nodes.For) -> list[Any] | None:
        """What a loop goes over, if everybody's does and it can be written out."""
        targets = _targets(node)
        if node.test is not None or node.recursive or not targets:
            return None
        if {name.name for name in targets} & set(_stored_in(node.body)) or not _is_loop_simple(node.body):
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
        assigned = set(_stored_in(node.body))
        holder = nodes.List(node.values, lineno=node.lineno)
        _substitute(holder, known)
        for target, value in zip(node.targets, holder.items, strict=True):
            is_constant, constant = self._value(value)
            for name in _stored(target):
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
        body = [_copied(one) for one in macro.body]
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
                given[name] = _copied(defaults[name])
        return {name: given[name] for name in names}

    def _stands_alone(self, macro: nodes.Macro) -> bool:
        """Whether its body means the same wherever it stands."""
        stored = Counter(_stored_in(macro.body))
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
        if not isinstance(node, nodes.Expr) or not _is_constant(node):
            return False, None
        result = nodes.Name("result", "store", lineno=node.lineno)
        try:
            template = self._prepared(nodes.Template([nodes.Assign(result, _copied(node), lineno=1)], lineno=1))
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
        asked = Counter(name.name for name in tree.find_all(nodes.Name) if name.ctx == "load")
        kept: list[nodes.Node] = []
        for node in tree.body:
            match node:
                case nodes.Macro(name=name) if name in self.macros:
                    within = sum(1 for one in node.find_all(nodes.Name) if one.name == name and one.ctx == "load")
                    if asked[name] > within:
                        kept.append(node)
                case nodes.Assign(target=nodes.Name(name=name), node=nodes.Const()) if not asked[name]:
                    pass
                case _:
                    kept.append(node)
        tree.body = _joined(kept)


def _joined(body: Iterable[nodes.Node]) -> list[nodes.Node]:
    """The same with texts that have come to stand beside one another as one, and without what prints nothing."""
    joined: list[nodes.Node] = []
    for node in body:
        # Where nothing is set in it, it needs no scope.
        is_open = isinstance(node, nodes.Scope) and not _stored_in(node.body)
        for part in node.body if isinstance(node, nodes.Scope) and is_open else [node]:
            if isinstance(part, nodes.Output):
                before = joined[-1] if joined else None
                if isinstance(before, nodes.Output):
                    joined.pop()
                    part.nodes = [*before.nodes, *part.nodes]
                part.nodes = _joined_texts(part.nodes)
            if not isinstance(part, nodes.Output) or part.nodes:
                joined.append(part)
    return joined


def _joined_texts(children: Iterable[nodes.Expr]) -> list[nodes.Expr]:
    joined: list[nodes.Expr] = []
    for child in children:
        if isinstance(child, nodes.TemplateData) and joined and isinstance(joined[-1], nodes.TemplateData):
            joined[-1] = nodes.TemplateData(joined[-1].data + child.data, lineno=joined[-1].lineno)
        elif not isinstance(child, nodes.TemplateData) or child.data:
            joined.append(child)
    return joined


def _targets(node: nodes.For) -> list[nodes.Name]:
    """The names a loop gives its turns to; none where they are not plain names."""
    targets: list[nodes.Expr] = node.target.items if isinstance(node.target, nodes.Tuple) else []
    names = [one for one in targets if isinstance(one, nodes.Name)]
    if isinstance(node.target, nodes.Name):
        return [node.target]
    return names if len(names) == len(targets) else []


def _is_constant(node: nodes.Node) -> bool:
    names = [node] if isinstance(node, nodes.Name) else []
    names += node.find_all(nodes.Name)
    own = {name.name for name in names if name.ctx != "load"} | {"range"}
    return own.issuperset(name.name for name in names) and not any(True for _ in node.find_all(nodes.NSRef))


def _stored(node: nodes.Node) -> Iterable[str]:
    """Every name that is given a value below a node."""
    names: list[nodes.Name] = [node] if isinstance(node, nodes.Name) else []
    found = [name.name for name in (*names, *node.find_all(nodes.Name)) if name.ctx in {"store", "param"}]
    macros = [node] if isinstance(node, nodes.Macro) else []
    found += [macro.name for macro in (*macros, *node.find_all(nodes.Macro))]
    references = [node] if isinstance(node, nodes.NSRef) else []
    return found + [reference.name for reference in (*references, *node.find_all(nodes.NSRef))]


def _stored_in(body: Iterable[nodes.Node]) -> list[str]:
    return [name for node in body for name in _stored(node)]


def _copied(node: AnyNode) -> AnyNode:
    copied: AnyNode = object.__new__(type(node))
    copied.__dict__.update(node.__dict__)
    for name, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(copied, name, _copied(value))
        elif isinstance(value, list):
            setattr(copied, name, [_copied(one) if isinstance(one, nodes.Node) else one for one in value])
    return copied


def _substitute(node: nodes.Node, known: Mapping[str, Any]) -> None:
    """Write constants for names, wherever nothing below gives one of them another value."""
    known = {name: value for name, value in known.items() if name not in set(_stored(node))}
    if known:
        _write_out(node, known)


def _substitute_in(child: nodes.Node, known: Mapping[str, Any], parent: nodes.Node, name: str) -> None:
    holder = nodes.List([child], lineno=1)
    _substitute(holder, known)
    setattr(parent, name, holder.items[0])


def _write_out(node: nodes.Node, known: Mapping[str, Any]) -> None:
    for name, value in node.iter_fields():
        if isinstance(value, list):
            value[:] = [_written(one, known) if isinstance(one, nodes.Node) else one for one in value]
        elif isinstance(value, nodes.Node):
            setattr(node, name, _written(value, known))


def _written(node: nodes.Node, known: Mapping[str, Any]) -> nodes.Node:
    if isinstance(node, nodes.Name) and node.ctx == "load" and node.name in known:
        return nodes.Const(known[node.name], lineno=node.lineno)
    _write_out(node, known)
    return node


def _is_loop_simple(body: Iterable[nodes.Node]) -> bool:
    """Whether `loop` is only asked for what is known ahead."""
    for node in body:
        for child in _outside_loops(node):
            if isinstance(child, nodes.Getattr) and isinstance(child.node, nodes.Name) and child.node.name == "loop":
                if child.attr not in _LOOP:
                    return False
            elif any(isinstance(one, nodes.Name) and one.name == "loop" for one in child.iter_child_nodes()):
                return False
    return True


def _outside_loops(node: nodes.Node) -> Iterable[nodes.Node]:
    """A node and what is below it, without the bodies of further loops, which have a `loop` of their own."""
    yield node
    exclude = ("body",) if isinstance(node, nodes.For) else None
    for child in node.iter_child_nodes(exclude=exclude):
        yield from _outside_loops(child)


def _write_out_loop(node: nodes.Node, turn: int, total: int) -> None:
    for name, value in node.iter_fields(exclude=("body",) if isinstance(node, nodes.For) else None):
        if isinstance(value, list):
            value[:] = [_loop_written(one, turn, total) if isinstance(one, nodes.Node) else one for one in value]
        elif isinstance(value, nodes.Node):
            setattr(node, name, _loop_written(value, turn, total))


def _loop_written(node: nodes.Node, turn: int, total: int) -> nodes.Node:
    match node:
        case nodes.Getattr(node=nodes.Name(name="loop"), attr=attr):
            return nodes.Const(_LOOP[attr](turn, total), lineno=node.lineno)
    _write_out_loop(node, turn, total)
    return node
