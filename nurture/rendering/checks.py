"""What a mail needs beyond being readable: a way out, an address, a size that arrives whole, nothing from strangers."""

import re

from nurture.rendering.compiling import CompiledMail
from nurture.rendering.scanning import Original
from nurture.rendering.source import Findings, MailSource

CLIPPED_AT = 102_000  # bytes of HTML beyond which Gmail cuts a mail off, way out and pixel included
CLOSE_TO_IT = 90_000
_CLICK_ADDRESS = 80  # what a tracked link adds, about
PREHEADER = (40, 110)  # characters: shorter shows the mail's first words behind it, longer is cut off

_TAG = re.compile(r"\{[{%#].*?[}%#]\}", re.DOTALL)
_LOADED = re.compile(
    r"""(?:\bsrc|\bbackground)\s*=\s*["'](https?://[^"']+)|<link\b[^>]*?\bhref\s*=\s*["'](https?://[^"']+)"""
    r"""|url\(\s*["']?(https?://[^"')]+)|@import\s*["'](https?://[^"']+)""",
    re.IGNORECASE,
)


def check_mail(
    source: MailSource, compiled: CompiledMail, findings: Findings, preheader: Original, *, is_campaign: bool
) -> None:
    """Report what would make this mail unlawful, cut off, or a tell-tale."""
    place = (source.template, 1, 1)
    if is_campaign and "leave_url" not in compiled.addresses:
        hint = 'write <a href="{{ leave_url }}">Unsubscribe</a>, or include a footer from parts/'
        findings.add(place, "NT402", "this mail has no link to leave", hint)
    if is_campaign and "sender.postal_address" not in compiled.uses:
        hint = "write {{ sender.postal_address }}, or include a footer from parts/"
        findings.add(place, "NT403", "this mail has no postal address", hint)
    _check_preheader(preheader, findings)
    size = len(compiled.page.encode()) + _CLICK_ADDRESS * len(compiled.links)
    if size > CLOSE_TO_IT:
        message = f"the HTML is about {size:,} bytes, and Gmail cuts off what passes {CLIPPED_AT:,}"
        findings.add(place, "NT405", message, "write less", "error" if size > CLIPPED_AT else "warning")
    for host, address in sorted(_foreign(compiled.page, source.body).items()):
        hint = "name a file of your own (src, icon-wrapped-url, …): whoever serves it sees who reads your mail"
        findings.add(place, "NT406", f"MJML makes this mail load {address} from {host}", hint, "warning")


def _check_preheader(preheader: Original, findings: Findings) -> None:
    if not preheader.text:
        return  # a letter shows its first words, as a person's mail does
    length = len(_TAG.sub("x" * 8, preheader.text))
    shortest, longest = PREHEADER
    if not shortest <= length <= longest:
        message = f"the preheader has about {length} characters; mail programs show {shortest} to {longest}"
        findings.add(preheader.place(0), "NT404", message, "lengthen it" if length < shortest else "cut it", "warning")


def _foreign(page: str, body: str) -> dict[str, str]:
    """Hosts that the mail loads from though its author never named them, each with one address."""
    found: dict[str, str] = {}
    for match in _LOADED.finditer(page):
        address = next(group for group in match.groups() if group)
        host = address.split("/")[2]
        if host not in body:
            found.setdefault(host, address)
    return found
