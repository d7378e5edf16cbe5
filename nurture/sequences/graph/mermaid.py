"""The flow as Mermaid text, which GitHub and many wikis draw. Pure.

Boxes are called s0, s1 …, whatever their steps are called, and every character of a text that could mean something is
written as its number, so that no text can be markup, a directive, or the end of itself.
"""

import json

from nurture.sequences.graph.flow import Flow, Shape

_PLAIN = frozenset(" .,:!?-_/+=")
_FORMS = {
    Shape.VALUE: ('["', '"]'), Shape.ASK: ('[["', '"]]'), Shape.WAIT: ('(["', '"])'), Shape.CHOICE: ('{{"', '"}}'),
    Shape.ACT: ('["', '"]'), Shape.END: ('(("', '"))'),
}  # fmt: skip


def to_mermaid(flow: Flow) -> str:
    """A flowchart from top to bottom."""
    names = {box.id: f"s{number}" for number, box in enumerate(flow.boxes)}
    lines = ["---", f"title: {json.dumps(flow.title, ensure_ascii=False)}", "---", "flowchart TD"]
    for box in flow.boxes:
        opens, closes = _FORMS[box.shape]
        here = flow.here(box.id)
        told = [box.does, box.detail, box.id, f"{here:,} here now" if here and box.shape is not Shape.END else ""]
        text = "<br>".join(escaped(one) for one in told if one)
        lines.append(f"    {names[box.id]}{opens}{text}{closes}")
    for way in flow.ways:
        text = "<br>".join(escaped(one) for one in (way.label, flow.share(way)) if one)
        label = f'|"{text}"|' if text else ""
        lines.append(f"    {names[way.start]} -->{label} {names[way.end]}")
    if flow.exits:
        text = "<br>".join(escaped(one) for one in ("Wherever they are, it ends as soon as this holds", *flow.exits))
        lines.append(f'    exits>"{text}"]')
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Letters, digits and plain punctuation as they are, the rest as `#number;`."""
    words = " ".join(text.split())
    return "".join(one if one.isalnum() or one in _PLAIN else f"#{ord(one)};" for one in words)
