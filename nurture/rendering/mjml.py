"""MJML to HTML, once per version, with every Jinja tag hidden and accounted for.

The compiler (mrml, through mjml-python) knows nothing of Jinja: it sees words in place of tags, and each word must come
out again. It drops what it cannot compute with, such as a width that is a tag, and a dropped tag is an error here.
"""

import re
from dataclasses import dataclass

from mjml import mjml2html

from nurture.rendering import components, markup
from nurture.rendering.linting import MAX_DEPTH
from nurture.rendering.scanning import Kind, Masked
from nurture.rendering.source import Findings

_IS_PLAIN = re.compile(r"[ !#-\[\]-~]*").fullmatch  # printable ASCII but for `"` and `\`
_ADDRESSES = frozenset({"href", "src", "background"})
_POSITION = re.compile(r" at position (\d+):\d+")


@dataclass(frozen=True)
class Parts:
    """Masked MJML cut into the tags before it, the document, the tags behind it, and the text of its mj-preview."""

    before: str
    document: str
    behind: str
    preview: str


def compile_mjml(masked: Masked, findings: Findings, *, language: str, title: str) -> tuple[str, str]:
    """The masked HTML of a mail, and its own preview text; what cannot be compiled is reported and gives "".

    `title` is what stands in <title> unless the mail has an mj-title.
    """
    parts = _parts(masked, language, title)
    if _depth(parts.document) > MAX_DEPTH:
        findings.add(masked.place(0), "NT305", f"tags are nested more than {MAX_DEPTH} deep", "nest less")
        return "", ""
    try:
        html = mjml2html(parts.document, fonts={})
    except BaseException as error:
        # A panic of its parser arrives as an exception that is no Exception; the linter knows the ways to cause one.
        if not isinstance(error, ValueError) and type(error).__name__ != "PanicException":
            raise
        reason = _POSITION.sub("", str(error)).replace(" in root template", "")
        findings.add(masked.place(0), "NT309", f"MJML cannot be compiled: {reason}", "check its tags and quotes")
        return "", ""
    html = parts.before + html + parts.behind
    _report_dropped(masked, html + parts.preview + title, findings)
    return html, parts.preview


def _parts(masked: Masked, language: str, title: str) -> Parts:
    text = masked.text
    root = re.search(r"<mjml\b", text)
    start = root.start() if root else 0
    end = text.rfind("</mjml>")
    behind = text[end + len("</mjml>") :] if end >= 0 else ""
    document = text[start : len(text) - len(behind)]
    preview = re.search(r"<mj-preview\b[^>]*>(.*?)</mj-preview>", document, re.DOTALL)
    if preview:
        document = document.replace(preview[0], "", 1)
    document = _with_language(document, language)
    if "<mj-title" not in document:
        document = _in_head(document, f"<mj-title>{title}</mj-title>")
    own_preview = preview[1].strip() if preview else ""
    return Parts(text[:start].strip(), _with_spaces(document), behind.strip(), own_preview)


def _with_language(document: str, language: str) -> str:
    root = re.search(r"""<mjml\b[^>]*?\slang\s*=\s*["']([\w-]+)""", document)
    language = root[1] if root else language  # whoever wrote the mail knows it better
    right_to_left = language.split("-", maxsplit=1)[0].lower() in {"ar", "fa", "he", "ur", "yi", "ps", "sd", "ug"}
    for name, value in (("dir", "rtl" if right_to_left else "ltr"), ("lang", language)):
        tag = re.match(r"<mjml\b[^>]*", document)
        if tag and not re.search(rf"\b{name}\s*=", tag[0]):
            document = document.replace("<mjml", f'<mjml {name}="{value}"', 1)
    return document


def _in_head(document: str, element: str) -> str:
    document = re.sub(r"<mj-head\s*/>", "<mj-head></mj-head>", document, count=1)
    if "<mj-head" not in document:
        return re.sub(r"(<mjml\b[^>]*>)", lambda found: f"{found[1]}<mj-head>{element}</mj-head>", document, count=1)
    return re.sub(r"(<mj-head\b[^>]*>)", lambda found: found[1] + element, document, count=1)


def _with_spaces(document: str) -> str:
    """Line breaks in text become spaces: the compiler drops those between two tags, and words would run together."""
    written: list[str] = []
    holder, pre_depth = "", 0  # the MJML tag whose HTML we are in
    for piece in markup.pieces(document):
        text = _with_plain_attributes(piece) if piece.kind is markup.Kind.OPEN else piece.text
        if piece.kind is markup.Kind.OPEN and not piece.is_empty:
            if not holder and piece.name.startswith("mj") and piece.name not in components.CHILDREN:
                holder = piece.name
            pre_depth += piece.name == "pre"
        elif piece.kind is markup.Kind.CLOSE:
            holder = "" if piece.name == holder else holder
            pre_depth -= piece.name == "pre"
        elif piece.kind is markup.Kind.TEXT and pre_depth:
            text = text.replace("\n", "&#10;")
        elif piece.kind is markup.Kind.TEXT and holder not in {"", "mj-style"}:
            text = re.sub(r"\s*\n\s*", " ", text)
        written.append(text)
    return "".join(written)


def _with_plain_attributes(piece: markup.Piece) -> str:
    r"""A tag whose attributes hold nothing but what the compiler leaves as it is.

    It writes a line end as `\n`, a quote as `\"` and half of "❤️" as `\u{fe0f}`, and all of it would be read.
    """
    tag = piece.text
    for attribute in reversed(piece.attributes):
        if not _IS_PLAIN(attribute.value):
            start, end = attribute.start - piece.start, attribute.end - piece.start
            tag = tag[:start] + _plain_value(attribute) + tag[end:]
    return tag


def _plain_value(attribute: markup.Attribute) -> str:
    # Browsers leave line ends out of an address; anywhere else they part words. A reference to any other control
    # character would be read as something else: &#133; is "…".
    one_line = re.sub(r"[\x00-\x1f\x7f-\x9f]", "" if attribute.name.lower() in _ADDRESSES else " ", attribute.value)
    return "".join(
        character if _IS_PLAIN(character) or character.isalpha() else f"&#{ord(character)};" for character in one_line
    )


def _depth(document: str) -> int:
    depth = deepest = 0
    for piece in markup.pieces(document):
        if piece.kind is markup.Kind.OPEN and not piece.is_empty and piece.name not in markup.VOID:
            depth += 1
            deepest = max(deepest, depth)
        elif piece.kind is markup.Kind.CLOSE:
            depth -= 1
    return deepest


def _report_dropped(masked: Masked, html: str, findings: Findings) -> None:
    survived = set(masked.word.findall(html))
    for word in sorted(masked.tags.keys() - survived):
        offset, token = masked.text.index(word), masked.tags[word]
        where, hint = _around(masked, offset)
        # A statement may vanish with the attribute it stood in; the outputs beside it are reported too.
        if token.kind in {Kind.OUTPUT, Kind.STATEMENT, Kind.RAW}:
            findings.add(masked.place(offset), "NT308", f"MJML drops `{token.text[:60]}`{where}", hint)


def _around(masked: Masked, offset: int) -> tuple[str, str]:
    for piece in markup.pieces(masked.text):
        if piece.start <= offset < piece.end and piece.kind is markup.Kind.OPEN:
            for attribute in piece.attributes:
                if attribute.start <= offset < attribute.end:
                    hint = "MJML computes with it, so write the value itself, or set it to a constant above"
                    return f" in {attribute.name} of <{piece.name}>", hint
    return "", "move it to where MJML shows text, or remove it"
