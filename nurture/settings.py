"""Every setting, its default and what it means: one place that is read, documented and tested.

`settings.toml` in the workspace is read first; `NURTURE_SECTION__KEY` in the environment wins. Secrets never stand in
the file: they come from `.nurture/secrets` (written by `nurture init`, readable by its owner only) or the environment.
Only `app.py` reads settings; every other room is handed small frozen values.
"""

import os
import re
import secrets as randomness
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nurture.errors import BadSettings, MissingSecrets, did_you_mean
from nurture.spelling import Domain, Line, Network, WebAddress
from nurture.toml import Place, line_of

SETTINGS_FILE = "settings.toml"
STATE_FOLDER = ".nurture"
SECRETS_FILE = f"{STATE_FOLDER}/secrets"
_PREFIX = "NURTURE_"
_SECRET_KEYS = ("secret", "suppression_key", "smtp.password")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_list(value: object) -> object:
    """A list from the environment is written with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


Networks = Annotated[tuple[Network, ...], BeforeValidator(_as_list)]


class DatabaseSettings(_Section):
    url: str = Field("", description="Empty: SQLite in .nurture/. Otherwise postgresql+psycopg://user@host/name.")
    machine: str = Field("", description="A name for this machine that outlives containers; empty: ask the system.")


class SmtpSettings(_Section):
    host: str = Field("127.0.0.1", description="The relay that takes our mail.")
    port: int = Field(2525, ge=1, le=65535, description="Its port: 587 (STARTTLS) or 465 (TLS) on most relays.")
    tls: Literal["auto", "starttls", "implicit", "off"] = Field(
        "auto",
        description="auto: TLS is required except to loopback. starttls, implicit: always. off: never, loopback only.",
    )
    username: str = Field("", description="Sign in with this name; the password is NURTURE_SMTP__PASSWORD.")
    password: str = Field("", description="Only from the environment or .nurture/secrets.", repr=False)
    connections: int = Field(4, ge=1, le=100, description="How many connections to the relay may be open at once.")
    timeout_seconds: float = Field(60, gt=0, le=600, description="How long to wait for an answer of the relay.")


class WebSettings(_Section):
    base_url: WebAddress = Field(
        "http://127.0.0.1:8000", description="Where people reach this server; it stands in every mail, so use https."
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on.")
    trusted_proxies: Networks = Field((), description="Addresses of reverse proxies whose X-Forwarded-For is believed.")


class SenderSettings(_Section):
    name: Line = Field("", description="The name people see; a person's, not a department's.")
    email: Line = Field("", description="The address mail comes from.")
    postal_address: str = Field("", description="Street, town, country: the law wants it in every mail.")


class SendersSettings(_Section):
    domains: Names = Field((), description="Domains we may write from; an owner's address must be in one of them.")
    test_domains: Names = Field((), description="Domains of our own that test mails may go to.")
    default: SenderSettings = Field(SenderSettings(), description="Who writes unless a file says otherwise.")
    named: dict[str, SenderSettings] = Field({}, description="Further senders: [senders.named.NAME].")


class SendingSettings(_Section):
    only_to: Names = Field(
        (), description='Domains that real mail may go to; empty: nobody, ["*"]: everybody. Loopback relays are exempt.'
    )
    per_second: float = Field(0, ge=0, description="Mails per second over all connections; 0: as fast as the relay.")
    cap_per_day: int = Field(1, ge=1, description="Marketing mails one person may get in 24 hours, all campaigns.")
    cap_per_week: int = Field(2, ge=1, description="Marketing mails one person may get in seven days, all campaigns.")
    values_per_ask: int = Field(
        3, ge=0, description="Mails of value a person must have had before each ask, all campaigns; 0: no such rule."
    )
    blackout: Names = Field(
        (),
        description='Days on which no campaign mails: "2027-05-01", or "2026-12-24..2027-01-01", both ends included.',
    )
    blast_guard: int = Field(
        1000,
        ge=0,
        description="People one campaign may mail a day without anybody's yes, if it never mailed more; 0: off.",
    )
    give_up_after: str = Field("4 days", description="How long a mail that the relay puts off is tried again.")
    on_uncertain: Literal["hold", "resend"] = Field(
        "hold", description="A mail whose arrival nobody confirmed: hold it for evidence, or send it again."
    )


class WebhooksSettings(_Section):
    allow: Names = Field((), description="Hosts with a private address that steps of sequences may call all the same.")
    give_up_after: str = Field("3 days", description="How long a call that is not answered with 2xx is tried again.")
    timeout_seconds: float = Field(10, gt=0, le=60, description="How long one call may take.")


class CompanySettings(_Section):
    domains: Names = Field(
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


class TrackingSettings(_Section):
    settle_seconds: float = Field(
        60, ge=1, le=3600, description="How long a hit waits for its verdict: person, proxy or scanner."
    )


class ClockSettings(_Section):
    offset: str = Field("", description='Rehearse: "21 days" moves the present. Loopback relays only.')


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


class TopicSettings(_Section):
    name: Line = Field(description="How files and commands call it.")
    label: Line = Field(description="How contacts see it.")
    description: str = Field("", description="What they get if they keep it.")


class FieldSettings(_Section):
    type: Literal["text", "number", "date", "flag"] = Field("text", description="What the field holds.")
    label: str = Field("", description="How people see it; empty: its name.")
    headers: Names = Field((), description="Column headers of imports that mean this field.")


class Settings(_Section):
    """The whole of settings.toml, with the secrets from elsewhere."""

    database: DatabaseSettings = DatabaseSettings()
    smtp: SmtpSettings = SmtpSettings()
    web: WebSettings = WebSettings()
    senders: SendersSettings = SendersSettings()
    sending: SendingSettings = SendingSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    company: CompanySettings = CompanySettings()
    links: LinksSettings = LinksSettings()
    inbound: InboundSettings = InboundSettings()
    tracking: TrackingSettings = TrackingSettings()
    clock: ClockSettings = ClockSettings()
    log: LogSettings = LogSettings()
    operators: tuple[OperatorSettings, ...] = Field((), description="Who works here.")
    topics: tuple[TopicSettings, ...] = Field((), description="What contacts get mail about.")
    fields: dict[str, FieldSettings] = Field({}, description="What else is known about contacts.")
    secret: Names = Field((), description="Signs the links in mails; the first signs, all verify.", repr=False)
    suppression_key: str = Field("", description="Keys the hash of suppressed addresses; never replaced.", repr=False)


def read_settings(workspace: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings of a workspace; a workspace without the file runs on defaults."""
    path = workspace / SETTINGS_FILE
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    tree = _parsed(text, SETTINGS_FILE)
    for key in _SECRET_KEYS:
        section, _, name = key.rpartition(".")
        if name in (tree.get(section, {}) if section else tree):
            raise BadSettings(
                f"{SETTINGS_FILE}:{line_of(text, (section, name))}: {key} is a secret; "
                f"move it to {SECRETS_FILE} or set {_variable(key)}."
            )
    origins: dict[Place, str] = {}
    for place, value, origin in (*_secrets_of(workspace), *_overrides(environment)):
        _put(tree, place, value, origin)
        origins[place] = origin
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        sentences = (_sentence(text, origins, problem) for problem in error.errors())
        raise BadSettings("\n".join(dict.fromkeys(sentences))) from None


def ensure_secrets(workspace: Path, settings: Settings, is_in_use: Callable[[], bool]) -> Settings:
    """The settings with both secrets; what is missing is made and written to `.nurture/secrets` (0600).

    A database that `is_in_use` has secrets somewhere, and new ones would only take the place of the right ones.
    """
    missing = {
        "secret": None if settings.secret else randomness.token_urlsafe(32),
        "suppression_key": None if settings.suppression_key else randomness.token_urlsafe(32),
    }
    lines = [f'{key} = "{value}"\n' for key, value in missing.items() if value]
    if not lines:
        return settings
    if is_in_use():
        raise MissingSecrets
    path = workspace / SECRETS_FILE
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.writelines(lines)
    return settings.model_copy(
        update={
            "secret": settings.secret or (str(missing["secret"]),),
            "suppression_key": settings.suppression_key or str(missing["suppression_key"]),
        }
    )


def _parsed(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{file}: this is not TOML: {str(error)[:1].lower()}{str(error)[1:]}.") from None


def _secrets_of(workspace: Path) -> Iterator[tuple[Place, object, str]]:
    path = workspace / SECRETS_FILE
    if path.exists():
        for place, value in _leaves(_parsed(path.read_text(encoding="utf-8"), SECRETS_FILE)):
            yield place, value, SECRETS_FILE


def _leaves(tree: Mapping[str, Any], above: Place = ()) -> Iterator[tuple[Place, object]]:
    """Every value with its place, whether it was written as `[smtp] password`, `smtp.password` or `"smtp.password"`."""
    for key, value in tree.items():
        place = (*above, *key.split("."))
        if isinstance(value, dict):
            yield from _leaves(value, place)
        else:
            yield place, value


def _overrides(environment: Mapping[str, str]) -> Iterator[tuple[Place, object, str]]:
    for variable, value in sorted(environment.items()):
        # NURTURE_WORKSPACE says which settings.toml to read, so it cannot stand in one.
        if not variable.startswith(_PREFIX) or variable == "NURTURE_WORKSPACE":
            continue
        place = tuple(variable.removeprefix(_PREFIX).lower().split("__"))
        if place[0] not in Settings.model_fields:
            raise BadSettings(f"{variable}: there is no such setting.{_nearest(variable)}")
        yield place, value, variable


def _variables(model: type[BaseModel] = Settings, section: str = "") -> Iterator[str]:
    """Every setting as the environment calls it."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _variables(field.annotation, f"{section}{name}.")
        else:
            yield _variable(f"{section}{name}")


def _put(tree: dict[str, Any], place: Place, value: object, origin: str) -> None:
    for step in place[:-1]:
        tree = tree.setdefault(str(step), {})
        if not isinstance(tree, dict):
            raise BadSettings(f"{origin}: {step} is no section, so there is no {'.'.join(map(str, place))}.")
    tree[str(place[-1])] = value


def _nearest(variable: str) -> str:
    """Their common beginning makes no two variables alike."""
    known = [one.removeprefix(_PREFIX) for one in _variables()]
    return did_you_mean(variable.removeprefix(_PREFIX), known).replace('"', f'"{_PREFIX}', 1)


def _variable(key: str) -> str:
    return _PREFIX + key.replace(".", "__").upper()


def _sentence(text: str, origins: Mapping[Place, str], problem: Any) -> str:
    """Where it was set, what is wrong with it, what to do."""
    place: Place = problem["loc"]
    origin = next((origins[place[:end]] for end in range(len(place), 0, -1) if place[:end] in origins), "")
    line = line_of(text, place)
    where = origin or (f"{SETTINGS_FILE}:{line}" if line else SETTINGS_FILE)
    key = ".".join(str(step) for step in place if not isinstance(step, int))
    said = where if origin.startswith(_PREFIX) else f"{where}: {key}"
    given, context = problem["input"], problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden" if origin.startswith(_PREFIX):
            return f"{said}: there is no such setting.{_nearest(origin)}"
        case "extra_forbidden":
            return f"{said}: there is no such setting.{did_you_mean(str(place[-1]), _names_beside(place))}"
        case "missing":
            return f"{said} is missing; add it."
        case "literal_error":
            known = [word.strip("' ") for word in re.split(r", | or ", context["expected"])]
            return f"{said}: {_shown(given)} is not one of {', '.join(known)}.{did_you_mean(str(given), known)}"
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than" as kind:
            limit = next(iter(context.values()))
            return f"{said}: {_shown(given)} is too {_BOUNDS[kind].format(f'{limit:g}')}."
        case "model_type" | "model_attributes_type":
            return f"{said}: this is a section and {_shown(given)} is a value; set what is in it, such as {key}.{_first_in(place)}."
        case "value_error":
            return f"{said}: {_shown(given)} {context['error']}."
        case kind if kind in _EXPECTED:
            return f"{said}: {_shown(given)} is not {_EXPECTED[kind]}."
    return f"{said}: {_shown(given)}: {problem['msg'][0].lower()}{problem['msg'][1:]}."


_BOUNDS = {
    "greater_than_equal": "small; write {} or more",
    "greater_than": "small; write more than {}",
    "less_than_equal": "large; write {} or less",
    "less_than": "large; write less than {}",
}
_EXPECTED = {
    "string_type": "a text; put it in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "tuple_type": 'a list; write it as ["…", "…"]',
    "dict_type": "a section; give each entry a [section.NAME] of its own",
}


def _shown(value: object) -> str:
    if isinstance(value, str):
        text = value if value.isprintable() else repr(value)[1:-1]
        return f'"{text}"'
    return f"{value!r}"


def _first_in(place: Place) -> str:
    """A setting of that section, as an example."""
    return next(iter(_names_beside((*place, ""))), "name")


def _names_beside(place: Place) -> list[str]:
    """The settings that could stand where the last step of `place` does."""
    model: Any = Settings
    for part in place[:-1]:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        inner = [annotation, *getattr(annotation, "__args__", ())]
        sections = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
        model = sections[0] if sections else model
    return list(model.model_fields)
