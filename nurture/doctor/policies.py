"""What a DMARC record says (RFC 7489, 6.3), what is wrong with it, and how it would be right. Pure."""

import re
from collections.abc import Mapping

from nurture.doctor.rules import read_tags

#: It has to be so, and to come first; what follows is set off by a semicolon (6.4).
_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;.*)?", re.DOTALL)
#: What was meant to be that.
_MEANT = re.compile(r"(?<![a-z])v\s*=\s*DMARC[^;:\s]*[;:\s]*", re.IGNORECASE)
_BY_MAIL = re.compile(r"mailto:[^@\s]+@[^@\s]+", re.IGNORECASE)
_BARE = re.compile(r"[^@\s:/]+@[^@\s:/]+")
_ELSEWHERE = re.compile(r"(?!mailto:)[a-z][a-z0-9+.-]*:\S+", re.IGNORECASE)


def is_policy(record: str) -> bool:
    """Whether receivers take a record for a policy: any other version, they pass over with all that it says."""
    return _VERSION.fullmatch(record) is not None


def is_meant_as_policy(record: str) -> bool:
    """Whether it would be one, were its version not misspelt, or not the first thing it says."""
    return not is_policy(record) and _MEANT.search(_unquoted(record)) is not None


def read_policy(record: str) -> dict[str, str]:
    """What it says, whatever its version; its grammar takes names in capitals too (6.4; RFC 5234, 2.3)."""
    found: dict[str, str] = {}
    for tag, said in read_tags(_MEANT.sub("", _unquoted(record), count=1)).items():
        found.setdefault(tag.lower(), said)
    return found


def fault_of_policy(policy: Mapping[str, str]) -> str:
    """What is wrong with it; nothing: the empty text."""
    for tag, said in (("p", policy.get("p", "")), ("sp", policy.get("sp", "none"))):
        if said.lower() not in {"none", "quarantine", "reject"}:
            return f"{tag}={said} is no policy: none, quarantine or reject"
    share = policy.get("pct", "100")
    if not (share.isdigit() and int(share) <= 100):
        return f"pct={share} is no share"
    for tag in ("rua", "ruf"):
        addresses = _addresses(policy, tag)
        for one in addresses:
            if not (_BY_MAIL.fullmatch(one) or _ELSEWHERE.fullmatch(one)):
                return f"{tag} names {one}, which is no address; write it as mailto:dmarc@your-domain.example"
        if addresses and not any(map(_BY_MAIL.fullmatch, addresses)):
            # Others are allowed, and receivers need not know them (6.3).
            return f"{tag} names nothing but {addresses[0]}, and receivers report by mail; name a mailto: too"
    return ""


def mended_policy(policy: Mapping[str, str], domain: str) -> str:
    """The record with what nobody understands put right: never a weaker policy, and no report less, than it says now."""
    kept = {tag: said for tag, said in policy.items() if not fault_of_policy({"p": "none", tag: said})}
    for tag in ("rua", "ruf"):
        known = [_known(one) for one in _addresses(policy, tag)]
        if any(map(_BY_MAIL.fullmatch, known)):
            kept[tag] = ",".join(filter(None, known))
    told = {"p": "none", **kept, "rua": kept.get("rua") or f"mailto:dmarc@{domain}"}
    return "; ".join(f"{tag}={said}" for tag, said in {"v": "DMARC1", **told}.items())


def _addresses(policy: Mapping[str, str], tag: str) -> list[str]:
    return [one for one in (part.strip() for part in policy.get(tag, "").split(",")) if one]


def _known(address: str) -> str:
    """Where reports go, as a receiver understands it; the empty text for what is no address."""
    if _BY_MAIL.fullmatch(address) or _ELSEWHERE.fullmatch(address):
        return address
    return f"mailto:{address}" if _BARE.fullmatch(address) else ""


def _unquoted(record: str) -> str:
    """Without what somebody wrote around it or before a semicolon, as zone files have it."""
    return record.replace('"', "").replace("\\", "")
