"""What is wrong with a text as MJML, each problem with file, line and column.

The compiler accepts unknown tags, drops unknown attributes, gives no positions, and dies of a body nested some thousand
deep, so everything is checked here before it sees a mail. The text is masked: a Jinja tag is one harmless word.
"""

import re
from collections.abc import Callable

from nurture.errors import did_you_mean
from nurture.rendering import components, markup
from nurture.rendering.links import is_harmless
from nurture.rendering.markup import Piece
from nurture.rendering.scanning import Kind, Masked, Token
from nurture.rendering.source import Findings, Severity

MAX_DEPTH = 100  # mrml's parser recurses; it was seen to crash between 1,000 and 5,000

_JINJA_BLOCKS = {"if", "for", "macro", "call", "filter", "with"}
_JINJA_MIDDLE = {"else", "elif"}
_FOR_OUTLOOK = re.compile(r"\[if [^\[\]<>]*\]>(<!|.*<!\[endif\])", re.DOTALL)
_FILE_NAME = re.compile(r"\.(png|jpe?g|gif|webp|svg|avif)$", re.IGNORECASE)


def lint(masked: Masked, findings: Findings) -> None:
    """Report everything that MJML would reject, drop or misplace."""
    _Linter(masked, findings).run()


class _Linter:
    def __init__(self, masked: Masked, findings: Findings) -> None:
        self.masked = masked
        self.findings = findings
        self.open: list[Piece] = []
        self.jinja: list[tuple[Token, list[Piece]]] = []  # open Jinja blocks, with the tags open where each began
        self.has_root = False

    def run(self) -> None:
        steps: dict[markup.Kind, Callable[[Piece], None]] = {
            markup.Kind.OPEN: self._opened,
            markup.Kind.CLOSE: self._closed,
            markup.Kind.TEXT: self._text,
            markup.Kind.COMMENT: self._comment,
            markup.Kind.DECLARATION: self._declaration,
            markup.Kind.BROKEN: self._broken,
        }
        for piece in markup.pieces(self.masked.text):
            steps[piece.kind](piece)
            if len(self.open) > MAX_DEPTH:
                self._found(piece.start, "NT305", f"tags are nested more than {MAX_DEPTH} deep", "nest less")
                return
        for left in self.open:
            self._found(left.start, "NT302", f"<{left.name}> is never closed", f"add </{left.name}>")
        if not self.has_root:
            hint = "a mail is MJML: extend a layout, or write <mjml><mj-body>…</mj-body></mjml>"
            self._found(0, "NT309", "there is no <mjml> here", hint)

    def _found(self, offset: int, code: str, message: str, hint: str = "", severity: Severity = "error") -> None:
        self.findings.add(self.masked.place(offset), code, message, hint, severity)

    @property
    def _inside(self) -> str:
        return self.open[-1].name if self.open else ""

    @property
    def _holds_html(self) -> bool:
        """Whether we stand in a tag whose content is HTML, such as mj-text."""
        return any(piece.name.startswith("mj") and piece.name not in components.CHILDREN for piece in self.open)

    def _opened(self, piece: Piece) -> None:
        self._check_place(piece)
        self._check_attributes(piece)
        self.has_root = self.has_root or piece.name == "mjml"
        if not piece.is_empty and piece.name not in markup.VOID:
            self.open.append(piece)

    def _check_place(self, piece: Piece) -> None:
        name, inside = piece.name, self._inside
        if name in components.REPLACED:
            self._found(piece.start, "NT301", f"<{name}> cannot be used in a mail here", components.REPLACED[name])
        elif name.lower().startswith("mj") and name not in components.KNOWN:
            near = did_you_mean(name.lower(), components.ATTRIBUTES)
            self._found(piece.start, "NT301", f"MJML has no <{name}>", f"it would be lost.{near}")
        elif self._holds_html:
            if name.startswith("mj"):
                outer = next(p.name for p in reversed(self.open) if p.name.startswith("mj"))
                self._found(piece.start, "NT304", f"<{name}> stands inside <{outer}>", f"close <{outer}> first")
        elif inside in components.CHILDREN and name not in components.CHILDREN[inside]:
            allowed = components.PARENTS.get(name)
            hint = f"put it into <{'> or <'.join(allowed)}>" if allowed else "put it into <mj-text> or <mj-raw>"
            self._found(piece.start, "NT304", f"<{name}> cannot stand directly in <{inside}>", hint)
        elif not inside and name != "mjml" and not self._in_macro:
            self._found(piece.start, "NT304", f"<{name}> stands outside <mjml>", "put it into the body")

    @property
    def _in_macro(self) -> bool:
        return any(token.word in {"macro", "set"} for token, _ in self.jinja)

    def _check_attributes(self, piece: Piece) -> None:
        known = components.ATTRIBUTES.get(piece.name)
        in_defaults = self._inside in {"mj-attributes", "mj-class"}
        for attribute in piece.attributes:
            if self.masked.word.search(attribute.name):
                if piece.name.startswith("mj"):
                    hint = 'write the Jinja tag inside the quotes: color="{{ accent_color }}"'
                    self._found(attribute.at, "NT306", "a Jinja tag stands between attributes", hint)
            elif not attribute.is_quoted and attribute.end > attribute.start:
                value = attribute.value[:30]
                hint = f'write {attribute.name}="{value}"'
                self._found(attribute.at, "NT306", f"the value of {attribute.name} has no quotes", hint)
            elif known is not None and attribute.name not in known and not in_defaults:
                near = did_you_mean(attribute.name, known)
                message = f"<{piece.name}> has no attribute {attribute.name}"
                self._found(attribute.at, "NT303", message, f"MJML drops it.{near}", "warning")
        href = piece.attribute("href")
        if href is not None and not is_harmless(self._begun(href.value)):
            shown = self.masked.word.sub(lambda word: self.masked.tags[word[0]].text, href.value)[:40]
            self._found(href.at, "NT407", f"no mail program follows {shown}", "write an https:// address")
        if piece.name in {"img", "mj-image", "mj-carousel-image"} and not in_defaults:
            self._check_alt(piece)

    def _begun(self, destination: str) -> str:
        """What an address begins with, behind any `{% if %}`; nothing where only a reader's value says it."""
        while (found := self.masked.word.match(destination)) and self.masked.tags[found[0]].kind is Kind.STATEMENT:
            destination = destination[found.end() :].lstrip()
        return "" if self.masked.word.match(destination) else destination

    def _check_alt(self, piece: Piece) -> None:
        alt = piece.attribute("alt")
        if alt is None:
            hint = 'say what it shows, or write alt="" if it only decorates: many readers see no images'
            self._found(piece.start, "NT401", f"<{piece.name}> has no alt", hint, "warning")
        elif _FILE_NAME.search(alt.value):
            self._found(alt.at, "NT401", f'alt="{alt.value}" is a file name', "say what the picture shows", "warning")

    def _closed(self, piece: Piece) -> None:
        if self._inside == piece.name:
            self.open.pop()
        elif piece.name in markup.VOID:
            self._found(piece.start, "NT302", f"</{piece.name}> closes nothing", f"write <{piece.name} /> alone")
        elif any(opened.name == piece.name for opened in self.open):
            while self._inside != piece.name:
                left = self.open.pop()
                line = self.masked.place(piece.start)[1]
                message = f"<{left.name}> is not closed before </{piece.name}> in line {line}"
                self._found(left.start, "NT302", message, f"add </{left.name}>")
            self.open.pop()
        else:
            opened = f"; open is <{self._inside}>" if self.open else ""
            self._found(piece.start, "NT302", f"</{piece.name}> closes nothing{opened}", "remove it")

    def _text(self, piece: Piece) -> None:
        inside, position = self._inside, 0
        for found in self.masked.word.finditer(piece.text):
            self._plain_text(piece.start + position, piece.text[position : found.start()])
            self._jinja_tag(self.masked.tags[found[0]], piece.start + found.start(), inside)
            position = found.end()
        self._plain_text(piece.start + position, piece.text[position:])

    def _plain_text(self, offset: int, text: str) -> None:
        stripped = text.strip()
        is_shown = self.open and self._inside not in components.CHILDREN
        if not stripped or is_shown or self._in_macro:
            return
        at = offset + len(text) - len(text.lstrip())
        shown = stripped.split("\n", 1)[0][:40]
        where = f"directly in <{self._inside}>" if self.open else "outside <mjml>"
        self._found(at, "NT304", f'"{shown}" stands {where}', "put it into <mj-text>")

    def _jinja_tag(self, token: Token, offset: int, inside: str) -> None:
        """A Jinja block must end in the tag where it began, or what it leaves out tears the mail apart."""
        word = token.word
        if not self.open and token.kind is not Kind.STATEMENT and not self._in_macro:
            self._found(offset, "NT304", f"`{token.text[:40]}` stands outside <mjml>", "move it into the body")
        if inside == "mj-head" and token.kind in {Kind.OUTPUT, Kind.STATEMENT}:
            hint = "move it to the top of the file or into <mj-raw>"
            self._found(offset, "NT304", f"`{token.text[:40]}` cannot stand directly in <mj-head>", hint)
        if word in _JINJA_BLOCKS or (word == "set" and "=" not in token.inner):
            self.jinja.append((token, list(self.open)))
        elif word in _JINJA_MIDDLE or (word.startswith("end") and word != "endraw"):
            if not self.jinja:
                return  # Jinja itself says so, with the line
            opening, open_then = self.jinja[-1]
            if _containers(open_then) != _containers(self.open):
                began = f"<{open_then[-1].name}>" if open_then else "the top"
                line = opening.place()[1]
                message = f"`{opening.text[:40]}` began in {began} in line {line} and `{token.text}` stands elsewhere"
                self._found(offset, "NT307", message, "begin and end it in the same tag")
            if word.startswith("end"):
                self.jinja.pop()

    def _comment(self, piece: Piece) -> None:
        inside = piece.text[4:-3]
        if inside.startswith("[if") and not _FOR_OUTLOOK.fullmatch(inside):
            hint = "write <!--[if mso]>…<![endif]-->, without a space between these signs"
            self._found(piece.start, "NT306", "a comment for Outlook is not written as it must be", hint)
        elif "--" in inside:
            self._found(piece.start, "NT306", 'a comment holds "--"', "MJML cannot read that; write one hyphen")

    def _declaration(self, piece: Piece) -> None:
        shown = piece.text.split("\n", 1)[0][:40]
        if piece.text.startswith("<![CDATA["):
            self._found(piece.start, "NT306", "MJML cannot read CDATA", "write &lt; and &amp; instead")
        elif piece.text.startswith("<!["):
            hint = "write <!--[if mso]>…<![endif]--> as one comment"
            self._found(piece.start, "NT306", f"`{shown}` stands outside a comment", hint)
        else:
            self._found(piece.start, "NT306", f"`{shown}` cannot stand in MJML", "remove it")

    def _broken(self, piece: Piece) -> None:
        if piece.text.startswith("<!--"):
            self._found(piece.start, "NT306", "a comment is never closed", "add -->")
        else:
            self._found(piece.start, "NT306", "a `<` begins no tag", "write &lt;")


def _containers(pieces: list[Piece]) -> list[Piece]:
    """The MJML tags among these; mj-raw may hold no more than a Jinja tag, so one may begin in it and end in another."""
    return [piece for piece in pieces if piece.name.startswith("mj") and piece.name != "mj-raw"]
