"""How wide words are, and how they are broken into lines, without a browser that would know. Pure.

System fonts differ, so widths are those of the widest of them, a little rounded up: what fits here fits everywhere.
"""

import unicodedata
from functools import cache

_NARROW = frozenset("iljftrI.,:;'|!()[]{}\"` ·")
_BROAD = frozenset("mwMW@%—…&")
#: A long word may be broken after these.
_BREAKS = frozenset("-/_.(,?&=@")


@cache
def _em(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    if letter in _NARROW:
        return 0.42
    if letter in _BROAD:
        return 1.0
    return 0.74 if letter.isupper() else 0.61


def width_of(text: str, size: float) -> float:
    """At most so many pixels, at so many pixels per em."""
    return sum(map(_em, text)) * size


def break_lines(text: str, width: float, size: float, most: int) -> list[str]:
    """Lines that fit, broken between words where there are any; what does not fit into `most` ends with an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
            continue
        lines += _pieces(word, width, size)
        if len(lines) > most:
            break
    if len(lines) > most:
        lines = lines[:most]
        while lines[-1] and width_of(f"{lines[-1]}…", size) > width:
            lines[-1] = lines[-1][:-1]
        lines[-1] += "…"
    return lines


def _pieces(word: str, width: float, size: float) -> list[str]:
    """A word in pieces that fit, broken where it has a joint."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and width_of(pieces[-1] + letter, size) > width:
            joint = max((at for at, one in enumerate(pieces[-1], 1) if one in _BREAKS), default=len(pieces[-1]))
            rest = pieces[-1][joint:]
            if width_of(rest + letter, size) > width:
                joint, rest = len(pieces[-1]), ""  # what stands behind the joint fills a line by itself
            pieces[-1] = pieces[-1][:joint]
            pieces.append(rest)
        pieces[-1] += letter
    return pieces
