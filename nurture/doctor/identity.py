"""Who we say that we are: SPF, DKIM, DMARC, and where bounces go, as the name servers show it to every receiver.

Each finding that is not right names the very line to add. Called by `nurture doctor`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nurture.doctor.findings import Finding
from nurture.doctor.keys import is_shown
from nurture.doctor.resolving import Resolver
from nurture.doctor.rules import fault_of_policy, is_aligned, read_tags, up_from
from nurture.doctor.spf import Reading, read_spf
from nurture.rendering.dkim_keys import in_strings

_ASK_AGAIN = "try again where DNS works"


@dataclass(frozen=True)
class OurKey:
    """A key of ours: where its record belongs, and what it says. `state` is signing, waiting or retired."""

    domain: str
    name: str
    record: str
    state: str
    algorithm: str


@dataclass(frozen=True)
class Carrier:
    """A relay that carries our mail, as far as it is known.

    `include` is its SPF record, `signs` whether it adds a signature in our name (None: nobody knows), `is_ours` whether
    it is a machine of our own, `replaces_return_path` whether bounces go to it.
    """

    host: str
    include: str = ""
    signs: bool | None = None
    is_ours: bool = False
    replaces_return_path: bool = False


@dataclass(frozen=True)
class Identity:
    """What our mails say: the domains they are from (the usual one first), where they come back to, who carries them."""

    domains: tuple[str, ...]
    return_path: str = ""
    inbound: str = ""
    keys: tuple[OurKey, ...] = ()
    carriers: tuple[Carrier, ...] = ()

    def keys_for(self, domain: str) -> list[OurKey]:
        """The keys that sign mail from a domain: its own, else those of the nearest domain above it."""
        for one in up_from(domain):
            found = [key for key in self.keys if key.domain == one and key.state == "signing"]
            if found:
                return found
        return []


def examine_identity(resolver: Resolver, identity: Identity) -> list[Finding]:
    """Everything that receivers look up about us."""
    first = identity.domains[0]
    findings = [_spf(resolver, identity, one) for one in _envelope_domains(identity)]
    findings += [_dkim(resolver, identity, one, "" if one == first else f" {one}") for one in identity.domains]
    findings += [_dmarc(resolver, identity, one, "" if one == first else f" {one}") for one in identity.domains]
    findings += [_mail_host(resolver, one) for one in dict.fromkeys((identity.return_path, identity.inbound)) if one]
    return findings


def _envelope_domains(identity: Identity) -> tuple[str, ...]:
    """The domains that stand in MAIL FROM, whose SPF is asked for."""
    return (identity.return_path,) if identity.return_path else identity.domains


def _spf(resolver: Resolver, identity: Identity, domain: str) -> Finding:
    check = "SPF" if domain in {identity.return_path, identity.domains[0]} else f"SPF {domain}"
    carriers = identity.carriers
    if carriers and all(one.replaces_return_path for one in carriers):
        return Finding(check, True, f"{_hosts(carriers)} lets mail come back to itself, so its own SPF counts")
    includes = [one.include for one in carriers if one.include and not one.replaces_return_path]
    reading = read_spf(resolver, domain)
    wanted = " ".join(f"include:{one}" for one in dict.fromkeys(includes)) or _of_own(resolver, carriers)
    if reading.failed:
        return Finding(check, False, reading.failed, _ASK_AGAIN)
    if not reading.record:
        return Finding(
            check, False, f"{domain} has no such record", f'add a TXT record at {domain}: "v=spf1 {wanted} ~all"'
        )
    if reading.fault:
        return Finding(check, False, f"{domain}: {reading.fault}", _mended(domain, reading))
    missing = [one for one in includes if one.lower() not in reading.includes]
    if reading.ending == "%" or (missing and reading.depends):
        return _by_macro(check, domain, reading)
    if missing:
        line = _with_terms(reading.record, [f"include:{one}" for one in missing])
        what = f"{domain} does not name {' and '.join(missing)}, by which our relay sends"
        return Finding(check, False, what, f'change its TXT record to "{line}"')
    if reading.ending not in {"-", "~"}:
        what = "lets everybody write in its name" if reading.ending == "+" else "says nothing about anybody else"
        return Finding(check, False, f"{domain} {what}", _closed(reading.record))
    stranger = _own_stranger(resolver, carriers, domain)
    if stranger and reading.depends:
        return _by_macro(check, domain, reading)
    if stranger:
        line = _with_terms(reading.record, [stranger])
        return Finding(
            check, False, f"{domain} does not allow our own relay ({stranger})", f'change its TXT record to "{line}"'
        )
    questions = f"{reading.questions} of 10 questions" if reading.questions else "no question more"
    return Finding(check, True, f"{domain}: {reading.record} ({questions})")


def _by_macro(check: str, domain: str, reading: Reading) -> Finding:
    """What a receiver is told depends on each mail, as with a service that keeps the record: nobody can tell from here."""
    what = f"{domain}: {reading.record} (it depends on each mail; `nurture doctor --round-trip` shows what a receiver makes of it)"
    return Finding(check, True, what)


def _closed(record: str) -> str:
    """What to do about a record that does not end with a no to everybody else."""
    terms = record.split()
    is_open = [re.fullmatch(r"[+~?-]?all", one, re.IGNORECASE) is not None for one in terms]
    target = next((one.partition("=")[2] for one in terms if one.lower().startswith("redirect=")), "")
    if target and not any(is_open):
        return f"let the TXT record at {target}, to which it leads, end with ~all"
    kept = [one for one, is_it in zip(terms, is_open, strict=True) if not is_it]
    return f'change its TXT record to "{" ".join([*kept, "~all"])}"'


def _mended(domain: str, reading: Reading) -> str:
    if reading.at != domain:
        return f"mend or take out what leads to {reading.at} in the TXT record at {domain}: it makes all of it void"
    if reading.fault.endswith("SPF records"):
        return f"keep one TXT record at {domain} that begins with v=spf1, with what all of them say"
    if reading.is_too_much:
        return f"take out of the TXT record at {domain} what sends no mail for you any more; each include costs what it holds"
    return f"mend the TXT record at {domain}: {reading.record}"


def _with_terms(record: str, terms: Sequence[str]) -> str:
    """The record with more in it, in front of what ends it."""
    words = record.split()
    return " ".join([words[0], *terms, *words[1:]])


def _of_own(resolver: Resolver, carriers: Sequence[Carrier]) -> str:
    addresses = [one for carrier in carriers if carrier.is_ours for one in resolver.addresses(carrier.host).values]
    return " ".join(map(_term, addresses)) or "include:your-relay.example"


def _own_stranger(resolver: Resolver, carriers: Sequence[Carrier], domain: str) -> str:
    """An address of a relay of our own that the record does not let write in our name."""
    for carrier in carriers:
        for address in resolver.addresses(carrier.host).values if carrier.is_ours else ():
            if read_spf(resolver, domain, address).verdict != "pass":
                return _term(address)
    return ""


def _term(address: str) -> str:
    return f"ip6:{address}" if ":" in address else f"ip4:{address}"


def _hosts(carriers: Sequence[Carrier]) -> str:
    return " and ".join(one.host for one in carriers)


def _dkim(resolver: Resolver, identity: Identity, domain: str, about: str) -> Finding:
    check = f"DKIM{about}"
    keys = identity.keys_for(domain)
    if not keys:
        return _unsigned(identity, domain, check)
    for one in keys:
        shown = is_shown(resolver, one.name, one.record)
        if shown is None:
            return Finding(check, False, f"{one.name} could not be looked up from here", _ASK_AGAIN)
        if not shown:
            has_other = bool(resolver.texts(one.name).values)
            what = "is not our key, so our signatures fail" if has_other else "is not there, so our signatures fail"
            strings = " ".join(f'"{part}"' for part in in_strings(one.record))
            line = f"{'change the TXT record' if has_other else 'add a TXT record'} at {one.name}: {strings}"
            return Finding(check, False, f"the record {one.name} {what}", line)
    if all(one.algorithm == "ed25519-sha256" for one in keys):
        return Finding(
            check, False, f"{domain} is signed with Ed25519 only, which Gmail and Microsoft do not read",
            f"add an RSA key: `nurture dkim create --kind rsa --domain {keys[0].domain}`",
        )  # fmt: skip
    signed = " and ".join(f"{one.name.partition('.')[0]} ({one.algorithm})" for one in keys)
    return Finding(check, True, f"{domain} is signed as {keys[0].domain} by {signed}, and the name servers show it")


def _unsigned(identity: Identity, domain: str, check: str) -> Finding:
    waiting = [one.name for one in identity.keys if one.state == "waiting" and is_aligned(one.domain, domain)]
    if waiting:
        return Finding(
            check, False, f"the keys for {domain} wait: {', '.join(waiting)}",
            "add what `nurture dkim show` prints to its DNS, then type `nurture dkim use`",
        )  # fmt: skip
    if identity.carriers and all(one.signs for one in identity.carriers):
        return Finding(
            check, True,
            f"{_hosts(identity.carriers)} signs for {domain}; `nurture doctor --round-trip` shows whether it does",
        )  # fmt: skip
    return Finding(
        check, False, f"no key of ours signs for {domain}, and of {_hosts(identity.carriers) or 'the relay'} nobody knows",
        f"type `nurture dkim create --domain {domain}`, or let the relay sign and look with `nurture doctor --round-trip`",
    )  # fmt: skip


def _dmarc(resolver: Resolver, identity: Identity, domain: str, about: str) -> Finding:
    check = f"DMARC{about}"
    for one in up_from(domain):
        name = f"_dmarc.{one}"
        found = resolver.texts(name)
        if found.failed:
            return Finding(check, False, f"{name} could not be looked up ({found.failed})", _ASK_AGAIN)
        records = [text for text in found.values if text.replace(" ", "").lower().startswith("v=dmarc1")]
        if len(records) > 1:
            return Finding(
                check, False, f"{name} has {len(records)} such records, which is as good as none", "keep one of them"
            )
        if records:
            return _policy(identity, domain, name, records[0], check)
    name = f"_dmarc.{domain}"
    line = f'add a TXT record at {name}: "v=DMARC1; p=none; rua=mailto:dmarc@{domain}"'
    return Finding(check, False, f"{name} has no such record", line)


def _policy(identity: Identity, domain: str, name: str, record: str, check: str) -> Finding:
    policy = read_tags(record)
    fault = fault_of_policy(policy)
    if fault:
        return Finding(check, False, f"{name}: {fault}", f'write there: "{_mended_policy(policy, name)}"')
    by_signature = any(
        is_aligned(one.domain, domain, strictly=_is_strict(policy, "adkim")) for one in identity.keys_for(domain)
    ) or any(one.signs for one in identity.carriers)
    is_ours = not identity.carriers or not all(one.replaces_return_path for one in identity.carriers)
    came_from = identity.return_path or domain
    by_envelope = is_ours and is_aligned(came_from, domain, strictly=_is_strict(policy, "aspf"))
    if not by_signature and not by_envelope:
        return Finding(
            check, False, f"nothing that would pass for {domain}: mails come back to {came_from}, and no key signs as it",
            f"type `nurture dkim create --domain {domain}`, or set senders.return_path_domain to a domain below {domain}",
        )  # fmt: skip
    by = " and ".join(way for way, is_so in (("DKIM", by_signature), ("SPF", by_envelope)) if is_so)
    reports = "" if policy.get("rua") else "; it names no rua, so nobody tells you who else writes in your name"
    return Finding(check, True, f"{name}: {record} (aligned by {by}){reports}")


def _mended_policy(policy: Mapping[str, str], name: str) -> str:
    """The record with what nobody understands put right: never a weaker policy than the one that is there."""
    kept = {tag: value for tag, value in policy.items() if not fault_of_policy({"p": "none", tag: value})}
    rua = kept.get("rua") or f"mailto:dmarc@{name.removeprefix('_dmarc.')}"
    told = {"v": "", "p": "none", **kept, "rua": rua} | {"v": "DMARC1"}
    return "; ".join(f"{tag}={value}" for tag, value in told.items())


def _is_strict(policy: Mapping[str, str], tag: str) -> bool:
    return policy.get(tag, "").lower() == "s"


def _mail_host(resolver: Resolver, domain: str) -> Finding:
    found = resolver.mail_hosts(domain)
    check = f"mail to {domain}"
    if found.failed:
        return Finding(check, False, f"{domain} could not be looked up ({found.failed})", _ASK_AGAIN)
    hosts = [one for one in found.values if one.rstrip(".")]
    if found.values and not hosts:
        return Finding(
            check, False, f"{domain} says that it takes no mail (null MX), so bounces and replies are lost",
            f"change its MX record to the server that hands its mail to inbound.host: {domain}. MX 10 mail.{domain}.",
        )  # fmt: skip
    if hosts:
        looked_up = {one: resolver.addresses(one) for one in hosts}
        gone = [one for one, its in looked_up.items() if not its.values]
        silent = next(
            (f"{one} could not be looked up ({its.failed})" for one, its in looked_up.items() if its.failed), ""
        )
        if len(gone) == len(hosts) and silent:
            return Finding(check, False, silent, _ASK_AGAIN)
        if len(gone) == len(hosts):
            return Finding(check, False, f"its server {gone[0]} has no address", f"add an A record for {gone[0]}")
        return Finding(check, True, f"goes to {', '.join(one.rstrip('.') for one in hosts)}")
    if resolver.addresses(domain).values:
        return Finding(check, True, f"goes to {domain} itself, which has no MX record")
    return Finding(
        check, False, f"{domain} has no MX record, so bounces and replies are lost",
        f"add an MX record at {domain} with the server that hands its mail to inbound.host: {domain}. MX 10 mail.{domain}.",
    )  # fmt: skip
