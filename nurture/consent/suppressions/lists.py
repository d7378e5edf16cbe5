"""Suppression lists as files: what a line names, and how ours are written. Pure.

A list from elsewhere has one address or domain per line, or a table whose first column has it. One of ours is a CSV of
keyed hashes, which mean something only under the key they were made with; its first line names that key. Lists of plain
MD5, SHA-1 or SHA-256 sums, as competitors' exports have them, can be held against the contacts there are.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts.addresses import read_plain_address
from nurture.contacts.reading import read_cell_address
from nurture.errors import BadInput
from nurture.spelling import as_it_travels

HEADER = "nurture suppression list, key"
COLUMNS = ("address_hash", "reason", "since")

_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_HEADERS = frozenset(
    {"email", "e-mail", "email address", "address", "domain", "mail", "adresse", "hash", "md5", "sha256"}
)


class Sum(StrEnum):
    """What a plain checksum was made with, told by its length; 32 is also the length of ours."""

    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"


_LENGTHS = {32: Sum.MD5, 40: Sum.SHA1, 64: Sum.SHA256}


@dataclass(frozen=True)
class Entry:
    """What one line names: an address key, a domain, one of our hashes, or a checksum."""

    line: int
    address_key: str = ""
    domain: str = ""
    address_hash: str = ""
    checksum: str = ""
    reason: SuppressionReason = SuppressionReason.MANUAL


@dataclass(frozen=True)
class RefusedLine:
    """A line that names nobody."""

    line: int
    reason: str


def because_of(text: str) -> str:
    """A reason that may be kept for ever: it says something and names no address."""
    reason = " ".join(text.split())
    if not reason:
        raise BadInput("say why with --because; whoever looks at it next year wants to know.")
    if "@" in reason:
        raise BadInput("--because names an address; the reason outlives the person's erasure, so word it without.")
    return reason


def read_domain(text: str) -> str | None:
    """The domain that `example.com` or `@example.com` names, as addresses have it; None if it is none."""
    # Python's own "idna" is that of 2003, where straße.de is strasse.de, which is somebody else.
    domain = as_it_travels(text.strip().lower().removeprefix("@").removeprefix("*.").rstrip("."))
    return domain if _DOMAIN.fullmatch(domain) else None


def read_lines(lines: Iterable[str], fingerprint: str) -> Iterator[Entry | RefusedLine]:
    """What a file names, line by line; a list of ours that another key made is refused whole."""
    is_ours = False
    for number, line in enumerate(lines, start=1):
        text = line.strip().lstrip("\ufeff")
        if text.startswith(f"# {HEADER} "):
            is_ours = True
            if text.rpartition(" ")[2] != fingerprint:
                raise BadInput(
                    "this list was made with another suppression key, so its hashes mean nobody here; export it where it "
                    "comes from as addresses, or import it into the installation with that key."
                )
            continue
        first, *others = [cell.strip().strip("\"'") for cell in re.split(r"[;,\t]", text)]
        if not any((first, *others)) or first.startswith("#"):
            continue
        if number <= 2 and first.lower() in {*_HEADERS, *COLUMNS}:
            continue
        yield _entry(number, first, others, is_ours=is_ours)


def _entry(line: int, text: str, others: list[str], *, is_ours: bool) -> Entry | RefusedLine:
    if is_ours and re.fullmatch(r"[0-9a-f]{32}", text):
        known = others[0] if others and others[0] in set(SuppressionReason) else SuppressionReason.MANUAL
        return Entry(line, address_hash=text, reason=SuppressionReason(known))
    if re.fullmatch(r"[0-9a-fA-F]+", text) and len(text) in _LENGTHS:
        return Entry(line, checksum=text.lower())
    if "\ufffd" in text:
        return RefusedLine(line, "has a character that cannot be read; save the list as UTF-8")
    if "@" in text[1:]:
        try:
            return Entry(line, address_key=read_cell_address(text).key)
        except BadInput as error:
            return RefusedLine(line, str(error))
    if any(map(read_plain_address, others)):
        # A name such as "Dr.Meier" would be taken for a domain, and whoever the line is about go on being mailed.
        return RefusedLine(line, "has an address, but not in its first column; put that column first")
    domain = read_domain(text)
    return Entry(line, domain=domain) if domain else RefusedLine(line, "names neither an address, a domain nor a hash")


def checksums_of(address_key: str) -> Iterator[str]:
    """What other systems make of an address."""
    for kind in Sum:
        yield hashlib.new(kind, address_key.encode(), usedforsecurity=False).hexdigest()
