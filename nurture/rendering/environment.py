"""Jinja as mails may use it: strict, walled in, and unable to run for long.

Templates are written by colleagues and filled with what strangers typed into forms. Jinja's sandbox keeps both away from
code; it does not keep `'a' * 10**9` away from memory, so every way to make something large is bounded here: each render
has a budget, values have a size, `range` has an end. HTML escapes everything it prints and there is no way to switch
that off; the text part and the subject print plainly. A name that does not exist is an error, and so is printing None.
"""

from collections.abc import Mapping
from functools import cache
from types import BuiltinMethodType, MethodType
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from markupsafe import Markup

from nurture.errors import did_you_mean
from nurture.rendering.bounds import (
    CALL,
    MAX_NUMBER,
    MAX_OUTPUT,
    Budget,
    Fields,
    Sayings,
    bounded_range,
    budget_of,
    check_size,
    size_of,
)
from nurture.rendering.filters import FILTERS, INTERNAL_FILTERS, printed

_STR_METHODS = frozenset({
    "capitalize", "casefold", "count", "endswith", "find", "isalnum", "isalpha", "isdigit", "islower", "isupper",
    "lower", "lstrip", "partition", "removeprefix", "removesuffix", "rpartition", "rsplit", "rstrip", "split",
    "splitlines", "startswith", "strip", "swapcase", "title", "upper",
})  # fmt: skip
_METHODS: Mapping[type, frozenset[str]] = {
    str: _STR_METHODS,
    Markup: _STR_METHODS,
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "index"}),
}
_TESTS_ABOUT_CODE = frozenset({"callable", "filter", "test"})


class MailEnvironment(ImmutableSandboxedEnvironment):
    """One for HTML, which escapes, and one for plain text, which does not."""

    intercepted_binops = frozenset({"+", "-", "*", "**", "%"})

    def __init__(self, *, is_html: bool) -> None:
        super().__init__(
            autoescape=is_html, undefined=jinja2.StrictUndefined, finalize=printed, extensions=(), cache_size=0
        )
        self.filters = {**FILTERS, **INTERNAL_FILTERS}
        self.tests = {name: self.tests[name] for name in sorted(self.tests.keys() - _TESTS_ABOUT_CODE)}
        self.globals = {"range": bounded_range, "namespace": Namespace}

    def prepare(self, text: str) -> jinja2.Template:
        """Compile a text whose rules were checked."""
        return self.prepare_tree(self.parse(text))

    def prepare_tree(self, tree: nodes.Template) -> jinja2.Template:
        """Compile a tree; loops and joins are put on the budget first."""
        self.bound(tree)
        return jinja2.Template.from_code(self, self.compile(tree), dict(self.globals))

    def bound(self, tree: nodes.Template) -> None:
        """Put every loop of a tree on the render's budget, and every `~` under the limit for a value."""
        _bound(tree, self)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is Fields:
            return self._field(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if type(obj) is Fields:
            return self._field(obj, argument)
        return super().getitem(obj, argument)

    def _field(self, fields: Fields, name: Any) -> Any:
        try:
            value = fields.fields[name]
        except (KeyError, TypeError):
            message = f'{fields.name} has no field "{name}".{did_you_mean(str(name), fields.fields)}'
            return self.undefined(message, name=str(name))
        return Fields(f"{fields.name}.{name}", value) if isinstance(value, Mapping) else value

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if not super().is_safe_attribute(obj, attr, value):
            return False
        return not callable(value) or self.is_safe_callable(value)

    def is_safe_callable(self, obj: Any) -> bool:
        if isinstance(obj, Macro | Sayings | LoopContext) or obj is Namespace or obj is bounded_range:
            return True
        if isinstance(obj, MethodType | BuiltinMethodType):
            owner = obj.__self__
            if isinstance(owner, LoopContext):
                return obj.__name__ in {"cycle", "changed"}
            return obj.__name__ in _METHODS.get(type(owner), ())
        return False

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        if isinstance(obj, jinja2.Undefined):
            str(obj)  # raises, and says which name it is
        budget_of(context).spend(CALL + size_of(getattr(obj, "__self__", None)))
        return super().call(context, obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> None:
        """`format` is no method a template may call, so there is nothing to wrap."""

    def call_binop(self, _context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and not isinstance(left, int | float):
            check_size(left, right)
            return left + right
        for side in (left, right):
            if not isinstance(side, int | float):
                raise SecurityError(f"`{operator}` takes numbers only")
        if operator == "**":
            raise SecurityError("`**` is not for mails")
        result = self.binop_table[operator](left, right)
        if abs(result) > MAX_NUMBER:
            raise SecurityError("a number grows too large")
        return result


@cache
def html_environment() -> MailEnvironment:
    """Escapes everything that is printed."""
    return MailEnvironment(is_html=True)


@cache
def text_environment() -> MailEnvironment:
    """Prints as it is: for the subject, the preheader and the text part."""
    return MailEnvironment(is_html=False)


def run(template: jinja2.Template, names: Mapping[str, Any]) -> str:
    """Render within the bounds; raises what Jinja raises, and RenderError."""
    budget = Budget()
    context = template.new_context({**names, "_budget": budget})
    pieces, size = [], 0
    for piece in template.root_render_func(context):
        size += len(piece)
        if size > MAX_OUTPUT:
            raise SecurityError(f"it passes {MAX_OUTPUT:,} characters")
        pieces.append(piece)
    return "".join(pieces)


def _bound(tree: nodes.Template, environment: jinja2.Environment) -> None:
    def filtered(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Expr:
        made = nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)
        made.set_environment(environment)
        return made

    for loop in list(tree.find_all(nodes.For)):
        texts = sum(len(text.data) for body in loop.body for text in body.find_all(nodes.TemplateData))
        loop.iter = filtered(loop.iter, "_counted", nodes.Const(texts))
    for joined in list(tree.find_all(nodes.Concat)):
        joined.nodes = [filtered(nodes.List(joined.nodes, lineno=joined.lineno), "_joined")]
