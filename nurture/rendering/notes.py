"""Notes between authors: HTML comments, which do not travel.

What only Outlook reads (`<!--[if mso]>`) stays. A comment around nothing but `{% %}`, which is how some editors are made
to accept Jinja, is opened; a comment around anything else goes away with the Jinja in it.
"""

import re
from collections.abc import Sequence

from nurture.rendering import markup
from nurture.rendering.scanning import Kind, Masked, Token, mask

_FOR_OUTLOOK = re.compile(r"<!--(\[if|<!\[endif)", re.IGNORECASE)


def without_notes(tokens: Sequence[Token]) -> list[Token]:
    """The same tokens without Jinja comments and without notes in HTML comments."""
    masked = mask(tokens)
    cut: list[tuple[int, int]] = []
    for piece in markup.pieces(masked.text):
        if piece.kind is markup.Kind.COMMENT and not _FOR_OUTLOOK.match(piece.text):
            cut += _cuts(piece, masked)
    kept: list[Token] = []
    for start, end, token in masked.spans:
        kept += _outside(token, start, end, cut)
    return kept


def _cuts(piece: markup.Piece, masked: Masked) -> list[tuple[int, int]]:
    """What to cut of a comment: all of it, or the marks around its `{% %}`."""
    inside = piece.text[4:-3]
    words = masked.word.findall(inside)
    is_wrapping = words and all(masked.tags[word].kind is Kind.STATEMENT for word in words)
    if is_wrapping and not masked.word.sub("", inside).strip():
        before, behind = len(inside) - len(inside.lstrip()), len(inside) - len(inside.rstrip())
        return [(piece.start, piece.start + 4 + before), (piece.end - 3 - behind, piece.end)]
    return [(piece.start, piece.end)]


def _outside(token: Token, start: int, end: int, cut: list[tuple[int, int]]) -> list[Token]:
    """What is left of a token that stands from `start` to `end` of the masked text."""
    overlapping = [(first, last) for first, last in cut if first < end and last > start]
    if not overlapping:
        return [token]
    if token.kind is not Kind.TEXT:
        return []
    kept: list[Token] = []
    position = start
    for first, last in [*overlapping, (end, end)]:
        if first > position:
            kept.append(token.with_text(token.text[position - start : first - start], position - start))
        position = max(position, last)
    return kept
