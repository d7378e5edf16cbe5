"""Which relay carries a mail: routes, weights, and who takes over. Pure.

A relay that names senders or domains carries only their mail, and mail that some relay names goes to those who name it
and to nobody else: a route may be there because only that relay may write for this sender. Name a sender in two relays
and each takes over for the other.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """What one relay carries, and its share where several do."""

    relay: str = "default"
    weight: int = 1
    senders: frozenset[str] = frozenset()  # addresses and domains, in small letters
    domains: frozenset[str] = frozenset()

    @property
    def is_for_all(self) -> bool:
        return not self.senders and not self.domains

    def fit(self, sender: str, domain: str) -> int:
        """How closely it names this mail: 0 for one that takes anybody's, -1 if it does not carry it."""
        fit = 0
        if self.domains:
            if domain not in self.domains:
                return -1
            fit = 2
        if self.senders:
            if sender not in self.senders and sender.rpartition("@")[2] not in self.senders:
                return -1
            fit += 1
        return fit


def carriers(routes: Sequence[Route], sender: str, domain: str) -> list[Route]:
    """Those that name a mail most closely; nobody if it is nobody's. Both in small letters."""
    fits = [(route.fit(sender, domain), route) for route in routes]
    closest = max((fit for fit, _ in fits), default=-1)
    return [route for fit, route in fits if fit == closest >= 0]


def pick(among: Sequence[Route], resting: Collection[str], lot: int) -> Route:
    """One of them by weight: of those that do not rest, if any; one of weight 0 only if there is no other.

    The same lot picks the same one while the same ones rest.
    """
    awake = [route for route in among if route.relay not in resting] or among
    weighted = [route for route in awake if route.weight] or awake
    left = lot % sum(route.weight or 1 for route in weighted)
    for route in weighted:
        left -= route.weight or 1
        if left < 0:
            return route
    raise AssertionError("a lot is below the sum of the weights")
