"""What an e-mail address is here: checked, normalized, and recognized when it comes back spelled differently.

The local part keeps its case on the wire (RFC 5321, 2.4) while `John@EX.com` and `john@ex.com` are one contact. An IDN
domain travels as its A-label (RFC 5891), and both spellings are one address. Quoted local parts, address literals,
control characters and a leading hyphen are refused: nobody we may write to has one, and attackers do.
"""

import re
import unicodedata
from dataclasses import dataclass

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES

from nurture.errors import BadInput

#: What copying leaves around an address: blanks of all kinds and invisible marks, never a line break.
AROUND = " \t\u00a0\u2007\u2009\u202f\u3000\u00ad\u200b\u200c\u200d\u2060\ufeff"

# What nearly every address looks like: a dot-atom, and labels without two hyphens in a row, so that none is an A-label.
# 64 characters on either side are fewer than any limit, so whatever fits is an address; a test holds it against the
# library, which takes fifteen times as long.
_ATOM = r"[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+"
_LABEL = r"[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*"
_PLAIN = re.compile(rf"(?!-)({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+([a-zA-Z]{{2,}}))")
_PLAIN_LENGTH = 63
_NO_DOMAINS = frozenset(SPECIAL_USE_DOMAIN_NAMES)
_ROLES = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)


@dataclass(frozen=True, slots=True)
class Address:
    """`email` goes on the wire, `key` is equal for equal mailboxes, `domain` is the lower-case A-label."""

    email: str
    key: str
    domain: str

    @property
    def is_ascii(self) -> bool:
        """Whether a relay without SMTPUTF8 (RFC 6531) can take it."""
        return self.email.isascii()


def read_plain_address(text: str) -> Address | None:
    """The same as `read_address` for what is an address at first sight; None: look again."""
    match = _PLAIN.fullmatch(text)
    if match is None:
        return None
    local, domain, ending = match.groups()
    key = text.lower()
    if len(local) > _PLAIN_LENGTH or len(domain) > _PLAIN_LENGTH or ending.lower() in _NO_DOMAINS:
        return None
    if key == text:
        return Address(text, text, domain)
    # A role account is written in small letters (RFC 2142).
    return None if local.lower() in _ROLES else Address(f"{local}@{domain.lower()}", key, domain.lower())


def read_address(text: str) -> Address:
    """Check and normalize an address; blanks around it do not matter, a line break makes it none."""
    return read_plain_address(text) or _look_closely(text)


def _look_closely(text: str) -> Address:
    given = text.strip(AROUND)
    if not given:
        raise BadInput("the address is empty")
    if given.startswith("-"):
        raise BadInput("the address begins with a hyphen")
    try:
        valid = validate_email(given, check_deliverability=False)
    except EmailNotValidError as error:
        raise BadInput(_in_our_words(given, str(error))) from None
    domain = valid.ascii_domain.lower()
    if len(valid.local_part.encode()) > 64 or len(domain) > 255:
        raise BadInput("the address is longer than an address may be")
    local = unicodedata.normalize("NFC", valid.local_part)
    return Address(email=f"{local}@{domain}", key=f"{local.casefold()}@{domain}", domain=domain)


def get_address(text: str) -> Address:
    """The same for an address that somebody typed, so that what is wrong is said with it."""
    try:
        return read_address(text)
    except BadInput as error:
        raise BadInput(f"{text}: {error}.") from None


def mask(email: str) -> str:
    """`a…@reader.example`: enough for its owner to recognize, too little for anybody else."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"


def _in_our_words(given: str, reason: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in given):
        return "the address contains a line break or control character"
    if "@" not in given:
        return "the address has no @"
    return reason[:1].lower() + reason[1:].rstrip(".")
