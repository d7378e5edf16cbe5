"""The flow as an SVG: one that stands alone as a file, or one that stands in a page. Pure.

It follows the reader's light or dark by its own variables, says everything in words as well, and asks nothing of
anybody: no font, no script, no picture from elsewhere. Whatever files or people wrote is escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from nurture.sequences.graph.flow import THE_END, Box, Flow, Shape, Way
from nurture.sequences.graph.layout import Layout, Line, Link, Point, Rect, Size, lay_out
from nurture.sequences.graph.lettering import break_lines, width_of

LETTERS = 16
_LEADING = 22
_BOX, _PADDING = 264, 14
_WIDEST_LABEL = 200
_MOST_LINES = 5
_NOTE, _MARGIN, _TITLE = 300, 20, 22
_BEND = 20


@dataclass(frozen=True)
class _Text:
    """One line of letters: `y` is its baseline; `kind` says how it looks."""

    words: str
    x: float
    y: float
    kind: str = ""


@dataclass(frozen=True)
class _Drawn:
    """A box, a label or the note, with its lines of text."""

    rect: Rect
    texts: tuple[_Text, ...]
    shape: str = ""
    about: str = ""  # the whole of what it says, where lines were cut short


def draw(flow: Flow, *, is_alone: bool = True) -> Markup:
    """The picture; `is_alone` with a title of its own, else for a page that has one."""
    lines_of = {box.id: _lines(box, flow) for box in flow.boxes}
    labels = [_label_lines(way, flow) for way in flow.ways]
    links = [
        Link(way.start, way.end, _label_size(lines) if lines else None)
        for way, lines in zip(flow.ways, labels, strict=True)
    ]
    sizes = {name: Size(_BOX, 2 * _PADDING + _LEADING * len(lines) - 4) for name, lines in lines_of.items()}
    layout = lay_out(sizes, links)
    note = _note(flow, layout)
    right = max([layout.width, *([note.rect.right] if note else [])])
    below = max([layout.height, *([note.rect.bottom + _MARGIN] if note else [])])
    titles = _titles(flow, right) if is_alone else []
    head = titles[-1].y + _MARGIN if titles else 0
    return Markup(  # noqa: S704 — the template below escapes
        _TEMPLATE.render(
            flow=flow,
            is_alone=is_alone,
            titles=titles,
            head=round(head),
            margin=_MARGIN,
            width=round(right + 2 * _MARGIN),
            height=round(below + head),
            boxes=[_box(box, layout.boxes[box.id], lines_of[box.id]) for box in flow.boxes],
            labels=[_label(line.label, lines) for line, lines in zip(layout.lines, labels, strict=True) if line.label],
            paths=[(_path(line), line.is_back) for line in layout.lines],
            note=note,
            summary=summary(flow),
        )
    )


def page(flow: Flow) -> Markup:
    """The picture on a page of its own, for whoever opens it in a browser."""
    return _PAGE.format(title=flow.title, picture=draw(flow))


def _titles(flow: Flow, width: float) -> list[_Text]:
    """What stands above a picture that stands alone."""
    lines = [(one, "title") for one in break_lines(flow.title, width, _TITLE * 1.06, 3)]
    lines += [(one, "quiet") for one in break_lines(people_line(flow), width, LETTERS, 4)]
    return [_Text(words, _MARGIN, 34 + number * (_LEADING + 4), kind) for number, (words, kind) in enumerate(lines)]


def summary(flow: Flow) -> str:
    """What the picture shows, for those who cannot see it; each step is told again in its box."""
    mails = sum(box.shape in {Shape.VALUE, Shape.ASK} for box in flow.boxes)
    steps = sum(box.id != THE_END for box in flow.boxes)
    exits = f" It ends early: {'; '.join(flow.exits)}." if flow.exits else ""
    return f"{steps:,} step{'' if steps == 1 else 's'}, {mails:,} of them mails.{exits}"


def people_line(flow: Flow) -> str:
    """Whom the numbers count; nothing where nobody was counted."""
    if flow.people is None:
        return ""
    standing = sum(flow.people.standing.values())
    of = "the latest who came in" if flow.people.is_sample else "everybody who left a step"
    return f"v{flow.people.version}: {standing:,} on the way now. Shares: of {of}, with 95 % intervals; no colleagues."


def _lines(box: Box, flow: Flow) -> list[tuple[str, str]]:
    """The lines of a box, and how each looks."""
    room = _BOX - 2 * _PADDING
    lines = [(one, "does") for one in break_lines(box.does, room, LETTERS * 1.06, 3)]
    lines += [(one, "") for one in break_lines(box.detail, room, LETTERS, _MOST_LINES)]
    if box.id:
        lines += [(one, "quiet") for one in break_lines(box.id, room, LETTERS, 1)]
    if (here := flow.here(box.id)) and box.shape is not Shape.END:
        lines.append((f"{here:,} {'person' if here == 1 else 'people'} here now", "here"))
    return lines


def _label_lines(way: Way, flow: Flow) -> list[str]:
    found = break_lines(way.label, _WIDEST_LABEL, LETTERS, 2)
    return found + break_lines(flow.share(way), _WIDEST_LABEL, LETTERS, 2)


def _label_size(lines: Sequence[str]) -> Size:
    return Size(max(width_of(one, LETTERS) for one in lines) + 12, _LEADING * len(lines) + 4)


def _box(box: Box, rect: Rect, lines: Sequence[tuple[str, str]]) -> _Drawn:
    texts = tuple(
        _Text(words, rect.left + _PADDING, rect.top + _PADDING + LETTERS - 2 + number * _LEADING, kind)
        for number, (words, kind) in enumerate(lines)
    )
    about = ": ".join(one for one in (box.does, box.detail) if one)
    return _Drawn(rect, texts, box.shape, about if any(words.endswith("…") for words, _ in lines) else "")


def _label(rect: Rect, lines: Sequence[str]) -> _Drawn:
    texts = tuple(
        _Text(words, rect.middle, rect.top + LETTERS + 2 + number * _LEADING, "quiet" if number else "way")
        for number, words in enumerate(lines)
    )
    return _Drawn(rect, texts)


def _note(flow: Flow, layout: Layout) -> _Drawn | None:
    """What ends the sequence wherever somebody stands, at the side of whatever stands on top."""
    if not flow.exits:
        return None
    room = _NOTE - 2 * _PADDING
    lines = [("Wherever they are, it ends", "does"), ("as soon as this holds:", "does")]
    for one in flow.exits:
        lines += [(words, "") for words in break_lines(one, room, LETTERS, 4)]
    height = 2 * _PADDING + _LEADING * len(lines) - 4
    top = min((one.top for one in layout.boxes.values()), default=0)
    taken = [one.right for one in layout.boxes.values() if one.top < top + height + _MARGIN]
    taken += [line.label.right for line in layout.lines if line.label and line.label.top < top + height + _MARGIN]
    taken += [
        max(start[0], end[0])
        for line in layout.lines
        for start, end in pairwise(line.points)
        if min(start[1], end[1]) - _BEND < top + height + _MARGIN
    ]
    rect = Rect(max(taken, default=0) + 2 * _MARGIN, top, _NOTE, height)
    texts = tuple(
        _Text(words, rect.left + _PADDING, top + _PADDING + LETTERS - 2 + number * _LEADING, kind)
        for number, (words, kind) in enumerate(lines)
    )
    return _Drawn(rect, texts)


def _path(line: Line) -> str:
    """Straight down or up a lane; between rows a bend that leaves and arrives upright."""
    told = [f"M{_spot(line.points[0])}"]
    goes_down = True
    for start, end in pairwise(line.points):
        if start[0] == end[0]:
            told.append(f"L{_spot(end)}")
        elif start[1] == end[1]:  # a turn, out on the side it came to
            beyond = start[1] + (_BEND if goes_down else -_BEND)
            told.append(f"C{_spot((start[0], beyond))} {_spot((end[0], beyond))} {_spot(end)}")
            goes_down = not goes_down
        else:
            half = (start[1] + end[1]) / 2
            told.append(f"C{_spot((start[0], half))} {_spot((end[0], half))} {_spot(end)}")
    return "".join(told)


def _spot(point: Point) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"


_PAGE = Markup("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}, the flow</title>
</head>
<body>
<main>
{picture}
</main>
</body>
</html>""")
_TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    """\
{% macro texts(lines, middle=false) %}
{% for one in lines %}
<text class="flow-{{ one.kind or 'text' }}" x="{{ one.x | round(1) }}" y="{{ one.y | round(1) }}"\
{{ ' text-anchor="middle"' | safe if middle }}>{{ one.words }}</text>
{% endfor %}
{% endmacro %}
{% macro rect(place, radius) %}
<rect x="{{ place.left | round(1) }}" y="{{ place.top | round(1) }}" width="{{ place.width | round(1) }}" \
height="{{ place.height | round(1) }}" rx="{{ radius }}"/>
{% endmacro %}
<svg class="flow" xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="flow-title flow-text" \
width="{{ width }}" height="{{ height }}" viewBox="0 0 {{ width }} {{ height }}">
<title id="flow-title">The way through {{ flow.title }}</title>
<desc id="flow-text">{{ summary }}</desc>
<style>
.flow { --paper: #ffffff; --text: #1c2126; --quiet: #59636e; --line: #d3d9df; --accent: #0b5c8a;
  font: 16px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
@media (prefers-color-scheme: dark) {
  .flow { --paper: #15191d; --text: #e6e9ec; --quiet: #a2acb6; --line: #3a424a; --accent: #86c5ee; }
}
@media print {
  .flow { --paper: #fff; --text: #000; --quiet: #333; --line: #999; --accent: #000; }
}
.flow-paper { fill: var(--paper); }
.flow text { fill: var(--text); }
.flow .flow-title { font-size: 22px; font-weight: 650; }
.flow .flow-does, .flow .flow-way { font-weight: 600; }
.flow .flow-quiet { fill: var(--quiet); }
.flow .flow-here { fill: var(--accent); font-weight: 600; }
.flow-lines path { fill: none; stroke: var(--quiet); stroke-width: 1.5; }
.flow-lines .flow-back { stroke-dasharray: 6 4; }
.flow-tip { fill: var(--quiet); }
.flow-label rect { fill: var(--paper); }
.flow-box rect { fill: var(--paper); stroke: var(--quiet); stroke-width: 1; }
.flow-box.flow-value rect { stroke: var(--accent); stroke-width: 2; }
.flow-box.flow-ask rect { stroke: var(--accent); stroke-width: 4; }
.flow-box.flow-wait rect, .flow-box.flow-end rect { stroke: var(--line); }
.flow-box.flow-choice rect { stroke-width: 1.5; }
.flow-note rect { fill: none; stroke: var(--line); stroke-dasharray: 4 4; }
</style>
<defs><marker id="flow-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">\
<path class="flow-tip" d="M0 0L8 4L0 8z"/></marker></defs>
{% if is_alone %}
<rect class="flow-paper" width="{{ width }}" height="{{ height }}"/>
{{ texts(titles) }}
{% endif %}
<g transform="translate({{ margin }} {{ head }})">
<g class="flow-lines">
{% for path, is_back in paths %}
<path d="{{ path }}" marker-end="url(#flow-tip)"{{ ' class="flow-back"' | safe if is_back }}/>
{% endfor %}
</g>
{% for one in labels %}
<g class="flow-label">
{{ rect(one.rect, 4) }}
{{ texts(one.texts, middle=true) }}
</g>
{% endfor %}
{% for one in boxes %}
<g class="flow-box flow-{{ one.shape }}">
{% if one.about %}
<title>{{ one.about }}</title>
{% endif %}
{{ rect(one.rect, 20 if one.shape in ("wait", "end") else 8) }}
{{ texts(one.texts) }}
</g>
{% endfor %}
{% if note %}
<g class="flow-note">
{{ rect(note.rect, 8) }}
{{ texts(note.texts) }}
</g>
{% endif %}
</g>
</svg>
"""
)
