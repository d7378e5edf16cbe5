"""What an SPF record says (RFC 7208): how many questions it costs, whom it includes, what it says of an address."""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TypeAlias

from nurture.doctor.resolving import Found, Resolver
from nurture.doctor.spf_terms import Misspelt, Term, network_of, read_terms

#: RFC 7208, 4.6.4: a receiver gives up above these, and the record is worth nothing.
MOST_QUESTIONS = 10
MOST_EMPTY = 2
MOST_MAIL_HOSTS = 10
#: The same: of the names in reverse it looks at so many and passes over the rest.
_MOST_NAMES = 10
_QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
#: The one macro that says the same of every mail (7.3).
_DOMAIN_MACRO = re.compile(r"%\{d\}", re.IGNORECASE)

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass
class Reading:
    """A record that was followed to its end.

    `fault` is what makes it void, `at` whose record has it, and `is_too_much` that it is well written but asks for more
    than receivers do; `failed` that somebody could not be asked; `depends` that a macro decides, so that another mail may
    get another verdict. `ending` is what it says of everybody else, % where a macro decides that.
    """

    record: str = ""
    questions: int = 0
    empty: int = 0
    includes: set[str] = field(default_factory=set)
    ending: str = ""
    verdict: str = "none"
    fault: str = ""
    at: str = ""
    is_too_much: bool = False
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
            is_too_much=True,
        )
    if reading.empty > MOST_EMPTY:
        what = f"{reading.empty} of its names do not exist, and receivers stop at {MOST_EMPTY}"
        walk.blame(domain, what, is_too_much=True)
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
        try:
            terms = read_terms([one for one in records[0].split(" ")[1:] if one])
        except Misspelt as error:
            self.blame(domain, f'"{error.term}" in the record of {domain} {error.why}')
            return None
        return self._judge(domain, terms, ends_it=ends_it)

    def blame(self, domain: str, fault: str, *, is_too_much: bool = False) -> None:
        """Keep the first fault."""
        if not self._reading.fault:
            self._reading.fault, self._reading.at, self._reading.is_too_much = fault, domain, is_too_much

    def _judge(self, domain: str, terms: list[Term], *, ends_it: bool) -> str | None:
        answer: str | None = None
        for term in terms:
            if term.word == "all":
                if ends_it:
                    self._reading.ending = term.qualifier
                return answer or _QUALIFIERS[term.qualifier]
            if term.qualifier and self._matches(domain, term):
                answer = answer or _QUALIFIERS[term.qualifier]
        redirect = next((one.name for one in terms if one.word == "redirect"), "")
        if redirect and self._counts():
            place = self._placed(redirect, domain)
            if ends_it and not place:
                self._reading.ending = "%"
            # It counts only where nothing above it has matched (6.1).
            said = self.follow(place, ends_it=ends_it) if place else None
            return answer or said
        return answer

    def _matches(self, domain: str, term: Term) -> bool:
        if term.network is not None:
            return self._address is not None and self._address in term.network
        place = self._placed(term.name, domain) if term.name else domain
        if not self._counts() or not place:
            return False
        if term.word == "ptr":
            return self._is_named(place)
        if term.word == "include":
            self._reading.includes.add(place.lower())
            return self.follow(place) == "pass"
        if term.word == "exists":
            return self._is_there(place)
        return self._is_host(domain, place, term)

    def _placed(self, name: str, domain: str) -> str:
        """A name of the record; the empty text where it depends on the mail."""
        name = _DOMAIN_MACRO.sub(lambda _: domain, name)
        if "%" in name:
            self._reading.depends = True
            return ""
        return name.rstrip(".")

    def _is_there(self, name: str) -> bool:
        """Whether a name has an address at all: of the old kind, whatever the kind of the one that asks (5.7)."""
        found = self._resolver.addresses(name)
        is_there = any(":" not in one for one in found.values)
        self._reading.empty += not self._is_silent(name, found) and not is_there
        return is_there

    def _is_named(self, domain: str) -> bool:
        """Whether the address has a name in reverse below a domain, and that name leads back to it (5.5)."""
        if self._address is None:
            return False
        address = str(self._address)
        found = self._resolver.names_of(address)
        names = () if self._is_silent(f"the name of {address}", found) else found.values[:_MOST_NAMES]
        ours = [one for one in names if f".{one}".lower().endswith(f".{domain}".lower())]
        back = [(one, self._resolver.addresses(one)) for one in ours]
        return any(not self._is_silent(one, its) and address in its.values for one, its in back)

    def _is_silent(self, name: str, found: Found) -> bool:
        """Whether nobody could be asked about a name; then there is no verdict that could be trusted."""
        if found.failed:
            self._reading.failed = f"{name} could not be looked up ({found.failed})"
        return bool(found.failed)

    def _counts(self) -> bool:
        """One question more; False once it is far too many to go on."""
        self._reading.questions += 1
        return self._reading.questions <= 3 * MOST_QUESTIONS

    def _is_host(self, domain: str, host: str, term: Term) -> bool:
        hosts: tuple[str, ...] = (host,)
        if term.word == "mx":
            found = self._resolver.mail_hosts(host)
            hosts = found.values
            self._reading.empty += not self._is_silent(host, found) and not hosts
            if len(hosts) > MOST_MAIL_HOSTS:
                what = f"mail to {host} goes to {len(hosts)} servers, and receivers stop at {MOST_MAIL_HOSTS} of an mx"
                self.blame(domain, what, is_too_much=True)
                return False
        known: list[str] = []
        for one in hosts:
            answer = self._resolver.addresses(one)
            known += answer.values
            self._reading.empty += not self._is_silent(one, answer) and not answer.values
        networks = [network_of(f"{one}/{term.of_6 if ':' in one else term.of_4}") for one in known]
        return self._address is not None and any(one is not None and self._address in one for one in networks)
