"""The plot of a simulated population: mails by day, and where people end, as an SVG or as one page that stands alone.

Everything is labelled where it is drawn, says the same in gray, and has its table behind it. The page follows the reader's
light or dark, fits 320 pixels, and needs nothing from anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import DictLoader, Environment, StrictUndefined

from nurture.errors import BadInput
from nurture.sequences.simulation.expectations import Judgement
from nurture.sequences.simulation.outcomes import Outcome
from nurture.timing import in_words

_TOP, _BAR_HEIGHT, _FOOT = 56, 140, 44
_LABELS = 5  # dates below the bars; more do not fit a phone


@dataclass(frozen=True)
class _Bar:
    """One day: `left` and `width` in percent, the rest in pixels; the asks among its mails stand at the bottom."""

    left: float
    width: float
    top: float
    height: float
    asks: float
    label: str = ""


def check_name(place: Path) -> None:
    """Refuse a name that does not say what to write, which whoever simulates thousands wants to hear before."""
    if place.suffix not in {".svg", ".html"}:
        raise BadInput(f"{place}: end the name with .svg or .html, which says what to write.")


def write_plot(place: Path, title: str, found: Outcome, judged: Sequence[Judgement], *, seed: int) -> None:
    """Write the plot where it was asked for; the name says in which form."""
    check_name(place)
    text = draw(title, found) if place.suffix == ".svg" else page(title, found, judged, seed=seed)
    place.write_text(text, encoding="utf-8")


def draw(title: str, found: Outcome) -> str:
    """Mails by day, as an SVG."""
    return _JINJA.get_template("svg").render(**_picture(title, found), is_alone=True)


def page(title: str, found: Outcome, judged: Sequence[Judgement], *, seed: int) -> str:
    """The whole page."""
    widest = max((one.share for one in found.by_end.values()), default=0) or 1
    return _JINJA.get_template("page").render(
        **_picture(title, found), found=found, judged=judged, seed=seed, is_alone=False,
        came_in_over=in_words(found.came_in_over) if found.came_in_over else "",
        ends=[(name, one, round(100 * one.share / widest, 1)) for name, one in found.by_end.items()],
    )  # fmt: skip


def _picture(title: str, found: Outcome) -> dict[str, object]:
    days = list(found.days)
    while len(days) > 1 and not days[-1].mails:
        days.pop()  # nothing happens any more
    most = max((day.mails for day in days), default=0)
    scale, step, base = _BAR_HEIGHT / max(most, 1), 100 / max(len(days), 1), _TOP + _BAR_HEIGHT
    busiest = next((number for number, day in enumerate(days) if day.mails == most and most), None)
    bars = [
        _Bar(
            round(number * step + step * 0.12, 3), round(step * 0.76, 3), round(base - day.mails * scale, 1),
            round(day.mails * scale, 1), round(day.asks * scale, 1), f"{day.mails:,}" if number == busiest else "",
        )
        for number, day in enumerate(days)
        if day.mails
    ]  # fmt: skip
    every = max(1, -(-len(days) // _LABELS))
    labels = [
        (round((number + 0.5) * step, 2), f"{day.on:%-d %b}") for number, day in enumerate(days) if number % every == 0
    ]
    if len(labels) > 1 and labels[-1][0] > 95:
        labels.pop()
    total, peak = sum(day.mails for day in days), found.busiest
    summary = "No mail leaves."
    if peak is not None and peak.mails:
        summary = f"{total:,} mails in {len(days)} days; the most, {peak.mails:,}, on {peak.on:%A %-d %B %Y}."
    return {
        "title": title, "bars": bars, "labels": labels, "base": base, "height": base + _FOOT, "summary": summary,
        "days": days, "has_asks": any(day.asks for day in days),
    }  # fmt: skip


_SVG = """\
<svg class="plot" xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="plot-title plot-text" fill="none"
{%- if is_alone %} width="960" height="{{ height }}" color="#1a1d21" style="background:#fff" \
font-family="system-ui, sans-serif" font-size="14"{% else %} width="100%" height="{{ height }}"{% endif %}>
<title id="plot-title">Mails by day: {{ title }}</title>
<desc id="plot-text">{{ summary }}</desc>
<text x="0" y="20" fill="currentColor" font-weight="600">Mails by day{{ "; in full color, asks" if has_asks }}</text>
<line x1="0" x2="100%" y1="{{ base }}" y2="{{ base }}" stroke="currentColor" stroke-opacity="0.4"/>
{% for bar in bars %}
<rect x="{{ bar.left }}%" y="{{ bar.top }}" width="{{ bar.width }}%" height="{{ bar.height }}" fill="currentColor" \
fill-opacity="0.45"/>
{% if bar.asks %}
<rect x="{{ bar.left }}%" y="{{ base - bar.asks }}" width="{{ bar.width }}%" height="{{ bar.asks }}" fill="currentColor"/>
{% endif %}
{% if bar.label %}
<text x="{{ bar.left + bar.width / 2 }}%" y="{{ bar.top - 8 }}" fill="currentColor" \
text-anchor="{{ 'start' if bar.left < 6 else 'end' if bar.left > 94 else 'middle' }}">{{ bar.label }}</text>
{% endif %}
{% endfor %}
{% for left, day in labels %}
<text x="{{ left }}%" y="{{ base + 24 }}" fill="currentColor" \
text-anchor="{{ 'start' if loop.first else 'middle' }}">{{ day }}</text>
{% endfor %}
</svg>
"""
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }}, simulated</title>
<style>
:root { --ink: #1a1d21; --quiet: #5b636e; --paper: #fff; --line: #d8dce1; --accent: #1558b0; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --quiet: #a5adb8; --paper: #15181c; --line: #353b43; --accent: #8ab4f8; --bad: #f2b8b5; }
}
body { margin: 0 auto; padding: 24px 16px 64px; max-width: 960px; font: 16px/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 8px; } h2 { font-size: 20px; margin: 40px 0 8px; }
p { max-width: 70ch; margin: 8px 0; } .quiet { color: var(--quiet); } .plot { color: var(--accent); overflow: visible; }
.plot text { fill: var(--ink); font-size: 14px; }
ul { list-style: none; padding: 0; } .bad { color: var(--bad); font-weight: 600; }
.ends li { margin: 0 0 16px; } .ends i { display: block; height: 12px; background: var(--accent); min-width: 2px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } summary { cursor: pointer; padding: 8px 0; }
th, td { text-align: right; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } .wide { overflow-x: auto; }
</style>
</head>
<body>
<main>
<h1>{{ title }}: {{ "{:,}".format(found.sales_ready.count) }} of {{ "{:,}".format(found.sales_ready.base) }} become sales-ready</h1>
<p>{{ summary }}
{%- if came_in_over %} They come in over {{ came_in_over }}, so these are more days than each is looked at.{% endif %} \
{{ found.mails }} mails per person, at most {{ found.most_in_a_week }} in seven days.</p>
<p class="quiet">Simulated with the engine of production, seed {{ seed }}. Nobody got a mail. Intervals hold 95 % of what
chance would make of it; they say nothing about behavior that is believed wrongly. Days are those of UTC.</p>
{% include "svg" %}
<h2>Where people end</h2>
<ul class="ends">
{% for name, one, width in ends %}
<li>{{ name | replace('_', ' ') }}: {{ one }}<i style="width: {{ width }}%"></i></li>
{% endfor %}
</ul>
<h2>Who becomes sales-ready, who leaves</h2>
<p>Become sales-ready: {{ found.sales_ready }}
{%- if found.sales_ready_before %}, of those who were not before they came in, as {{ found.sales_ready_before }} were
{%- endif %}.<br>Left: {{ found.opted_out }}.</p>
{% if judged %}
<h2>What the file expects</h2>
<ul>
{% for one in judged %}
<li>{% if one.holds is none %}not known: {{ one.text }}: {{ one.unknown }}
{%- elif one.holds %}holds: {{ one.text }}{% else %}<span class="bad">does not hold:</span> {{ one.text }}
{%- if one.breach.ending %}, for {{ one.breach.ending.person.email }}{% endif %}: {{ one.breach.because }}{% endif %}</li>
{% endfor %}
</ul>
{% endif %}
<h2>The numbers</h2>
<details><summary>Who gets which mail</summary><div class="wide"><table>
<tr><th>mail</th><th>people</th></tr>
{% for step, one in found.reached.items() %}
<tr><td>{{ step }}</td><td>{{ one }}</td></tr>
{% endfor %}
</table></div></details>
<details><summary>Mails by domain</summary><div class="wide"><table>
<tr><th>domain</th><th>mails</th></tr>
{% for name, count in found.by_sender.items() %}
<tr><td>from {{ name }}</td><td>{{ "{:,}".format(count) }}</td></tr>
{% endfor %}
{% for name, count in found.by_recipient.items() %}
<tr><td>to {{ name }}</td><td>{{ "{:,}".format(count) }}</td></tr>
{% endfor %}
</table></div></details>
<details><summary>Day by day</summary><div class="wide"><table>
<tr><th>day</th><th>mails</th><th>asks</th><th>came in</th><th>done</th></tr>
{% for day in days %}
<tr><td>{{ day.on.strftime("%a %Y-%m-%d") }}</td><td>{{ "{:,}".format(day.mails) }}</td>\
<td>{{ "{:,}".format(day.asks) }}</td><td>{{ "{:,}".format(day.came_in) }}</td>\
<td>{{ "{:,}".format(day.finished) }}</td></tr>
{% endfor %}
</table></div></details>
</main>
</body>
</html>
"""


_JINJA = Environment(
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    loader=DictLoader({"svg": _SVG, "page": _PAGE}),
)
