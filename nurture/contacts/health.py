"""What an address shows about itself before any mail: nobody's in particular, thrown away tomorrow, or mistyped. Pure.

None of it refuses anybody. A role account ("info@") is read by whoever is there, a disposable address by nobody, and an
address at gmial.com by whoever bought that name; the import counts them, and mail to mistyped domains is held until
somebody says which was meant. The rule for mistyped names is small on purpose: one slip of the finger away from a
provider that millions use, and not one of the names that exist.
"""

from functools import cache, lru_cache

from nurture.contacts.freemail import is_free_mail


def _every(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Local parts without dots, hyphens and underscores: RFC 2142, and what companies have besides.
_ROLES = _every(
    "abuse admin administrator administration all anfrage anfragen accounts accounting billing board bewerbung "
    "bewerbungen bestellung bestellungen bonjour booking bookings buchhaltung buero büro career careers clientes "
    "comercial compliance compras comptabilite contact contacto contactus customerservice datenschutz dataprotection dev "
    "direccion direction dpo einkauf email empfang enquiries enquiry events export facturacion faktura feedback finance "
    "ftp geschaeftsfuehrung gdpr hallo hello help helpdesk hi hola hostmaster hr humanresources import info infos inquiries "
    "inquiry invoice invoices it itsupport job jobs kontakt kundenservice legal list listrequest logistics logistik mail "
    "mailbox maildaemon mailerdaemon management marketing media news newsletter nichtantworten noc noreply donotreply "
    "nepasrepondre noresponder office operations order orders payment payments payroll personal personnel post postmaster "
    "presse press pr privacy procurement purchasing rechnung rechnungen reception recepcion recruiting recruitment "
    "registrar rrhh root sales secretariat secretaria sekretariat security service services shop spam staff subscribe "
    "support sysadmin team tech technik technical test unsubscribe usenet uucp ventas vertrieb verkauf verwaltung web "
    "webmaster webteam welcome work www zentrale"
)

#: Names mistyped often, by the endings under which they exist.
_PROVIDERS = {
    "gmail": "com",
    "googlemail": "com",
    "hotmail": "com de fr it es nl be ch at co.uk com.br com.ar com.mx com.au",
    "outlook": "com de fr it es at be pt ie dk com.br com.au co.uk",
    "yahoo": "com de fr it es ca in co.uk co.in co.jp com.br com.ar com.mx com.au",
    "icloud": "com",
    "protonmail": "com ch",
    "rocketmail": "com",
    "fastmail": "com fm",
    "rediffmail": "com",
    "btinternet": "com",
    "comcast": "net",
    "verizon": "net",
    "sbcglobal": "net",
    "bellsouth": "net",
    "laposte": "net",
    "wanadoo": "fr",
    "t-online": "de",
    "freenet": "de",
    "bluewin": "ch",
    "skynet": "be",
    "telenet": "be",
    "optusnet": "com.au",
    "bigpond": "com",
}
#: Where a slip leads to a name that somebody else has.
_THEIR_OWN = _every(
    "gail.com gmaid.com gmaps.com email.com gemail.com hostmail.com hotmails.com outlooks.com yahoos.com fastmails.com "
    "yaho.de freenets.de icloud.de iclouds.com free-net.de online.de verison.net telnet.be skylnet.be"
)
#: Endings that no registry has, and that of a provider's name nobody else uses.
_NO_ENDINGS = {
    "con": "com", "cmo": "com", "ocm": "com", "vom": "com", "xom": "com", "comm": "com", "coom": "com", "ccom": "com",
    "cpm": "com", "cim": "com", "c0m": "com", "conm": "com", "comn": "com", "copm": "com", "clm": "com",
    "nte": "net", "ney": "net", "nett": "net", "ner": "net", "orgg": "org", "ogr": "org", "rog": "org",
}  # fmt: skip
_OF_OTHERS = {"co": "com", "cm": "com", "om": "com", "come": "com", "ne": "net"}


def is_role_account(email: str) -> bool:
    """Whether an address belongs to a task and no person, such as info@ or no-reply@."""
    local = email[: email.rfind("@")].lower()
    if local.isalnum():
        return local in _ROLES
    return local.partition("+")[0].replace("-", "").replace(".", "").replace("_", "") in _ROLES


@lru_cache(maxsize=65_536)
def is_disposable(domain: str) -> bool:
    """Whether addresses at this domain, or the one it belongs to, are made to be thrown away."""
    known = _disposable()
    rest = domain.lower().strip(".")
    while "." in rest:
        if rest in known:
            return True
        rest = rest.partition(".")[2]
    return False


@lru_cache(maxsize=65_536)
def misspelt(domain: str) -> str | None:
    """The domain that was meant, or None when this one may well be right."""
    given = domain.lower().strip(".")
    name, _, ending = given.partition(".")
    if given in _THEIR_OWN or not ending:
        return None
    meant = _NO_ENDINGS.get(ending) or (_OF_OTHERS.get(ending) if name in _PROVIDERS else None)
    if meant is None and is_free_mail(given):
        return None
    for provider, endings in _PROVIDERS.items():
        if (meant or ending) in endings.split() and (name == provider or _is_one_slip(name, provider)):
            found = f"{provider}.{meant or ending}"
            return None if found == given else found
    return f"{name}.{meant}" if meant else None


def _is_one_slip(name: str, provider: str) -> bool:
    """One letter too many, too few, wrong, or two swapped, behind the first letter: that one people get right."""
    if name[:1] != provider[0] or abs(len(name) - len(provider)) > 1:
        return False
    same = next(
        (place for place, (a, b) in enumerate(zip(name, provider, strict=False)) if a != b),
        min(len(name), len(provider)),
    )
    left, right = name[same:], provider[same:]
    return (
        left[1:] == right[1:]  # another letter, or none behind the end
        or left[1:] == right
        or left == right[1:]
        or (left[:2] == right[1::-1] and left[2:] == right[2:])
    )


@cache
def _disposable() -> "set[str]":
    from disposable_email_domains import blocklist

    return blocklist
