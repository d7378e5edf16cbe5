"""Until when somebody is away, in the words of their auto-reply: English, German, French and Spanish. Pure.

A day counts only with a word that says what it is: "until 5 January" ends the day after, "back on 5 January" that very
morning. Whoever names several is back on the last of them, and a day that can be read in two ways is the later one. What
lies further ahead than `FURTHEST` is no holiday and is not believed. Every expression here looks at a bounded number of
characters and has no repetition inside another, so that no text makes it slow.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import date, timedelta

#: Nobody stands still for longer because of what a machine wrote.
FURTHEST = timedelta(days=60)

_MOST_CHARACTERS = 5_000
_LOOKED_BACK = 80
_LOOKED_AHEAD = 60
_YEAR = 365

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january januar janner janvier enero jan janv ene",
            "february februar feber fevrier febrero feb fev fevr",
            "march marz maerz mars marzo mar mrz",
            "april avril abril apr avr abr",
            "may mai mayo",
            "june juni juin junio jun",
            "july juli juillet julio jul juil",
            "august aout agosto aug ago",
            "september septembre septiembre setiembre sep sept",
            "october oktober octobre octubre oct okt",
            "november novembre noviembre nov",
            "december dezember decembre diciembre dec dez dic",
        ),
        1,
    )
    for name in names.split()
}
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday montag lundi lunes",
            "tuesday dienstag mardi martes",
            "wednesday mittwoch mercredi miercoles",
            "thursday donnerstag jeudi jueves",
            "friday freitag vendredi viernes",
            "saturday samstag sonnabend samedi sabado",
            "sunday sonntag dimanche domingo",
        )
    )
    for name in names.split()
}


def _any(names: dict[str, int]) -> str:
    """The longest first, so that "janv" is not taken for "jan"."""
    return "|".join(sorted(names, key=len, reverse=True))


_MONTH = rf"(?:{_any(_MONTHS)})\b\.?"
_OF_A_YEAR = r"(?:,? ?(?:of |de |del )?(?P<{}>20\d\d)\b)?"
_DAY = re.compile(
    rf"(?<![\w/.:+-])(?:(?:{_any(_WEEKDAYS)}|mo|di|mi|do|fr|sa|so|mon|tue|wed|thu|fri|sat|sun)\b\.?,? ?"
    r"(?:the |den |dem |le |el |dia )?)?(?:"
    r"(?P<iso>20\d\d[-/.][01]?\d[-/.][0-3]?\d)(?!\d)"
    rf"|(?P<day>[0-3]?\d) ?(?:st|nd|rd|th|er|\.|º|°)? ?(?:of |de |den )?(?P<month>{_MONTH}){_OF_A_YEAR.format('year')}"
    rf"|(?P<month_first>{_MONTH}) ?(?:the )?(?P<day_second>[0-3]?\d)(?:st|nd|rd|th)?\b(?![.:]\d){_OF_A_YEAR.format('last_year')}"
    r"|(?P<one>[0-3]?\d) ?(?P<between>[./-]) ?(?P<other>[0-3]?\d)(?: ?[./-] ?(?P<short_year>20\d\d|\d\d))?(?!\d)"
    r"(?! ?(?:uhr|h|am|pm|o'clock)\b)"
    rf")|\b(?P<weekday>{_any(_WEEKDAYS)})\b"
)

#: The day named behind these is the last one away.
_UNTIL = re.compile(
    r"\b(?:until|untill|till|til|through|thru|up to|bis|jusqu|jusque|hasta|including|inclus|incluido|inclusive)\b"
)
#: And the day named with these the first one at work.
_BACK = re.compile(
    r"\b(?:back|return|returning|returns|resume|resuming|again|retour|reviens|reviendrai|reprends|reprendrai|vuelta|"
    r"vuelvo|volvere|regreso|regresare|reincorporo|reincorporare|incorporare|zuruck|zurueck|wieder|ruckkehr|rueckkehr|"
    r"(?:available|reachable|erreichbar|joignable|disponible) (?:from|as of|on|ab|am|a partir))\b"
)
#: "From 22 December to 5 January", "zwischen dem 22. und dem 26.": the second of two days is the last one away.
_SECOND = re.compile(r"(?:\b(?:to|au|al|a|and|und|et|y)|[-–—]) ?(?:the |dem |den |zum |le |el )?$")
_FIRST = re.compile(
    r"\b(?:from|between|out|away|vom|von|zwischen|abwesend|du|entre|absent|absente|del|desde|ausente)\b"
)
#: "Ab dem 6. Januar bin ich wieder da": the word may come behind the day.
_ON = re.compile(r"\b(?:ab|am|from|on|as of|le|el|a partir (?:du|de|del)|desde) ?(?:dem |den |the |el |le )?$")
_END_OF_SENTENCE = re.compile(r"[!?;]|[a-z]{4}\. ")


def find_return(text: str, today: date) -> date | None:
    """The first day they are back, as `text` says it to somebody who reads it on `today`; None if it does not."""
    said = _plain(text)
    found = list(_DAY.finditer(said))
    returns: list[date] = []
    for place, match in enumerate(found):
        begin = found[place - 1].end() if place else 0
        end = found[place + 1].start() if place + 1 < len(found) else len(said)
        before = _last_sentence(said[max(begin, match.start() - _LOOKED_BACK) : match.start()])
        behind = _END_OF_SENTENCE.split(said[match.end() : min(end, match.end() + _LOOKED_AHEAD)], maxsplit=1)[0]
        earlier = _last_sentence(said[max(0, match.start() - 2 * _LOOKED_BACK) : match.start()])
        days_later = _meaning(before, behind, earlier, is_day=match["weekday"] is not None)
        if days_later is None:
            continue
        readings = [day + timedelta(days=days_later) for day in _readings(match, today)]
        returns += sorted(day for day in readings if today < day <= today + FURTHEST)[-1:]
    return max(returns, default=None)


def _plain(text: str) -> str:
    """In small letters without accents, on one line."""
    letters = unicodedata.normalize("NFKD", text[:_MOST_CHARACTERS].casefold())[:_MOST_CHARACTERS]
    kept = "".join(one for one in letters if unicodedata.category(one) not in {"Mn", "Cf"})
    return " ".join(kept.replace("’", "'").split())


def _last_sentence(text: str) -> str:
    return _END_OF_SENTENCE.split(text)[-1]


def _meaning(before: str, behind: str, earlier: str, *, is_day: bool) -> int | None:
    """How many days after the day that is named they are back; None if it is named for something else."""
    until = max((found.end() for found in _UNTIL.finditer(before)), default=-1)
    back = max((found.end() for found in _BACK.finditer(before)), default=-1)
    if until >= 0 or back >= 0:
        return 1 if until > back else 0
    if is_day:
        return None  # "Monday to Friday" are the hours of an office
    if _SECOND.search(before) and _FIRST.search(earlier):
        return 1
    return 0 if _ON.search(before) and _BACK.search(behind) else None


def _readings(match: re.Match[str], today: date) -> Iterator[date]:
    """The days that may be meant."""
    if match["weekday"]:
        ahead = (_WEEKDAYS[match["weekday"]] - today.weekday()) % 7
        yield today + timedelta(days=ahead or 7)
    elif match["iso"]:
        year, month, day = re.split(r"[-/.]", match["iso"])
        yield from _days(int(year), int(month), int(day), today)
    elif match["one"]:
        one, other = int(match["one"]), int(match["other"])
        written = match["short_year"]
        # Two numbers with a hyphen are a stretch of days, such as "3-10 January".
        if match["between"] == "-" and not written:
            return
        year = int(written) % 100 + 2000 if written else None
        yield from _days(year, other, one, today)
        if match["between"] != ".":
            yield from _days(year, one, other, today)
    else:
        month = match["month"] or match["month_first"]
        year = match["year"] or match["last_year"]
        day = match["day"] or match["day_second"]
        yield from _days(int(year) if year else None, _MONTHS[month.rstrip(".")], int(day), today)


def _days(year: int | None, month: int, day: int, today: date) -> Iterator[date]:
    """That day, or without a year the next such day; none if there is no such day."""
    for candidate in (year,) if year else (today.year, today.year + 1):
        try:
            found = date(candidate, month, day)
        except ValueError:
            continue
        if year or found >= today:
            yield found
            return
