"""Gives every box, every label and every line of a flow its place, from top to bottom, in the order of the file. Pure.

1. Ways that lead back (`goto`) are told from the others. 2. Each box stands one row below the lowest of those that lead
to it; labels have rows of their own between them. 3. A way is a straight lane through all rows it passes, in line with
the box it comes from if that has no other way on, and with the box it leads to if nothing else does: such a line is a
`Strand`. From left to right strands keep the order of the file, so two of them cross only where a way jumps. 4. Strands move towards what they are connected with, as far as
their neighbors leave room. Lines bend only between rows, so nothing is ever drawn over anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

_APART = 24  # between what stands side by side
_BETWEEN = 20  # between rows: room for lines to bend in
_LANE = 16  # the width of a line that passes
_SWEEPS = 12

Point = tuple[float, float]


@dataclass(frozen=True)
class Size:
    """Of a box or a label, in pixels."""

    width: float
    height: float


@dataclass(frozen=True)
class Rect:
    """Where something stands."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


@dataclass(frozen=True)
class Link:
    """A way from one box to another, with the size of its label; no size: it has none."""

    start: str
    end: str
    label: Size | None = None


@dataclass(frozen=True)
class Line:
    """How a link is drawn: straight where two points are one above the other, else bent from one row to the next."""

    points: tuple[Point, ...]
    is_back: bool
    label: Rect | None


@dataclass(frozen=True)
class Layout:
    """Everything in its place; `lines` are in the order of the links."""

    boxes: Mapping[str, Rect]
    lines: tuple[Line, ...]
    width: float
    height: float


@dataclass(eq=False)
class Strand:
    """What stands in one vertical line: in each row that it takes part in, so wide."""

    number: int
    widths: dict[int, float] = field(default_factory=dict)
    x: float = 0
    left: dict[int, "Strand"] = field(default_factory=dict)
    right: dict[int, "Strand"] = field(default_factory=dict)
    ties: list["Strand"] = field(default_factory=list)

    def room(self) -> tuple[float, float]:
        """Between which x its neighbors leave it."""
        low = max(
            (one.x + (one.widths[row] + self.widths[row]) / 2 + _APART for row, one in self.left.items()),
            default=float("-inf"),
        )
        high = min(
            (one.x - (one.widths[row] + self.widths[row]) / 2 - _APART for row, one in self.right.items()),
            default=float("inf"),
        )
        return low, high


def lay_out(boxes: Mapping[str, Size], links: Sequence[Link]) -> Layout:
    """Place everything; the first box is where the flow begins."""
    walk = _Walk(boxes, links)
    rows = _rows(walk)
    strands, strand_of_box, strand_of_link = _strands(walk, rows)
    _place(strands)
    tops = _tops(walk, rows)
    leftmost = min((one.x - max(one.widths.values()) / 2 for one in strands), default=0)
    rightmost = max((one.x + max(one.widths.values()) / 2 for one in strands), default=0)
    placed = {
        name: Rect(strand_of_box[name].x - leftmost - size.width / 2, tops[rows[name]][0], size.width, size.height)
        for name, size in boxes.items()
    }
    lines = tuple(
        _line(walk, number, placed, strand_of_link[number].x - leftmost, tops, rows) for number in range(len(links))
    )
    height = max((bottom for _, bottom in tops.values()), default=0) + _BETWEEN
    return Layout(placed, lines, rightmost - leftmost, height)


class _Walk:
    """The order in which boxes and links are met from the first box on, and which links lead back."""

    def __init__(self, boxes: Mapping[str, Size], links: Sequence[Link]) -> None:
        self.boxes = boxes
        self.links = links
        self.out: dict[str, list[int]] = {name: [] for name in boxes}
        for number, link in enumerate(links):
            self.out[link.start].append(number)
        self.met: list[tuple[str, int]] = []  # ("box", its place in `names`) or ("link", its number)
        self.names: list[str] = []
        self.back: set[int] = set()
        self.done: list[str] = []
        self._known: set[str] = set()
        for root in boxes:
            if root not in self._known:
                self._go(root)

    def _go(self, root: str) -> None:
        ahead: list[tuple[str, Iterator[int]]] = []
        open_: set[str] = set()

        def enter(name: str) -> None:
            self._known.add(name)
            open_.add(name)
            self.met.append(("box", len(self.names)))
            self.names.append(name)
            ahead.append((name, iter(self.out[name])))

        enter(root)
        while ahead:
            name, rest = ahead[-1]
            number = next(rest, None)
            if number is None:
                open_.discard(name)
                self.done.append(name)
                ahead.pop()
                continue
            self.met.append(("link", number))
            end = self.links[number].end
            if end in open_:
                self.back.add(number)
            elif end not in self._known:
                enter(end)

    def onward(self, name: str) -> list[int]:
        return [number for number in self.out[name] if number not in self.back]


def _rows(walk: _Walk) -> dict[str, int]:
    """The row of each box: even numbers, so that labels have the odd ones."""
    rows = dict.fromkeys(walk.boxes, 0)
    for name in reversed(walk.done):
        for number in walk.onward(name):
            end = walk.links[number].end
            rows[end] = max(rows[end], rows[name] + 2)
    return rows


def _strands(walk: _Walk, rows: Mapping[str, int]) -> tuple[list[Strand], dict[str, Strand], dict[int, Strand]]:
    """Strands from left to right, and which of them each box and each link is part of."""
    coming = dict.fromkeys(walk.boxes, 0)
    for number, link in enumerate(walk.links):
        coming[link.end] += number not in walk.back
    strands: list[Strand] = []
    of_box: dict[str, Strand] = {}
    of_link: dict[int, Strand] = {}

    def begin() -> Strand:
        strands.append(Strand(len(strands)))
        return strands[-1]

    for kind, number in walk.met:
        if kind == "box":
            name = walk.names[number]
            strand = of_box.get(name) or begin()
            of_box[name] = strand
            strand.widths[rows[name]] = walk.boxes[name].width
            continue
        link, is_back = walk.links[number], number in walk.back
        strand = begin() if is_back or len(walk.out[link.start]) > 1 else of_box[link.start]
        of_link[number] = strand
        strand.widths.update(_widths_of(link, rows, is_back=is_back))
        if not is_back and coming[link.end] == 1 and link.end not in of_box:
            of_box[link.end] = strand
    for number, link in enumerate(walk.links):
        for box in (link.start, link.end):
            if of_box[box] is not of_link[number]:
                of_box[box].ties.append(of_link[number])
                of_link[number].ties.append(of_box[box])
    return strands, of_box, of_link


def _widths_of(link: Link, rows: Mapping[str, int], *, is_back: bool) -> dict[int, float]:
    """How wide a link is in each row: its label in the first, next to its box if it leads back, then a lane."""
    start, end = rows[link.start], rows[link.end]
    passed = range(start, end - 1, -1) if is_back else range(start + 1, end)
    widths = dict.fromkeys(passed, float(_LANE))
    if link.label is not None:
        widths[_label_row(start, is_back=is_back)] = max(link.label.width, _LANE)
    return widths


def _label_row(start: int, *, is_back: bool) -> int:
    return start if is_back else start + 1


def _place(strands: Sequence[Strand]) -> None:
    """As far left as there is room, then towards what each is tied to."""
    last: dict[int, Strand] = {}
    for strand in strands:
        for row in strand.widths:
            if row in last:
                strand.left[row] = last[row]
                last[row].right[row] = strand
            last[row] = strand
        low, _ = strand.room()
        strand.x = max(low, 0)
    for sweep in range(_SWEEPS):
        for strand in strands if sweep % 2 else reversed(strands):
            if strand.ties:
                low, high = strand.room()
                wanted = sum(one.x for one in strand.ties) / len(strand.ties)
                strand.x = max(low, min(wanted, high))


def _tops(walk: _Walk, rows: Mapping[str, int]) -> dict[int, tuple[float, float]]:
    """Where each row begins and ends."""
    heights = dict.fromkeys(range(max(rows.values(), default=0) + 1), 0.0)
    for name, size in walk.boxes.items():
        heights[rows[name]] = max(heights[rows[name]], size.height)
    for number, link in enumerate(walk.links):
        if link.label is not None:
            row = _label_row(rows[link.start], is_back=number in walk.back)
            heights[row] = max(heights[row], link.label.height)
    found, top = {}, float(_BETWEEN)
    for row, height in heights.items():
        found[row] = (top, top + height)
        top += height + _BETWEEN
    return found


def _line(
    walk: _Walk,
    number: int,
    placed: Mapping[str, Rect],
    x: float,
    tops: Mapping[int, tuple[float, float]],
    rows: Mapping[str, int],
) -> Line:
    link, is_back = walk.links[number], number in walk.back
    start, end = placed[link.start], placed[link.end]
    row = rows[link.start]
    points: list[Point]
    if is_back:
        # Out at the bottom, up its lane, in at the top: beside the middle, where the other lines are.
        aside = min(_LANE, start.width / 4, end.width / 4)
        leaves, arrives = (one.middle + (aside if x >= one.middle else -aside) for one in (start, end))
        above, below = tops[rows[link.end]][0], tops[row][1]
        points = [(leaves, start.bottom), (leaves, below), (x, below), (x, above), (arrives, above), (arrives, end.top)]
    else:
        points = [
            (start.middle, start.bottom), (start.middle, tops[row][1]), (x, tops[row + 1][0]),
            (x, tops[rows[link.end] - 1][1]), (end.middle, end.top),
        ]  # fmt: skip
    label = None
    if link.label is not None:
        top, bottom = tops[_label_row(row, is_back=is_back)]
        size = link.label
        label = Rect(x - size.width / 2, (top + bottom - size.height) / 2, size.width, size.height)
    return Line(tuple(_without_repeats(points)), is_back, label)


def _without_repeats(points: Sequence[Point]) -> Iterator[Point]:
    yield points[0]
    for before, one in pairwise(points):
        if one != before:
            yield one
