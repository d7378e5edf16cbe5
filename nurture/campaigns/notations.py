"""How files write durations, days, hours, times and zones: texts that are checked when read and kept as written."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator

from nurture.errors import BadInput
from nurture.timing import get_zone, parse_days, parse_duration, parse_hours, parse_time


def _readable(read: Callable[[str], object], *, words: frozenset[str] = frozenset()) -> AfterValidator:
    """A text that `read` understands, or one of `words`; pydantic wants to hear of anything else as ValueError."""

    def check(text: str) -> str:
        try:
            if text not in words:
                read(text)
        except BadInput as error:
            raise ValueError(str(error)) from None
        return text

    return AfterValidator(check)


Length = Annotated[str, _readable(parse_duration)]
Days = Annotated[str, _readable(parse_days)]
Hours = Annotated[str, _readable(parse_hours)]
TimeOfDay = Annotated[str, _readable(parse_time)]
ContactOrZone = Annotated[str, _readable(get_zone, words=frozenset({"contact", "owner"}))]
ReaderOrZone = Annotated[str, _readable(get_zone, words=frozenset({"sender", "reader"}))]
