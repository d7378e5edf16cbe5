"""What a template may say, judged from its text alone and before anything runs.

`check` and `publish` ask here, so that a misspelt name, an unknown filter or a field that may be empty is found with its
line and not by the first contact it fails for. What only shows when it runs is bounded by `environment`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from jinja2 import TemplateSyntaxError, nodes

from nurture.errors import did_you_mean
from nurture.rendering.environment import html_environment
from nurture.rendering.filters import FILTERS
from nurture.rendering.links import OWN_ADDRESSES
from nurture.rendering.scanning import Kind, Masked, Place, Token
from nurture.rendering.source import Findings

#: What a mail knows by name: whom it goes to, in whose name, by whom, and which mail it is.
ROOTS = frozenset({"contact", "owner", "sender", "mail"})
KNOWN_NAMES = ROOTS | OWN_ADDRESSES | {"range", "namespace"}

#: Fields no contact is without, so they need no word to fall back on.
NEVER_EMPTY = frozenset({"id", "email", "domain", "stage", "score"})

_REFUSED: dict[type[nodes.Node], tuple[str, str]] = {
    nodes.Import: ("`import` is not for mails", "put it into a part and include that"),
    nodes.FromImport: ("`import` is not for mails", "put it into a part and include that"),
    nodes.Include: ("this include cannot be resolved", 'write {% include "parts/footer.mjml" %}'),
    nodes.Extends: ("only a whole template can extend a layout", "remove it"),
    nodes.Block: ("a block stands where no layout is", "remove it"),
    nodes.ScopedEvalContextModifier: ("`autoescape` cannot be switched", "remove it; mails always escape"),
    nodes.Pow: ("`**` is not for mails", "write the number"),
}
#: Filters that print nothing where there is nothing.
_PASSING_ON = frozenset(FILTERS) - {"fallback", "default", "d"}
_OPENERS = frozenset({"if", "for", "macro", "call", "filter", "with", "set", "autoescape"})


@dataclass
class Uses:
    """What a template takes: dotted names such as `contact.first_name`, and our own addresses it prints."""

    names: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)


def check_jinja(tokens: list[Token], findings: Findings) -> Uses:
    """Report what these tokens may not say; the answer says what they take."""
    tree = _parse(tokens, findings)
    if tree is None:
        return Uses()
    _Check(_Lines(tokens), findings).run(tree)
    return uses_of(tree)


def uses_of(tree: nodes.Template) -> Uses:
    """What a template takes. A root that is used as a whole, such as `contact[name]`, stands for all its fields."""
    uses = Uses()
    below: set[int] = set()  # names already told with their field
    chains: list[nodes.Getattr | nodes.Getitem] = [*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)]
    for node in chains:
        if isinstance(node.node, nodes.Name) and node.node.name in ROOTS:
            name = _field(node)
            if name is not None:
                uses.names.add(f"{node.node.name}.{name}")
                below.add(id(node.node))
    for name_node in tree.find_all(nodes.Name):
        if name_node.name in ROOTS and id(name_node) not in below:
            uses.names.add(name_node.name)
    for output in tree.find_all(nodes.Output):
        names = {found.name for found in output.find_all(nodes.Name)}
        uses.addresses |= names & OWN_ADDRESSES
    return uses


def _field(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None


class _Lines:
    """Finds the place of what Jinja only knows by its line in the flat text."""

    def __init__(self, tokens: list[Token]) -> None:
        self.by_line: dict[int, list[Token]] = {}
        line = 1
        for token in tokens:
            if token.kind is not Kind.TEXT:
                for each in range(line, line + token.text.count("\n") + 1):
                    self.by_line.setdefault(each, []).append(token)
            line += token.text.count("\n")
        self.last = next((token for token in reversed(tokens) if token.kind is not Kind.TEXT), None)

    def place(self, line: int, word: str = "") -> Place:
        """Where `word` stands in a tag of that line."""
        found = self.by_line.get(line) or ([self.last] if self.last else [])
        for token in found:
            if word and word in token.text:
                return token.place(token.text.index(word))
        return found[0].place() if found else ("", 1, 1)


def _parse(tokens: list[Token], findings: Findings) -> nodes.Template | None:
    is_readable = True
    for token in tokens:
        if token.kind is Kind.OUTPUT and (said := _unreadable(token.text)):
            is_readable = False
            findings.add(token.place(), "NT201", said, "mend it")
    is_readable = _check_pairs(tokens, findings) and is_readable
    if not is_readable:
        return None
    try:
        return html_environment().parse("".join(token.text for token in tokens))
    except (TemplateSyntaxError, RecursionError) as error:
        line = error.lineno if isinstance(error, TemplateSyntaxError) else 1
        findings.add(_Lines(tokens).place(line), "NT201", _said(error, ""), "mend it")
        return None


@lru_cache(maxsize=4096)  # most tags stand in a layout that many mails share
def _unreadable(output: str) -> str:
    """What Jinja says about a tag it cannot read; "" for one it can."""
    try:
        html_environment().parse(output)
    except (TemplateSyntaxError, RecursionError) as error:
        return _said(error, output)
    return ""


def _check_pairs(tokens: list[Token], findings: Findings) -> bool:
    """Whether every block of Jinja ends, and in the right order; Jinja itself only tells where the template ends."""
    found = len(findings.problems)
    open_tokens: list[Token] = []
    for token in tokens:
        word = token.word
        if word in _OPENERS and not (word == "set" and "=" in token.inner):
            open_tokens.append(token)
        elif word.startswith("end") and word.removeprefix("end") in _OPENERS:
            if open_tokens and word == f"end{open_tokens[-1].word}":
                open_tokens.pop()
                continue
            left = open_tokens[-1] if open_tokens else None
            still = f"; open is `{left.text}` from line {left.place()[1]}" if left else ""
            findings.add(token.place(), "NT105", f"`{token.text}` closes nothing{still}", "remove it, or mend its name")
            return False
    for left in open_tokens:
        findings.add(left.place(), "NT105", f"`{left.text}` is never closed", f"add {{% end{left.word} %}}")
    return len(findings.problems) == found


def _said(error: Exception, text: str) -> str:
    said = (error.message or "") if isinstance(error, TemplateSyntaxError) else "it is nested too deep"
    shown = f"`{' '.join(text.split())[:60]}`" if text else "this"
    return f"Jinja cannot read {shown}: {said[:1].lower()}{said[1:].rstrip('.')}"


class _Check:
    def __init__(self, lines: _Lines, findings: Findings) -> None:
        self.lines = lines
        self.findings = findings

    def run(self, tree: nodes.Template) -> None:
        for node in tree.find_all(nodes.Node):
            self._check_node(node)
        self._check_names(tree)
        self._check_guards(tree, frozenset())

    def _found(self, node: nodes.Node, word: str, code: str, message: str, hint: str) -> None:
        self.findings.add(self.lines.place(node.lineno, word), code, message, hint)

    def _check_node(self, node: nodes.Node) -> None:
        refused = _REFUSED.get(type(node))
        if refused:
            self._found(node, "", "NT202", *refused)
        match node:
            case nodes.Filter(name=name):
                self._check_word(node, "filter", name, FILTERS)
            case nodes.Test(name=name):
                self._check_word(node, "test", name, html_environment().tests)
            case nodes.Getattr(attr=name) if name.startswith("_"):
                self._found(node, name, "NT202", f'"{name}" is out of reach for a template', "remove it")
            case nodes.Getitem(arg=nodes.Const(value=str(name))) if name.startswith("_"):
                self._found(node, name, "NT202", f'"{name}" is out of reach for a template', "remove it")
            case nodes.For(recursive=True):
                self._found(node, "recursive", "NT202", "a loop in a mail is not recursive", "nest two loops")
            case nodes.Name(name=name, ctx="store" | "param") if name in KNOWN_NAMES or name.startswith("_"):
                self._found(node, name, "NT202", f'"{name}" cannot be set', "choose another name")

    def _check_word(self, node: nodes.Node, what: str, word: str, known: Mapping[str, object]) -> None:
        offered = sorted(name for name in known if name.isidentifier() and not name.startswith("_"))
        if word not in known or word.startswith("_"):
            hint = f"there are {', '.join(offered)}.{did_you_mean(word, offered)}"
            self._found(node, word, "NT203", f'there is no {what} "{word}"', hint)

    def _check_names(self, tree: nodes.Template) -> None:
        own = {name.name for name in tree.find_all(nodes.Name) if name.ctx in {"store", "param"}}
        own |= {macro.name for macro in tree.find_all(nodes.Macro)} | {"loop", "caller", "varargs", "kwargs"}
        told: set[str] = set()
        for name in tree.find_all(nodes.Name):
            if name.ctx == "load" and name.name not in own | KNOWN_NAMES | told:
                told.add(name.name)
                near = did_you_mean(name.name, own | KNOWN_NAMES)
                hint = f"a mail knows {', '.join(sorted(ROOTS))} and the addresses.{near}"
                self._found(name, name.name, "NT204", f'a mail knows no "{name.name}"', hint)

    def _check_guards(self, node: nodes.Node, guarded: frozenset[str]) -> None:
        """Find contact fields that are printed although a contact may have none."""
        if isinstance(node, nodes.If):
            guarded = guarded | _contact_fields(node.test)
        if isinstance(node, nodes.Output):
            for printed in node.nodes:
                for expression in _printed(printed, guarded):
                    name = expression.attr
                    message = f"contact.{name} is printed, and some contacts have none"
                    hint = f'write {{{{ contact.{name} | fallback("…") }}}}; without, they get no mail'
                    self.findings.add(
                        self.lines.place(expression.lineno, f"contact.{name}"), "NT205", message, hint, "warning"
                    )
        for child in node.iter_child_nodes():
            self._check_guards(child, guarded)


def _contact_fields(node: nodes.Node) -> frozenset[str]:
    found: Iterable[nodes.Getattr] = [*node.find_all(nodes.Getattr)]
    if isinstance(node, nodes.Getattr):
        found = [node, *found]
    return frozenset(each.attr for each in found if isinstance(each.node, nodes.Name) and each.node.name == "contact")


def _printed(node: nodes.Node, guarded: frozenset[str]) -> Iterator[nodes.Getattr]:
    """The bare contact fields that an expression prints."""
    match node:
        case nodes.Getattr(node=nodes.Name(name="contact"), attr=name):
            if name not in guarded | NEVER_EMPTY:
                yield node
        case nodes.Filter(name=name, node=inner) if inner is not None and name in _PASSING_ON:
            yield from _printed(inner, guarded)
        case nodes.Concat(nodes=parts):
            for part in parts:
                yield from _printed(part, guarded)
        case nodes.CondExpr(test=test, expr1=first, expr2=second):
            known = guarded | _contact_fields(test)
            yield from _printed(first, known)
            if second is not None:
                yield from _printed(second, known)


def is_own_address(masked_value: str, masked: Masked) -> bool:
    """Whether an href leads to one of our own pages: to leave, to choose, to view, to wish."""
    tokens = [masked.tags[word] for word in masked.word.findall(masked_value) if word in masked.tags]
    return any(token.kind is Kind.OUTPUT and _names_own_address(token.text) for token in tokens)


@lru_cache(maxsize=4096)
def _names_own_address(output: str) -> bool:
    try:
        tree = html_environment().parse(output)
    except TemplateSyntaxError:
        return False
    choices = tree.find_all((nodes.Or, nodes.And, nodes.CondExpr, nodes.Filter))
    # Where a field may stand in its place only the value tells: an address that runs code has to lead nowhere.
    return _names_one(tree) and all(_names_one(value) for choice in choices for value in _values(choice))


def _values(choice: nodes.Node) -> list[nodes.Node]:
    """What a choice is made from; of a filter such as `default`, what it is given first."""
    match choice:
        case nodes.CondExpr():
            values = [choice.expr1, choice.expr2]
        case nodes.Filter():
            values = [choice.node]
        case nodes.BinExpr():
            values = [choice.left, choice.right]
        case _:
            values = []
    return [value for value in values if value is not None]


def _names_one(node: nodes.Node) -> bool:
    names = [node] if isinstance(node, nodes.Name) else node.find_all(nodes.Name)
    return any(name.name in OWN_ADDRESSES for name in names)
