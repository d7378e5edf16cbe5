"""From a contact to the bytes on the wire, with everything that is the same for all of them paid once per version.

Called by whatever sends or shows a mail. `compile_wire` makes a program of each part (see `residual`); `write` runs them
for one reader. What is written parses to what `CompiledMail.render` says: whatever a program was not made for, from a
value with half a line end to a contact whom the template fails, is handed to that plain path, which writes it or says
what is wrong. The same contact, addresses and headers give the same bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup, escape

from nurture.rendering.bounds import BUDGET, CALL, MAX_OUTPUT, Budget, Fields, Sayings
from nurture.rendering.compiling import CompiledMail, Urls, one_line, pixel_of
from nurture.rendering.links import Clicks, Tag
from nurture.rendering.message import Headers, Wire, boundary_of, opening, write_head, write_plainly
from nurture.rendering.planning import LINE, PAGE, PLAIN, SAYINGS, Region
from nurture.rendering.quoting import SOFT, fixed, in_html, in_text, is_plain, quote
from nurture.rendering.residual import Bare, Given, Reading, Residual, compile_part
from nurture.rendering.rules import ROOTS
from nurture.rendering.tidying import NotAhead

_MOST_TAGS = 64  # so many mailings with parameters of their own are remembered for each mail


@dataclass(frozen=True)
class _Parts:
    """The programs of a mail."""

    subject: Residual
    preheader: Residual
    plain: Residual
    page: Residual

    @property
    def spent(self) -> int:
        """What was worked out ahead would have cost the dearest part."""
        return max(self.subject.spent, self.preheader.spent, self.plain.spent, self.page.spent)


class _Reader:
    """What the programs of one mail share while it is written."""

    __slots__ = ("budgets", "context", "sayings", "urls")

    def __init__(self, context: Mapping[str, Any], urls: Urls) -> None:
        self.context = context
        self.urls = urls
        self.sayings: dict[str, Sayings] = {}
        self.budgets: list[Budget] = []


class WireMail:
    """A compiled mail that writes messages.

    `regions` are what Jinja renders before it is encoded; `why_plain` says why the whole mail takes the plain path, and
    is empty for one that does not.
    """

    def __init__(self, mail: CompiledMail) -> None:
        self.mail = mail
        self.boundary = boundary_of(f"{mail.texts.page}\0{mail.texts.plain}")
        self.why_plain = ""
        self._parts: _Parts | None = None
        try:
            self._parts = _Parts(
                compile_part(mail.texts.subject, LINE),
                compile_part(mail.texts.preheader, LINE),
                compile_part(mail.texts.plain, PLAIN),
                compile_part(mail.texts.page, PAGE),
            )
        except NotAhead as reason:
            self.why_plain = str(reason) or "its white space depends on what a reader's values are"
        except (jinja2.TemplateError, SyntaxError, RecursionError, MemoryError) as error:
            self.why_plain = f"it cannot be compiled: {error}"
        self._spent = self._parts.spent if self._parts else 0
        self._is_dynamic = any(link.is_dynamic for link in mail.links)
        self._before_plain = opening("plain", self.boundary)
        self._before_page = "\r\n" + opening("html", self.boundary)
        self._end = f"\r\n--{self.boundary}--\r\n"
        self._numbers = [f"{link.number}{SOFT}" for link in mail.links]
        self._digits = len(str(len(mail.links)))
        self._pixel = tuple(fixed(part) for part in str(pixel_of("@")).split("@"))
        self._untracked: dict[Tag, tuple[list[str], list[str]]] = {}

    def write(self, context: Mapping[str, Any], urls: Urls, headers: Headers) -> Wire:
        """The message for this contact; raises RenderError and BadInput as the plain path does."""
        try:
            return self.write_ahead(context, urls, headers)
        except Exception:  # noqa: BLE001  # whatever it is, the plain path knows it and says so
            return write_plainly(self.mail.render(context, urls), headers, self.boundary)

    def write_ahead(self, context: Mapping[str, Any], urls: Urls, headers: Headers) -> Wire:
        """The same by the programs alone; raises NotAhead, or anything, for a message they were not made for."""
        parts = self._parts
        if parts is None:
            raise NotAhead(self.why_plain)
        reader = _Reader(context, urls)
        facts = (
            context.get("contact") or {},
            context.get("owner") or {},
            context.get("sender") or {},
            context.get("mail") or {},
        )
        in_page, in_plain = self._links(urls)
        subject = parts.subject.constant
        if subject is None:
            subject = "".join(self._run(parts.subject, (*facts, (), None, urls, "", "", ""), reader))
        subject = one_line(subject)
        if not subject:
            raise NotAhead
        preheader = parts.preheader.constant
        if preheader is None:
            preheader = "".join(self._run(parts.preheader, (*facts, (), None, urls, "", "", ""), reader))
        pixel = in_html(urls.open).join(self._pixel) if urls.is_tracked or urls.has_pixel else ""
        address = self._address_in_html(urls) if parts.page.has_addresses else None
        page = self._run(parts.page, (*facts, in_page, address, urls, subject, one_line(preheader), pixel), reader)
        address_in_text = self._address_in_text(urls) if parts.plain.has_addresses else None
        plain = self._run(parts.plain, (*facts, in_plain, address_in_text, urls, subject, "", ""), reader)
        body = "".join([self._before_plain, *plain, self._before_page, *page, self._end])
        self._check(len(body), len(page) + len(plain), reader.budgets)
        return Wire(write_head(subject, headers, self.boundary), body.encode("ascii"))

    def _run(self, part: Residual, given: Given, reader: _Reader) -> list[str]:
        if part.is_bare:
            bare = Bare(given)
            part.program(bare)
            return bare.pieces
        budget = Budget()
        reader.budgets.append(budget)
        names: dict[str, Any] = {"_budget": budget}
        for name in part.names:
            if name in ROOTS:
                names[name] = Fields(name, reader.context.get(name) or {})
            elif name in SAYINGS:
                names[name] = self._saying(name, reader)
            elif name in part.environment.globals:
                names[name] = part.environment.globals[name]
        if self._is_dynamic:
            urls = reader.urls
            click = urls.click if urls.is_tracked else None
            names["_clicks"] = Clicks(len(self.mail.links), click, lambda: _own(reader), urls.tag)
        reading = Reading(part, names, given)
        part.program(reading)
        return reading.pieces

    def _saying(self, name: str, reader: _Reader) -> Sayings:
        if name not in reader.sayings:
            reader.sayings[name] = Sayings(getattr(reader.urls, SAYINGS[name]))
        return reader.sayings[name]

    def _check(self, size: int, pieces: int, budgets: list[Budget]) -> None:
        """Leave to the plain path what might have been too much for it: values read directly are not charged for."""
        uncharged = 3 * (pieces * CALL + size) + self._spent  # printing, and two filters
        if size > MAX_OUTPUT // 2 or min([budget.left for budget in budgets], default=BUDGET) < min(uncharged, BUDGET):
            raise NotAhead

    # Links.

    def _links(self, urls: Urls) -> tuple[list[str], list[str]]:
        """Each link as it is written in the page and in the text."""
        if not urls.is_tracked:
            return self._links_of(urls.tag)
        prefix = urls.click_prefix
        if prefix and is_plain(prefix, self._digits):
            links = [prefix + number for number in self._numbers]
            return links, links
        led = [urls.click(link.number) for link in self.mail.links]
        return [in_html(one) for one in led], [in_text(one) for one in led]

    def _links_of(self, tag: Tag) -> tuple[list[str], list[str]]:
        """The same where nothing is tracked: equal for all readers of a mailing."""
        links = self._untracked.get(tag)
        if links is None:
            if len(self._untracked) >= _MOST_TAGS:
                self._untracked.clear()
            links = self._untracked[tag] = (
                [quote(str(self._in_html(link.number, self._tagged(link.number, tag)))) for link in self.mail.links],
                ["" if link.is_dynamic else in_text(self._tagged(link.number, tag)) for link in self.mail.links],
            )
        return links

    def _tagged(self, number: int, tag: Tag) -> str:
        link = self.mail.links[number]
        return link.destination if link.is_dynamic else tag(number, link.destination)

    def _in_html(self, number: int, led: str) -> Markup:
        # What is not changed stands as its author wrote it.
        return self.mail.hrefs[number] if led == self.mail.links[number].destination else escape(led)

    def _address_in_text(self, urls: Urls) -> Callable[[int], str]:
        return lambda number: urls.click(number) if urls.is_tracked else self._tagged(number, urls.tag)

    def _address_in_html(self, urls: Urls) -> Callable[[int], Markup]:
        led = self._address_in_text(urls)
        return lambda number: self._in_html(number, led(number))

    # What is told of it.

    @property
    def regions(self) -> tuple[Region, ...]:
        """What Jinja renders for each reader before it is encoded, in the page."""
        return self._parts.page.regions if self._parts else ()

    @property
    def expressions(self) -> int:
        """Where something of the reader's is printed, in all parts."""
        if self._parts is None:
            return 0
        parts = self._parts
        return sum(part.expressions for part in (parts.subject, parts.preheader, parts.plain, parts.page))

    @property
    def share(self) -> float:
        """How much of both parts is written ahead."""
        if self._parts is None:
            return 0.0
        texts = self.mail.texts
        return (self._parts.page.fixed + self._parts.plain.fixed) / max(1, len(texts.page) + len(texts.plain))


def _own(reader: _Reader) -> frozenset[str]:
    """Our own addresses in this mail, as far as it has got: a click on one is not counted."""
    urls = reader.urls
    given = (saying.given for saying in reader.sayings.values())
    return urls.others.union({urls.leave, urls.preferences, urls.view}, *given)


def compile_wire(mail: CompiledMail) -> WireMail:
    """The same mail, writing messages; made once for each compiled mail."""
    if mail.wire is None:
        mail.wire = WireMail(mail)
    wire = mail.wire
    assert isinstance(wire, WireMail)
    return wire
