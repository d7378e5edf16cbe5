"""What settings.toml declares, as the frozen values that files rest on."""

from collections.abc import Collection
from typing import Any

from nurture.campaigns.declared import Declared, Sender, Strained, Topic
from nurture.consent.rules import Basis
from nurture.contacts.freemail import is_free_mail, is_own_relay
from nurture.delivery.rules import is_loopback
from nurture.relays.hosts import find_profile_of
from nurture.rendering.utm import Utm
from nurture.settings import Settings
from nurture.spelling import as_it_travels
from nurture.timing import parse_day_span


def declared_of(settings: Settings) -> Declared:
    """The declarations of settings.toml as frozen values."""
    senders = settings.senders
    return Declared(
        default_sender=_sender(senders.default),
        senders={name: _sender(one) for name, one in senders.named.items()},
        # In both spellings, for an owner may be declared in either.
        sender_domains=frozenset(one.lower() for domain in senders.domains for one in (domain, as_it_travels(domain))),
        topics={one.name: Topic(one.name, one.label, one.description, one.tracking) for one in settings.topics},
        fields={name: one.model_dump(mode="json") for name, one in settings.fields.items()},
        operators=tuple(one.model_dump() for one in settings.operators),
        cap_per_day=settings.sending.cap_per_day,
        cap_per_week=settings.sending.cap_per_week,
        values_per_ask=settings.sending.values_per_ask,
        blackout=tuple(str(parse_day_span(text)) for text in settings.sending.blackout),
        blast_guard=settings.sending.blast_guard,
        company_domains=frozenset(domain.lower() for domain in settings.company.domains),
        # Without pages of ours nothing can be recorded, and links stay as they are written.
        utm=_utm(settings) if settings.web.way_out == "web" else None,
        tracking=settings.tracking.mode if settings.web.way_out == "web" else "none",
        assignment=tuple({"name": one.name, "when": one.when, "to": list(one.to)} for one in settings.assignment),
    )


def borrowed_domains(declared: Declared, relays: Collection[str]) -> frozenset[str]:
    """Domains of free mail that we would write from, without handing the mail to their own provider."""
    named = {one.domain for one in (declared.default_sender, *declared.senders.values())}
    return frozenset(
        domain
        for domain in named | declared.sender_domains
        if is_free_mail(domain) and not any(is_own_relay(domain, host) for host in relays)
    )


def strained_relays(settings: Settings) -> tuple[Strained, ...]:
    """Relays whose terms are stricter than their section is."""
    places: list[tuple[int | None, str, str, frozenset[str]]] = [
        (number, one.host, one.provider, frozenset(one.accepts)) for number, one in enumerate(settings.relays)
    ]
    found = []
    for turn, host, provider, accepts in places or [(None, settings.smtp.host, "", frozenset())]:
        profile = find_profile_of(provider, host)
        if profile is None or not profile.terms.demand_opt_in:
            continue
        bases = [one.value for one in Basis if one not in profile.terms.accepts and (one in accepts or not accepts)]
        if bases:
            found.append(Strained(turn, profile.name, profile.title, bases))
    return tuple(found)


def personal_domains(declared: Declared, relays: Collection[str]) -> frozenset[str]:
    """Domains from which colleagues write themselves; none while nothing leaves this machine."""
    if all(is_loopback(host) for host in relays):
        return frozenset()
    return frozenset(one["email"].rpartition("@")[2].lower() for one in declared.operators)


def _utm(settings: Settings) -> Utm | None:
    links = settings.links
    domains = frozenset(domain.lower() for domain in links.utm_domains)
    return Utm(links.utm_source, links.utm_medium, domains) if links.utm else None


def _sender(raw: Any) -> Sender:
    return Sender(raw.name, raw.email, raw.postal_address)
