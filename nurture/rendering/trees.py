"""Jinja's trees, taken apart and written anew: what `reducing` does to a node, whatever tag it came from."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from jinja2 import nodes

_LOOP: dict[str, Callable[[int, int], int]] = {
    "index": lambda turn, _: turn + 1, "index0": lambda turn, _: turn, "first": lambda turn, _: turn == 0,
    "last": lambda turn, total: turn == total - 1, "length": lambda _, total: total,
    "revindex": lambda turn, total: total - turn, "revindex0": lambda turn, total: total - turn - 1,
}  # fmt: skip
AnyNode = TypeVar("AnyNode", bound=nodes.Node)


def join_outputs(body: Iterable[nodes.Node]) -> list[nodes.Node]:
    """The same with texts that have come to stand beside one another as one, and without what prints nothing."""
    joined: list[nodes.Node] = []
    for node in body:
        # Where nothing is set in it, it needs no scope.
        is_open = isinstance(node, nodes.Scope) and not stored_in(node.body)
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


def targets_of(node: nodes.For) -> list[nodes.Name]:
    """The names a loop gives its turns to; none where they are not plain names."""
    targets: list[nodes.Expr] = node.target.items if isinstance(node.target, nodes.Tuple) else []
    names = [one for one in targets if isinstance(one, nodes.Name)]
    if isinstance(node.target, nodes.Name):
        return [node.target]
    return names if len(names) == len(targets) else []


def is_same(node: nodes.Node) -> bool:
    names = [node] if isinstance(node, nodes.Name) else []
    names += node.find_all(nodes.Name)
    own = {name.name for name in names if name.ctx != "load"} | {"range"}
    return own.issuperset(name.name for name in names) and not any(True for _ in node.find_all(nodes.NSRef))


def stored_by(node: nodes.Node) -> Iterable[str]:
    """Every name that is given a value below a node."""
    names: list[nodes.Name] = [node] if isinstance(node, nodes.Name) else []
    found = [name.name for name in (*names, *node.find_all(nodes.Name)) if name.ctx in {"store", "param"}]
    macros = [node] if isinstance(node, nodes.Macro) else []
    found += [macro.name for macro in (*macros, *node.find_all(nodes.Macro))]
    references = [node] if isinstance(node, nodes.NSRef) else []
    return found + [reference.name for reference in (*references, *node.find_all(nodes.NSRef))]


def stored_in(body: Iterable[nodes.Node]) -> list[str]:
    return [name for node in body for name in stored_by(node)]


def copy_of(node: AnyNode) -> AnyNode:
    copied: AnyNode = object.__new__(type(node))
    copied.__dict__.update(node.__dict__)
    for name, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(copied, name, copy_of(value))
        elif isinstance(value, list):
            setattr(copied, name, [copy_of(one) if isinstance(one, nodes.Node) else one for one in value])
    return copied


def substitute(node: nodes.Node, known: Mapping[str, Any]) -> None:
    """Write constants for names, wherever nothing below gives one of them another value."""
    known = {name: value for name, value in known.items() if name not in set(stored_by(node))}
    if known:
        _write_out(node, known)


def substitute_in(child: nodes.Node, known: Mapping[str, Any], parent: nodes.Node, name: str) -> None:
    holder = nodes.List([child], lineno=1)
    substitute(holder, known)
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


def is_loop_simple(body: Iterable[nodes.Node]) -> bool:
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


def write_out_loop(node: nodes.Node, turn: int, total: int) -> None:
    for name, value in node.iter_fields(exclude=("body",) if isinstance(node, nodes.For) else None):
        if isinstance(value, list):
            value[:] = [_loop_written(one, turn, total) if isinstance(one, nodes.Node) else one for one in value]
        elif isinstance(value, nodes.Node):
            setattr(node, name, _loop_written(value, turn, total))


def _loop_written(node: nodes.Node, turn: int, total: int) -> nodes.Node:
    match node:
        case nodes.Getattr(node=nodes.Name(name="loop"), attr=attr):
            return nodes.Const(_LOOP[attr](turn, total), lineno=node.lineno)
    write_out_loop(node, turn, total)
    return node
