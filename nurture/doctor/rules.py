"""What records say about a domain, and whether two domains belong together. Pure."""

import re
from collections.abc import Iterator

#: Second-level names under which countries register, so that "acme.co.uk" is an organization and "co.uk" is none. The
#: whole list (publicsuffix.org) is long and changes; who has another ending is told about DMARC by its tree anyway.
_SECOND_LEVEL = frozenset({
    "ac", "co", "com", "edu", "gen", "go", "gob", "gouv", "gov", "gv", "ltd", "me", "mil", "ne", "net", "nom", "or", "org",
    "plc", "sch",
})  # fmt: skip
_COUNTRY = re.compile(r"[a-z]{2}")
_TAG = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=(.*)", re.DOTALL)


def read_tags(record: str) -> dict[str, str]:
    """The tags of a record as DKIM and DMARC write them (RFC 6376, 3.2); of one that comes twice, the first.

    P is no p: names are told apart by capitals too.
    """
    found: dict[str, str] = {}
    for part in record.split(";"):
        tag = _TAG.fullmatch(part)
        if tag:
            found.setdefault(tag[1], tag[2].strip())
    return found


def organization_of(domain: str) -> str:
    """The domain that somebody registered, as far as its shape tells."""
    labels = domain.lower().strip(".").split(".")
    is_country = len(labels) > 2 and _COUNTRY.fullmatch(labels[-1]) is not None and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3 if is_country else -2 :])


def is_aligned(one: str, other: str, *, strictly: bool = False) -> bool:
    """Whether DMARC takes two domains for one (RFC 7489, 3.1)."""
    one, other = one.lower().strip("."), other.lower().strip(".")
    return one == other or (not strictly and bool(one) and organization_of(one) == organization_of(other))


def up_from(domain: str) -> Iterator[str]:
    """A domain and those above it, as far as an organization may be."""
    domain = domain.lower().strip(".")
    while "." in domain:
        yield domain
        if domain == organization_of(domain):
            return
        domain = domain.partition(".")[2]


def public_key_of(record: str) -> str | None:
    """The key that a DKIM record shows, without blanks; None for what is no such record."""
    tags = read_tags(record)
    if "p" not in tags or tags.get("v", "DKIM1") != "DKIM1":
        return None
    return re.sub(r"\s+", "", tags["p"])
