"""What an SPF record says (RFC 7208): how many questions it costs, whom it includes, what it says of an address."""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TypeAlias

from nurture.doctor.resolving import Found, Resolver

#: RFC 7208, 4.6.4: a receiver gives up above these, and the record is worth nothing.
MOST_QUESTIONS = 10
MOST_EMPTY = 2
_QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_NETWORKS = {"ip4": 4, "ip6": 6}
_HOSTS = frozenset({"a", "mx"})
#: What needs a name behind it.
_NAMED = frozenset({"include", "exists"})
_MECHANISMS = frozenset({"all", "ptr", *_NETWORKS, *_HOSTS, *_NAMED})
_MECHANISM = re.compile(r"([+~?-]?)([A-Za-z][A-Za-z0-9]*)(?:(:)([^/]*))?((?:/.*)?)", re.DOTALL)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9._-]*)=(.*)", re.DOTALL)
_LENGTHS = re.compile(r"(?:/(\d{1,2}))?(?://(\d{1,3}))?")
#: The one macro that says the same of every mail (7.3).
_DOMAIN_MACRO = re.compile(r"%\{d\}", re.IGNORECASE)

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass
class Reading:
    """A record that was followed to its end.

    `fault` is what makes it void, and `at` whose record has it; `failed` that somebody could not be asked; `depends` that
    a macro decides, so that another mail may get another verdict.
    """

    record: str = ""
    questions: int = 0
    empty: int = 0
    includes: set[str] = field(default_factory=set)
    ending: str = ""
    verdict: str = "none"
    fault: str = ""
    at: str = ""
    failed: str = ""
    depends: bool = False


def read_spf(resolver: Resolver, domain: str, address: str = "") -> Reading:
    """Follow the record of a domain; with an `address`, the verdict says what it says of that."""
    reading = Reading()
    walk = _Walk(resolver, reading, ipaddress.ip_address(address) if address else None)
    reading.verdict = walk.follow(domain, is_first=True, ends_it=True) or "neutral"
    if reading.questions > MOST_QUESTIONS:
        walk.blame(
            domain,
            f"it takes {reading.questions} questions to the name servers, and receivers stop at {MOST_QUESTIONS}",
        )
    if reading.empty > MOST_EMPTY:
        walk.blame(domain, f"{reading.empty} of its names do not exist, and receivers stop at {MOST_EMPTY}")
    return reading


class _Walk:
    def __init__(self, resolver: Resolver, reading: Reading, address: _Address | None) -> None:
        self._resolver = resolver
        self._reading = reading
        self._address = address

    def follow(self, domain: str, *, is_first: bool = False, ends_it: bool = False) -> str | None:
        """What the record of a domain says of the address; None if it says nothing, or there is no address."""
        found = self._resolver.texts(domain)
        if self._is_silent(domain, found):
            return None
        records = [one for one in found.values if re.fullmatch(r"v=spf1( .*)?", one, re.IGNORECASE | re.DOTALL)]
        if is_first:
            self._reading.record = records[0] if records else ""
        if len(records) != 1:
            self.blame(domain, f"{domain} has {len(records)} SPF records" if records else f"{domain} has no SPF record")
            return None
        return self._judge(domain, records[0].split()[1:], ends_it=ends_it)

    def blame(self, domain: str, fault: str) -> None:
        """Keep the first fault."""
        if not self._reading.fault:
            self._reading.fault, self._reading.at = fault, domain

    def _judge(self, domain: str, terms: list[str], *, ends_it: bool) -> str | None:
        answer: str | None = None
        redirect = ""
        for text in terms:
            if modifier := _MODIFIER.fullmatch(text):
                if modifier[1].lower() == "redirect":
                    redirect = modifier[2]
                elif modifier[1].lower() in _MECHANISMS:
                    self._blame_term(domain, text)
                continue
            term = _MECHANISM.fullmatch(text)
            if term is None or not self._is_known(term):
                self._blame_term(domain, text)
                continue
            qualifier, word = term[1] or "+", term[2].lower()
            if word == "all":
                if ends_it:
                    self._reading.ending = qualifier
                return answer or _QUALIFIERS[qualifier]
            if self._matches(domain, word, term[4] or "", term[5]):
                answer = answer or _QUALIFIERS[qualifier]
        if redirect and self._counts():
            place = self._placed(redirect, domain)
            # It counts only where nothing above it has matched (6.1).
            said = self.follow(place, ends_it=ends_it) if place else None
            return answer or said
        return answer

    @staticmethod
    def _is_known(term: re.Match[str]) -> bool:
        """Whether a mechanism is written as the grammar has it (12)."""
        word, value, lengths = term[2].lower(), term[4] or "", term[5]
        if word in _NETWORKS:
            return _network(_NETWORKS[word], value + lengths) is not None
        if word in _HOSTS:
            return _LENGTHS.fullmatch(lengths) is not None and bool(value) == bool(term[3])
        if word in _NAMED:
            return bool(value)
        return word == "ptr" or (word == "all" and not term[3] and not lengths)

    def _blame_term(self, domain: str, text: str) -> None:
        self.blame(domain, f'"{text}" in the record of {domain} is nothing that SPF knows')

    def _matches(self, domain: str, word: str, value: str, lengths: str) -> bool:
        if word in _NETWORKS:
            network = _network(_NETWORKS[word], value + lengths)
            return self._address is not None and network is not None and self._address in network
        place = self._placed(value + lengths if word in _NAMED else value, domain) if value else domain
        if not self._counts() or not place or word == "exists":
            return False
        if word == "ptr":
            return self._is_named(place)
        if word == "include":
            self._reading.includes.add(place.lower().rstrip("."))
            return self.follow(place) == "pass"
        return self._is_host(word, place, lengths)

    def _placed(self, name: str, domain: str) -> str:
        """A name of the record; the empty text where it depends on the mail."""
        name = _DOMAIN_MACRO.sub(lambda _: domain, name)
        if "%" in name:
            self._reading.depends = True
            return ""
        return name

    def _is_named(self, domain: str) -> bool:
        """Whether the address has a name in reverse below a domain, and that name leads back to it (5.5)."""
        address = str(self._address or "")
        names = self._resolver.names_of(address).values if address else ()
        ours = [one for one in names if f".{one}".lower().endswith(f".{domain}".lower())]
        return any(address in self._resolver.addresses(one).values for one in ours)

    def _is_silent(self, name: str, found: Found) -> bool:
        """Whether nobody could be asked about a name; then there is no verdict that could be trusted."""
        if found.failed:
            self._reading.failed = f"{name} could not be looked up ({found.failed})"
        return bool(found.failed)

    def _counts(self) -> bool:
        """One question more; False once it is far too many to go on."""
        self._reading.questions += 1
        return self._reading.questions <= 3 * MOST_QUESTIONS

    def _is_host(self, word: str, host: str, lengths: str) -> bool:
        hosts: tuple[str, ...] = (host,)
        if word == "mx":
            found = self._resolver.mail_hosts(host)
            hosts = found.values
            self._reading.empty += not self._is_silent(host, found) and not hosts
        known: list[str] = []
        for one in hosts:
            answer = self._resolver.addresses(one)
            known += answer.values
            self._reading.empty += not self._is_silent(one, answer) and not answer.values
        written = _LENGTHS.fullmatch(lengths)
        of_4, of_6 = (written[1] or "32", written[2] or "128") if written else ("32", "128")
        networks = [_network(0, f"{one}/{of_6 if ':' in one else of_4}") for one in known]
        return self._address is not None and any(one is not None and self._address in one for one in networks)


def _network(version: int, text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """A network as SPF writes it, of that version (0: of either); None for what is none."""
    if not re.fullmatch(r"[^/]+(/\d{1,3})?", text):
        return None  # a netmask, say
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return found if version in {0, found.version} else None
