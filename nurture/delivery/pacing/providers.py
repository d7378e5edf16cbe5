"""Mailbox providers: the domains under which one of them takes mail, for what is counted together. Pure.

A provider judges a sender over all its domains, so limits, warm-up and rests are by provider. A domain that is no
provider's stands for itself. Companies whose mail a provider carries under their own domain are not known here: that
would take asking the name servers before every decision.
"""

from collections.abc import Mapping


def _every(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: By the name that settings.toml may write instead of the domains.
PROVIDERS: Mapping[str, frozenset[str]] = {
    "google": _every("gmail.com googlemail.com"),
    "microsoft": _every(
        "outlook.com outlook.de outlook.fr outlook.es outlook.it hotmail.com hotmail.de hotmail.fr hotmail.es "
        "hotmail.it hotmail.co.uk live.com live.de live.fr live.nl live.co.uk msn.com"
    ),
    "yahoo": _every(
        "yahoo.com yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.co.uk yahoo.co.in yahoo.com.br yahoo.ca ymail.com "
        "rocketmail.com aol.com aol.de aol.co.uk verizon.net"
    ),
    "apple": _every("icloud.com me.com mac.com"),
    "united-internet": _every("gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.fr gmx.es web.de mail.com 1und1.de"),
    "telekom": _every("t-online.de magenta.de"),
    "freenet": _every("freenet.de"),
    "proton": _every("proton.me protonmail.com protonmail.ch pm.me"),
    "orange": _every("orange.fr wanadoo.fr"),
    "free": _every("free.fr"),
    "sfr": _every("sfr.fr neuf.fr"),
    "laposte": _every("laposte.net"),
    "libero": _every("libero.it virgilio.it"),
    "comcast": _every("comcast.net"),
    "yandex": _every("yandex.ru yandex.com ya.ru"),
    "mail-ru": _every("mail.ru bk.ru inbox.ru list.ru"),
    "zoho": _every("zoho.com zohomail.com"),
    "fastmail": _every("fastmail.com fastmail.fm"),
}
_PROVIDER_OF = {domain: name for name, domains in PROVIDERS.items() for domain in domains}

#: These send no complaint reports: how many complain only their own tools tell.
SILENT_ABOUT_COMPLAINTS = frozenset({"google"})


def provider_of(domain: str) -> str:
    """The provider a domain belongs to; empty if it is none's."""
    return _PROVIDER_OF.get(domain, "")


def group_of(domain: str) -> str:
    """What a domain is counted as: its provider, else itself."""
    return _PROVIDER_OF.get(domain, domain)


def domains_of(word: str) -> frozenset[str]:
    """The domains a word of settings.toml means: a provider's, else the one it is."""
    return PROVIDERS.get(word, frozenset({word.lower()}))
