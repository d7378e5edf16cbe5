"""A message that is written and only waits for its permission: what a lane has at hand, behind that, and after that."""

from typing import NamedTuple, Self

from nurture.delivery import composing
from nurture.delivery.house import House
from nurture.delivery.mailer import Envelope
from nurture.delivery.preparing import Ready


class Written(NamedTuple):
    """The mail it is, the envelope it travels in, and its bytes in parts."""

    ready: Ready
    envelope: Envelope
    parts: tuple[bytes, ...]

    @classmethod
    def of(cls, ready: Ready, house: House) -> Self:
        composed = composing.compose(ready.mail, ready.delivery, house, ready.recipient, ready.email, ready.relay)
        envelope = Envelope(composed.mail_from, composed.rcpt_to, composed.size, composed.report_as, composed.is_utf8)
        return cls(ready, envelope, composed.parts)
