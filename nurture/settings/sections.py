"""The sections of settings.toml: every setting with its default and what it means."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nurture.settings.notations import Count, Days, Length, LengthIfAny, Rate
from nurture.spelling import Domain, HeaderLine, Host, Line, Mailbox, Network, RelayName, WebAddress


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _as_list(value: object) -> object:
    """A list from the environment is written with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


#: Addresses and domains of people and senders.
Mailboxes = Annotated[tuple[Mailbox, ...], BeforeValidator(_as_list)]


HeaderLines = Annotated[tuple[HeaderLine, ...], BeforeValidator(_as_list)]


#: As `consent.rules.Basis` has them.
BasisName: TypeAlias = Literal[
    "double-opt-in", "opt-in", "customer", "inquiry", "met", "published", "legitimate-interest"
]


Networks = Annotated[tuple[Network, ...], BeforeValidator(_as_list)]


class DatabaseSettings(_Section):
    url: str = Field("", description="Empty: SQLite in .nurture/. Otherwise postgresql+psycopg://user@host/name.")
    machine: str = Field("", description="A name for this machine that outlives containers; empty: ask the system.")


Encryption: TypeAlias = Literal["auto", "starttls", "implicit", "off"]
SigningIn: TypeAlias = Literal["auto", "plain", "login", "xoauth2"]


class SmtpSettings(_Section):
    host: Host = Field("127.0.0.1", description="The relay that takes our mail, unless [[relays]] names others.")
    port: int = Field(2525, ge=1, le=65535, description="Its port: 587 (STARTTLS) or 465 (TLS) on most relays.")
    tls: Encryption = Field(
        "auto",
        description="auto: TLS is required except to loopback, at once on port 465. starttls, implicit: always. off: never, loopback only.",
    )
    username: str = Field("", description="Sign in with this name; the password is NURTURE_SMTP__PASSWORD.")
    auth: SigningIn = Field(
        "auto", description="How to sign in: auto takes plain or login, whichever is offered; xoauth2 shows a token."
    )
    password: str = Field("", description="Only from the environment or .nurture/secrets.", repr=False)
    connections: int = Field(4, ge=1, le=100, description="How many connections to the relay may be open at once.")
    pipelining: bool = Field(True, description="Send the next envelope ahead where the relay offers PIPELINING.")
    timeout_seconds: float = Field(60, gt=0, le=600, description="How long to wait for an answer of the relay.")


class RelaySettings(_Section):
    name: RelayName = Field(description="What reports and the environment call it.")
    host: Host = Field(description="Where it is.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    tls: Encryption = Field("auto", description="As smtp.tls.")
    username: str = Field("", description="Sign in with this name.")
    password: str = Field(
        "", description="As smtp.password. NAME is the relay's, with _ where that has a hyphen.", repr=False
    )
    auth: SigningIn = Field("auto", description="As smtp.auth.")
    connections: int = Field(4, ge=1, le=100, description="How many connections to it may be open at once.")
    pipelining: bool = Field(True, description="As smtp.pipelining.")
    weight: int = Field(
        1, ge=0, le=1000, description="Its share of the mail that several may carry; 0: only when the others are down."
    )
    senders: Mailboxes = Field(
        (), description="Addresses and domains of senders whose mail it carries; empty: anybody's that no other names."
    )
    domains: Mailboxes = Field(
        (), description="Domains of recipients whose mail it carries; empty: all that no other names."
    )
    per_second: Rate = Field(0, ge=0, description="Mails it takes in a second; 0: no limit.")
    per_hour: Count = Field(0, ge=0, description="Mails it takes in an hour; 0: no limit.")
    per_day: Count = Field(0, ge=0, description="Mails it takes in 24 hours; 0: no limit.")
    provider: str = Field(
        "",
        description="What `nurture relays` calls it: then its own ids in its answers are known. Empty: any other one.",
    )
    accepts: tuple[BasisName, ...] = Field(
        (), description="The bases its terms let people be mailed on; others wait, and say so. Empty: every basis."
    )
    mail_from: Literal["return-path", "sender"] = Field(
        "return-path", description="Where its mail comes back to; sender: it takes no other address than the From."
    )
    headers: HeaderLines = Field((), description='Headers for every mail through it, such as "X-PM-KeepID: true".')
    client_id: str = Field("", description="xoauth2: the number of the app that asks for tokens.")
    token_url: str = Field("", description="xoauth2: where it asks.")
    scope: str = Field("", description="xoauth2: what for.")
    client_secret: str = Field("", description="xoauth2: the app's secret, if it has one.", repr=False)
    refresh_token: str = Field("", description="xoauth2: what `nurture connect` got and renews by itself.", repr=False)


class WebSettings(_Section):
    base_url: WebAddress = Field(
        "http://127.0.0.1:8000", description="Where people reach this server; it stands in every mail, so use https."
    )
    way_out: Literal["web", "mailto"] = Field(
        "web",
        description="How readers leave: on our pages, or by mail alone, where no server can be reached from outside.",
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on.")
    trusted_proxies: Networks = Field((), description="Addresses of reverse proxies whose X-Forwarded-For is believed.")


class SenderSettings(_Section):
    name: Line = Field("", description="The name people see; a person's, not a department's.")
    email: Mailbox = Field("", description="The address mail comes from.")
    postal_address: str = Field("", description="Street, town, country: the law wants it in every mail.")


class SendersSettings(_Section):
    domains: Names = Field((), description="Domains we may write from; an owner's address must be in one of them.")
    return_path_domain: Domain = Field(
        "", description="Mails come back to this domain, whose mail has to reach inbound. Empty: inbound.domain."
    )
    test_domains: Mailboxes = Field((), description="Domains of our own that test mails may go to.")
    default: SenderSettings = Field(SenderSettings(), description="Who writes unless a file says otherwise.")
    named: dict[str, SenderSettings] = Field({}, description="Further senders: [senders.named.NAME].")


class DkimSettings(_Section):
    folder: str = Field("", description="Where the keys lie that sign our mails; empty: .nurture/dkim.")


class DnsSettings(_Section):
    servers: Names = Field(
        (), description='Name servers to ask, such as "9.9.9.9" or "127.0.0.1:5353"; empty: those of the machine.'
    )


class SendingSettings(_Section):
    only_to: Mailboxes = Field(
        (), description='Domains that real mail may go to; empty: nobody, ["*"]: everybody. Loopback relays are exempt.'
    )
    per_second: Rate = Field(0, ge=0, description="Mails per second over all connections; 0: as fast as the relay.")
    cap_per_day: Count = Field(1, ge=1, description="Marketing mails one person may get in 24 hours, all campaigns.")
    cap_per_week: Count = Field(2, ge=1, description="Marketing mails one person may get in seven days, all campaigns.")
    values_per_ask: Count = Field(
        3, ge=0, description="Mails of value a person must have had before each ask, all campaigns; 0: no such rule."
    )
    blackout: Annotated[tuple[Days, ...], BeforeValidator(_as_list)] = Field(
        (),
        description='Days on which no campaign mails: "2027-05-01", or "2026-12-24..2027-01-01", both ends included.',
    )
    blast_guard: Count = Field(
        1000,
        ge=0,
        description="People one campaign may mail a day without anybody's yes, if it never mailed more; 0: off.",
    )
    give_up_after: Length = Field("4 days", description="How long a mail that the relay puts off is tried again.")
    on_uncertain: Literal["hold", "resend"] = Field(
        "hold", description="A mail whose arrival nobody confirmed: hold it for evidence, or send it again."
    )
    first_wave: Count = Field(
        50,
        ge=0,
        description="People never mailed from here whom a campaign reaches on its first day, twice as many on each day "
        "after it; 0: all at once.",
    )


class LimitSettings(_Section):
    name: Line = Field(description="What held mails and reports call it.")
    to: Mailboxes = Field(
        (),
        description='Domains of recipients that it is for, together, or a provider by its name, such as "google"; "*": '
        "every other domain by itself; empty: all together.",
    )
    senders: Mailboxes = Field(
        (), description='Addresses and domains of senders that it is for, together; "*": each domain; empty: all.'
    )
    at_once: Count = Field(0, ge=0, description="Mails that workers may have in their hands at once; 0: no limit.")
    per_second: Rate = Field(0, ge=0, description="Mails in a second; 0: no limit.")
    per_hour: Count = Field(0, ge=0, description="Mails in an hour; 0: no limit.")
    per_day: Count = Field(0, ge=0, description="Mails in 24 hours; 0: no limit.")


class WarmUpSettings(_Section):
    senders: Mailboxes = Field(
        (), description='Domains we write from that receivers do not know yet; "*": all of ours; empty: none.'
    )
    first_day: Count = Field(50, ge=1, description="Mails of such a domain on its first day, and to a new provider.")
    growth: float = Field(1.5, gt=1, le=3, description="How many times its busiest day so far it may send on the next.")
    target: Count = Field(5000, ge=1, description="Mails a day at which the warm-up is over.")


class WebhooksSettings(_Section):
    allow: Names = Field((), description="Hosts with a private address that steps of sequences may call all the same.")
    give_up_after: Length = Field("3 days", description="How long a call that is not answered with 2xx is tried again.")
    timeout_seconds: float = Field(10, gt=0, le=60, description="How long one call may take.")


class CompanySettings(_Section):
    domains: Mailboxes = Field(
        (), description="Where colleagues have their addresses: they get mail, and are never scored or counted."
    )


class LinksSettings(_Section):
    utm: bool = Field(True, description="Tell websites which mail a visitor came from, in the links of campaign mails.")
    utm_source: Line = Field("nurture", description="What utm_source says.")
    utm_medium: Line = Field("email", description="What utm_medium says.")
    utm_domains: Names = Field(
        (), description="Only links to these domains and what is below them; empty: every link to the web."
    )


class InboundSettings(_Section):
    domain: Domain = Field("", description="Mail to this domain reaches us: replies and opt-outs by mail. Empty: off.")
    host: str = Field("127.0.0.1", description="The address the listener for that mail listens on.")
    port: int = Field(2526, ge=0, le=65535, description="Its port.")


#: How much of what readers do with a mail is recorded: everything, the day of their last open, nothing.
TrackingMode = Literal["full", "last_open_date", "none"]


class TrackingSettings(_Section):
    mode: TrackingMode = Field(
        "full", description="The most that is recorded of anybody; consent.yaml says where people are asked first."
    )
    settle_seconds: float = Field(
        60, ge=1, le=3600, description="How long a hit waits for its verdict: person, proxy or scanner."
    )


class FormsSettings(_Section):
    per_ip: Count = Field(20, ge=1, description="Sign-ups taken from one address of the net within an hour.")
    per_address: Count = Field(3, ge=1, description="Sign-ups taken for one mail address within 24 hours.")
    confirm_within: Length = Field(
        "7 days", description="How long the link in the mail that asks is good; then what was typed is deleted."
    )
    remind_after: Length = Field("2 days", description="When to ask once more, and never again.")


class PrivacySettings(_Section):
    activities: Length = Field(
        "1095 days", description="How long opens, clicks and words of people are kept; 0 days: for ever."
    )
    ip_addresses: Length = Field(
        "30 days", description="How long the address and browser of an open or click are kept."
    )
    proof_ip_addresses: Length = Field(
        "1095 days", description="How long the address from which somebody agreed is kept."
    )
    inbound_mail: Length = Field("180 days", description="How long the text of a mail that came back is kept.")
    mail_facts: Length = Field(
        "400 days", description="How long what a mail took from a contact is kept; then its view page ends."
    )
    history: Length = Field("1095 days", description="How long the changes of a contact are kept.")
    journal: Length = Field("90 days", description="How long the journal goes back: no less than your oldest backup.")


class ClockSettings(_Section):
    offset: LengthIfAny = Field("", description='Rehearse: "21 days" moves the present. Loopback relays only.')


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What `nurture run` writes down on stderr; run --once never tells more than warnings."
    )


class OperatorSettings(_Section):
    name: Line = Field(description="The person's name.")
    email: Line = Field(description="Their address, as contacts' Owner columns have it.")
    timezone: str = Field("UTC", description="Their time zone.")
    days: str = Field("mon-fri", description="Their working days.")
    hours: str = Field("09:00-17:00", description="Their working hours.")
    signature: str = Field("", description="What stands under a mail in their name.")
    role: Literal["rep", "marketing", "admin"] = Field("rep", description="What they do here.")


class AssignmentSettings(_Section):
    name: Line = Field(description="What the history of a contact calls the rule.")
    when: str = Field("", description="For whom it holds, as a condition; empty: for everybody else.")
    to: Names = Field(description="The operators who take turns, by address; one who left is passed over.")


class TopicSettings(_Section):
    name: Line = Field(description="How files and commands call it.")
    label: Line = Field(description="How contacts see it.")
    description: str = Field("", description="What they get if they keep it.")
    tracking: TrackingMode = Field("full", description="The most that is recorded of mails about it.")


class FieldSettings(_Section):
    type: Literal["text", "number", "date", "flag"] = Field("text", description="What the field holds.")
    label: str = Field("", description="How people see it; empty: its name.")
    headers: Names = Field((), description="Column headers of imports that mean this field.")


class Settings(_Section):
    """The whole of settings.toml, with the secrets from elsewhere."""

    database: DatabaseSettings = DatabaseSettings()
    smtp: SmtpSettings = SmtpSettings()
    relays: tuple[RelaySettings, ...] = Field(
        (), description="Several relays, or one with a name. They take the place of [smtp], which counts no more then."
    )
    web: WebSettings = WebSettings()
    senders: SendersSettings = SendersSettings()
    dkim: DkimSettings = DkimSettings()
    dns: DnsSettings = DnsSettings()
    sending: SendingSettings = SendingSettings()
    limits: tuple[LimitSettings, ...] = Field((), description="How much mail may leave, to whom and from whom.")
    warm_up: WarmUpSettings = WarmUpSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    company: CompanySettings = CompanySettings()
    links: LinksSettings = LinksSettings()
    inbound: InboundSettings = InboundSettings()
    tracking: TrackingSettings = TrackingSettings()
    forms: FormsSettings = FormsSettings()
    privacy: PrivacySettings = PrivacySettings()
    clock: ClockSettings = ClockSettings()
    log: LogSettings = LogSettings()
    operators: tuple[OperatorSettings, ...] = Field((), description="Who works here.")
    assignment: tuple[AssignmentSettings, ...] = Field((), description="Whose new contacts are.")
    topics: tuple[TopicSettings, ...] = Field((), description="What contacts get mail about.")
    fields: dict[str, FieldSettings] = Field({}, description="What else is known about contacts.")
    secret: Names = Field((), description="Signs the links in mails; the first signs, all verify.", repr=False)
    suppression_key: str = Field("", description="Keys the hash of suppressed addresses; never replaced.", repr=False)
