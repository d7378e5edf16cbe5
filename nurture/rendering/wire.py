"""From a contact to the bytes on the wire, with everything that is the same for all of them paid once per version.

Called by whatever sends or shows a mail. What is written here parses to what `CompiledMail.render` says, and the same
contact, addresses and headers give the same bytes.
"""

from collections.abc import Mapping
from typing import Any

from nurture.rendering.compiling import CompiledMail, Urls
from nurture.rendering.message import Headers, Wire, boundary_of, write_plainly


class WireMail:
    """A compiled mail that writes messages."""

    def __init__(self, mail: CompiledMail) -> None:
        self.mail = mail
        self.boundary = boundary_of(mail.page)

    def write(self, context: Mapping[str, Any], urls: Urls, headers: Headers) -> Wire:
        """The message for this contact; raises RenderError and BadInput as the plain path does."""
        return write_plainly(self.mail.render(context, urls), headers, self.boundary)


def compile_wire(mail: CompiledMail) -> WireMail:
    """The same mail, writing messages; made once for each compiled mail."""
    if mail.wire is None:
        mail.wire = WireMail(mail)
    wire = mail.wire
    assert isinstance(wire, WireMail)
    return wire
