"""Durations, sending windows, closed days, weekly slots, moments and working time: arithmetic on instants and zones.

Pure. Instants are aware and in UTC; a zone is only used to ask what a clock on a wall shows. A wall time that a DST
change skips counts as the same distance after the change (02:30 becomes 03:30); one that occurs twice is the first.
Sequences, newsletters, hand-off and delivery all count time through here.
"""

from nurture.timing.closed_days import CONTACT, DaySpan, is_holiday, parse_day_span, parse_holidays
from nurture.timing.durations import Duration, in_words, parse_duration, parse_length
from nurture.timing.moments import Moment, parse_moment
from nurture.timing.windows import (
    DAYS,
    Opening,
    WeeklySlot,
    Window,
    add_working_time,
    parse_days,
    parse_hours,
    parse_time,
)
from nurture.timing.zones import find_zone, get_zone, local_instant

__all__ = [
    "CONTACT",
    "DAYS",
    "DaySpan",
    "Duration",
    "Moment",
    "Opening",
    "WeeklySlot",
    "Window",
    "add_working_time",
    "find_zone",
    "get_zone",
    "in_words",
    "is_holiday",
    "local_instant",
    "parse_day_span",
    "parse_days",
    "parse_duration",
    "parse_holidays",
    "parse_hours",
    "parse_length",
    "parse_moment",
    "parse_time",
]
