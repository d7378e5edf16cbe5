"""Words by which a mail is judged: what it calls its reader, what it promises, where its links lead. Pure.

English, German, French and Spanish; a mail in another language is not judged by words it does not use.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

_LANGUAGES = ("en", "de", "fr", "es")

#: What a writer calls the reader, and themselves. German "Sie" is "you" only with its capital.
_YOU: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(r"\b(?i:you|your|yours|yourself|yourselves)\b"),
    "de": re.compile(
        r"\b(?:Sie|Ihnen|Ihr|Ihre[mnrs]?|[Dd]u|[Dd]ich|[Dd]ir|[Dd]eine?[mnrs]?|[Dd]ein|[Ee]uch|[Ee]ure?[mnrs]?|ihr)\b"
    ),
    "fr": re.compile(r"\b(?i:vous|votre|vos|v[oô]tres?|tu|toi|ton|ta|tes)\b"),
    "es": re.compile(r"\b(?i:usted|ustedes|tú|tu|tus|ti|contigo|vosotros|vuestr[oa]s?|te)\b"),
}
_WE: Mapping[str, re.Pattern[str]] = {
    "en": re.compile(r"\b(?i:we|our|ours|ourselves)\b|\bus\b"),
    "de": re.compile(r"\b(?i:wir|uns|unser|unsere[mnrs]?)\b"),
    "fr": re.compile(r"\b(?i:nous|notre|nos|n[oô]tres?)\b"),
    "es": re.compile(r"\b(?i:nosotr[oa]s|nuestr[oa]s?|nos)\b"),
}

ANSWER = re.compile(r"\s*(?:re|fwd?|aw|wg|rv|tr|réf|rép|sv|vs|antw)\s*(?:\[\d+\]|\(\d+\))?\s*:", re.IGNORECASE)

NUDGE = re.compile(
    r"\b(?:(?:just|only) (?:checking|touching|following|circling|popping) (?:in|up|back|by|base)"
    r"|(?:checking|touching) (?:in|base) (?:again|with you|to see)"
    r"|circling back|bumping this|(?:bump|float)(?:ing)? this (?:back )?(?:up|to the top)|top of your inbox"
    r"|any thoughts on my last|did you (?:see|get) my (?:last )?(?:e-?mail|message|note)"
    r"|wollte (?:nur|kurz|nur kurz|nur mal|mal) (?:nachfragen|nachhaken|nachfassen)|ich hake (?:kurz )?nach"
    r"|(?:haben Sie|hast du) meine (?:letzte )?(?:E-?Mail|Nachricht)"
    r"|je (?:reviens|me permets de revenir) vers vous|petite? (?:relance|rappel)|avez-vous (?:vu|reçu) mon (?:dernier )?(?:e-?mail|message)"
    r"|(?:solo|sólo) (?:quería|queria) (?:saber|preguntar|hacer)|vuelvo a escribirle|(?:ha|has) (?:visto|recibido) mi (?:último )?(?:correo|mensaje))\b",
    re.IGNORECASE,
)

_SOON = r"(?:today|tonight|tomorrow|soon|this week|at midnight|in \d+ (?:hours?|days?))"
_BALD = r"(?:heute|morgen|bald|um Mitternacht|in \d+ (?:Stunden|Tagen?))"
RENEWED_DEADLINE = re.compile(
    rf"\b(?:\d+ (?:hours?|days?) (?:left|only|to go)|(?:only|just) \d+ (?:more )?(?:hours?|days?)"
    rf"|last chance|final hours|today only|until midnight|(?:ends?|expires?|closes?) {_SOON}"
    rf"|(?:nur )?noch \d+ (?:Stunden|Tage)|letzte Chance|nur (?:noch )?heute|bis Mitternacht|(?:endet|verfällt|schließt) {_BALD}"
    rf"|läuft {_BALD} (?:ab|aus)"
    r"|plus que \d+ (?:heures?|jours?)|dernière chance|(?:expire|se termine) (?:aujourd'hui|ce soir|demain|bientôt|dans \d+)"
    r"|(?:quedan|solo quedan|sólo quedan) \d+ (?:horas?|días?)|última oportunidad|(?:solo|sólo) hoy"
    r"|(?:termina|caduca|expira|vence) (?:hoy|mañana|pronto|en \d+))\b",
    re.IGNORECASE,
)

_BY = (
    r"until|till|by|ends?(?: on)?|expires?(?: on)?|closes?(?: on)?|deadline(?: is)?:?|bis(?: zum)?|endet(?: am)?|läuft am|Frist:?"
    r"|jusqu['’]au|avant le|se termine le|expire le|hasta el|antes del|termina el|caduca el|vence el"
)
_MONTHS: Mapping[str, int] = {
    name: number
    for names in (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    )
    for number, name in enumerate(names.split(), 1)
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DUE = re.compile(
    rf"\b(?:{_BY})\s+(?:\w+day,?\s+)?(?:the\s+)?(?:"
    r"(?P<iso>\d{4}-\d{2}-\d{2})|(?P<day_dot>\d{1,2})\.(?P<month_dot>\d{1,2})\.(?P<year_dot>\d{4})"
    rf"|(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.|er)?\s+(?:de\s+)?(?P<month>{_MONTH})\.?,?\s+(?:de\s+)?(?P<year>\d{{4}})"
    rf"|(?P<month_us>{_MONTH})\.?\s+(?P<day_us>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year_us>\d{{4}}))\b",
    re.IGNORECASE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: A part of an address that stands between us and a sale, in four languages.
_SELLING = _words(
    "pricing price prices plans demo sign demos demonstration contact contacts book booking meet meeting meetings trial buy order "
    "checkout purchase signup register registration quote sales call appointment schedule form forms offer shop "
    "preise preis tarife angebot kontakt termin termine kaufen bestellen anmelden anfrage anfragen testen probe beratung "
    "prix tarif tarifs devis contactez rendez vous rdv acheter commander essai inscription formulaire reunion "
    "precio precios tarifas presupuesto contacto cita citas comprar pedido prueba registro formulario"
)
_BETWEEN_THEM = _words(
    "a an the us your our my with now free get request start talk to up go try it for "
    "ein eine einen jetzt kostenlos unser uns mit buchen vereinbaren anfordern prendre demander reservar solicitar pedir un une le la de du gratuit gratis con el"
)
_BESIDES_SELLING = _words(
    "blog news article articles guide guides docs help resources library learn magazin wissen ressources ayuda"
)
_MEETING_HOSTS = ("calendly.com", "cal.com", "meetings.hubspot.com", "savvycal.com", "outlook.office365.com/book")


@dataclass(frozen=True)
class Counts:
    """How often a mail speaks of its reader and of its writer."""

    you: int
    we: int


def count_you_and_we(text: str, language: str) -> Counts | None:
    """The two counts; None for a language whose words are not known here."""
    tongue = language.partition("-")[0].lower()
    if tongue not in _LANGUAGES:
        return None
    return Counts(len(_YOU[tongue].findall(text)), len(_WE[tongue].findall(text)))


def deadlines(text: str) -> Iterator[tuple[date, str]]:
    """Days by which something is said to be due, each with how it is written."""
    for found in _DUE.finditer(text):
        part = found.groupdict()
        try:
            if part["iso"]:
                day = date.fromisoformat(part["iso"])
            elif part["day_dot"]:
                day = date(int(part["year_dot"]), int(part["month_dot"]), int(part["day_dot"]))
            else:
                end = "" if part["day"] else "_us"
                month = _MONTHS[part[f"month{end}"].lower()]
                day = date(int(part[f"year{end}"]), month, int(part[f"day{end}"]))
        except ValueError:
            continue  # 31 February is a mistake of another kind
        yield day, found[0]


def is_home(address: str) -> bool:
    """Whether an address leads to a site and to nothing on it."""
    parts = urlsplit(address)
    return parts.path.strip("/") == "" and not parts.query


def leads_to_a_sale(address: str) -> bool:
    """Whether an address is a price list, a form or a meeting: something for us, not for the reader."""
    parts = urlsplit(address)
    if any(f"{parts.netloc}{parts.path}".startswith(host) for host in _MEETING_HOSTS):
        return True
    segments = [re.split(r"[-_.+]", segment.lower()) for segment in parts.path.split("/") if segment]
    if any(set(words) & _BESIDES_SELLING for words in segments):
        return False
    return any(set(words) & _SELLING and set(words) <= _SELLING | _BETWEEN_THEM | {"html", "php"} for words in segments)


_NO_REPLY = re.compile(
    r"(?:do-?)?no?t?[-_.]?reply|no[-_.]?responder|nicht[-_.]?antworten|keine[-_.]?antwort|ne[-_.]?pas[-_.]?repondre",
    re.IGNORECASE,
)
#: What is written where a name should stand.
_NOBODY = _words(
    "team marketing noreply no reply info information support sales newsletter newsletters news office hello hi service services "
    "customer success care admin contact mail mailer notifications updates communications department group company "
    "vertrieb kundenservice kundendienst redaktion büro kontakt équipe service-client equipo ventas atención cliente"
)
_AROUND_NAMES = _words(
    "the a an at from of and & your our das die der von vom und ihr unser la le les de du des el y @ |"
)


def is_no_reply(email: str) -> bool:
    """Whether an address says that it does not listen."""
    return bool(_NO_REPLY.search(email.rpartition("@")[0]))


def is_nobody(name: str, email: str) -> bool:
    """Whether a From name is that of a department, a company, an address or of nothing, and of no person."""
    domain = email.rpartition("@")[2].lower()
    ours = {domain, *domain.split(".")}
    words = {word.strip(".,()|-") for word in re.split(r"[\s/]+", name.lower())} - _AROUND_NAMES - {""}
    return "@" in name or words <= _NOBODY | ours
