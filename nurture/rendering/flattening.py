"""Layouts, blocks and parts become one text, once, when a mail is loaded.

`{% extends %}`, `{% block %}`, `{{ super() }}` and `{% include %}` with literal names are resolved here as Jinja would
resolve them at render time, with two differences that a flat text brings: a block sees the loop around it without
`scoped`, and a `{% set %}` in a block or part is still set after it. MJML's own <mj-include> is resolved as well. All
other Jinja stays for the render.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from nurture.errors import did_you_mean
from nurture.rendering import asking
from nurture.rendering.library import Library
from nurture.rendering.scanning import Kind, Original, Token, scan
from nurture.rendering.source import Findings

MAX_SIZE = 500_000  # characters; Gmail cuts mails off at 102 kB, and a part that includes itself tenfold has to stop

_NAME = re.compile(r"""(?:extends|include)\s+(?:"([^"]+)"|'([^']+)')(\s+with\s+context)?$""")
_BLOCK = re.compile(r"block\s+(\w+)(?:\s+scoped)?(\s+required)?(?:\s+scoped)?$")
_MJML_INCLUDE = re.compile(r"<mj-include\b[^>]*?(?:/>|>\s*</mj-include\s*>)")
_PATH = re.compile(r"""\bpath\s*=\s*(["'])(.*?)\1""")
_WRAPPED = {'type="css"': ("<mj-style>", "</mj-style>"), 'type="html"': ("<mj-raw>", "</mj-raw>")}
_SUPER = re.compile(r"super\s*\(\s*\)$")


@dataclass
class Block:
    """`{% block name %}` with what stands in it."""

    name: str
    opening: Token
    items: list["Item"] = field(default_factory=list)
    closing: Token | None = None
    is_required: bool = False


Item: TypeAlias = Token | Block


@dataclass
class Template:
    """A file taken apart: what it extends, its blocks at any depth, and its items in order."""

    extends: Token | None
    items: list[Item]
    blocks: Mapping[str, Block]


def read(tokens: Sequence[Token], findings: Findings) -> Template:
    """Find the blocks in a template, and what it extends."""
    extends: Token | None = None
    items: list[Item] = []
    blocks: dict[str, Block] = {}
    open_blocks: list[Block] = []
    for token in tokens:
        inside = open_blocks[-1].items if open_blocks else items
        if token.word == "extends":
            if extends or any(isinstance(item, Block) or item.kind is Kind.OUTPUT for item in items):
                findings.add(token.place(), "NT104", "`extends` comes once and first", "move it to the top")
            extends = extends or token
        elif token.word == "block":
            opened = _open_block(token, blocks, findings)
            inside.append(opened)
            open_blocks.append(opened)
        elif token.word == "endblock":
            if not open_blocks:
                findings.add(token.place(), "NT105", "`endblock` closes nothing", "remove it")
            else:
                open_blocks.pop().closing = token
        else:
            inside.append(token)
    for left in open_blocks:
        findings.add(left.opening.place(), "NT105", f'block "{left.name}" is never closed', "add {% endblock %}")
    return Template(extends, items, blocks)


def _open_block(token: Token, blocks: dict[str, Block], findings: Findings) -> Block:
    found = _BLOCK.match(token.inner)
    if not found:
        findings.add(token.place(), "NT105", f"`{token.text}` names no block", "write {% block content %}")
        return Block("", token)
    name = found[1]
    if name in blocks:
        findings.add(token.place(), "NT106", f'a block "{name}" is already written above', "give it another name")
    block = Block(name, token, is_required=bool(found[2]))
    blocks.setdefault(name, block)
    return block


def flatten(
    template: Template, library: Library, findings: Findings, fillings: Mapping[str, Block] | None = None
) -> "Flat":
    """A template with everything it extends and includes.

    `fillings` fill the blocks of their names where a layout has one and the template does not fill it itself.
    """
    flattening = _Flattening(library, findings, fillings or {})
    tokens = flattening.run(template)
    return Flat(tokens, asking.names_asked(flattening.asked, findings))


@dataclass(frozen=True)
class Flat:
    """A mail in one list of tokens, and the questions it may ask."""

    tokens: list[Token]
    questions: tuple[str, ...]


class _Flattening:
    def __init__(self, library: Library, findings: Findings, fillings: Mapping[str, Block]) -> None:
        self.library = library
        self.findings = findings
        self.fillings = fillings
        self.flat: list[Token] = []
        self.size = 0
        self.is_trimming = False  # a tag that went away asked for the space behind it to go as well
        self.seam = 0  # how much was written when the last tag went away: no `-` takes anything along from before
        self.versions: dict[str, list[Block]] = {}  # by block name, the most derived first
        self.asked: list[Token] = []  # where it asks a question
        self.inside: list[str] = []  # blocks and parts being written, to catch one that contains itself

    def run(self, template: Template) -> list[Token]:
        try:
            return self._run(template)
        except _TooLarge:
            return self.flat

    def _run(self, template: Template) -> list[Token]:
        derived, base = [template], template
        seen = {base.extends.original.file} if base.extends else set()
        while base.extends:
            layout = self._named(base.extends)
            if layout is None:
                return self.flat
            if layout.file in seen:
                self.findings.add(base.extends.place(), "NT103", f"{layout.file} extends itself", "break the circle")
                return self.flat
            seen.add(layout.file)
            base = read(scan(layout, self.findings), self.findings)
            derived.append(base)
        for each in derived:
            for name, block in each.blocks.items():
                self.versions.setdefault(name, []).append(block)
        for name, block in self.fillings.items():
            if name in self.versions and name not in template.blocks:
                self.versions[name].insert(0, block)
        for position, each in enumerate(derived[:-1]):
            self._check_derived(each, derived[position + 1 :])
            self._write([item for item in each.items if isinstance(item, Token)])
        self._write(base.items)
        return self.flat

    def _named(self, token: Token) -> Original | None:
        name = _NAME.match(token.inner)
        if not name:
            hint = 'write the name in quotes, such as {% include "parts/footer.mjml" %}'
            self.findings.add(token.place(), "NT104", f"`{token.text}` cannot be read when this is published", hint)
            return None
        return self.library.find(name[1] or name[2], token.place(), self.findings)

    def _check_derived(self, template: Template, bases: Sequence[Template]) -> None:
        """A block that no layout has, or text outside the blocks, would silently be lost."""
        known = {name for base in bases for name in base.blocks}
        own = [item for item in template.items if isinstance(item, Block)]
        for block in own:
            if block.name and block.name not in known:
                hint = f"its layout has: {', '.join(sorted(known)) or 'none'}.{did_you_mean(block.name, known)}"
                self.findings.add(block.opening.place(), "NT106", f'no layout has a block "{block.name}"', hint)
        depth = 0  # inside a macro or a block `set`, text belongs to it
        for item in template.items:
            if isinstance(item, Block):
                continue
            depth -= item.word in {"endmacro", "endset"}
            is_lost = item.text.strip() if item.kind is Kind.TEXT else item.kind in {Kind.OUTPUT, Kind.RAW}
            if depth == 0 and (is_lost or (item.word and item.word not in _KEPT_OUTSIDE)):
                within = len(item.text) - len(item.text.lstrip())
                shown = item.text.strip().split("\n", 1)[0][:40]
                hint = "put it into a block of the layout"
                self.findings.add(item.place(within), "NT107", f"`{shown}` stands outside every block", hint)
            depth += item.word == "macro" or (item.word == "set" and "=" not in item.inner)

    def _write(self, items: Sequence[Item], level: int = 0, block: str = "") -> None:
        for item in items:
            if isinstance(item, Block):
                self._write_block(item.name, item, 0)
            elif item.word == "include":
                self._sew(before=item.trims_before)
                self._write_part(self._named(item), item)
                self._sew(after=item.trims_after)
            elif item.kind is Kind.OUTPUT and _SUPER.match(item.inner):
                self._sew(before=item.trims_before)
                if level + 1 < len(self.versions.get(block, ())):
                    self._write_block(block, self.versions[block][level + 1], level + 1)
                else:
                    self.findings.add(item.place(), "NT106", "super() stands where no layout has a block", "remove it")
                self._sew(after=item.trims_after)
            elif asking.is_question(item):
                self._ask(item)
            elif item.kind is Kind.COMMENT:
                self._sew(before=item.trims_before, after=item.trims_after)
            elif item.kind is Kind.TEXT and "<mj-include" in item.text:
                self._write_mjml_includes(item)
            else:
                self._append(item)

    def _write_block(self, name: str, found: Block, level: int) -> None:
        chosen = self.versions[name][level] if name in self.versions else found
        key = f"block {name} {level}"
        if key in self.inside:
            self.findings.add(chosen.opening.place(), "NT103", f'block "{name}" contains itself', "break the circle")
            return
        if chosen.is_required and chosen is self.versions.get(name, [chosen])[-1] and level == 0:
            hint = f"write {{% block {name} %}} in the mail"
            self.findings.add(chosen.opening.place(), "NT106", f'the layout needs a block "{name}"', hint)
        self.inside.append(key)
        self._sew(before=found.opening.trims_before, after=chosen.opening.trims_after)
        self._write(chosen.items, level, name)
        self._sew(
            before=bool(chosen.closing and chosen.closing.trims_before),
            after=bool(found.closing and found.closing.trims_after),
        )
        self.inside.pop()

    def _write_mjml_includes(self, token: Token) -> None:
        """MJML's own way to include, with a path that starts at the file it stands in."""
        position = 0
        for found in _MJML_INCLUDE.finditer(token.text):
            self._append(token.with_text(token.text[position : found.start()], position))
            position = found.end()
            place = token.place(found.start())
            path = _PATH.search(found[0])
            part = self.library.find_beside(token.original, path[2], place, self.findings) if path else None
            if path is None:
                self.findings.add(place, "NT104", "<mj-include> has no path", 'write path="./footer.mjml"')
            around = next((tags for word, tags in _WRAPPED.items() if word in found[0]), ("", ""))
            opening, closing = (token.with_text(tag, found.start()) for tag in around)
            self._append(opening)
            self._sew()
            self._write_part(part, token)
            self._sew()
            self._append(closing)
        self._append(token.with_text(token.text[position:], position))

    def _ask(self, token: Token) -> None:
        asking.check_place(token, self.flat, self.findings)
        self.asked.append(token)
        self._sew(before=token.trims_before)
        self._write_part(self.library.find(asking.PART, token.place(), self.findings), token)
        self._sew(after=token.trims_after)

    def _write_part(self, part: Original | None, token: Token) -> None:
        self._grow(token, 100)  # parts that include parts that include parts multiply even when they are empty
        if part is None:
            return
        if part.file in self.inside or part.file == token.original.file:
            self.findings.add(token.place(), "NT103", f"{part.file} includes itself", "break the circle")
            return
        # As Jinja: an editor ends the last line of a file, and what includes it may go on in that line.
        text = part.text.removesuffix("\n")
        template = read(scan(replace(part, text=text), self.findings), self.findings)
        if template.extends:
            self.findings.add(template.extends.place(), "NT104", "a part cannot extend a layout", "remove `extends`")
            return
        # The blocks of a part are its own: what includes it cannot fill them.
        versions, self.versions = self.versions, {name: [block] for name, block in template.blocks.items()}
        self.inside.append(part.file)
        self._write(template.items)
        self.inside.pop()
        self.versions = versions

    def _append(self, token: Token) -> None:
        if token.kind is Kind.TEXT and self.is_trimming:
            text = token.text.lstrip()
            token = token.with_text(text, len(token.text) - len(text))
        elif token.trims_before and self._is_blank_since(self.seam):
            self._blank_since(self.seam)
            token = token.with_text(token.text[:2] + token.text[3:])
        self.is_trimming = self.is_trimming and not token.text
        self._grow(token, len(token.text))
        self.flat.append(token)

    def _grow(self, token: Token, size: int) -> None:
        self.size += size
        if self.size > MAX_SIZE:
            hint = "Gmail cuts off what passes 102 kB; include less"
            self.findings.add(token.place(), "NT108", f"the mail passes {MAX_SIZE:,} characters here", hint)
            raise _TooLarge

    def _sew(self, *, before: bool = False, after: bool = False) -> None:
        """A tag goes away, and what met it meets something else now: its `-` takes the space beside it along.

        Where another tag's `-` would have ended at this one, that space goes now and the `-` as well: at render time it
        would take along what stands behind the seam.
        """
        last = next((place for place in range(len(self.flat) - 1, self.seam - 1, -1) if self._is_tag(place)), -1)
        if last >= 0 and self.flat[last].trims_after and self._is_blank_since(last + 1):
            self._blank_since(last + 1)
            self.flat[last] = self.flat[last].with_text(self.flat[last].text[:-3] + self.flat[last].text[-2:])
        elif before and len(self.flat) > self.seam and not self._is_tag(len(self.flat) - 1):
            self.flat[-1] = self.flat[-1].with_text(self.flat[-1].text.rstrip())
        self.seam = len(self.flat)
        self.is_trimming = after

    def _is_tag(self, place: int) -> bool:
        return self.flat[place].kind is not Kind.TEXT

    def _is_blank_since(self, place: int) -> bool:
        return not any(self._is_tag(at) or self.flat[at].text.strip() for at in range(place, len(self.flat)))

    def _blank_since(self, place: int) -> None:
        self.flat[place:] = [token.with_text("") for token in self.flat[place:]]


_KEPT_OUTSIDE = frozenset({"set", "endset", "macro", "endmacro"})


class _TooLarge(Exception):
    """The mail has grown past MAX_SIZE: stop reading."""
