"""What a cell of somebody's file says: clean text, numbers, dates, yes or no. Pure.

People write "1,200", "31.12.2025" and "Ja". What can be read in one way only is read; what could mean two things
(01/02/2026) is nobody's to guess and counts as unreadable. Imports, forms and the command line read through here, and
exports put the apostrophe before a formula that imports take away again.
"""

import math
import re
import unicodedata
from datetime import date

_BLANK = re.compile(r"\s+")
# Zero-width and byte-order marks, and the controls that turn text around: they only hide what somebody really reads.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad\u202a-\u202e\u2066-\u2069]")
# ZWNJ and ZWJ join letters in Persian and Hindi names; at either end they join nothing.
_JOINERS = "\u200c\u200d"

#: How people fill a cell they have nothing for.
_NOTHING = frozenset({"-", "--", "–", "—", ".", "?", "n/a", "#n/a", "(blank)"})

#: What a cell of a spreadsheet holds whose formula failed. "#N/A" is how it says that there is nothing.
FAILED = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#GETTING_DATA", "#SPILL!", "#CALC!"})

# What a spreadsheet takes for a formula, also in its full-width form (OWASP, CSV injection).
_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")

_YES_WORDS = "yes y true t 1 1.0 x on ja j wahr oui vrai sí si verdadero ✓ ✔ ☑ ✅"
_NO_WORDS = "no n false f 0 0.0 off nein falsch non faux falso ✗ ✘ ☐ ❌"
_YES, _NO = frozenset(_YES_WORDS.split()), frozenset(_NO_WORDS.split())

_ENGLISH_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_GERMAN_THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+|[+-]?\d{1,3}(\.\d{3}){2,}", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
# What may stand between thousands beside comma and dot: spaces of all kinds, and the Swiss apostrophe.
_THOUSANDS_GAP = re.compile(r"(?<=\d)[\s'’](?=\d{3}(\D|$))")

_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ].*)?", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[,T ].*)?", re.ASCII)


def clean(text: str) -> str:
    """The text on one line: no control or invisible characters, composed letters (NFC), single blanks."""
    if not text.isprintable():
        text = _INVISIBLE.sub("", _BLANK.sub(" ", text)).strip(_JOINERS)
        text = "".join(character for character in text if unicodedata.category(character) != "Cc")
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return _BLANK.sub(" ", text.strip()) if "  " in text else text.strip()


def read_text(cell: str) -> str:
    """What a cell says, empty when it only says that there is nothing."""
    text = clean(cell)
    if text.startswith("'"):
        text = unguard(text)
    return "" if len(text) <= 7 and text.lower() in _NOTHING else text


def guard(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula; `unguard` is its exact reverse."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(text: str) -> str:
    """The text behind the apostrophe that `guard`, or another careful export, put before it."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def fold(text: str) -> str:
    """Letters and digits only, without case and accents: "E-Mail-Adresse" and "email_adresse" are one word."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    return "".join(character for character in text.casefold() if character.isalnum())


def word(text: str) -> str:
    """A word of a closed list, whatever case it has and whether blanks, hyphens or underscores part it."""
    return re.sub(r"[\s_–-]+", "", text.casefold())


def read_yes_or_no(text: str) -> bool | None:
    """Yes or no; None for anything that is neither."""
    given = word(text)
    if given in _YES:
        return True
    return False if given in _NO else None


def read_number(text: str) -> int | float | None:
    """A number with a comma or a dot for its decimals: "1,200", "1.200,50", "12,5", "1.5"; None if it is none.

    With one separator before exactly three digits a comma parts thousands and a dot decimals, as in English.
    """
    if len(text) <= 15 and text.isascii() and text.isdigit():
        return int(text)
    given = _THOUSANDS_GAP.sub("", text.strip())
    if _ENGLISH_THOUSANDS.fullmatch(given):
        given = given.replace(",", "")
    elif _GERMAN_THOUSANDS.fullmatch(given):
        given = given.replace(".", "").replace(",", ".")
    elif _DECIMAL_COMMA.fullmatch(given):
        given = given.replace(",", ".")
    if not _PLAIN_NUMBER.fullmatch(given):
        return None
    number = float(given)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def read_date(text: str) -> date | None:
    """A day: 2026-01-31, 31.01.2026, or with slashes where only one order is possible; a time behind it is ignored."""
    given = text.strip()
    if match := _YEAR_FIRST.fullmatch(given):
        return _day(int(match[1]), int(match[3]), int(match[4]))
    if match := _YEAR_LAST.fullmatch(given):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        if match[2] == "." or first == second or first > 12:
            return _day(year, second, first)
        # 03/31 can only be American; 01/02 could be either, so it is neither.
        return _day(year, first, second) if second > 12 else None
    return None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
