"""The signed values in forms and their mails: when a page was made, whose personal link it is, which sign-up it confirms.

A stamp says when a form was shown, so that what comes back too soon is known for a machine's. A form that stands on
another site was printed once and for all: its stamp says so, and is good for as long as its words are.
"""

from datetime import UTC, datetime

from nurture.tokens import TokenKeys, TokenPurpose

_PRINTED = 0


def stamp(keys: TokenKeys, form: str, at: datetime | None) -> str:
    """The stamp of a form shown at that moment; None: printed to stand on another site."""
    seconds = int(at.timestamp()) if at is not None else _PRINTED
    return keys.sign(TokenPurpose.FORM_STAMP, seconds.to_bytes(8) + form.encode())


def read_stamp(keys: TokenKeys, form: str, text: str) -> tuple[bool, datetime | None]:
    """Whether we made this stamp for this form, and when; no moment: it was printed."""
    payload = keys.read(TokenPurpose.FORM_STAMP, text)
    if payload is None or payload[8:] != form.encode():
        return False, None
    seconds = int.from_bytes(payload[:8])
    return True, datetime.fromtimestamp(seconds, UTC) if seconds != _PRINTED else None


def confirm_token(keys: TokenKeys, sign_up_id: int) -> str:
    """What stands in the link of the mail that asks."""
    return keys.sign(TokenPurpose.CONFIRM, sign_up_id.to_bytes(8))


def read_confirm_token(keys: TokenKeys, token: str) -> int | None:
    """The sign-up a link confirms; None for anything we did not sign."""
    payload = keys.read(TokenPurpose.CONFIRM, token)
    return int.from_bytes(payload) if payload is not None and len(payload) == 8 else None
