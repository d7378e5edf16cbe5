"""What to change in an SPF record, as the very line to write. Pure."""

import re
from collections.abc import Sequence

from nurture.doctor.spf import Reading


def term_for(address: str) -> str:
    """The term that lets an address in."""
    return f"ip6:{address}" if ":" in address else f"ip4:{address}"


def with_terms(record: str, terms: Sequence[str]) -> str:
    """The record with more in it, in front of what ends it; what stood there already, behind its end say, moves."""
    words = record.split()
    return " ".join([words[0], *terms, *(one for one in words[1:] if one not in terms)])


def closed(record: str) -> str:
    """What to do about a record that does not end with a no to everybody else."""
    terms = record.split()
    is_open = [re.fullmatch(r"[+~?-]?all", one, re.IGNORECASE) is not None for one in terms]
    target = next((one.partition("=")[2] for one in terms if one.lower().startswith("redirect=")), "")
    if target and not any(is_open):
        return f"let the TXT record at {target}, to which it leads, end with ~all"
    kept = [one for one, is_it in zip(terms, is_open, strict=True) if not is_it]
    return f'change its TXT record to "{" ".join([*kept, "~all"])}"'


def mended(domain: str, reading: Reading) -> str:
    """What to do about a record that is void."""
    if reading.at != domain:
        return f"mend or take out what leads to {reading.at} in the TXT record at {domain}: it makes all of it void"
    if reading.fault.endswith("SPF records"):
        return f"keep one TXT record at {domain} that begins with v=spf1, with what all of them say"
    if reading.is_too_much:
        return f"take out of the TXT record at {domain} what sends no mail for you any more; each include costs what it holds"
    return f"mend the TXT record at {domain}: {reading.record}"
