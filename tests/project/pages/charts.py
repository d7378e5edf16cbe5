"""Charts in Mermaid, drawn from the tables that the code itself goes by."""

import tomllib
from collections.abc import Iterable, Mapping

from nurture.delivery.rules import ARROWS, SETTLED, Status
from nurture.handoff.rules import FOLLOWS
from nurture.outgoing import rules as outgoing
from tests.project.pages.markdown import fenced
from tests.project.pages.settings import REPOSITORY

#: Which arrows have a name of their own; the others are told in the text below the chart.
_DELIVERY_WORDS: Mapping[tuple[str, str], str] = {
    ("queued", "claimed"): "a worker takes it",
    ("claimed", "queued"): "the worker died, or gives it back",
    (
        "claimed",
        "held",
    ): "pause, campaign paused, hold, window, blackout, cap, issue first, ask budget, day is full, blast guard, boundary",
    ("queued", "held"): "recheck",
    ("held", "queued"): "the reason has passed",
    ("claimed", "sending"): "permission holds, intent committed",
    ("sending", "sent"): "2xx",
    ("sending", "failed"): "5xx",
    ("sending", "queued"): "4xx, or lost before the final dot",
    ("sending", "uncertain"): "no answer to the final dot",
    ("uncertain", "sent"): "evidence, or a person",
    ("uncertain", "queued"): "resend",
    ("failed", "queued"): "resend, if it was never tried",
}


def deliveries() -> str:
    """The state chart of a delivery."""
    lines = [f"{start} --> {end}" for start, ends in ARROWS.items() for end in _in_order(ends)]
    named = [_named(line) for line in lines]
    last = [f"{status} --> [*]" for status in _in_order(SETTLED) if not ARROWS[status]]
    return _chart(["[*] --> queued", *named, *last])


def _named(line: str) -> str:
    start, _, end = line.partition(" --> ")
    words = _DELIVERY_WORDS.get((start, end))
    return f"{line}: {words}" if words else line


def _in_order(statuses: Iterable[Status]) -> list[Status]:
    return sorted(statuses, key=list(Status).index)


_CALL_WORDS: Mapping[tuple[str, str], str] = {
    ("queued", "claimed"): "a worker takes it",
    ("claimed", "queued"): "no answer, 5xx, 408, 425, 429, or the worker died",
    ("claimed", "sent"): "2xx",
    ("claimed", "failed"): "3xx, 4xx, or too long without an answer",
    ("claimed", "refused"): "the house does not let it out",
    ("failed", "queued"): "retry, by hand",
    ("refused", "queued"): "retry, by hand",
}


def calls() -> str:
    """The state chart of a call."""
    order = list(outgoing.Status)
    lines = [
        f"{start} --> {end}: {_CALL_WORDS[start, end]}"
        for start, ends in outgoing.ARROWS.items()
        for end in sorted(ends, key=order.index)
    ]
    return _chart(["[*] --> queued", *lines, *(f"{end} --> [*]" for end in order if end in outgoing.SETTLED)])


def hand_offs() -> str:
    """Which verdict may follow which."""
    lines = ["[*] --> waiting"]
    for verdict, following in FOLLOWS.items():
        lines += [f"{verdict} --> {after}" for after in sorted(following)]
        if not following:
            lines.append(f"{verdict} --> [*]")
    return _chart(lines)


def _chart(lines: Iterable[str]) -> str:
    return fenced("\n".join(["stateDiagram-v2", *(f"    {line}" for line in lines)]), "mermaid")


def rooms() -> str:
    """Which room may import which, from the contract that the linter keeps."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    rows = [[_room(name) for name in layer.split("|")] for layer in layers]
    lines = ["flowchart TD"]
    for number, names in enumerate(rows):
        lines.append(f'    L{number}["{" · ".join(names)}"]')
    lines += [f"    L{number} --> L{number + 1}" for number in range(len(rows) - 1)]
    return fenced("\n".join(lines), "mermaid")


def _room(name: str) -> str:
    """`(nurture.meetings)` stands for a room that is not built yet."""
    text = name.strip()
    return f"({text[1:-1].removeprefix('nurture.')})" if text.startswith("(") else text.removeprefix("nurture.")
