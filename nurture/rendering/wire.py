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
from nurture.rendering.looking import looks_of_a_mail
from nurture.rendering.message import Headers, Wire, boundary_of, opening, write_head, write_plainly
from nurture.rendering.planning import LINE, PAGE, PLAIN, SAYINGS, Region
from nurture.rendering.quoting import fixed, in_html, in_text, quote
from nurture.rendering.residual import Given, Reading, Residual, compile_part
from nurture.rendering.rules import ROOTS
from nurture.rendering.tidying import NotAhead

_LARGE = MAX_OUTPUT // 2
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
        self._looks = looks = looks_of_a_mail()
        try:
            self._parts = _Parts(
                compile_part(mail.texts.subject, LINE, looks),
                compile_part(mail.texts.preheader, LINE, looks),
                compile_part(mail.texts.plain, PLAIN, looks),
                compile_part(mail.texts.page, PAGE, looks),
            )
        except NotAhead as reason:
            self.why_plain = str(reason) or "its white space depends on what a reader's values are"
        except (jinja2.TemplateError, SyntaxError, RecursionError, MemoryError) as error:
            self.why_plain = f"it cannot be compiled: {error}"
        self._spent = self._parts.spent if self._parts else 0
        self._preheader = one_line(str(self._parts.preheader.constant or "")) if self._parts else ""
        self._is_dynamic = any(link.is_dynamic for link in mail.links)
        self._before_plain = opening("plain", self.boundary).encode()
        self._before_page = ("\r\n" + opening("html", self.boundary)).encode()
        self._end = f"\r\n--{self.boundary}--\r\n".encode()
        # What stands between the beginnings of all links, and a sign behind each by which they are parted.
        self._numbers = [b"", *(b"%d=\r\n\0" % link.number for link in mail.links)]
        self._pixel = tuple(fixed(part) for part in str(pixel_of("@")).split("@"))
        self._untracked: dict[Tag, tuple[list[bytes], list[bytes]]] = {}

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
        given = Given(context, urls, self._looks)
        given.subject = subject = self._line(parts.subject, given)
        if not subject:
            raise NotAhead
        given.preheader = self._preheader or self._line(parts.preheader, given)
        pieces = given.pieces = [self._before_plain]
        in_page, given.links = self._links(given)
        if parts.plain.has_addresses:
            given.address = self._address_in_text(urls)
        self._run(parts.plain, given)
        pieces.append(self._before_page)
        given.links = in_page
        if parts.page.has_addresses:
            given.address = self._address_in_html(urls)
        if urls.is_tracked or urls.has_pixel:
            given.pixel = (in_html(urls.open) if given.written is None else given.written.open).join(self._pixel)
        self._run(parts.page, given)
        pieces.append(self._end)
        size = sum(map(len, pieces))
        if given.budgets or size > _LARGE:
            self._check(size, len(pieces), given.budgets)
        return Wire(write_head(subject, headers, self.boundary), pieces, size)

    def _line(self, part: Residual, given: Given) -> str:
        """A part that is no part of the body."""
        if part.constant is not None:
            return one_line(str(part.constant))
        given.pieces = []
        self._run(part, given)
        return one_line("".join(given.pieces))

    def _run(self, part: Residual, given: Given) -> None:
        """Add the pieces of a part."""
        if part.is_bare:
            part.program(given)
            return
        budget = Budget()
        given.budgets.append(budget)
        names: dict[str, Any] = {"_budget": budget}
        for name in part.names:
            if name in ROOTS:
                names[name] = Fields(name, given.context.get(name) or {})
            elif name in SAYINGS:
                names[name] = self._saying(name, given)
            elif name in part.environment.globals:
                names[name] = part.environment.globals[name]
        if self._is_dynamic:
            urls = given.urls
            click = urls.click if urls.is_tracked else None
            names["_clicks"] = Clicks(len(self.mail.links), click, lambda: _own(given), urls.tag)
        part.program(Reading(part, names, given))

    def _saying(self, name: str, given: Given) -> Sayings:
        if name not in given.sayings:
            given.sayings[name] = Sayings(getattr(given.urls, SAYINGS[name]))
        return given.sayings[name]

    def _check(self, size: int, pieces: int, budgets: list[Budget]) -> None:
        """Leave to the plain path what might have been too much for it: values read directly are not charged for."""
        uncharged = 3 * (pieces * CALL + size) + self._spent  # printing, and two filters
        if size > _LARGE or min(budget.left for budget in budgets) < min(uncharged, BUDGET):
            raise NotAhead

    # Links.

    def _links(self, given: Given) -> tuple[list[bytes], list[bytes]]:
        """Each link as it is written in the page and in the text."""
        urls = given.urls
        if not urls.is_tracked:
            return self._links_of(urls.tag)
        if given.written is not None:
            links = given.written.click.join(self._numbers).split(b"\0")
            return links, links
        led = [urls.click(link.number) for link in self.mail.links]
        return [in_html(one) for one in led], [in_text(one) for one in led]

    def _links_of(self, tag: Tag) -> tuple[list[bytes], list[bytes]]:
        """The same where nothing is tracked: equal for all readers of a mailing."""
        links = self._untracked.get(tag)
        if links is None:
            if len(self._untracked) >= _MOST_TAGS:
                self._untracked.clear()
            links = self._untracked[tag] = (
                [quote(str(self._in_html(link.number, self._tagged(link.number, tag)))) for link in self.mail.links],
                [b"" if link.is_dynamic else in_text(self._tagged(link.number, tag)) for link in self.mail.links],
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


def _own(given: Given) -> frozenset[str]:
    """Our own addresses in this mail, as far as it has got: a click on one is not counted."""
    urls = given.urls
    said = (saying.given for saying in given.sayings.values())
    return urls.others.union({urls.leave, urls.preferences, urls.view}, *said)


def compile_wire(mail: CompiledMail) -> WireMail:
    """The same mail, writing messages; made once for each compiled mail."""
    if mail.wire is None:
        mail.wire = WireMail(mail)
    wire = mail.wire
    assert isinstance(wire, WireMail)
    return wire
