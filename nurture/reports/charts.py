"""Plots as SVG, drawn by Jinja: one idea each, labelled directly, readable in gray, with room for a table behind them.

Everything across is in percent and everything else in pixels, so that a plot fills a phone as well as a page and its
letters keep their size. Colors come from the page (`currentColor`, classes); the content security policy of the pages
allows no inline style, so there is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from nurture.reports.queries import Week

_BAR_HEIGHT = 72  # of the longest bar
_PANEL = 148  # its bar, the number above it, the title above that, and air
_FOOT = 44
_NUMBER_ABOVE = 6
_LEAST = 2  # so that one click is not taken for none


@dataclass(frozen=True)
class Bar:
    """One bar: `left` and `width` in percent of the plot, the rest in pixels."""

    left: float
    width: float
    top: float
    height: float
    value: int

    @property
    def middle(self) -> float:
        return self.left + self.width / 2

    @property
    def label(self) -> str:
        """At most four characters, so that eight of them fit a phone; the table has the exact number."""
        if self.value < 1000:
            return str(self.value)
        thousands = self.value / 1000
        return f"{thousands:.1f}k" if thousands < 9.95 else f"{thousands:.0f}k"


@dataclass(frozen=True)
class Panel:
    """One row of bars on a scale of its own."""

    title: str
    top: int
    base: int
    bars: tuple[Bar, ...]
    accent: bool


def draw_weeks(weeks: Sequence[Week]) -> Markup:
    """Mails and clicks by people per week, one above the other."""
    panels = [
        _panel("Mails sent", [week.mails for week in weeks], 0, accent=False),
        _panel("Clicks by people", [week.clicks for week in weeks], _PANEL, accent=True),
    ]
    return Markup(  # noqa: S704 — the template below escapes
        _TEMPLATE.render(
            panels=panels,
            labels=_labels(weeks),
            height=2 * _PANEL + _FOOT,
            foot=2 * _PANEL + 18,
            number_above=_NUMBER_ABOVE,
            summary=_summary(weeks),
        )
    )


def _panel(title: str, values: Sequence[int], top: int, *, accent: bool) -> Panel:
    base = top + _PANEL - 8
    step = 100 / max(len(values), 1)
    scale = _BAR_HEIGHT / max(max(values, default=0), 1)
    bars = []
    for number, value in enumerate(values):
        height = max(value * scale, _LEAST) if value else 0
        left, width = number * step + step * 0.14, step * 0.72
        bars.append(Bar(round(left, 2), round(width, 2), round(base - height, 1), round(height, 1), value))
    return Panel(title, top, base, tuple(bars), accent)


def _labels(weeks: Sequence[Week]) -> list[tuple[float, str, str]]:
    """The Monday of each week, and below it the month where one begins: two lines fit a phone."""
    step = 100 / max(len(weeks), 1)
    month = 0
    found = []
    for number, week in enumerate(weeks):
        day = week.begins_on
        found.append((round((number + 0.5) * step, 2), f"{day:%-d}", f"{day:%b}" if day.month != month else ""))
        month = day.month
    return found


def _summary(weeks: Sequence[Week]) -> str:
    """What the plot says, for those who cannot see it."""
    if not any(week.mails or week.clicks for week in weeks):
        return "No mail was sent in these weeks."
    mails, clicks = sum(week.mails for week in weeks), sum(week.clicks for week in weeks)
    best = max(weeks, key=lambda week: week.clicks)
    top = f" The most clicks came in the week of {best.begins_on:%-d %B}: {best.clicks:,}." if best.clicks else ""
    return f"In {len(weeks)} weeks {mails:,} mails were sent and people clicked {clicks:,} times.{top}"


_TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
    """\
{% macro row(panel, number_above) %}
<g class="plot-row{{ ' plot-accent' if panel.accent }}">
<text class="plot-title" x="0" y="{{ panel.top + 28 }}" fill="currentColor">{{ panel.title }}</text>
<line class="plot-base" x1="0" x2="100%" y1="{{ panel.base }}" y2="{{ panel.base }}" stroke="currentColor"/>
{% for bar in panel.bars %}
<rect x="{{ bar.left }}%" y="{{ bar.top }}" width="{{ bar.width }}%" height="{{ bar.height }}" fill="currentColor"/>
<text x="{{ bar.middle }}%" y="{{ bar.top - number_above }}" text-anchor="middle" fill="currentColor">\
{{ bar.label }}</text>
{% endfor %}
</g>
{% endmacro %}
<svg class="plot" width="100%" height="{{ height }}" role="img" aria-labelledby="weeks-title weeks-text" fill="none">
<title id="weeks-title">Mails and clicks by people, week by week</title>
<desc id="weeks-text">{{ summary }}</desc>
{% for panel in panels %}
{{ row(panel, number_above) }}
{% endfor %}
{% for left, day, month in labels %}
<text x="{{ left }}%" y="{{ foot }}" text-anchor="middle" fill="currentColor">{{ day }}</text>
<text x="{{ left }}%" y="{{ foot + 20 }}" text-anchor="middle" fill="currentColor">{{ month }}</text>
{% endfor %}
</svg>
"""
)
