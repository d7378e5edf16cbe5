"""One relay as its data file describes it, checked when it is read.

A profile is what a relay has told the world; what a workspace makes of it stands in its settings. Read by
`nurture connect` and `nurture relays`, by the docs, and by whoever wants to know what a relay puts into an SPF record.
"""

import re
import tomllib
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from nurture.errors import BadInput, NotFound, did_you_mean
from nurture.spelling import Line
from nurture.toml import fault_of

#: How one may sign in: with a user name and a password, over OAuth, or by the address one comes from.
SignIn: TypeAlias = Literal["password", "oauth", "address"]
#: On which bases the terms of a relay let people be mailed; the names are those of `consent.rules.Basis`.
BasisName: TypeAlias = Literal[
    "double-opt-in", "opt-in", "customer", "inquiry", "met", "published", "legitimate-interest"
]

_PLACE = re.compile(r"\{(\w+)\}")


def _https(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("is no https address")
    return address


def _pattern(text: str) -> str:
    if text and "id" not in re.compile(text).groupindex:
        raise ValueError("names no group (?P<id>…)")
    return text


Https = Annotated[str, AfterValidator(_https)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Server(_Part):
    """Where mail is handed over."""

    host: str = Field("", description="Its name; {region} stands for a region. Empty: it is asked for.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    tls: Literal["auto", "starttls", "implicit"] = Field("starttls", description="How the connection is encrypted.")
    regions: tuple[str, ...] = Field((), description="Its regions, the first being proposed.")
    region_question: str = Field("", description="How one is asked for a region.")
    region_hosts: dict[str, str] = Field({}, description="Names of regions that do not follow the pattern.")
    pipelining: Literal["yes", "no", "unknown"] = Field("unknown", description="Whether RFC 2920 may be expected.")


class Entering(_Part):
    """How one signs in."""

    kinds: tuple[SignIn, ...] = Field(description="The ways in, the first being proposed.")
    username: str = Field("", description="What the user name is, as a question.")
    password: str = Field("", description="What the password is, as a question.")


class OAuth(_Part):
    """How one gets a token (RFC 6749), by a device code (RFC 8628) or by coming back to this machine (RFC 8252)."""

    flow: Literal["device", "loopback"]
    scope: str
    token_url: Https
    device_url: Https | Literal[""] = ""
    authorize_url: Https | Literal[""] = ""
    asks_tenant: bool = Field(False, description="The addresses have a {tenant} in them.")
    asks_secret: bool = Field(False, description="The client has a secret besides its number.")
    client: str = Field("", description="Where one gets the number of a client, as a question.")

    @staticmethod
    def at(url: str, tenant: str) -> str:
        """An address, for an organization."""
        if not re.fullmatch(r"[A-Za-z0-9.-]*", tenant):
            raise BadInput(f'"{tenant}" is no directory (tenant); copy its number from the Entra admin center.')
        return url.replace("{tenant}", tenant)

    def tenant_in(self, token_url: str) -> str:
        """The organization of such an address; the empty text for one of another kind."""
        before, _, behind = self.token_url.partition("{tenant}")
        found = re.fullmatch(rf"{re.escape(before)}([A-Za-z0-9.-]+){re.escape(behind)}", token_url)
        return found[1] if found else ""

    @model_validator(mode="after")
    def _is_complete(self) -> "OAuth":
        needed = self.device_url if self.flow == "device" else self.authorize_url
        if not needed:
            raise ValueError(f"a flow by {self.flow} needs its address")
        return self


class Limits(_Part):
    """What the relay takes from one account; 0: it says nothing."""

    connections: int = Field(4, ge=1, le=100)
    per_second: float = Field(0, ge=0)
    per_hour: int = Field(0, ge=0)
    per_day: int = Field(0, ge=0)
    says: str = Field(description="What the limits are and who can change them.")


class Changes(_Part):
    """What it makes of a mail on its way."""

    message_id: Literal["kept", "replaced", "unknown"]
    return_path: Literal["kept", "replaced", "unknown"]
    mail_from: Literal["return-path", "sender"] = Field(
        "return-path", description="sender: it takes mail only from whoever it is from, so no return path of ours."
    )
    answer: Annotated[str, AfterValidator(_pattern)] = Field(
        "", description="Where its own id stands in its answer to a body, as a pattern with a group named id."
    )
    says: str = ""


class Terms(_Part):
    """Whom it wants to carry mail to."""

    demand_opt_in: bool
    accepts: tuple[BasisName, ...] = Field((), description="The bases its terms leave room for; none named: all.")
    says: str
    url: Https | Literal[""] = ""

    @model_validator(mode="after")
    def _says_which(self) -> "Terms":
        if self.demand_opt_in != bool(self.accepts):
            raise ValueError("terms that demand an opt-in name the bases they accept, and only those do")
        return self


class Names(_Part):
    """What it needs in the DNS of a sender."""

    spf: str = Field("", description="What its SPF record is called, for an include.")
    spf_says: str = ""
    dkim: Literal["relay", "ours", "either"]
    dkim_says: str = ""


class Source(_Part):
    """Where a fact comes from."""

    what: str
    url: Https
    checked_on: date


class Profile(_Part):
    """One relay."""

    name: str
    title: Line
    also: tuple[str, ...] = Field((), description="What people call it too; `nurture connect` tells them its name.")
    about: str
    documentation: Https | Literal[""] = ""
    server: Server
    sign_in: Entering
    oauth: OAuth | None = None
    limits: Limits
    headers: dict[str, Line] = Field({}, description="Headers that every mail through it gets.")
    changes: Changes
    terms: Terms
    names: Names
    bounces: str = Field(description="How it tells that a mail did not arrive.")
    steps: tuple[str, ...] = Field(description="What to do there before `nurture connect`.")
    unverified: tuple[str, ...] = Field((), description="What nobody could check.")
    sources: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> "Profile":
        if ("oauth" in self.sign_in.kinds) != (self.oauth is not None) and self.name != "own":
            raise ValueError("oauth is a way to sign in if, and only if, its addresses are there")
        if "{region}" in self.server.host and not self.server.regions:
            raise ValueError("server.host has a region in it, and there are no regions")
        if (self.changes.message_id == "replaced") != bool(self.changes.answer):
            raise ValueError("a Message-ID is replaced if, and only if, its answer tells the new one")
        return self

    @property
    def checked_on(self) -> date | None:
        """When the oldest of its facts was checked."""
        return min((one.checked_on for one in self.sources), default=None)

    @property
    def oauth_hosts(self) -> frozenset[str]:
        """The only hosts that are asked for tokens."""
        urls = (self.oauth.token_url, self.oauth.device_url, self.oauth.authorize_url) if self.oauth else ()
        return frozenset(urlsplit(url).hostname or "" for url in urls if url)

    @property
    def told_limits(self) -> str:
        """Its limits in few words."""
        limits = self.limits
        numbers = (
            (limits.per_second, "a second"), (limits.per_hour, "an hour"), (limits.per_day, "in 24 hours"),
            (limits.connections, "connections"),
        )  # fmt: skip
        return ", ".join(f"{value:,g} {word}" for value, word in numbers if value)

    def told(self) -> list[tuple[str, str]]:
        """What is known about it, one line for each thing, with what the thing is called."""
        server, changes = self.server, self.changes
        replaced = f"Message-ID {changes.message_id}, Return-Path {changes.return_path}."
        return [
            (
                "Server",
                f"{server.host or 'yours'}, port {server.port}, TLS: {server.tls}, PIPELINING: {server.pipelining}",
            ),
            *([("Regions", ", ".join(server.regions))] if server.regions else []),
            ("Sign in", ", ".join(self.sign_in.kinds)),
            ("Limits", f"{self.told_limits}. {self.limits.says}"),
            *(
                [("Headers", ", ".join(f"{name}: {value}" for name, value in self.headers.items()))]
                if self.headers
                else []
            ),
            ("What it changes", f"{replaced} {changes.says}".strip()),
            ("Bounces", self.bounces),
            (
                "Terms",
                " ".join(
                    [self.terms.says, *([f"Accepted: {', '.join(self.terms.accepts)}."] if self.terms.accepts else [])]
                ),
            ),
            *([("SPF", f"include:{self.names.spf}. {self.names.spf_says}")] if self.names.spf else []),
            ("DKIM", self.names.dkim_says),
        ]

    def sourced(self) -> list[str]:
        """Where its facts come from."""
        return [f"{one.what}: {one.url} ({one.checked_on})" for one in self.sources]

    def host_in(self, region: str) -> str:
        """Its host in a region."""
        if self.server.regions and region not in self.server.regions:
            near = did_you_mean(region, self.server.regions)
            raise BadInput(
                f'{self.title} has no region "{region}".{near} `nurture relays show {self.name}` lists them.'
            )
        return self.server.region_hosts.get(region) or _PLACE.sub(
            lambda found: region if found[1] == "region" else found[0], self.server.host
        )


def find_profile(name: str) -> Profile | None:
    """The relay of that name; None for one that nobody described."""
    return next((one for one in list_profiles() if one.name == name), None)


def get_profile(name: str) -> Profile:
    """The relay of that name."""
    if found := find_profile(name):
        return found
    called = next((one.name for one in list_profiles() if name.lower() in one.also), name)
    near = did_you_mean(called, [one.name for one in list_profiles()])
    raise NotFound(f'there is no relay "{name}".{near} `nurture relays` lists them; any other one is "own".')


def list_profiles() -> tuple[Profile, ...]:
    """All relays that are known, by name, and last the one that is not."""
    return _in_package()


@lru_cache(maxsize=1)
def _in_package() -> tuple[Profile, ...]:
    return read_profiles(files("nurture.relays") / "known")


def read_profiles(folder: Traversable | Path) -> tuple[Profile, ...]:
    """Every data file of a folder."""
    found = [read_profile(one.name, one.read_text("utf-8")) for one in folder.iterdir() if one.name.endswith(".toml")]
    return tuple(sorted(found, key=lambda one: (one.name == "own", one.name)))


def read_profile(file: str, text: str) -> Profile:
    """One data file; whatever is wrong with it is said at once."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{file}: {fault_of(text, error)}") from None
    try:
        return Profile.model_validate({"name": file.removesuffix(".toml"), **tree})
    except ValidationError as error:
        raise BadInput("\n".join(_sentence(file, one) for one in error.errors())) from None


def _sentence(file: str, problem: object) -> str:
    assert isinstance(problem, dict)
    place: Sequence[object] = problem["loc"]
    where = ".".join(map(str, place))
    match problem["type"]:
        case "missing":
            return f"{file}: {where} is missing; add it."
        case "extra_forbidden":
            return f"{file}: {where}: there is no such key.{did_you_mean(str(place[-1]), _keys_beside(place))}"
    said = str(problem.get("ctx", {}).get("error") or problem["msg"])
    return f"{file}: {where or 'the file'}: {said[:1].lower()}{said[1:]}."


def _keys_beside(place: Sequence[object]) -> list[str]:
    model: type[BaseModel] = Profile
    for step in place[:-1]:
        field = model.model_fields.get(str(step))
        inner = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        model = next((one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)), model)
    return list(model.model_fields)
