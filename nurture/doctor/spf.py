"""What an SPF record says (RFC 7208): how many questions it costs, whom it includes, what it says of an address."""

import ipaddress
import re
from dataclasses import dataclass, field

from nurture.doctor.resolving import Resolver

#: RFC 7208, 4.6.4: a receiver gives up above these, and the record is worth nothing.
MOST_QUESTIONS = 10
MOST_EMPTY = 2
_QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_ASKS = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
_TERM = re.compile(r"([+~?-]?)([A-Za-z0-9]+)(?:[:=/](.*))?", re.DOTALL)


@dataclass
class Reading:
    """A record that was followed to its end. `fault` is what makes it void; `failed` that somebody could not be asked."""

    record: str = ""
    questions: int = 0
    empty: int = 0
    includes: set[str] = field(default_factory=set)
    ending: str = ""
    verdict: str = "none"
    fault: str = ""
    failed: str = ""


def read_spf(resolver: Resolver, domain: str, address: str = "") -> Reading:
    """Follow the record of a domain; with an `address`, the verdict says what it says of that."""
    reading = Reading()
    walk = _Walk(resolver, reading, ipaddress.ip_address(address) if address else None)
    reading.verdict = walk.follow(domain, is_first=True) or "neutral"
    if not reading.fault and reading.questions > MOST_QUESTIONS:
        reading.fault = (
            f"it takes {reading.questions} questions to the name servers, and receivers stop at {MOST_QUESTIONS}"
        )
    if not reading.fault and reading.empty > MOST_EMPTY:
        reading.fault = f"{reading.empty} of its names do not exist, and receivers stop at {MOST_EMPTY}"
    return reading


class _Walk:
    def __init__(
        self, resolver: Resolver, reading: Reading, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None
    ) -> None:
        self._resolver = resolver
        self._reading = reading
        self._address = address

    def follow(self, domain: str, *, is_first: bool = False) -> str | None:
        """What the record of a domain says of the address; None if it says nothing, or there is no address."""
        found = self._resolver.texts(domain)
        if found.failed:
            self._reading.failed = f"{domain} could not be looked up ({found.failed})"
            return None
        records = [one for one in found.values if re.fullmatch(r"v=spf1( .*)?", one, re.IGNORECASE | re.DOTALL)]
        if is_first:
            self._reading.record = records[0] if records else ""
        if len(records) != 1:
            what = f"{domain} has {len(records)} SPF records" if records else f"{domain} has no SPF record"
            self._reading.fault = self._reading.fault or what
            return None
        return self._judge(domain, records[0].split()[1:], is_first=is_first)

    def _judge(self, domain: str, terms: list[str], *, is_first: bool) -> str | None:
        answer: str | None = None
        redirect = ""
        for text in terms:
            term = _TERM.fullmatch(text)
            if term is None:
                self._reading.fault = (
                    self._reading.fault or f'"{text}" in the record of {domain} is nothing that SPF knows'
                )
                continue
            qualifier, word, value = term[1] or "+", term[2].lower(), term[3] or ""
            if word == "all":
                if is_first:
                    self._reading.ending = qualifier
                answer = answer or _QUALIFIERS[qualifier]
                break
            if word == "redirect":
                redirect = value
            elif self._matches(domain, word, value, text):
                answer = answer or _QUALIFIERS[qualifier]
        else:
            if redirect and self._counts():
                return self.follow(redirect) or answer
        return answer

    def _matches(self, domain: str, word: str, value: str, text: str) -> bool:
        if word in {"ip4", "ip6"}:
            return self._is_in(text.partition(":")[2])
        if word not in _ASKS:
            if "=" not in text:
                self._reading.fault = (
                    self._reading.fault or f'"{text}" in the record of {domain} is nothing that SPF knows'
                )
            return False
        if not self._counts() or "%" in value:
            return False  # a macro depends on the mail
        if word == "include":
            self._reading.includes.add(value.lower().rstrip("."))
            return self.follow(value) == "pass"
        host, _, length = value.partition("/") if word in {"a", "mx"} else (value, "", "")
        return word in {"a", "mx"} and self._is_host(word, host or domain, length)

    def _counts(self) -> bool:
        """One question more; False once it is far too many to go on."""
        self._reading.questions += 1
        return self._reading.questions <= 3 * MOST_QUESTIONS

    def _is_host(self, word: str, host: str, length: str) -> bool:
        hosts: tuple[str, ...] = (host,)
        if word == "mx":
            found = self._resolver.mail_hosts(host)
            hosts = found.values
            self._reading.empty += not hosts and not found.failed
        known: list[str] = []
        for one in hosts:
            answer = self._resolver.addresses(one)
            known += answer.values
            self._reading.empty += not answer.values and not answer.failed
        return any(self._is_in(f"{one}/{length}" if length and ":" not in one else one) for one in known)

    def _is_in(self, network: str) -> bool:
        try:
            return self._address is not None and self._address in ipaddress.ip_network(network, strict=False)
        except ValueError:
            self._reading.fault = self._reading.fault or f"{network} is no network"
            return False
