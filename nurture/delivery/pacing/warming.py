"""Warm-up: a sender domain that receivers do not know yet begins small and grows day by day. Pure.

Receivers judge a domain by what it sent before. So a new one sends a few mails on its first day, and on each further day
a little more than on its busiest day so far: what was not used does not count as grown. Whoever sent nothing for a month
begins anew, for by then receivers have forgotten. The plan holds for the domain as a whole, and for each provider by
itself from the first day on which mail goes there. It is over on the day after the target was reached.
"""

from dataclasses import dataclass
from datetime import timedelta

from nurture.delivery.pacing.providers import provider_of

#: So far back a busy day counts.
LOOK_BACK = timedelta(days=30)
A_DAY = timedelta(days=1)
_LONGEST = 3650


@dataclass(frozen=True)
class WarmUp:
    """The plan: which sender domains are new ("*": all), and how their days grow."""

    senders: frozenset[str] = frozenset()
    first_day: int = 50
    growth: float = 1.5
    target: int = 5000

    def is_for(self, sender_domain: str) -> bool:
        return sender_domain in self.senders or "*" in self.senders

    def allowance(self, busiest: int) -> int | None:
        """Mails of a day after this busiest one; None when the plan is over."""
        if busiest >= self.target:
            return None
        return min(self.target, max(self.first_day, int(self.growth * busiest), busiest + 1 if busiest else 0))

    def days_for(self, people: int, busiest: int, today: int) -> int:
        """On how many days, today included, a campaign to so many people leaves when `today` mails left already."""
        days = 0
        while people > 0 and days < _LONGEST:
            allowance = self.allowance(busiest)
            if allowance is None:
                return days + 1
            left = max(0, allowance - today)
            days, people, busiest, today = days + 1, people - left, max(busiest, today + left), 0
        return days


#: Every domain is known well enough.
NO_PLAN = WarmUp()


def lanes_of(plan: WarmUp, sender_domain: str, domain: str) -> tuple[str, ...]:
    """Under which keys a mail counts: its sender's domain, and that with the provider it goes to."""
    if not plan.is_for(sender_domain):
        return ()
    provider = provider_of(domain)
    whole = f"warm-up:{sender_domain}"
    return (whole, f"{whole} {provider}") if provider else (whole,)
