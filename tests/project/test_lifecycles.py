"""The charts of docs/lifecycles.md that are drawn by hand show the states that the code has."""

import re
from collections.abc import Callable

import pytest

from nurture.consent.store import Consent
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.newsletters.store import NewsletterSlot
from nurture.sequences.decisions import State
from tests.project.source import REPOSITORY

TEXT = (REPOSITORY / "docs" / "lifecycles.md").read_text(encoding="utf-8")


def states_of_an_enrollment() -> set[str]:
    return set(State)


def moments_of_a_slot() -> set[str]:
    """`slot_at` is when it is; the others are what became of it."""
    return {name for name in NewsletterSlot.model_fields if name.endswith("_at")} - {"slot_at"}


def states_of_consent() -> set[str]:
    description = Consent.model_fields["state"].description or ""
    return set(re.findall(r"\b(given|refused|withdrawn|none)\b", description))


@pytest.mark.parametrize(
    ("module", "states"),
    [
        ("sequences/decisions.py", states_of_an_enrollment),
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
