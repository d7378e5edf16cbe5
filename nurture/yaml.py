"""YAML as our files are written in it: version 1.2, plain values only, nothing that builds objects or never ends."""

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

#: More than any file of ours needs; nine aliases of nine aliases of nine … are billions.
MOST_NODES = 100_000


def plain_yaml() -> YAML:
    """A reader for one document; the standard lets an anchor be used again, so that is nothing to warn of."""
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    return yaml


def check_aliases(root: Node) -> None:
    """Refuse a document that contains itself, or that aliases make too large; raises MarkedYAMLError."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(node: Node) -> int:
        if id(node) in open_:
            raise MarkedYAMLError(problem="an alias stands inside what it stands for", problem_mark=node.start_mark)
        if id(node) not in sizes:
            open_.add(id(node))
            sizes[id(node)] = 1 + sum(map(size, _inside(node)))
            open_.remove(id(node))
            if sizes[id(node)] > MOST_NODES:
                problem = f"with its aliases this has more than {MOST_NODES:,} values"
                raise MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return sizes[id(node)]

    size(root)


def find_unreadable(yaml: YAML, root: Node) -> Node | None:
    """The value that no plain value can be made of, such as the 30th of February."""
    if isinstance(root, ScalarNode):
        try:
            yaml.constructor.construct_document(root)
        except ValueError:
            return root
        return None
    return next((found for node in _inside(root) if (found := find_unreadable(yaml, node)) is not None), None)


def _inside(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [one for pair in node.value for one in pair]
    return list(node.value) if isinstance(node, CollectionNode) else []
