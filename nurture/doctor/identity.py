"""Who we say that we are: SPF, DKIM, DMARC, and where bounces go, as the name servers show it to every receiver.

Each finding that is not right names the very line to add. Called by `nurture doctor`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nurture.doctor.findings import ASK_AGAIN, Finding
from nurture.doctor.keys import is_same_key, keys_among, limit_of
from nurture.doctor.policies import fault_of_policy, is_meant_as_policy, is_policy, mended_policy, read_policy
from nurture.doctor.resolving import Found, Resolver
from nurture.doctor.rules import is_aligned, up_from
from nurture.doctor.spf import Reading, read_spf
from nurture.doctor.spf_advice import closed, mended, term_for, with_terms
from nurture.rendering.dkim_keys import in_strings


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
    it is a machine of our own, `replaces_return_path` whether bounces go to it, `returns_to_sender` whether it takes only
    mail that comes back to whoever writes (`mail_from = "sender"`).
    """

    host: str
    include: str = ""
    signs: bool | None = None
    is_ours: bool = False
    replaces_return_path: bool = False
    returns_to_sender: bool = False


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
    envelopes = _envelopes(identity)
    usual = next(iter(envelopes))
    findings = [
        _spf(resolver, one, carriers, "SPF" if one == usual else f"SPF {one}") for one, carriers in envelopes.items()
    ]
    findings += [_dkim(resolver, identity, one, "" if one == first else f" {one}") for one in identity.domains]
    findings += [_dmarc(resolver, identity, one, "" if one == first else f" {one}") for one in identity.domains]
    findings += [_mail_host(resolver, one) for one in dict.fromkeys((identity.return_path, identity.inbound)) if one]
    return findings


def _envelopes(identity: Identity) -> dict[str, list[Carrier]]:
    """The domains that stand in MAIL FROM, whose SPF is asked for, the usual one first: each with who carries such mail."""
    usual = (identity.return_path,) if identity.return_path else identity.domains
    found: dict[str, list[Carrier]] = {}
    for carrier in sorted(identity.carriers, key=lambda one: one.returns_to_sender):
        for domain in identity.domains if carrier.returns_to_sender else usual:
            found.setdefault(domain, []).append(carrier)
    return found or {domain: [] for domain in usual}


def _spf(resolver: Resolver, domain: str, carriers: Sequence[Carrier], check: str) -> Finding:
    if carriers and all(one.replaces_return_path for one in carriers):
        return Finding(check, True, f"{_hosts(carriers)} lets mail come back to itself, so its own SPF counts")
    reading = read_spf(resolver, domain)
    if reading.failed:
        return Finding(check, False, reading.failed, ASK_AGAIN)
    if reading.record and reading.fault:
        return Finding(check, False, f"{domain}: {reading.fault}", mended(domain, reading))
    includes = dict.fromkeys(one.include for one in carriers if one.include and not one.replaces_return_path)
    missing = [f"include:{one}" for one in includes if one.lower() not in reading.includes]
    strangers, silent = _own_strangers(resolver, carriers, domain)
    if silent:
        return Finding(check, False, silent, ASK_AGAIN)
    if not reading.record:
        wanted = " ".join([*missing, *strangers]) or "include:your-relay.example"
        return Finding(
            check, False, f"{domain} has no such record", f'add a TXT record at {domain}: "v=spf1 {wanted} ~all"'
        )
    return _judged(check, domain, reading, missing, strangers)


def _judged(check: str, domain: str, reading: Reading, missing: Sequence[str], strangers: Sequence[str]) -> Finding:
    """What is said of a record that receivers can read, by whom of us it does not let in."""
    is_open = reading.ending not in {"-", "~"}
    absent = [*missing, *strangers]
    if reading.ending == "%" or (reading.depends and absent and not is_open):
        return _by_macro(check, domain, reading)
    if absent and not reading.depends:
        names = " and ".join(one.removeprefix("include:") for one in missing)
        faults = [f"does not name {names}, by which our relay sends"] if missing else []
        faults += [f"does not allow our own relay ({' '.join(strangers)})"] if strangers else []
        line = with_terms(reading.record, absent)
        return Finding(check, False, f"{domain} {', and '.join(faults)}", f'change its TXT record to "{line}"')
    if is_open:
        what = "lets everybody write in its name" if reading.ending == "+" else "says nothing about anybody else"
        return Finding(check, False, f"{domain} {what}", closed(reading.record))
    questions = f"{reading.questions} of 10 questions" if reading.questions else "no question more"
    return Finding(check, True, f"{domain}: {reading.record} ({questions})")


def _by_macro(check: str, domain: str, reading: Reading) -> Finding:
    """What a receiver is told depends on each mail, as with a service that keeps the record: nobody can tell from here."""
    what = f"{domain}: {reading.record} (it depends on each mail; `nurture doctor --round-trip` shows what a receiver makes of it)"
    return Finding(check, True, what)


def _own_strangers(resolver: Resolver, carriers: Sequence[Carrier], domain: str) -> tuple[list[str], str]:
    """The addresses of relays of our own that a domain does not let write in its name, and who could not be asked."""
    strangers: list[str] = []
    for carrier in carriers:
        found = resolver.addresses(carrier.host) if carrier.is_ours else Found()
        if found.failed:
            return [], f"{carrier.host} could not be looked up ({found.failed})"
        for address in found.values:
            reading = read_spf(resolver, domain, address)
            if reading.verdict != "pass" and reading.failed:
                return [], reading.failed
            if reading.verdict != "pass":
                strangers.append(term_for(address))
    return list(dict.fromkeys(strangers)), ""


def _hosts(carriers: Sequence[Carrier]) -> str:
    return " and ".join(one.host for one in carriers)


def _dkim(resolver: Resolver, identity: Identity, domain: str, about: str) -> Finding:
    check = f"DKIM{about}"
    keys = identity.keys_for(domain)
    if not keys:
        return _unsigned(identity, domain, check)
    for one in keys:
        fault = _fault_of_key(resolver, one, check)
        if fault:
            return fault
    if all(one.algorithm == "ed25519-sha256" for one in keys):
        return Finding(
            check, False, f"{domain} is signed with Ed25519 only, which Gmail and Microsoft do not read",
            f"add an RSA key: `nurture dkim create --kind rsa --domain {keys[0].domain}`",
        )  # fmt: skip
    signed = " and ".join(f"{one.name.partition('.')[0]} ({one.algorithm})" for one in keys)
    return Finding(check, True, f"{domain} is signed as {keys[0].domain} by {signed}, and the name servers show it")


def _fault_of_key(resolver: Resolver, key: OurKey, check: str) -> Finding | None:
    """What keeps receivers from finding a key of ours, or from trusting what it signed."""
    name = key.name
    found = resolver.texts(name)
    if found.failed:
        return Finding(check, False, f"{name} could not be looked up ({found.failed})", ASK_AGAIN)
    shown = keys_among(found.values)
    ours = [one for one in shown if is_same_key(one, key.record)]
    strings = " ".join(f'"{part}"' for part in in_strings(key.record))
    if not ours:
        what = "is not our key, so our signatures fail" if found.values else "is not there, so our signatures fail"
        how = "change the TXT record" if found.values else "add a TXT record"
        how = "keep one TXT record" if len(shown) > 1 else how
        return Finding(check, False, f"the record {name} {what}", f"{how} at {name}: {strings}")
    right = next((one for one in ours if not limit_of(one)), "")
    if not right:
        what = f"the record {name} is not for our signatures, so they fail: {limit_of(ours[0])}"
        return Finding(check, False, what, f"change the TXT record at {name}: {strings}")
    if len(shown) > 1:
        others = list(shown)
        others.remove(right)
        what = f"{name} shows {len(shown)} keys, and receivers take any of them, or none (RFC 6376, 3.6.2.2)"
        quoted = " and ".join(f'"{one}"' for one in others)
        return Finding(check, False, what, f"take out of the TXT records at {name}: {quoted}")
    return None


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
            return Finding(check, False, f"{name} could not be looked up ({found.failed})", ASK_AGAIN)
        records = [text for text in found.values if is_policy(text)]
        if len(records) > 1:
            return Finding(
                check, False, f"{name} has {len(records)} such records, which is as good as none", "keep one of them"
            )
        if records:
            return _policy(identity, domain, name, records[0], check)
        misspelt = next(filter(is_meant_as_policy, found.values), "")
        if misspelt:
            what = f"{name}: {misspelt}: its version is misspelt, and what does not begin with v=DMARC1; is passed over"
            do = f'write there: "{mended_policy(read_policy(misspelt), one)}"'
            return Finding(check, False, what, do)
    name = f"_dmarc.{domain}"
    line = f'add a TXT record at {name}: "v=DMARC1; p=none; rua=mailto:dmarc@{domain}"'
    return Finding(check, False, f"{name} has no such record", line)


def _policy(identity: Identity, domain: str, name: str, record: str, check: str) -> Finding:
    policy = read_policy(record)
    fault = fault_of_policy(policy)
    if fault:
        line = mended_policy(policy, name.removeprefix("_dmarc."))
        return Finding(check, False, f"{name}: {fault}", f'write there: "{line}"')
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


def _is_strict(policy: Mapping[str, str], tag: str) -> bool:
    return policy.get(tag, "").lower() == "s"


def _mail_host(resolver: Resolver, domain: str) -> Finding:
    found = resolver.mail_hosts(domain)
    check = f"mail to {domain}"
    if found.failed:
        return Finding(check, False, f"{domain} could not be looked up ({found.failed})", ASK_AGAIN)
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
            return Finding(check, False, silent, ASK_AGAIN)
        if len(gone) == len(hosts):
            return Finding(check, False, f"its server {gone[0]} has no address", f"add an A record for {gone[0]}")
        return Finding(check, True, f"goes to {', '.join(one.rstrip('.') for one in hosts)}")
    itself = resolver.addresses(domain)
    if itself.failed:
        return Finding(check, False, f"{domain} could not be looked up ({itself.failed})", ASK_AGAIN)
    if itself.values:
        return Finding(check, True, f"goes to {domain} itself, which has no MX record")
    return Finding(
        check, False, f"{domain} has no MX record, so bounces and replies are lost",
        f"add an MX record at {domain} with the server that hands its mail to inbound.host: {domain}. MX 10 mail.{domain}.",
    )  # fmt: skip
