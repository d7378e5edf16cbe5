"""One thing that was looked at, as `nurture doctor` shows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was found, and what to do if it is not right."""

    check: str
    is_ok: bool
    what: str
    do: str = ""
