"""The filters a mail may use: those of Jinja that cannot grow without end, and a few of our own.

Each pays for what it is given, so that a loop around it ends. `fallback` and `default` step in for a missing value;
everything else passes it on, and printing it is an error.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import jinja2
from jinja2 import pass_context, pass_eval_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.filters import do_replace, sync_do_join
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, markup_join, str_join
from jinja2.utils import _PassArg
from markupsafe import Markup, escape

from nurture.rendering import markup
from nurture.rendering.bounds import MAX_VALUE, STEP, EmptyValue, Fields, budget_of, check_size, size_of
from nurture.rendering.links import Clicks

_KEPT = (
    "abs", "capitalize", "count", "dictsort", "e", "escape", "first", "float", "int", "items", "last", "length", "list",
    "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "select", "selectattr", "sort",
    "striptags", "sum", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip
PRINTED = (str, int, float, date, Decimal)


def _charged(kept: Callable[..., Any]) -> Callable[..., Any]:
    """The same filter, paid for by the length of what it is given."""
    wants = getattr(kept, "jinja_pass_arg", None)

    @pass_context
    def charged(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        budget_of(context).spend(STEP + size_of(value))
        match wants:
            case None:
                return kept(value, *args, **kwargs)
            case _PassArg.context:
                return kept(context, value, *args, **kwargs)
            case _PassArg.eval_context:
                return kept(context.eval_ctx, value, *args, **kwargs)
        return kept(context.environment, value, *args, **kwargs)

    return charged


def _fallback(value: Any, instead: Any) -> Any:
    """`{{ contact.first_name | fallback("there") }}`: `instead` when there is no value, or only space."""
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises: a misspelt name is an error, not a missing value
    is_blank = value is None or (isinstance(value, str) and not value.strip())
    return instead if is_blank else value


def _default(value: Any, instead: Any = "", boolean: Any = None) -> Any:
    """Jinja's `default`, which here steps in for None as well."""
    is_missing = value is None or isinstance(value, jinja2.Undefined)
    return instead if is_missing or (boolean and not value) else value


@pass_eval_context
def _line_breaks(eval_context: EvalContext, value: Any) -> Any:
    """`{{ owner.signature | line_breaks }}`: each line on a line of its own, in HTML as in plain text."""
    if value is None:
        raise EmptyValue
    lines = [line.strip() for line in (value if isinstance(value, str) else str(value)).splitlines()]
    return Markup("<br />").join(lines) if eval_context.autoescape else "\n".join(lines)


@pass_eval_context
def _join(eval_context: EvalContext, value: Iterable[Any], separator: str = "") -> Any:
    """Jinja's `join`, bounded."""
    items = list(value)
    if any(item is None for item in items):
        raise EmptyValue
    check_size(*items, *[separator] * len(items))
    return sync_do_join(eval_context, items, separator)


@pass_eval_context
def _replace(eval_context: EvalContext, value: Any, old: str, new: str) -> Any:
    """Jinja's `replace`, bounded."""
    text = str(value)
    if len(text) + text.count(str(old)) * len(str(new)) > MAX_VALUE:
        raise SecurityError(f"a value passes {MAX_VALUE:,} characters")
    return do_replace(eval_context, value, old, new)


@pass_context
def printed(context: Context, value: Any) -> Any:
    """What `{{ }}` prints: text, numbers and dates; never None, and never without paying for it."""
    if value is None:
        raise EmptyValue
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises, and says which name it is
    if not isinstance(value, PRINTED):
        called = value.name if isinstance(value, Fields) else type(value).__name__
        raise SecurityError(f"a mail prints text, numbers and dates, not a whole {called}")
    budget_of(context).spend(STEP + size_of(value))
    return value


@pass_context
def _counted(context: Context, items: Iterable[Any], texts: int) -> Iterator[Any]:
    """What a loop goes over, each turn paid for with the length of the text it writes."""
    budget = budget_of(context)
    for item in items:
        budget.spend(STEP + texts)
        yield item


@pass_eval_context
def _joined(eval_context: EvalContext, parts: list[Any]) -> str:
    """What `~` makes."""
    if any(part is None for part in parts):
        raise EmptyValue
    check_size(*parts)
    return markup_join(parts) if eval_context.autoescape else str_join(parts)


@pass_context
def _link(context: Context, value: str, number: int, *, is_vml: bool) -> str:
    """An href that depends on the contact, led through our own address when it is tracked."""
    clicks: Clicks = context.parent["_clicks"]
    is_html = context.eval_ctx.autoescape
    led = clicks.lead(number, markup.decoded(str(value)) if is_html else str(value), is_vml=is_vml)
    if led is None:
        return value
    return escape(led) if is_html else led


#: What templates may write.
FILTERS: Mapping[str, Callable[..., Any]] = {
    name: _charged(kept)
    for name, kept in {
        **{name: JINJA_FILTERS[name] for name in _KEPT},
        "d": _default,
        "default": _default,
        "fallback": _fallback,
        "join": _join,
        "line_breaks": _line_breaks,
        "replace": _replace,
    }.items()
}

#: What only our own compilation writes.
INTERNAL_FILTERS: Mapping[str, Callable[..., Any]] = {"_counted": _counted, "_joined": _joined, "_link": _link}
