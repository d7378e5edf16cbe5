"""The relays of this house: who carries a mail, who is in reach, and connections to them.

A relay that cannot be reached rests, longer each time, and those that may carry the same mail take over. When all of
them rest they are tried all the same, for there is nothing to lose; the sender itself pauses between its tries.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nurture.adapters.smtp.connection import SmtpConnection
from nurture.adapters.smtp.opening import open_conversation
from nurture.adapters.smtp.relay import Relay
from nurture.clock import SystemClock
from nurture.delivery.mailer import RelayDown
from nurture.delivery.routing import Route, carriers, pick

_FIRST_REST_SECONDS = 5.0
_LONGEST_REST_SECONDS = 300.0
_ELAPSED = SystemClock().elapsed


@dataclass
class _Rest:
    """Why a relay rests, for how long, and until when."""

    because: str
    seconds: float
    until: float


class SmtpMailer:
    """Opens connections to one relay, or to several."""

    def __init__(self, *relays: Relay, elapsed: Callable[[], float] = _ELAPSED) -> None:
        self._relays = {relay.name: relay for relay in relays}
        self._routes: Sequence[Route] = [replace(relay.route, relay=relay.name) for relay in relays]
        self._is_alike = all(route.is_for_all for route in self._routes)
        self._elapsed = elapsed
        self._resting: dict[str, _Rest] = {}

    @property
    def places(self) -> Sequence[str]:
        return [relay.name for relay in self._relays.values() for _ in range(relay.connections)]

    def choose(self, sender: str, domain: str, lot: int) -> str | None:
        routes = self._routes
        if not self._is_alike:
            routes = carriers(routes, sender, domain)
        if not routes:
            return None
        if len(routes) == 1:
            return routes[0].relay
        return pick(routes, self._list_resting(), lot).relay

    async def connect(self, relay: str = "") -> SmtpConnection:
        chosen = self._relays[relay] if relay else next(iter(self._relays.values()))
        try:
            conversation, offers = await open_conversation(chosen)
        except RelayDown as error:
            self._let_rest(chosen.name, str(error))
            raise RelayDown(self._reasons(chosen.name)) from None
        self._resting.pop(chosen.name, None)
        return SmtpConnection(chosen, conversation, offers)

    def _let_rest(self, name: str, because: str) -> None:
        now = self._elapsed()
        rest = self._resting.get(name)
        if rest is None:
            seconds = _FIRST_REST_SECONDS
        elif rest.until > now:
            seconds = rest.seconds  # several connections fail at the same time, and that is one failure
        else:
            seconds = min(rest.seconds * 2, _LONGEST_REST_SECONDS)
        self._resting[name] = _Rest(because, seconds, now + seconds)

    def _list_resting(self) -> set[str]:
        if not self._resting:
            return set()
        now = self._elapsed()
        return {name for name, rest in list(self._resting.items()) if rest.until > now}

    def _reasons(self, name: str) -> str:
        """Why this one cannot be reached, and each other that rests."""
        if len(self._relays) == 1:
            return self._resting[name].because
        names = [name, *(other for other in self._list_resting() if other != name)]
        return "; ".join(f"{one}: {self._resting[one].because}" for one in names)
