"""The plain text of a mail, made once per version from its HTML.

It says everything the HTML says: headings, lists, tables, quotes, what pictures show, and where each link leads. What a
reader of the HTML does not see (`display: none`, comments, the preheader) is not in it. Jinja stays where it was, so
that the text is rendered per contact like the HTML. Lines are wrapped at 76 characters; a tag counts as a short word,
and an address is never broken.
"""

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from nurture.rendering import markup
from nurture.rendering.markup import Piece
from nurture.rendering.tidying import tidy

WIDTH = 76
TAG_WIDTH = 12  # how wide a `{{ }}` is taken to be
ADDRESS_WIDTH = 48  # and the address of a link

_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "li", "main",
    "nav", "ol", "p", "pre", "section", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
})  # fmt: skip
_SILENT = frozenset({"head", "style", "script", "title", "template", "object", "select"})
_UNDERLINES = {"h1": "=", "h2": "-"}
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_INVISIBLE = re.compile("[\u00ad\u034f\u200b\u2028\u2029\u2060-\u2064\ufeff]")
# A joiner between two characters says how they are written ("👩‍💻", Persian), a mark beside one which way; among blanks
# they only fill up space.
_FILLING = re.compile(r"(?<!\S)[\u200c\u200d]+|[\u200c\u200d]+(?!\S)|(?<!\S)[\u061c\u200c-\u200f\u202a-\u202e]+(?!\S)")
_SPACE = re.compile(r"[ \t\r\n\f\u00a0\u2000-\u200a\u202f\u3000]+")
_BETWEEN_LINKS = re.compile(r"[\s·•|/,–—-]*")


@dataclass
class Element:
    """A tag with what stands in it. Masked HTML is well formed, whatever the loops in it do later."""

    name: str
    opening: Piece | None = None
    children: list["Node"] = field(default_factory=list)

    def attribute(self, name: str) -> str | None:
        found = self.opening.attribute(name) if self.opening else None
        return markup.decoded(found.value).strip() if found else None


Node: TypeAlias = Element | str


@dataclass(frozen=True)
class _Link:
    label: str
    address: str


def to_text(document: str, words: re.Pattern[str], silent: frozenset[str], destinations: Mapping[str, str]) -> str:
    """The masked text of a masked HTML document.

    `silent` are the words for `{% %}`, which print nothing themselves; `destinations` says where the words that stand
    for a link lead.
    """
    return tidy(_Writer(words, silent, destinations).blocks(_tree(document).children, WIDTH))


def _tree(document: str) -> Element:
    root = Element("")
    open_elements = [root]
    for piece in markup.pieces(document):
        inside = open_elements[-1]
        match piece.kind:
            case markup.Kind.OPEN:
                element = Element(piece.name, piece)
                inside.children.append(element)
                if not piece.is_empty and piece.name not in markup.VOID:
                    open_elements.append(element)
            case markup.Kind.CLOSE if any(element.name == piece.name for element in open_elements[1:]):
                while open_elements.pop().name != piece.name:
                    pass
            case markup.Kind.TEXT | markup.Kind.BROKEN:
                raw = inside.name in {"style", "script"}
                inside.children.append(piece.text if raw else html.unescape(piece.text))
    return root


class _Writer:
    def __init__(self, words: re.Pattern[str], silent: frozenset[str], destinations: Mapping[str, str]) -> None:
        self.words = words
        self.silent = silent
        self.destinations = destinations

    # Blocks: each ends with an empty line; a `{% %}` between two of them adds nothing, so that what it leaves out
    # leaves no gap.

    def blocks(self, nodes: Iterable[Node], width: int) -> str:
        written: list[str] = []
        line: list[Node] = []
        for node in nodes:
            if isinstance(node, Element) and _is_block(node):
                written += [self._paragraph(line, width), self._block(node, width)]
                line = []
            else:
                line.append(node)
        written.append(self._paragraph(line, width))
        return "".join(written)

    def _block(self, element: Element, width: int) -> str:
        if _is_hidden(element):
            return self._silent_tags(element)
        match element.name:
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                return self._paragraph(element.children, width, _UNDERLINES.get(element.name, ""))
            case "ul" | "ol":
                return self._list(element, width)
            case "blockquote":
                return self._prefixed(tidy(self.blocks(element.children, width - 2)), "> ", "> ") + "\n"
            case "pre":
                return self._prefixed(_all_text(element).strip("\n"), "    ", "    ") + "\n"
            case "hr":
                return "-" * 20 + "\n\n"
            case "table" if element.attribute("role") not in {"presentation", "none"}:
                return self._table(element, width)
        return self.blocks(element.children, width)

    def _paragraph(self, nodes: Sequence[Node], width: int, underline: str = "") -> str:
        parts = self._inline(nodes)
        links = [part for part in parts if isinstance(part, _Link)]
        between = self._visible("".join(part for part in parts if isinstance(part, str)))
        if len(links) == 1 and not between.strip():
            text = self._joined(parts, _alone)
        elif links and _BETWEEN_LINKS.fullmatch(between):
            # A row of links, as in a footer: one on each line.
            text = "\n".join(
                _alone(part) if isinstance(part, _Link) else self._tags_in(part)
                for part in parts
                if isinstance(part, _Link) or self.words.search(part)
            )
        else:
            text = self._joined(parts, _in_sentence)
        if not self._visible(text).strip():
            return text.strip()
        filled = self._filled(text, width)
        if underline:
            longest = max(self._measure(line) for line in filled.split("\n"))
            filled += "\n" + underline * min(longest, width)
        return filled + "\n\n"

    def _list(self, element: Element, width: int) -> str:
        is_numbered = element.name == "ol" and not any(
            isinstance(child, str) and self.words.search(child) for child in element.children
        )  # how often a loop turns is not known here, so its items have no numbers
        number = int(start) if (start := element.attribute("start") or "1").isdigit() else 1
        written: list[str] = []
        for child in element.children:
            if isinstance(child, str):
                written.append(self._paragraph([child], width))
                continue
            mark = f"{number}. " if is_numbered else "- "
            number += 1
            item = tidy(self.blocks(child.children, width - len(mark))).replace("\n\n", "\n").rstrip("\n")
            written.append(self._prefixed(item, mark, " " * len(mark)))
        return "".join(written) + "\n"

    def _table(self, table: Element, width: int) -> str:
        """Rows of data, in columns where nothing in them depends on the contact."""
        rows: list[str | tuple[bool, list[str]]] = []
        for node in _rows(table):
            if isinstance(node, str) or node.name != "tr":
                rows.append(self.blocks([node], width))
                continue
            cells = [
                Element("td", None, [child]) if isinstance(child, str) else child
                for child in node.children
                if isinstance(child, Element) or child.strip()
            ]
            texts = [" ".join(self._joined(self._inline(cell.children), _in_sentence).split()) for cell in cells]
            rows.append((all(cell.name == "th" for cell in cells), texts))
        filled = [row for row in rows if not isinstance(row, str)]
        columns = max((len(cells) for _, cells in filled), default=0)
        widths = [max(len(cells[i]) if i < len(cells) else 0 for _, cells in filled) for i in range(columns)]
        is_fixed = sum(widths) + 3 * columns <= width and not any(
            self.words.search(c) for _, row in filled for c in row
        )
        written: list[str] = []
        for row in rows:
            if isinstance(row, str):
                written.append(row)
                continue
            is_header, texts = row
            if is_fixed:
                texts = [text.ljust(widths[index]) for index, text in enumerate(texts)]
            line = " | ".join(texts).rstrip()
            written.append(line + "\n" + ("-" * min(self._measure(line), width) + "\n" if is_header else ""))
        return "".join(written) + "\n"

    def _prefixed(self, text: str, first: str, following: str) -> str:
        """The text with something in front of each of its lines; it ends with a line end."""
        lines = text.rstrip("\n").split("\n")
        marked = [(first if index == 0 else following) + line for index, line in enumerate(lines)]
        return "\n".join(marked) + "\n"

    # Inside a line.

    def _inline(self, nodes: Iterable[Node]) -> list[str | _Link]:
        parts: list[str | _Link] = []
        previous: Node = ""
        for node in nodes:
            if _are_set_apart(previous, node):
                parts.append(" ")
            previous = node
            if isinstance(node, str):
                parts.append(_FILLING.sub("", _INVISIBLE.sub("", _SPACE.sub(" ", node))))
            elif _is_hidden(node):
                parts.append(self._silent_tags(node))
            elif node.name == "br":
                parts.append("\n")
            elif node.name == "img":
                alt = _SPACE.sub(" ", node.attribute("alt") or "").strip()
                parts.append(f"[{alt}]" if alt else "")
            elif node.name == "a" and node.attribute("href") is not None:
                label = " ".join(self._label(node).split())
                href = (node.attribute("href") or "").replace(" ", "%20")
                parts.append(_read_link(label, href, self.destinations.get(href, href)))
            else:
                inside = self._inline(node.children)
                parts += [" ", *inside, " "] if node.name in _BLOCKS else inside
        return parts

    def _label(self, link: Element) -> str:
        """What a link shows: its text, or what its picture shows."""
        shown = [part if isinstance(part, str) else part.label for part in self._inline(link.children)]
        label = "".join(shown)
        return label[1:-1] if re.fullmatch(r"\[[^\[\]]*\]", label.strip()) and label == label.strip() else label

    def _joined(self, parts: Iterable[str | _Link], write: Callable[[_Link], str]) -> str:
        text = "".join(write(part) if isinstance(part, _Link) else part for part in parts)
        return "\n".join(self._without_indent(_SPACE.sub(" ", line).strip(" ")) for line in text.split("\n"))

    def _without_indent(self, line: str) -> str:
        """The line without space behind the `{% %}` it begins with, which would indent it."""
        begun: list[str] = []
        while (found := self.words.match(line)) and found[0] in self.silent:
            begun.append(found[0])
            line = line[found.end() :].lstrip(" ")
        return "".join(begun) + line

    def _filled(self, text: str, width: int) -> str:
        return "\n".join(self._wrapped(line, width) for line in text.strip().split("\n"))

    def _wrapped(self, line: str, width: int) -> str:
        lines: list[list[str]] = [[]]
        used = 0
        for word in line.split(" "):
            size = self._measure(word)
            if lines[-1] and used + 1 + size > width:
                lines.append([])
                used = 0
            used += size + (1 if lines[-1] else 0)
            lines[-1].append(word)
        return "\n".join(" ".join(words) for words in lines)

    # Words that stand for tags.

    def _measure(self, text: str) -> int:
        return len(self.words.sub(self._as_wide, text))

    def _as_wide(self, found: re.Match[str]) -> str:
        if found[0] in self.silent:
            return ""
        return "x" * (ADDRESS_WIDTH if found[0] in self.destinations else TAG_WIDTH)

    def _visible(self, text: str) -> str:
        """The text without the tags that print nothing."""
        return self.words.sub(lambda found: "" if found[0] in self.silent else found[0], text)

    def _tags_in(self, text: str) -> str:
        return "".join(self.words.findall(text))

    def _silent_tags(self, element: Element) -> str:
        """The `{% %}` in a hidden element: it may set what is shown later."""
        return "".join(word for word in self.words.findall(_all_text(element)) if word in self.silent)


def _is_block(element: Element) -> bool:
    if element.name in _BLOCKS or element.name in _SILENT:
        return True
    return element.name != "a" and any(isinstance(child, Element) and _is_block(child) for child in element.children)


def _are_set_apart(left: Node, right: Node) -> bool:
    """Whether two elements touch only in the source: a style keeps `<span class="count">20</span><b …>years` apart."""
    if isinstance(left, str) or isinstance(right, str):
        return False
    return not (_is_hidden(left) or _is_hidden(right)) and any(
        element.attribute(name) for element in (left, right) for name in ("class", "style")
    )


def _is_hidden(element: Element) -> bool:
    return (
        element.name in _SILENT
        or element.attribute("hidden") is not None
        or bool(_HIDDEN.search(element.attribute("style") or ""))
    )


def _all_text(element: Element) -> str:
    return "".join(child if isinstance(child, str) else _all_text(child) for child in element.children)


def _rows(table: Element) -> list[Node]:
    """The rows of a table and what stands between them."""
    rows: list[Node] = []
    for child in table.children:
        if isinstance(child, Element) and child.name in {"thead", "tbody", "tfoot"}:
            rows += _rows(child)
        else:
            rows.append(child)
    return rows


def _read_link(label: str, href: str, destination: str) -> _Link:
    """A link as its reader sees it; `destination` is where it leads when `href` is only a word for it."""
    if destination.startswith("#"):
        return _Link(label, "")
    shown = re.sub(r"^(mailto:|tel:|sms:)", "", destination)
    if shown != destination:  # a label that is the address itself needs no second one
        shown = shown.split("?")[0].replace("%20", " ")
        return _Link(label, "" if label.replace(" ", "") == shown.replace(" ", "") else shown)
    said = label.rstrip("/")
    is_said = said in {destination.rstrip("/"), re.sub(r"^https?://", "", destination).rstrip("/")}
    return _Link("" if is_said else label, href)


def _alone(link: _Link) -> str:
    """A link on a line of its own: `Book a time: https://…`."""
    if not link.address or not link.label:
        return link.label or link.address
    return f"{link.label} {link.address}" if link.label[-1] in ":.!?…" else f"{link.label}: {link.address}"


def _in_sentence(link: _Link) -> str:
    """A link among words, set apart as RFC 3986 (appendix C) advises: `our report <https://…>`."""
    return f"{link.label} <{link.address}>" if link.label and link.address else link.label or link.address
