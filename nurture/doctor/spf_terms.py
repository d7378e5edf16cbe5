"""How an SPF record is written (RFC 7208, 12): its terms one by one, and what is wrong with the first that is none. Pure.

A receiver reads all of them before it asks anybody, also those behind `all`: one that is misspelt makes the record void
(4.6).
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_NETWORKS = {"ip4": 4, "ip6": 6}
_HOSTS = frozenset({"a", "mx"})
#: What needs a name behind it.
_NAMED = frozenset({"include", "exists"})
_MECHANISMS = frozenset({"all", "ptr", *_NETWORKS, *_HOSTS, *_NAMED})
#: What may stand in a record once (6).
_ONCE = frozenset({"redirect", "exp"})
_MECHANISM = re.compile(r"([+~?-]?)([a-z][a-z0-9]*)(:?)(.*)", re.IGNORECASE | re.DOTALL)
_MODIFIER = re.compile(r"([a-z][a-z0-9._-]*)=(.*)", re.IGNORECASE | re.DOTALL)
_LENGTHS = re.compile(r"(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?\Z")
_NETWORK = re.compile(r"[0-9a-f.:]+(?:/(?:0|[1-9][0-9]{0,2}))?", re.IGNORECASE)
#: 7.1: c, r and t stand in explanations only.
_MACRO = r"%(?:\{[slodiphv](?:0*[1-9][0-9]*)?r?[.+,/_=-]*\}|[%_-])"
_TEXT = rf"(?:{_MACRO}|[!-$&-~])*"
_LAST_LABEL = r"(?![0-9]+\.?\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_DOMAIN = re.compile(rf"{_TEXT}(?:{_MACRO}|\.{_LAST_LABEL}\.?)", re.IGNORECASE)
_MACRO_TEXT = re.compile(rf"(?:{_MACRO}|%\{{[crt]\}}|[!-$&-~])*", re.IGNORECASE)


class Misspelt(ValueError):
    """What is no term, and why not."""

    def __init__(self, term: str, why: str = "is nothing that SPF knows") -> None:
        super().__init__(f'"{term}" {why}')
        self.term = term
        self.why = why


@dataclass(frozen=True)
class Term:
    """A mechanism with its qualifier, or a modifier without one; `of_4` and `of_6` say how much of an address counts."""

    word: str
    qualifier: str = ""
    name: str = ""
    of_4: str = "32"
    of_6: str = "128"

    @property
    def network(self) -> Network | None:
        """What ip4 and ip6 name."""
        return network_of(self.name) if self.word in _NETWORKS else None


def read_terms(texts: Sequence[str]) -> list[Term]:
    """Everything behind the version; raises Misspelt for the first that is not as the grammar has it."""
    terms = [_read_modifier(one) or _read_mechanism(one) for one in texts]
    words = [one.word for one in terms]
    for place, word in enumerate(words):
        if word in _ONCE and word in words[:place]:
            raise Misspelt(texts[place], f"is a second {word}=, and a record may have one")
    return terms


def network_of(text: str) -> Network | None:
    """A network as SPF writes it; None for what is none."""
    if not _NETWORK.fullmatch(text):
        return None  # a netmask, say
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _read_modifier(text: str) -> Term | None:
    written = _MODIFIER.fullmatch(text)
    if written is None:
        return None
    word, name = written[1].lower(), written[2]
    if word in _ONCE:
        _insist_on_domain(text, name)
    elif word in _MECHANISMS or not _MACRO_TEXT.fullmatch(name):
        # "ip4=" is allowed and says nothing to anybody, which nobody means.
        raise Misspelt(text)
    return Term(word, name=name)


def _read_mechanism(text: str) -> Term:
    written = _MECHANISM.fullmatch(text)
    if written is None:
        raise Misspelt(text)
    qualifier, word, has_name, rest = written[1] or "+", written[2].lower(), bool(written[3]), written[4]
    if word in _NETWORKS:
        network = network_of(rest)
        if not has_name or network is None or network.version != _NETWORKS[word]:
            raise Misspelt(text)
        return Term(word, qualifier, rest)
    lengths = _LENGTHS.search(rest) if word in _HOSTS else None
    name = rest[: lengths.start()] if lengths else rest
    if word not in _MECHANISMS or (has_name and word == "all") or (not has_name and (name or word in _NAMED)):
        raise Misspelt(text)
    if has_name:
        _insist_on_domain(text, name)
    of_4, of_6 = (lengths[1] or "32", lengths[2] or "128") if lengths else ("32", "128")
    if int(of_4) > 32 or int(of_6) > 128:
        raise Misspelt(text)
    return Term(word, qualifier, name, of_4, of_6)


def _insist_on_domain(text: str, name: str) -> None:
    """A domain has a dot and does not end with a number, or it ends with a macro (7.1)."""
    if _DOMAIN.fullmatch(name):
        return
    address = network_of(name)
    if address is not None:
        raise Misspelt(text, f"names an address where a name belongs; write ip{address.version}:{name}")
    raise Misspelt(text, f'names "{name}", which is no full domain name' if name else "is nothing that SPF knows")
