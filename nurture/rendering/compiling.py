"""A published mail becomes something that renders in a fraction of a millisecond: the first of rendering's two halves.

`compile_mail` is paid once per version: MJML, link numbers, the text part and Jinja's own compilation. What is left per
contact is `CompiledMail.render`. The same source, context and addresses give the same bytes, today and for a retry next
week; that is what lets a click on a link that depends on the contact be answered without keeping where it led.
"""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError
from markupsafe import Markup, escape

from nurture.rendering import rules
from nurture.rendering.bounds import EmptyValue, Fields, Sayings
from nurture.rendering.environment import html_environment, run, text_environment
from nurture.rendering.links import Clicks, Href, Link, Tag, Written, as_authored, followed, is_web, number_links
from nurture.rendering.mjml import compile_mjml
from nurture.rendering.notes import without_notes
from nurture.rendering.scanning import Kind, Masked, Original, Place, Token, mask, numbered_word, restore, scan
from nurture.rendering.source import Findings, MailSource, RenderError
from nurture.rendering.text import to_text
from nurture.rendering.tidying import tidy

#: Blank characters behind the preheader, so that a client that shows 150 of them does not go on with the mail itself.
_PADDING = "&#847;&zwnj;&nbsp;" * 120
_PREHEADER = (
    '<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;'
    'mso-hide:all;">{}' + _PADDING + "</div>"
)
_CONTROLS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True)
class Urls:
    """The addresses of one delivery.

    Without tracking, links lead where they say, `tag` apart, and there is no pixel unless it is asked for alone.
    """

    is_tracked: bool
    open: str
    click: Callable[[int], str]
    leave: str
    preferences: str
    view: str
    wish: Callable[[str], str]
    tag: Tag = as_authored
    answer: Callable[[int], str] = lambda _: ""  # the page with that answer to the mail's question
    form: Callable[[str], str] = lambda _: ""  # the form of that name, as this very reader gets it
    share: Callable[[str], str] = lambda _: ""  # the same for whoever they pass the mail on to
    others: frozenset[str] = frozenset()  # of our own pages, in what the mail knows: not counted as clicks either
    has_pixel: bool = False
    one_click: str = ""  # the way out that a header names (RFC 8058)

    def written(self) -> Written | None:
        """The same as they stand in a body, if whoever made them knows; else each is looked at."""
        return None


@dataclass(frozen=True)
class RenderedMail:
    """What one contact gets: the subject on one line, the HTML, and the text that says the same."""

    subject: str
    html: str
    text: str


def compile_mail(source: MailSource) -> "CompiledMail":
    """Compile a published mail; raises TemplateError if it is none."""
    findings = Findings()
    body, subject, preheader = (
        Original(source.template, text) for text in (source.body, source.subject, source.preheader)
    )
    compiled = compile_tokens(source, scan(body, findings), subject, preheader, findings)
    findings.raise_errors()
    if compiled is None:
        raise AssertionError(f"{source.template} was left out without a reason")
    return compiled


def compile_tokens(
    source: MailSource, body: list[Token], subject: Original, preheader: Original, findings: Findings
) -> "CompiledMail | None":
    """Compile what `source` holds, of which the other arguments know where it was written."""
    body = without_notes(body)
    uses = [rules.check_jinja(tokens, findings) for tokens in (body, scan(subject, findings))]
    if findings.has_errors:
        return None
    masked = mask(body)
    tags = _Tags(masked)
    title = tags.add("{{ _subject }}")
    page, own_preheader = compile_mjml(masked, findings, language=source.language, title=title)
    if findings.has_errors:
        return None
    preheader_text = source.preheader or restore(html.unescape(own_preheader), masked.word, tags.html)
    if source.preheader:
        uses.append(rules.check_jinja(scan(preheader, findings), findings))
    if findings.has_errors:
        return None
    page = _finished(page, tags.add("{{ _preheader }}") if preheader_text else "", tags.add("{{ _pixel }}", ""))
    page, numbered = number_links(
        page,
        is_counted=lambda value: _is_counted(value, masked),
        replace=tags.add_link,
        authored=lambda value: restore(value, masked.word, tags.html),
    )
    links = tuple(
        Link(
            number,
            restore(href.label, masked.word, tags.text),
            restore(followed(href.value), masked.word, tags.text),
            bool(masked.word.search(href.value)),
        )
        for number, href in numbered
    )
    shown = restore(page, masked.word, tags.html)
    plain = restore(to_text(page, masked.word, tags.silent, tags.destinations), masked.word, tags.text)
    try:
        return CompiledMail(
            source.template,
            links,
            frozenset(name for each in uses for name in each.names),
            frozenset(name for each in uses[:1] for name in each.addresses),
            tuple(Markup(href.value) for _, href in numbered),  # noqa: S704 — the href as its author wrote it
            Texts(source.subject, preheader_text, shown, plain),
            {token.text: token.place() for token in reversed(body) if token.kind is Kind.STATEMENT},
            text_environment().prepare(source.subject),
            text_environment().prepare(preheader_text),
            html_environment().prepare(shown),
            text_environment().prepare(plain),
        )
    except (jinja2.TemplateError, SyntaxError, RecursionError, MemoryError) as error:
        # Read as MJML it was fine; what MJML made of it is not, such as loops nested beyond what Python compiles.
        findings.add(masked.place(0), "NT202", f"this cannot be compiled: {error}", "nest less")
        return None


class _Tags:
    """The Jinja that each word of a masked mail stands for, in its HTML and in its text."""

    def __init__(self, masked: Masked) -> None:
        self.masked = masked
        self.html = {word: token.text for word, token in masked.tags.items()}
        self.text = dict(self.html)
        self.silent = frozenset(word for word, token in masked.tags.items() if token.kind is Kind.STATEMENT)
        self.destinations: dict[str, str] = {}

    def add(self, in_html: str, in_text: str | None = None) -> str:
        word = numbered_word(self.masked.mark, len(self.html))
        self.html[word] = in_html
        self.text[word] = in_html if in_text is None else in_text
        return word

    def add_link(self, number: int, href: Href) -> str:
        """The word for an href of the masked HTML."""
        destination = followed(href.value)
        if self.masked.word.search(href.value):
            opening = f"{{% filter _link({number}, is_vml={href.is_vml}) %}}"
            in_html = restore(href.value, self.masked.word, self.html)
            in_text = restore(destination, self.masked.word, self.text)
            word = self.add(f"{opening}{in_html}{{% endfilter %}}", f"{opening}{in_text}{{% endfilter %}}")
        else:
            word = self.add(f"{{{{ _link{number} }}}}")
        self.destinations[word] = destination
        return word


def _is_counted(destination: str, masked: Masked) -> bool:
    """Whether a click on this masked destination can be counted, as far as its text tells."""
    if rules.is_own_address(destination, masked):
        return False
    return is_web(destination) or bool(masked.word.match(destination.strip()))


def _finished(page: str, preheader: str, pixel: str) -> str:
    """The page with what MJML does not write: the character set first, the hidden preheader, the pixel last."""
    page = page.replace("<head>", '<head><meta charset="utf-8">', 1)
    if preheader:
        page = re.sub(r"<body\b[^>]*>", lambda found: found[0] + _PREHEADER.format(preheader), page, count=1)
    before, end, behind = page.rpartition("</body>")
    return f"{before}{pixel}{end}{behind}"


@dataclass(frozen=True)
class Texts:
    """What is left for Jinja to do: the parts of a mail with the Jinja in them."""

    subject: str
    preheader: str
    page: str
    plain: str


class CompiledMail:
    """A mail that only waits for a contact.

    `links` are the counted links, `uses` the dotted names it takes from its context (a root alone, such as `contact`,
    means all of it), `addresses` those of our own pages it prints, `texts` its parts with the Jinja in them, `places`
    where each `{% %}` was written first.
    """

    def __init__(
        self,
        template: str,
        links: tuple[Link, ...],
        uses: frozenset[str],
        addresses: frozenset[str],
        hrefs: tuple[Markup, ...],
        texts: Texts,
        places: Mapping[str, Place],
        subject_template: jinja2.Template,
        preheader_template: jinja2.Template,
        page_template: jinja2.Template,
        text_template: jinja2.Template,
    ) -> None:
        self.template = template
        self.links = links
        self.uses = uses
        self.addresses = addresses
        self.hrefs = hrefs
        self.texts = texts
        self.places = places
        self._subject = subject_template
        self._preheader = preheader_template
        self._page = page_template
        self._text = text_template
        self.wire: object = None  # `rendering.wire` keeps here what it made of this mail

    def render(self, context: Mapping[str, Any], urls: Urls) -> RenderedMail:
        """What this contact gets. `context` holds `contact`, `owner`, `sender` and `mail`, each a mapping of values.

        Raises RenderError when the template asks for something this contact has not got.
        """
        names = self._names(context, urls)
        said: list[Sayings] = [names[name] for name in ("wish_url", "answer_url", "form_url", "share_url")]
        own = urls.others | {urls.leave, urls.preferences, urls.view}
        click = urls.click if urls.is_tracked else None

        def clicks() -> Clicks:
            return Clicks(len(self.links), click, lambda: own.union(*(one.given for one in said)), urls.tag)

        subject = one_line(self._run(self._subject, names, context))
        if not subject:
            raise RenderError(f"{self.template}: the subject is empty for this contact; write one that never is.")
        led = [self._lead(link, urls) for link in self.links]
        in_html = {
            # What is not changed stands as its author wrote it.
            f"_link{link.number}": href if address == link.destination else escape(address)
            for link, href, address in zip(self.links, self.hrefs, led, strict=True)
        }
        in_text = {f"_link{link.number}": address for link, address in zip(self.links, led, strict=True)}
        page = self._run(
            self._page,
            names
            | in_html
            | {
                "_subject": subject,
                "_preheader": one_line(self._run(self._preheader, names, context)),
                "_pixel": pixel_of(urls.open) if urls.is_tracked or urls.has_pixel else "",
                "_clicks": clicks(),
            },
            context,
        )
        plain = self._run(self._text, names | in_text | {"_subject": subject, "_clicks": clicks()}, context)
        return RenderedMail(subject, page.lstrip(), tidy(plain))

    def _lead(self, link: Link, urls: Urls) -> str:
        """What stands in the mail for a link; what stands for one that depends on the contact is found as it renders."""
        if urls.is_tracked:
            return urls.click(link.number)
        return link.destination if link.is_dynamic else urls.tag(link.number, link.destination)

    @property
    def page(self) -> str:
        """Its HTML with the Jinja in it."""
        return self.texts.page

    def link(self, number: int) -> Link | None:
        """The link that a click on `number` was on; only a dynamic one, which may stand in a loop, has more than one."""
        if not self.links or number < 0:
            return None
        link = self.links[number % len(self.links)]
        return link if link.is_dynamic or number < len(self.links) else None

    def destination(self, number: int, context: Mapping[str, Any]) -> str | None:
        """Where link `number` leads for the contact of this context; None if that is nowhere on the web."""
        link = self.link(number)
        if link is None:
            return None
        if not link.is_dynamic:
            return link.destination
        nowhere = Urls(False, "", lambda _: "", "", "", "", lambda _: "")
        names = self._names(context, nowhere)
        clicks = Clicks(len(self.links), None, frozenset)
        in_html = {f"_link{i}": href for i, href in enumerate(self.hrefs)}
        inner = {"_subject": "", "_preheader": "", "_pixel": "", "_clicks": clicks}
        self._run(self._page, names | in_html | inner, context)
        return clicks.destinations.get(number)

    def _names(self, context: Mapping[str, Any], urls: Urls) -> dict[str, Any]:
        roots = {root: Fields(root, context.get(root) or {}) for root in rules.ROOTS}
        addresses = {"leave_url": urls.leave, "preferences_url": urls.preferences, "view_url": urls.view}
        sayings: Mapping[str, Callable[[Any], str]] = {
            "wish_url": urls.wish, "answer_url": urls.answer, "form_url": urls.form, "share_url": urls.share,
        }  # fmt: skip
        return {**roots, **addresses, **{name: Sayings(address) for name, address in sayings.items()}}

    def _run(self, template: jinja2.Template, names: Mapping[str, Any], context: Mapping[str, Any]) -> str:
        try:
            return run(template, names)
        except EmptyValue:
            empty = [name for name in sorted(self.uses) if _is_empty(name, context)] or ["something"]
            verb = "is" if len(empty) == 1 else "are"
            hint = f'write {{{{ {empty[0]} | fallback("…") }}}}'
            raise RenderError(f"{self.template}: {', '.join(empty)} {verb} empty for this contact; {hint}.") from None
        except (jinja2.UndefinedError, SecurityError) as error:
            reason = str(error).rstrip(".")
            advice = "" if reason.endswith("?") else "; mend the template."
            raise RenderError(f"{self.template}: {reason}{advice}") from None
        except RenderError:
            raise
        except Exception as error:  # noqa: BLE001  # a template can raise anything, such as 1 / 0
            reason = f"{type(error).__name__}: {error}"
            raise RenderError(f"{self.template}: the template fails for this contact ({reason}); mend it.") from None


def _is_empty(name: str, context: Mapping[str, Any]) -> bool:
    root, _, field = name.partition(".")
    return bool(field) and (context.get(root) or {}).get(field, "") is None


def one_line(text: str) -> str:
    """On one line, without control characters: whatever a contact typed, it stays within its header (RFC 5322, 2.2)."""
    return (text if text.isprintable() and "  " not in text else _CONTROLS.sub(" ", text)).strip(" ")


def pixel_of(address: str) -> Markup:
    return Markup('<img src="{}" width="1" height="1" alt="" style="display:block;border:0;">').format(address)
