"""How files write durations, days, hours, zones, addresses of the web: texts that are checked and kept as written."""

import ipaddress
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from nurture.errors import BadInput
from nurture.timing import (
    get_zone,
    parse_days,
    parse_duration,
    parse_holidays,
    parse_hours,
    parse_length,
    parse_time,
)


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


def _parse_wait(text: str) -> None:
    if parse_duration(text).exact < timedelta(0):
        raise BadInput(f'"{text}" lies in the past; write a number from 0 and a unit, such as "3 days".')


def _parse_fixed(text: str) -> None:
    _parse_wait(text)
    parse_length(text)


def _parse_half_life(text: str) -> None:
    _parse_fixed(text)
    if not parse_length(text):
        raise BadInput(f'"{text}" leaves no time to fade in; write a number from 1 and a unit, such as "30 days".')


def _read_holidays(written: object) -> object:
    """One code, or a list of them."""
    if isinstance(written, str) or (isinstance(written, list | tuple) and all(isinstance(one, str) for one in written)):
        try:
            return parse_holidays(written)
        except BadInput as error:
            raise ValueError(str(error)) from None
    return written


def _check_url(text: str) -> str:
    """Https, or this machine: what goes along is about people."""
    parts = urlsplit(text)
    host = parts.hostname or ""
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
        raise ValueError(f'"{text}" cannot be called; write an https address, such as "https://crm.example/hooks/1".')
    if not host or parts.username or parts.password or not text.isprintable() or " " in text:
        raise ValueError(f'"{text}" is not the address of a page; names and passwords do not belong in it.')
    return text


_UNITS = "seconds?|minutes?|hours?|days?|weeks?|s|m|h|d|w"
_CLOCK = "([01]?[0-9]|2[0-3]):[0-5][0-9]"
_DAY = "(mon|tue|wed|thu|fri|sat|sun)[a-z]*"


def _shown(pattern: str, *examples: str) -> WithJsonSchema:
    """What an editor may know of a text: enough to underline a slip; whether it means something, `check` says."""
    return WithJsonSchema({"type": "string", "pattern": f"^ *({pattern}) *$", "examples": list(examples)})


_SHOWN_FIXED = _shown(f"(after )?[0-9]{{1,9}} *({_UNITS})", "3 days", "90 minutes")
_SHOWN_ZONE = "[A-Za-z][A-Za-z0-9_+/-]*"

#: A wait, which may be counted in working days.
Length = Annotated[
    str, _readable(_parse_wait), _shown(f"[0-9]{{1,9}} *({_UNITS}|working days?)", "3 days", "2 working days")
]
#: Hours, days, weeks: the same for everybody.
FixedLength = Annotated[str, _readable(_parse_fixed), _SHOWN_FIXED]
HalfLife = Annotated[str, _readable(_parse_half_life), _SHOWN_FIXED]
Days = Annotated[str, _readable(parse_days), _shown(f"daily|{_DAY}( *[-,] *{_DAY})*", "mon-fri", "tue, thu", "daily")]
Hours = Annotated[str, _readable(parse_hours), _shown(f"{_CLOCK} *- *({_CLOCK}|24:00)", "09:00-17:00")]
TimeOfDay = Annotated[str, _readable(parse_time), _shown(_CLOCK, "09:00")]
ContactOrZone = Annotated[
    str,
    _readable(get_zone, words=frozenset({"contact", "owner"})),
    _shown(_SHOWN_ZONE, "contact", "owner", "Europe/Berlin"),
]
ReaderOrZone = Annotated[
    str,
    _readable(get_zone, words=frozenset({"sender", "reader"})),
    _shown(_SHOWN_ZONE, "sender", "reader", "Europe/Berlin"),
]
Holidays = Annotated[
    tuple[str, ...],
    BeforeValidator(_read_holidays),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}], "examples": ["DE"]}),
]
WebhookUrl = Annotated[str, AfterValidator(_check_url), _shown("https?://.+", "https://crm.example/hooks/1")]
