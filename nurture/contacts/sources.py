"""Where leads come from: the closed list of `fields.SOURCES`, and what other people call its entries. Pure."""

from functools import lru_cache

from nurture.contacts.cells import fold
from nurture.contacts.fields import SOURCES
from nurture.errors import BadInput, did_you_mean

_ALSO_CALLED = {
    "website form": (
        "website", "web", "web form", "web site", "contact form", "form", "landing page", "online", "homepage",
        "kontaktformular", "webformular", "formulaire", "formulario", "formulario web",
    ),
    "newsletter": (
        "newsletter sign-up", "newsletter subscription", "subscription", "sign-up", "newsletteranmeldung",
        "inscription newsletter", "boletín",
    ),
    "whitepaper": (
        "white paper", "download", "content download", "e-book", "report", "gated content", "livre blanc",
    ),
    "trade show": (
        "tradeshow", "trade show booth", "trade fair", "fair", "booth", "exhibition", "expo", "messe", "messestand",
        "messekontakt", "salon", "feria",
    ),
    "event": (
        "sponsored event", "webinar", "conference", "seminar", "workshop", "meetup", "veranstaltung", "konferenz",
        "événement", "evento",
    ),
    "referral": (
        "recommendation", "word of mouth", "partner", "partner referral", "customer referral", "employee referral",
        "external referral", "empfehlung", "recommandation", "referido", "recomendación",
    ),
    "target account": ("target accounts", "abm", "account based", "key account", "zielkunde", "wunschkunde"),
    "field": ("field sales", "sales visit", "visit", "cold call", "outbound", "außendienst", "terrain"),
    "crm": ("crm import", "salesforce", "hubspot", "pipedrive", "dynamics"),
    "purchased": (
        "purchased list", "bought", "bought list", "list purchase", "rented list", "data broker", "list broker",
        "adresskauf", "gekauft", "gekaufte liste", "acheté", "comprado",
    ),
}  # fmt: skip

_BY_WORD = {fold(name): source for source in SOURCES for name in (source, *_ALSO_CALLED[source])}


@lru_cache(maxsize=1024)
def find_source(text: str) -> str | None:
    """The entry of the closed list, by whatever name; None when it is none of them."""
    return _BY_WORD.get(fold(text))


def get_source(text: str) -> str:
    """The same; an unknown one is an error."""
    found = find_source(text)
    if found is None:
        raise BadInput(f'"{text}" is no lead source; take one of: {", ".join(SOURCES)}.{did_you_mean(text, SOURCES)}')
    return found
