"""Names that only ever stand for a constant are written out when a mail is loaded.

`{% set accent_color = "#1f5fa8" %}` in a layout and `{% with url = "https://…" %}` around a part are how templates share a
color or hand a part its link. Writing them out lets MJML compute with real widths and lets `check` see real links;
nothing is left of them at render time. What depends on a condition, a loop or a contact is left to Jinja.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, nodes
from markupsafe import escape

from nurture.rendering.rules import KNOWN_NAMES
from nurture.rendering.scanning import Kind, Token

_GRAMMAR = Environment(autoescape=True)  # reads only; nothing is ever rendered with it
_NAME = re.compile(r"[A-Za-z]\w*$")
_OPENS = {"if", "for", "macro", "call", "filter", "with", "set", "autoescape"}
_ENDS = {f"end{word}": word for word in _OPENS}
_RUN_ELSEWHERE = {"macro", "call"}  # their body runs where they are called, not where it stands


def fold_constants(tokens: Sequence[Token]) -> list[Token]:
    """The same tokens with constant names written out, and their `set` left out when nothing else asks for them."""
    unsure = _unsure_names(tokens)
    scopes: list[tuple[str, dict[str, str]]] = [("", {})]
    folded: list[Token] = []
    for token in tokens:
        word = token.word
        if word in _ENDS and scopes[-1][0] == _ENDS[word]:
            scopes.pop()
        for name, value in _constants(token).items():
            if word == "set" and name not in unsure:
                scopes[-1][1][name] = value
        if word in _OPENS and not _is_inline_set(token):
            known = {name: value for name, value in _constants(token).items() if name not in unsure}
            scopes.append((word, known if word == "with" else {}))
        folded.append(_written_out(token, scopes))
    return _without_unused_sets(folded)


def _written_out(token: Token, scopes: Sequence[tuple[str, dict[str, str]]]) -> Token:
    """`{{ name }}` as the constant it stands for here; anything else as it is."""
    if token.kind is not Kind.OUTPUT or token.trims_before or token.trims_after or not _NAME.match(token.inner):
        return token
    if any(word in _RUN_ELSEWHERE for word, _ in scopes):
        return token
    value = next((known[token.inner] for _, known in reversed(scopes) if token.inner in known), None)
    return token if value is None else Token(Kind.TEXT, value, token.original, token.offset, is_made=True)


def _is_inline_set(token: Token) -> bool:
    return token.word == "set" and "=" in token.inner


def _constants(token: Token) -> dict[str, str]:
    """What a `set` or `with` gives a constant to, as it will look in the mail."""
    found: dict[str, str] = {}
    if token.word not in {"set", "with"}:
        return found
    match _parsed(token):
        case nodes.Assign(target=nodes.Name(name=name), node=nodes.Const(value=value)):
            pairs: Iterable[tuple[str, object]] = [(name, value)]
        case nodes.With(targets=targets, values=values):
            pairs = [
                (target.name, value.value)
                for target, value in zip(targets, values, strict=True)
                if isinstance(target, nodes.Name) and isinstance(value, nodes.Const)
            ]
        case _:
            return found
    for name, value in pairs:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            found[name] = str(escape(str(value)))
    return found


def _unsure_names(tokens: Sequence[Token]) -> set[str]:
    """Names that are also set to something else, or only sometimes."""
    unsure = set(KNOWN_NAMES)
    open_words: list[str] = []
    for token in tokens:
        word = token.word
        if word in _ENDS and open_words and open_words[-1] == _ENDS[word]:
            open_words.pop()
        assigned = _assigned(token)
        if word in {"set", "with"}:
            is_certain = not open_words or open_words[-1] == "with" or word == "with"
            unsure |= assigned - _constants(token).keys() if is_certain else assigned
        else:
            unsure |= assigned
        if word in _OPENS and not _is_inline_set(token):
            open_words.append(word)
    return unsure


def _assigned(token: Token) -> set[str]:
    """Every name this tag gives a value to."""
    tree = _parsed(token)
    if tree is None:
        return set()
    names = {name.name for name in tree.find_all(nodes.Name) if name.ctx in {"store", "param"}}
    own = [tree.name] if isinstance(tree, nodes.Macro) else []
    references = {reference.name for reference in tree.find_all(nodes.NSRef)}
    return names | references | set(own)


def _parsed(token: Token) -> nodes.Node | None:
    """The tag as Jinja understands it, read on its own."""
    if token.word not in _OPENS:
        return None
    return _parse(token.text + ("" if _is_inline_set(token) else f"{{% end{token.word} %}}"))


@lru_cache(maxsize=1_000)  # the same few tags of a layout are asked about again and again
def _parse(text: str) -> nodes.Node | None:
    try:
        body = _GRAMMAR.parse(text).body
    except TemplateSyntaxError:
        return None  # said where the whole template is read
    return body[0] if body else None


def _without_unused_sets(tokens: Sequence[Token]) -> list[Token]:
    asked = " ".join(token.text for token in tokens if token.kind is not Kind.TEXT and not _is_constant_set(token))
    words = KNOWN_NAMES | set(re.findall(r"\w+", asked))  # one that may not be set at all stays, to be reported
    return [token for token in tokens if not (_is_constant_set(token) and _constants(token).keys().isdisjoint(words))]


def _is_constant_set(token: Token) -> bool:
    return _is_inline_set(token) and bool(_constants(token))
