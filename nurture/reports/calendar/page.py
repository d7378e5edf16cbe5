"""The calendar as one page that stands alone."""

from collections.abc import Sequence
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from nurture.reports.calendar.planned import Day


def write_calendar(days: Sequence[Day], said: Sequence[str], made_at: datetime) -> str:
    """The page; `said` is how the numbers were found."""
    busiest = max(days, key=lambda day: day.mails)
    template = _JINJA.get_template("calendar.html")
    return template.render(days=days, said=said, made_at=made_at, busiest=busiest, mails=sum(day.mails for day in days))


_JINJA = Environment(
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    loader=PackageLoader("nurture.reports", "pages"),
)  # fmt: skip
_JINJA.filters["number"] = lambda value: f"{value:,}"
