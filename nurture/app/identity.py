"""What our mails say about who we are, put together from the settings, for the doctor to hold against the world."""

from dataclasses import replace
from typing import TYPE_CHECKING

from nurture.adapters.dkim_folder import State
from nurture.delivery.rules import is_loopback
from nurture.doctor.identity import Carrier, Identity, OurKey
from nurture.doctor.rules import is_aligned
from nurture.doctor.servers import Door
from nurture.relays.hosts import find_profile_of

if TYPE_CHECKING:
    from nurture.app.house import App


def identity_of(house: "App") -> Identity:
    """The domains we write from, the keys that sign for them, the relays that carry our mail."""
    domains = domains_of(house)
    return Identity(
        domains=domains,
        return_path="" if _come_back_to_senders(house) else house.return_path_domain,
        inbound=house.settings.inbound.domain,
        keys=tuple(
            OurKey(one.domain, one.name, key.record, one.state, key.algorithm)
            for one in house.dkim_folder.list_keys()
            if one.state is not State.RETIRED
            for key in [one.load()]
        ),
        carriers=tuple(
            replace(_carrier(host, provider, domains[0]), returns_to_sender=mail_from == "sender")
            for host, provider, mail_from in _relays(house)
        ),
    )


def domains_of(house: "App") -> tuple[str, ...]:
    """Every domain that a mail may be from, the usual one first."""
    declared = house.declared
    owners = [one["email"].rpartition("@")[2].lower() for one in declared.operators]
    named = [one.domain for one in (declared.default_sender, *declared.senders.values())]
    found = (*named, *(domain for domain in owners if domain in declared.sender_domains))
    return tuple(dict.fromkeys(domain for domain in found if domain)) or ("",)


def doors_of(house: "App") -> list[Door]:
    """Where our mail is handed over."""
    return [Door(one.host.strip("[]"), one.port, "implicit" if one.is_implicit else "starttls") for one in house.relays]


def _come_back_to_senders(house: "App") -> bool:
    """Whether no relay takes mail that comes back to a domain of its own."""
    relays = house.settings.relays
    return bool(relays) and all(one.mail_from == "sender" for one in relays)


def _relays(house: "App") -> list[tuple[str, str, str]]:
    """The hosts of the relays, as which known ones they were connected, and where mail by them comes back to."""
    settings = house.settings
    return [(one.host, one.provider, one.mail_from) for one in settings.relays] or [(settings.smtp.host, "", "")]


def _carrier(host: str, provider: str, domain: str) -> Carrier:
    profile = find_profile_of(provider, host)
    if profile is None or not profile.server.host:
        return Carrier(host, is_ours=not is_loopback(host) and is_aligned(host, domain))
    return Carrier(
        host,
        include=profile.names.spf,
        signs=profile.names.dkim != "ours",
        replaces_return_path=profile.changes.return_path == "replaced",
    )
