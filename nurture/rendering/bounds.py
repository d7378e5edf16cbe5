"""How much one render may cost, and what a template gets to see.

Jinja's sandbox keeps a template away from code, but not `'a' * 10**9` away from memory. So every render has a budget that
loops, calls, filters and printing draw on, and every value has a size.
"""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.runtime import Context

from nurture.rendering.source import RenderError

MAX_OUTPUT = 1_000_000  # characters of one part of a mail
MAX_VALUE = 100_000  # characters of one value
MAX_RANGE = 1_000
MAX_NUMBER = 10**15
BUDGET = 4_000_000  # characters moved in one render, which takes well under a second
STEP = 50  # what a turn of a loop or a printed value costs, in characters
CALL = 250  # and what a call costs: a macro that calls itself twice is the slowest way to spend a budget


class EmptyValue(RenderError):
    """Something without a value was to be printed."""


class Budget:
    """What is left of one render's budget."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = BUDGET

    def spend(self, amount: int) -> None:
        """Pay for something; what cannot be paid for does not happen."""
        self.left -= amount
        if self.left < 0:
            raise SecurityError("it runs too long; loop over less")


def budget_of(context: Context) -> Budget:
    """The budget of the render that is under way."""
    budget = context.parent.get("_budget")
    return budget if isinstance(budget, Budget) else Budget()  # Jinja's compiler tries constants without a render


def size_of(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple | dict) else 0


def check_size(*parts: object) -> None:
    """Refuse to put these together if the result would be too large."""
    if sum(map(size_of, parts)) > MAX_VALUE:
        raise SecurityError(f"a value passes {MAX_VALUE:,} characters")


def bounded_range(*bounds: int) -> range:
    """`range`, as far as a mail needs it."""
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise SecurityError(f"range goes up to {MAX_RANGE:,} here")
    return numbers


class Fields:
    """What a template reads as `contact`, `owner`, `sender` or `mail`: names and values, no methods."""

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        self.name = name
        self.fields = fields


class Sayings:
    """`wish_url("demonstration")`, `answer_url(2)`: addresses behind which somebody says something to us."""

    __slots__ = ("address", "given")

    def __init__(self, address: Callable[[Any], str]) -> None:
        self.address = address
        self.given: set[str] = set()  # a link that leads to one of these is ours, however it got there

    def __call__(self, said: str | int) -> str:
        given = self.address(said)
        self.given.add(given)
        return given
