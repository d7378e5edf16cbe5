"""Which column of somebody's file means what.

A header is recognized by a table of synonyms (English, German, French, Spanish) and by the headers that settings.toml
declares for its fields; case, accents, blanks and punctuation do not matter. A column nobody knows is reported and left
out, never guessed. Two columns with one meaning: the first counts and the other is reported, but every column about
permission is read, since a no in any of them counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nurture.contacts.cells import fold, read_text
from nurture.contacts.doubt import may_say_no
from nurture.contacts.fields import DeclaredField
from nurture.contacts.providers import LEAVE_OUT, Export
from nurture.errors import BadInput, did_you_mean

#: What a column may say about permission; `consent.statements` reads the cells.
PERMISSION = (
    "opted_in", "opted_out", "opted_out_because", "declined", "allowed", "bounced", "bounced_because", "complained",
    "blocked", "basis", "consent_on", "consent_ip", "status",
)  # fmt: skip
#: What another system knows of somebody; `imports.Past` keeps it. Of several columns the latest day counts.
PAST = ("last_open_on", "last_click_on", "last_reply_on", "last_contact_on", "bounce_count")
_SEVERAL = frozenset((*PERMISSION, *PAST))

_SYNONYMS: Mapping[str, str] = {
    "email": """email; email address; mail; mail address; primary email; work email; business email; contact email;
        email id; user email; email 1; e-mail 1 - value; email-adresse; emailadress; mailadresse; adresse email;
        adresse mail; adresse e-mail; adresse électronique; courriel; correo; correo electrónico; dirección de correo;
        dirección de correo electrónico""",
    "first_name": """first name; first; given name; forename; fname; contact first name; vorname; rufname; prénom;
        nombre; nombre de pila; primer nombre""",
    "last_name": """last name; last; surname; family name; lname; contact last name; nachname; familienname; nom;
        nom de famille; apellido; apellidos""",
    "name": """name; full name; contact name; contact; display name; kontaktname; vollständiger name; ansprechpartner;
        nom complet; nombre completo""",
    "company": """company; company name; organization; organisation; organization name; organisation name; org;
        employer; account; account name; business; business name; primary company; associated company; firma;
        firmenname; unternehmen; betrieb; société; entreprise; raison sociale; empresa; compañía; organización""",
    "job_title": """job title; title; job; position; role; job role; job position; designation; funktion; stelle;
        position im unternehmen; berufsbezeichnung; jobtitel; poste; fonction; intitulé du poste; cargo; puesto""",
    "country": """country; country code; country/region; country name; cc; nation; land; ländercode; länderkürzel; pays;
        code pays; país; código de país""",
    "language": "language; lang; locale; preferred language; sprache; langue; idioma",
    "timezone": "timezone; time zone; tz; zeitzone; fuseau horaire; zona horaria; huso horario",
    "owner": """owner; contact owner; lead owner; account owner; record owner; owner email; assigned to; sales rep;
        rep; account manager; besitzer; inhaber; betreuer; kundenbetreuer; zuständig; verantwortlich; vertriebler;
        propriétaire; responsable; commercial; propietario; comercial""",
    "source": """source; lead source; original source; contact source; quelle; leadquelle; lead-quelle; herkunft;
        source du lead; origine; fuente; origen; fuente del lead""",
    "tags": "tags; tag; labels; label; schlagworte; schlagwörter; stichworte; étiquettes; etiquetas",
    "opted_in": """opted in; opt-in; opt in; email opt-in; email optin; marketing opt-in; newsletter opt-in; consent;
        consented; email consent; marketing consent; gdpr consent; subscribed; permission; email permission;
        accepts marketing; accepts email marketing; einwilligung; zustimmung; eingewilligt; werbeeinwilligung;
        newsletter-einwilligung; consentement; consentimiento; suscrito; abonné""",
    "allowed": """allowed; newsletter; newsletters; mailing; mailings; allow email; allow emails; email allowed;
        emails allowed; may email; may be emailed; can email; contactable; mailable; emailable; receives newsletter;
        receive newsletter; newsletter ja/nein; werbung; werbung erlaubt; e-mail-werbung; e-mail erlaubt; kontakt erlaubt;
        infolettre; newsletter autorisée; boletín; publicidad""",
    "opted_out": """opted out; opt-out; opt out; email opt out; email opt-out; has opted out of email; unsubscribed;
        unsubscribed from all email; unsubscribed at; unsubscribed on; unsubscribe date; unsubscribe time; unsub time;
        opted out at; opted out on; opt-out date; opt-out time; do not email; no email; suppressed; blocklisted;
        blacklisted; opted out of email; opted out of emails; email opted out; global unsubscribe; globally unsubscribed;
        unsubscribe; unsubscribed from emails; unsubscribed from marketing; newsletter unsubscribed; newsletter opt-out;
        marketing opt-out; do not contact; do not mail; do not e-mail; do not send; do not send marketing; do not market;
        do not allow email; do not allow emails; do not allow bulk email; do not allow bulk emails; do not bulk email;
        donotcontact; donotemail; donotbulkemail; don't contact; don't email; don't mail; never email; never contact;
        no contact; no emails; no mail; no mailing; no mailings; no newsletter; no marketing; stop email; stop emails; dnc;
        dne; robinson; robinson list; robinsonliste; abgemeldet; abgemeldet am; abmeldung; abmeldung am; abmeldedatum;
        newsletter abgemeldet; newsletter-abmeldung; vom newsletter abgemeldet; werbesperre; werbewiderspruch;
        widerspruch; widerspruch am; keine werbung; keine e-mails; keine e-mail; keine mails; kein newsletter;
        keine newsletter; kein mailing; keine mailings; kein kontakt; nicht kontaktieren; nicht anschreiben;
        kontaktsperre; mailsperre; e-mail-sperre; désabonné; désabonné le; désabonnement; désinscrit; désinscrit le;
        désinscription; ne pas contacter; ne pas envoyer; pas de newsletter; pas d'e-mail; liste robinson;
        opposition; dado de baja; baja; fecha de baja; no contactar; no enviar; no enviar correos; lista robinson""",
    "opted_out_because": """unsubscribe reason; unsub reason; unsubscription reason; opt-out reason; reason for opt-out;
        reason for unsubscribing; abmeldegrund; motif de désabonnement; motivo de baja""",
    "declined": """declined; refused mail; email declined""",
    "bounced_because": """bounce reason; bounced reason; hard bounce reason; email bounce reason; email bounced reason;
        email hard bounce reason; bouncegrund""",
    "bounced": """bounced; bounce; bounces; bounced at; bounced on; bounce date; email bounced; email bounced date;
        email bounce; hard bounce; hard bounced; hard bounces; hard-bounced at; email hard bounced; is email bounced;
        invalid email; invalid email address; email invalid; email is invalid; undeliverable; unreachable; unzustellbar;
        e-mail unzustellbar; e-mail ungültig; ungültige e-mail; ungültige e-mail-adresse; adresse invalide;
        e-mail invalide; non distribuable; rebotado; correo rebotado; correo inválido""",
    "complained": """complained; complaint; complaints; complained at; complaint date; spam; spam complaint;
        spam complaints; spam report; spam reports; spam reported; reported spam; reported as spam; marked as spam;
        marked email as spam; abuse; abuse complaint; beschwerde; spam-beschwerde; plainte; queja""",
    "blocked": """blocked; block; block list; blocklist; blacklist; black list; blacklisted at; blocked at; blocked on;
        denylist; suppression; suppression list; suppressed at; sperre; gesperrt; gesperrt am; sperrliste;
        sperrvermerk; gdpr erased; gdpr deleted; gdpr erasure; gdpr delete; gdpr forgotten; erased; erased at; deleted;
        is deleted; deleted at; dsgvo gelöscht; gelöscht; gelöscht am; bloqué; liste noire; supprimé; bloqueado;
        lista negra; eliminado; borrado""",
    "basis": """basis; consent basis; legal basis; lawful basis; legal basis for processing contact's data;
        rechtsgrundlage; base légale; base legal; base jurídica""",
    "consent_on": """consent on; consent date; consent time; consented on; consented at; opt-in date; opt-in time;
        optin date; optin time; opt-in at; opted in on; opted in at; confirm time; confirmed at; subscribed on;
        subscribed at; subscription date; signup date; sign-up date; signed up at; basis date; basis on;
        einwilligung am; eingewilligt am; einwilligungsdatum; anmeldedatum; angemeldet am; date de consentement;
        date du consentement; date d'inscription; fecha de consentimiento; fecha de alta; fecha de suscripción""",
    "consent_ip": """consent ip; opt-in ip; optin ip; confirm ip; confirmed ip; signup ip; sign-up ip; subscribed ip""",
    "status": """status; subscription status; subscriber status; email status; member status; marketing status;
        mailing status; email marketing status; newsletter-status; abo-status; statut; estado; estado de suscripción""",
    "last_open_on": """last open; last opened; last open date; last opened at; last opened on; last email open; last open at;
        last email open date; last email opened; last opened email date; last marketing email open date; zuletzt geöffnet;
        zuletzt geöffnet am; letzte öffnung; dernière ouverture; última apertura""",
    "last_click_on": """last click; last clicked; last click date; last clicked at; last clicked on; last email click;
        last click at; last email click date; last email clicked; last marketing email click date; zuletzt geklickt;
        zuletzt geklickt am; letzter klick; dernier clic; último clic""",
    "last_reply_on": """last reply; last replied; last reply date; last replied at; last replied on; last email reply;
        last reply at; last email reply date; last marketing email reply date; letzte antwort; letzte antwort am;
        dernière réponse; última respuesta""",
    "last_contact_on": """last contact; last contacted; last contact date; last contacted at; last contacted on;
        last activity; last activity date; last activity on; last touch; last emailed; last email sent; last email sent date;
        last sent; letzter kontakt; letzter kontakt am; zuletzt kontaktiert; zuletzt kontaktiert am; letzte aktivität;
        dernier contact; dernière activité; último contacto; última actividad""",
    "bounce_count": """bounce count; bounces count; number of bounces; soft bounces; soft bounce count; emails bounced;
        marketing emails bounced; number of bounced emails; anzahl bounces""",
}

_FIELD_OF = {fold(name): field for field, names in _SYNONYMS.items() for name in (field, *names.split(";"))}


@dataclass(frozen=True)
class Columns:
    """Which field each column fills, by its place; `unknown` and `doubled` are left out and reported.

    `export` is the system that wrote the file, if we know it by its headers.
    """

    headers: tuple[str, ...]
    fields: Mapping[int, str]
    unknown: tuple[str, ...] = ()
    doubled: tuple[tuple[str, str], ...] = ()  # header, and the header that counts instead
    export: Export | None = None

    @property
    def email(self) -> int:
        """Where the address stands."""
        return next(place for place, field in self.fields.items() if field == "email")

    def read_as(self) -> dict[str, str]:
        """The headers that were understood, with their fields."""
        return {self.headers[place]: field for place, field in self.fields.items()}


def recognize(
    headers: Sequence[str],
    declared: Mapping[str, DeclaredField],
    mapping: Mapping[str, str] | None = None,
    export: Export | None = None,
    *,
    told_in: str = "--map",
) -> Columns:
    """Give every column its field. `mapping` (header to field) wins over what is recognized; "-" leaves a column out.

    Then come the fields of settings.toml, what the header means in the system that wrote the file, and the synonyms.
    """
    names = tuple(read_text(header) for header in headers)
    own, known = _own(declared), known_fields(declared)
    told = _told(names, known, mapping or {}, told_in)
    fields: dict[int, str] = {}
    unknown: list[str] = []
    doubled: list[tuple[str, str]] = []
    # Columns that were mapped come first, so that a recognized one never takes their field.
    for place in sorted(range(len(names)), key=lambda place: (fold(names[place]) not in told, place)):
        folded = fold(names[place])
        theirs = export.find_field(names[place]) if export else None
        field = told.get(folded) or own.get(folded) or theirs or known.get(folded) or (export.rest if export else None)
        taken_by = next((names[other] for other, taken in fields.items() if taken == field), None)
        if field == LEAVE_OUT or not names[place]:
            continue
        if field is None:
            unknown.append(names[place])
        elif taken_by is not None and field not in _SEVERAL:
            doubled.append((names[place], taken_by))
        else:
            fields[place] = field
    return Columns(names, dict(sorted(fields.items())), tuple(unknown), tuple(doubled), export)


def count_recognized(headers: Sequence[str], declared: Mapping[str, DeclaredField]) -> int:
    """How many of these headers mean something; tells a right delimiter from a wrong one."""
    known = known_fields(declared)
    return len({known[folded] for header in headers if (folded := fold(header)) in known})


def refuse_doubtful(name: str, columns: Columns) -> None:
    """Refuse a file of which a column that may say no would be left out."""
    doubtful = [header for header in columns.unknown if may_say_no(header)]
    if doubtful:
        one = len(doubtful) == 1
        raise BadInput(
            f"{name}: {_quoted(doubtful)} may say who must not be mailed, and no field is called so; "
            f'say what {"it is" if one else "they are"} with --map, such as --map "{doubtful[0]}=opted_out" '
            f"(or opted_in, allowed, bounced, complained, blocked, status), or leave {'it' if one else 'each'} out with "
            f'--map "{doubtful[0]}=-".'
        )


def without_address(names: Sequence[str], sample: Sequence[Sequence[str]]) -> str:
    """What to do about a file none of whose columns is known to hold addresses."""
    if any("@" in name for name in names):
        return (
            'the first line holds an address and no headers; write a line such as "email,first_name,country" above it.'
        )
    found = f"no column is known to hold e-mail addresses. Its columns: {_quoted(names)}."
    addressed = [
        name for place, name in enumerate(names) if any("@" in row[place] for row in sample if place < len(row))
    ]
    near = [name for name in names if did_you_mean(fold(name), ["email", "emailaddress", "emailadresse"])]
    for name in (*addressed, *near):
        return f'{found} Did you mean "{name}"? Then add --map "{name}=email".'
    return f'{found} Name the one that does with --map "COLUMN=email".'


def known_fields(declared: Mapping[str, DeclaredField]) -> dict[str, str]:
    """Folded headers with their field; what settings.toml declares wins over the table."""
    return {**_FIELD_OF, **_own(declared)}


def _own(declared: Mapping[str, DeclaredField]) -> dict[str, str]:
    return {
        fold(header): field.name
        for field in declared.values()
        for header in (field.name, field.label, *field.headers)
        if fold(header)
    }


def _told(names: Sequence[str], known: Mapping[str, str], mapping: Mapping[str, str], told_in: str) -> dict[str, str]:
    """The mapping by folded header, held against the file and the fields there are."""
    present = {fold(name) for name in names}
    fields = sorted({*known.values(), LEAVE_OUT})
    told = {}
    for header, field in mapping.items():
        if fold(header) not in present:
            raise BadInput(
                f'{told_in} "{header}={field}": the file has no such column.{did_you_mean(header, names)} '
                f"Its columns: {_quoted(names)}."
            )
        if field not in fields:
            raise BadInput(
                f'{told_in} "{header}={field}": there is no field "{field}".{did_you_mean(field, fields)} '
                "Fields of your own are declared in settings.toml below [fields.NAME]."
            )
        told[fold(header)] = field
    return told


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:20] if name)
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"{shown or 'none'}{more}"
