"""`{{ question("timing", "budget") }}` in a mail: which questions it may ask, and where in it such a line may stand.

When a mail is read, `parts/question.mjml` takes the place of the line. What is asked, and whether anything is, differs by
reader: `mail.question` holds it when the mail is rendered, nothing for somebody who has said it all.
"""

import ast
import re
from collections.abc import Sequence

from nurture.rendering.scanning import Kind, Token
from nurture.rendering.source import Findings

PART = "parts/question.mjml"

_ASKING = re.compile(r"question\s*\(")
_TEXT_TAG = re.compile(r"<(/?)mj-text\b[^>]*?(/?)>")


def is_question(token: Token) -> bool:
    """Whether this tag asks a question."""
    return token.kind is Kind.OUTPUT and _ASKING.match(token.inner) is not None


def names_asked(asked: Sequence[Token], findings: Findings) -> tuple[str, ...]:
    """The questions of a mail by name, in the order in which they are preferred; one place in it may ask."""
    for second in asked[1:]:
        message = f"`{second.text}` is a second question, and nobody answers two"
        hint = 'keep one; {{ question("timing", "budget") }} asks the first that is still open'
        findings.add(second.place(), "NT206", message, hint)
    return _names(asked[0], findings) if asked else ()


def _names(token: Token, findings: Findings) -> tuple[str, ...]:
    try:
        tree = ast.parse(token.inner, mode="eval").body
    except SyntaxError:
        tree = ast.Constant(None)
    match tree:
        case ast.Call(func=ast.Name(id="question"), args=given, keywords=[]) if given:
            names = [one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            if len(names) == len(given):
                return tuple(dict.fromkeys(names))
    message = f"`{token.text}` cannot be read when this is published"
    findings.add(token.place(), "NT207", message, 'name questions in quotes, such as {{ question("timing") }}')
    return ()


def check_place(token: Token, before: Sequence[Token], findings: Findings) -> None:
    """A question stands between the texts of a mail, not within one."""
    written = "".join(one.text if one.kind is Kind.TEXT else "·" for one in before)
    tags = _TEXT_TAG.findall(written)
    if tags and not any(tags[-1]):  # the last one opens a text and does not close itself
        message = f"`{token.text}` stands in the middle of a text"
        findings.add(token.place(), "NT207", message, "give it a line of its own, outside <mj-text>")
