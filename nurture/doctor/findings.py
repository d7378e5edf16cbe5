"""One thing that was looked at, as `nurture doctor` shows it."""

from dataclasses import dataclass

#: What to do where a name server did not answer: nothing is known then, so nothing is to be changed.
ASK_AGAIN = "try again where DNS works"


@dataclass(frozen=True)
class Finding:
    """What was found, and what to do if it is not right."""

    check: str
    is_ok: bool
    what: str
    do: str = ""
