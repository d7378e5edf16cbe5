"""The charts of docs/lifecycles.md that are drawn by hand show the states that the code has."""

import ast
import re
from collections.abc import Callable

import pytest

from nurture.consent.rules import SuppressionReason
from nurture.consent.store import Consent
from nurture.newsletters.store import NewsletterSlot
from nurture.sequences.decisions import Enrollment
from tests.project.source import PACKAGE, REPOSITORY

TEXT = (REPOSITORY / "docs" / "lifecycles.md").read_text(encoding="utf-8")


def states_of_the_engine() -> set[str]:
    """What the engine ever writes into `status`: the default, `status="…"`, and the first word of `_end`."""
    tree = ast.parse((PACKAGE / "sequences" / "engine.py").read_text(encoding="utf-8"))
    found = {str(Enrollment.__dataclass_fields__["status"].default)}
    for node in ast.walk(tree):
        match node:
            case ast.Call(keywords=keywords, func=func, args=args):
                named = [one.value for one in keywords if one.arg == "status"]
                first = args[:1] if isinstance(func, ast.Attribute) and func.attr == "_end" else []
                found |= {str(one.value) for one in [*named, *first] if isinstance(one, ast.Constant)}
    return found


def moments_of_a_slot() -> set[str]:
    """`slot_at` is when it is; the others are what became of it."""
    return {name for name in NewsletterSlot.model_fields if name.endswith("_at")} - {"slot_at"}


def states_of_consent() -> set[str]:
    description = Consent.model_fields["state"].description or ""
    return set(re.findall(r"\b(given|refused|withdrawn|none)\b", description))


@pytest.mark.parametrize(
    ("module", "states"),
    [
        ("sequences/engine.py", states_of_the_engine),
        ("newsletters/store.py", moments_of_a_slot),
        ("consent/store.py", states_of_consent),
    ],
)
def test_a_chart_shows_the_states_of_the_code(module: str, states: Callable[[], set[str]]) -> None:
    start = TEXT.index(f"<!-- held against nurture/{module} -->")
    chart = TEXT[start : TEXT.index("```\n", start)]
    drawn = set(re.findall(r"^    (\w+) -->", chart, re.MULTILINE)) | set(re.findall(r"--> (\w+)", chart))
    assert drawn == states()


def test_every_reason_for_a_suppression_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", TEXT[TEXT.index("| suppression |") :]))
    assert set(SuppressionReason) <= told
