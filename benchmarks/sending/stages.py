"""Where a sender's time goes, by the rooms of the house that its profile names."""

import pstats
from collections import Counter
from collections.abc import Sequence

#: The first of these that a file's path contains is its stage; what Python itself does counts for whoever called it.
_STAGES = (
    ("/delivery/claiming/", "claim and facts"),
    ("/delivery/facts", "claim and facts"),
    ("/delivery/supplying", "claim and facts"),
    ("/delivery/pacing/", "claim and facts"),
    ("/delivery/preparing", "claim and facts"),
    ("/consent/", "claim and facts"),
    ("/contacts/", "claim and facts"),
    ("/rendering/", "render, headers, tokens"),
    ("/delivery/composing", "render, headers, tokens"),
    ("/delivery/headers", "render, headers, tokens"),
    ("/delivery/urls", "render, headers, tokens"),
    ("/nurture/tokens", "render, headers, tokens"),
    ("/jinja2/", "render, headers, tokens"),
    ("/adapters/smtp", "SMTP"),
    ("/asyncio/", "SMTP"),
    ("/selectors.py", "SMTP"),
    ("/delivery/leaving/", "exchange"),
    ("/delivery/outcomes/", "exchange"),
    ("/delivery/commits", "exchange"),
    ("/delivery/transactions", "exchange"),
    ("/database/", "exchange"),
    ("/sqlalchemy/", "exchange"),
    ("/delivery/", "exchange"),
)
_REST = "everything else"
_Place = tuple[str, int, str]


def print_stages(found: Sequence[pstats.Stats], messages: int, processor: float) -> None:
    """Shares of the profile, as µs of what a message takes when nobody profiles."""
    own: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for stats in found:
        for place, (_, _, seconds, _, callers) in stats.stats.items():  # type: ignore[attr-defined]  # typeshed has none
            if _stage(place) != _REST or not callers:
                own[_stage(place)] += seconds
                places[f"{_short(place)}"] += seconds
                continue
            # Of C and of the standard library: for whoever called it.
            for caller, (_, _, its_seconds, _) in callers.items():
                own[_stage(caller)] += its_seconds
                places[f"{_short(place)} for {_short(caller)}"] += its_seconds
    total = sum(own.values()) or 1.0
    microseconds = 1e6 * processor / messages
    print(f"\n{microseconds:.0f} µs of the processor for a message, as the profile of both threads shares them out:")
    for stage, seconds in own.most_common():
        print(f"  {stage:28}{microseconds * seconds / total:>8.1f} µs")
    print("the costliest functions:")
    for place, seconds in places.most_common(15):
        print(f"  {microseconds * seconds / total:>8.1f} µs  {place}")


def _stage(place: _Place) -> str:
    return next((stage for part, stage in _STAGES if part in place[0]), _REST)


def _short(place: _Place) -> str:
    path, line, name = place
    return name if path == "~" else f"{'/'.join(path.split('/')[-2:])}:{line} {name}"
