"""Complaint rates: what is counted here, what somebody read off a provider's own tools, and what is neither. Pure.

Most providers send a report for each complaint. Google sends none: its rate stands in Postmaster Tools only, so that
counting here would say 0 however many complain. Such a rate is not known until somebody enters it, and grows old.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from nurture.delivery.pacing.providers import SILENT_ABOUT_COMPLAINTS

#: So far back is counted; what somebody read off a provider's tools earlier than that says nothing about today.
LOOK_BACK = timedelta(days=30)
#: Google and Yahoo ask senders to stay below the first and never to reach the second, in percent.
ASKED_FOR, BLOCKED_FROM = 0.1, 0.3


@dataclass(frozen=True)
class Figure:
    """What somebody read off a provider's tools: percent, of which day."""

    provider: str
    percent: float
    on: date

    def is_old(self, today: date) -> bool:
        """Whether it says nothing about this day any more."""
        return self.on < today - LOOK_BACK


@dataclass(frozen=True)
class Rate:
    """One provider on one day: mails of campaigns that may have arrived, complaints about them, and what was entered."""

    provider: str
    mailed: int
    complained: int
    today: date
    figure: Figure | None = None  # the last one

    @property
    def percent(self) -> float | None:
        """Complaints for a hundred mails; None: not measured here."""
        if self.provider in SILENT_ABOUT_COMPLAINTS:
            return self.figure.percent if self.figure and not self.figure.is_old(self.today) else None
        return 100 * self.complained / self.mailed if self.mailed else None

    @property
    def is_too_high(self) -> bool:
        """Whether receivers would block for it; a single complaint is no rate."""
        is_counted = self.provider not in SILENT_ABOUT_COMPLAINTS
        return (self.percent or 0.0) >= BLOCKED_FROM and (not is_counted or self.complained >= 3)

    @property
    def in_words(self) -> str:
        if self.provider in SILENT_ABOUT_COMPLAINTS:
            if self.figure is None:
                return "not measured here"
            if self.figure.is_old(self.today):
                return f"not measured here since {self.figure.on}: {self.figure.percent:g} % then"
            return f"{self.figure.percent:g} % on {self.figure.on}, as entered"
        return f"{self.percent:.2f} %" if self.percent is not None else "no mail yet"
