"""Markdown as a mail: paragraphs, headings, lists, quotes, tables and code as text, pictures and buttons as MJML.

Whoever writes the weekly issue writes Markdown and nothing else. Every element carries its look inline, because many
mail programs drop style sheets; colors are names that a layout sets (`accent_color`, `line_color`, …). HTML is not read
but shown. A paragraph that is one link with the title "button" is a button: `[Book a time](https://… "button")`. A line
of nothing but `{% %}` stands between blocks; around the items of a list it stands within that list. A line of nothing
but `{{ question("…") }}` is a block of its own.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token as Parsed
from markdown_it.utils import EnvType, OptionsDict

from nurture.rendering.asking import is_question
from nurture.rendering.scanning import Kind, Masked, Original, Token, mask, numbered_word

#: Used where a layout does not set them: what a mail looks like without any brand.
DEFAULT_COLORS = {
    "accent_color": "#1a5fb4",
    "line_color": "#d8dbe0",
    "muted_color": "#59606b",
    "tint_color": "#f3f4f6",
}

_FONT_MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
_STYLES = {
    "p": "margin:0 0 16px;",
    "h1": "margin:0 0 16px;font-size:28px;line-height:36px;font-weight:700;",
    "h2": "margin:32px 0 12px;font-size:22px;line-height:28px;font-weight:700;",
    "h3": "margin:24px 0 8px;font-size:18px;line-height:24px;font-weight:700;",
    "h4": "margin:24px 0 8px;font-size:16px;line-height:24px;font-weight:700;",
    "h5": "margin:24px 0 8px;font-size:16px;line-height:24px;font-weight:700;",
    "h6": "margin:24px 0 8px;font-size:16px;line-height:24px;font-weight:700;",
    "ul": "margin:0 0 16px;padding:0 0 0 24px;",
    "ol": "margin:0 0 16px;padding:0 0 0 24px;",
    "li": "margin:0 0 8px;",
    "blockquote": "margin:0 0 16px;padding:0 0 0 16px;border-left:4px solid {line_color};color:{muted_color};",
    "a": "color:{accent_color};text-decoration:underline;",
    "code": "font-family:"
    + _FONT_MONO
    + ";font-size:14px;padding:2px 4px;background-color:{tint_color};border-radius:4px;",
    "pre": (
        "margin:0 0 16px;padding:12px 16px;background-color:{tint_color};border-radius:4px;font-family:"
        + _FONT_MONO
        + ";"
        "font-size:14px;line-height:20px;white-space:pre-wrap;word-break:break-word;"
    ),
    "table": "margin:0 0 16px;width:100%;border-collapse:collapse;font-size:16px;line-height:24px;",
    "th": "padding:8px 12px 8px 0;border-bottom:2px solid {line_color};text-align:left;vertical-align:bottom;",
    "td": "padding:8px 12px 8px 0;border-bottom:1px solid {line_color};text-align:left;vertical-align:top;",
    "img": "max-width:100%;height:auto;border:0;",
}

_LIST = re.compile(r"(<([uo]l) style=[^>]*>)(.*)</\2>\n", re.DOTALL)
_CODE_BLOCKS = frozenset({"fence", "code_block"})
_FENCE = re.compile(r" {0,3}(```|~~~)")
_JINJA_OPENS = frozenset({"if", "for", "call", "filter", "with", "macro"})


class _Role(StrEnum):
    TEXT = "text"  # HTML that goes into an mj-text together with its neighbors
    BLOCK = "block"  # an MJML element of its own
    TAGS = "tags"  # a line of nothing but `{% %}`


@dataclass
class _Item:
    role: _Role
    written: str
    line: int  # of the Markdown it came from, counting from 0
    is_outside: bool = False  # TAGS that must stand between MJML elements, not in the text


def to_mjml(original: Original, tokens: Sequence[Token]) -> list[Token]:
    """The content of a layout's column, as tokens that know the line of Markdown they came from."""
    return _Mail(original, mask(tokens)).tokens()


class _Mail:
    def __init__(self, original: Original, masked: Masked) -> None:
        self.original = original
        self.masked = masked
        self.colors = {  # words of their own, so that they pass through Markdown like any tag
            name: numbered_word(masked.mark, len(masked.tags) + index) for index, name in enumerate(DEFAULT_COLORS)
        }
        self.styles = {tag: style.format(**self.colors) for tag, style in _STYLES.items()}
        self.markdown = MarkdownIt("commonmark", {"html": False, "xhtmlOut": True})
        self._renderer = _Renderer(self.markdown)
        self.markdown.enable("table").disable(["html_block", "html_inline"])

    def tokens(self) -> list[Token]:
        items = self._with_joined_lists(list(self._items()))
        self._place_tags(items)
        tokens: list[Token] = []
        inside_text = False
        for item in items:
            is_text = item.role is _Role.TEXT or (item.role is _Role.TAGS and not item.is_outside and inside_text)
            if is_text and not inside_text:
                tokens += self._made('<mj-text css-class="ink">\n', item.line)
                item.written = re.sub(r'^(<h\d style="margin:)\d+px ', r"\g<1>0 ", item.written)
            elif inside_text and not is_text:
                tokens += self._made("</mj-text>\n", item.line)
            inside_text = is_text
            tokens += self._made(item.written, item.line)
        if inside_text:
            tokens += self._made("</mj-text>\n", items[-1].line)
        return tokens

    def _made(self, written: str, line: int) -> list[Token]:
        """Our text with the author's tags put back; the text stands for the line it was made from."""
        offset = self.original.offset_of_line(line)
        colors = {word: name for name, word in self.colors.items()}
        tokens: list[Token] = []
        position = 0
        for found in self.masked.word.finditer(written):
            tokens.append(self._text(written[position : found.start()], offset))
            if found[0] in colors:
                tokens.append(Token(Kind.OUTPUT, f"{{{{ {colors[found[0]]} }}}}", self.original, offset, is_made=True))
            else:
                tokens.append(self.masked.tags[found[0]])
            position = found.end()
        tokens.append(self._text(written[position:], offset))
        return [token for token in tokens if token.text]

    def _text(self, text: str, offset: int) -> Token:
        # A brace in Markdown is a brace; it must not become Jinja when it meets another one.
        return Token(Kind.TEXT, text.replace("{", "&#123;"), self.original, offset, is_made=True)

    # Markdown, block by block.

    def _items(self) -> Iterator[_Item]:
        text, lines = self._with_tags_apart()
        parsed = self.markdown.parse(text)
        start = 0
        depth = 0
        for index, token in enumerate(parsed):
            depth += token.nesting
            if depth == 0:
                group = parsed[start : index + 1]
                line = lines[group[0].map[0]] if group[0].map else 0
                yield self._item(group, line)
                start = index + 1

    def _with_tags_apart(self) -> tuple[str, list[int]]:
        """The masked text with each line of nothing but `{% %}` as a paragraph of its own, and where its lines were."""
        written: list[str] = []
        lines: list[int] = []
        number, is_code = 0, False
        for text in self.masked.text.split("\n"):
            is_code ^= bool(_FENCE.match(text))
            is_apart = not is_code and not text.startswith("    ") and self._stands_apart(text)
            for each in ["", text, ""] if is_apart else [text]:
                written.append(each)
                lines.append(number)
            words = self.masked.word.findall(text)
            number += 1 + sum(self.masked.tags[word].text.count("\n") for word in words)
        return "\n".join(written), [*lines, number]

    def _stands_apart(self, text: str) -> bool:
        return self._only_statements(text) or self._is_question(text)

    def _is_question(self, text: str) -> bool:
        word = text.strip()
        return word in self.masked.tags and is_question(self.masked.tags[word])

    def _only_statements(self, text: str) -> bool:
        words = self.masked.word.findall(text)
        is_silent = all(self.masked.tags[word].kind is Kind.STATEMENT for word in words)
        return bool(words) and is_silent and not self.masked.word.sub("", text).strip()

    def _item(self, group: list[Parsed], line: int) -> _Item:
        first = group[0]
        if first.type == "hr":
            return _Item(_Role.BLOCK, "<mj-divider />\n", line)
        if first.type == "paragraph_open":
            children = [child for child in group[1].children or [] if child.type != "text" or child.content.strip()]
            if self._only_statements(group[1].content):
                return _Item(_Role.TAGS, group[1].content + "\n", line)
            if self._is_question(group[1].content):
                return _Item(_Role.BLOCK, group[1].content + "\n", line)
            alone = self._button(children) or self._image(children)
            if alone:
                return _Item(_Role.BLOCK, alone + "\n", line)
        self._style(group)
        return _Item(_Role.TEXT, self._rendered(group), line)

    def _button(self, children: list[Parsed]) -> str:
        """A link with the title "button" and nothing beside it."""
        if len(children) < 3 or children[0].type != "link_open" or children[-1].type != "link_close":
            return ""
        if children[0].attrGet("title") != "button" or any(c.type == "link_close" for c in children[:-1]):
            return ""
        href = html.escape(str(children[0].attrGet("href") or ""))
        label = self._renderer.renderInline(children[1:-1], self.markdown.options, {})
        return f'<mj-button href="{href}">{label}</mj-button>'

    def _image(self, children: list[Parsed]) -> str:
        """A picture, or a picture that is a link, with nothing beside it."""
        link = children[0] if len(children) == 3 and children[0].type == "link_open" else None
        image = children[1] if link else (children[0] if len(children) == 1 else None)
        if image is None or image.type != "image":
            return ""
        alt = html.escape(self._renderer.renderInlineAsText(image.children or [], self.markdown.options, {}))
        href = f' href="{html.escape(str(link.attrGet("href") or ""))}"' if link else ""
        return f'<mj-image src="{html.escape(str(image.attrGet("src") or ""))}" alt="{alt}"{href} />'

    def _style(self, tokens: Sequence[Parsed]) -> None:
        for token in tokens:
            tag = "pre" if token.type in _CODE_BLOCKS else token.tag
            if tag in self.styles and token.nesting >= 0:
                own = token.attrGet("style")  # how a table aligns a column
                if own:
                    self._align(token, str(own))
                    continue
                token.attrSet("style", self.styles[tag])
            self._style(token.children or [])

    def _align(self, token: Parsed, alignment: str) -> None:
        """A cell of a column that Markdown aligns; numbers on the right end at the table's edge."""
        style = self.styles[token.tag].replace("text-align:left", alignment)
        if alignment == "text-align:right":
            style = style.replace("padding:8px 12px 8px 0", "padding:8px 0 8px 12px")
        token.attrSet("style", style)

    def _rendered(self, tokens: Sequence[Parsed]) -> str:
        return self._renderer.render(tokens, self.markdown.options, {})

    # Where Jinja blocks begin and end.

    def _with_joined_lists(self, items: list[_Item]) -> list[_Item]:
        """A loop around the items of a list turns within one list, not through many lists of one item."""
        joined: list[_Item] = []
        is_after_tags = False
        for index, item in enumerate(items):
            shell = _LIST.fullmatch(item.written) if item.role is _Role.TEXT else None
            opening = joined[-1] if joined and joined[-1].role is _Role.TAGS else None
            closing = next((each for each in items[index + 1 : index + 2] if each.role is _Role.TAGS), None)
            if shell and opening and closing and self._encloses(opening.written, closing.written):
                item.written = f"{shell[1]}\n{opening.written}{shell[3].strip()}\n{closing.written}</{shell[2]}>\n"
                closing.written = ""
                joined.pop()
            before = _LIST.fullmatch(joined[-1].written) if joined else None
            shell = _LIST.fullmatch(item.written) if item.role is _Role.TEXT else None
            if is_after_tags and shell and before and shell[1] == before[1]:
                joined[-1].written = f"{before[1]}\n{before[3].strip()}\n{shell[3].strip()}\n</{shell[2]}>\n"
            elif item.written:
                joined.append(item)
            is_after_tags = item.role is _Role.TAGS or (shell is not None and self._holds_tags(item.written))
        return joined

    def _encloses(self, opening: str, closing: str) -> bool:
        first, last = (self.masked.word.findall(text) for text in (opening, closing))
        if len(first) != 1 or len(last) != 1:
            return False
        word = self.masked.tags[first[0]].word
        return word in {"for", "if"} and self.masked.tags[last[0]].word == f"end{word}"

    def _holds_tags(self, written: str) -> bool:
        return any(self.masked.tags[word].kind is Kind.STATEMENT for word in self._words(written))

    def _words(self, written: str) -> list[str]:
        return [word for word in self.masked.word.findall(written) if word in self.masked.tags]

    def _place_tags(self, items: list[_Item]) -> None:
        """A Jinja block that holds a button or a picture must begin and end between MJML elements, not inside a text."""
        open_at: list[int] = []
        for index, item in enumerate(items):
            if item.role is not _Role.TAGS:
                continue
            for word in self.masked.word.findall(item.written):
                tag = self.masked.tags[word].word
                if tag in _JINJA_OPENS:
                    open_at.append(index)
                elif tag.startswith("end") and open_at:
                    first = open_at.pop()
                    if any(each.role is _Role.BLOCK for each in items[first:index]):
                        self._mark_outside(items, first, index)

    def _mark_outside(self, items: list[_Item], first: int, last: int) -> None:
        """The tags at the ends of a region, and the `else` of its own level."""
        depth = 0
        for item in items[first : last + 1]:
            if item.role is not _Role.TAGS:
                continue
            tags = [self.masked.tags[word].word for word in self.masked.word.findall(item.written)]
            before = depth
            depth += sum((tag in _JINJA_OPENS) - tag.startswith("end") for tag in tags)
            if min(before, depth) == 0 or (before == 1 and "else" in tags) or (before == 1 and "elif" in tags):
                item.is_outside = True


class _Renderer(RendererHTML):
    """Writes code as one styled block; everything else as Markdown's own renderer does."""

    def fence(self, tokens: Sequence[Parsed], idx: int, _options: OptionsDict, _env: EnvType) -> str:
        style = html.escape(str(tokens[idx].attrGet("style")))
        return f'<pre style="{style}">{html.escape(tokens[idx].content.rstrip())}</pre>\n'

    def code_block(self, tokens: Sequence[Parsed], idx: int, _options: OptionsDict, _env: EnvType) -> str:
        return self.fence(tokens, idx, _options, _env)
