"""A YAML document as JSON and back, with the place of every node: reading it again takes a tenth of parsing it.

What comes back is what ruamel's composer makes, so that the data and every complaint about it are the same. Pure.
"""

from functools import lru_cache
from typing import Any

from ruamel.yaml.error import FileMark
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.tag import Tag


def to_json(root: Node) -> list[Any] | None:
    """The document; None when it repeats itself by an alias, which nobody needs often enough to keep."""
    seen: set[int] = set()
    written = _written(root, seen)
    return written if len(seen) == _count(written) else None


def from_json(written: list[Any]) -> Node:
    """The document again."""
    name, value, style, (line, column, end_line, end_column) = written
    tag = _tag(name)
    begins, ends = FileMark("", 0, line, column), FileMark("", 0, end_line, end_column)
    if isinstance(value, str):
        return ScalarNode(tag, value, begins, ends, style=style)
    if isinstance(value, dict):
        pairs = [(from_json(key), from_json(one)) for key, one in value["pairs"]]
        return MappingNode(tag, pairs, begins, ends, flow_style=style)
    return SequenceNode(tag, [from_json(one) for one in value], begins, ends, flow_style=style)


@lru_cache(maxsize=100)
def _tag(name: str) -> Tag:
    return Tag(suffix=name)


def _written(node: Any, seen: set[int]) -> list[Any]:
    seen.add(id(node))
    begins, ends = node.start_mark, node.end_mark
    marks = [begins.line, begins.column, ends.line, ends.column]
    value = node.value
    if isinstance(node, MappingNode):
        value = {"pairs": [[_written(key, seen), _written(one, seen)] for key, one in node.value]}
    elif isinstance(node, SequenceNode):
        value = [_written(one, seen) for one in node.value]
    style = node.style if isinstance(node, ScalarNode) else node.flow_style
    return [str(node.tag), value, style, marks]


def _count(written: list[Any]) -> int:
    value = written[1]
    if isinstance(value, str):
        return 1
    inside = [one for pair in value["pairs"] for one in pair] if isinstance(value, dict) else value
    return 1 + sum(map(_count, inside))
