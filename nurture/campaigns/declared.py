"""What settings.toml declares and files rest on: topics, fields, senders, operators, caps. Published like a file.

Workers take it from the database, so that changing a sender or the postal address changes nothing before `publish`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nurture.campaigns import store
from nurture.database.engine import Session
from nurture.errors import NotFound
from nurture.rendering.utm import Utm

KIND = "settings"
NAME = "settings"
FILE = "settings.toml"


@dataclass(frozen=True)
class Sender:
    """Whom mail comes from."""

    name: str
    email: str
    postal_address: str = ""
    signature: str = ""

    @property
    def domain(self) -> str:
        return self.email.rpartition("@")[2].lower()


@dataclass(frozen=True)
class Topic:
    """What contacts get mail about, and how they see it."""

    name: str
    label: str
    description: str = ""
    tracking: str = "full"  # how much of what its readers do is recorded at most: full, last_open_date, none


@dataclass(frozen=True)
class Declared:
    """The declarations of one moment."""

    default_sender: Sender
    senders: Mapping[str, Sender] = field(default_factory=dict)
    sender_domains: frozenset[str] = frozenset()
    topics: Mapping[str, Topic] = field(default_factory=dict)
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # name → type, label, headers
    operators: tuple[Mapping[str, str], ...] = ()
    cap_per_day: int = 1
    cap_per_week: int = 2
    values_per_ask: int = 3
    blackout: tuple[str, ...] = ()  # days on which no campaign mails, as settings.toml writes them
    blast_guard: int = 1000
    company_domains: frozenset[str] = frozenset()  # of colleagues: they get mail, and are never scored or counted
    utm: Utm | None = None
    tracking: str = "full"  # the same for every topic
    assignment: tuple[Mapping[str, Any], ...] = ()  # whose new contacts are: name, when, to; the first that holds
    assignment_segments: Mapping[str, str] = field(default_factory=dict)  # the texts of the segments they name

    @property
    def postal_address(self) -> str:
        return self.default_sender.postal_address

    def signed(self, sender: Sender) -> Sender:
        """The sender with the signature of the operator whose address it is, if it is one's."""
        signatures = {one["email"].lower(): one["signature"] for one in self.operators}
        return replace(sender, signature=signatures.get(sender.email.lower(), ""))

    def to_content(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "sender_domains": sorted(self.sender_domains),
            "blackout": list(self.blackout),
            "company_domains": sorted(self.company_domains),
            "utm": self.utm.to_json() if self.utm else None,
            "assignment": [dict(one) for one in self.assignment],
            "assignment_segments": dict(self.assignment_segments),
        }

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> "Declared":
        return cls(
            default_sender=Sender(**content["default_sender"]),
            senders={name: Sender(**sender) for name, sender in content["senders"].items()},
            sender_domains=frozenset(content["sender_domains"]),
            topics={name: Topic(**topic) for name, topic in content["topics"].items()},
            fields=content["fields"],
            operators=tuple(content["operators"]),
            cap_per_day=content["cap_per_day"],
            cap_per_week=content["cap_per_week"],
            # What was published before these were known is held to their defaults.
            values_per_ask=content.get("values_per_ask", 3),
            blackout=tuple(content.get("blackout", ())),
            blast_guard=content.get("blast_guard", 1000),
            company_domains=frozenset(content.get("company_domains", ())),
            utm=Utm.from_json(content["utm"]) if content.get("utm") else None,
            assignment=tuple(content.get("assignment", ())),
            assignment_segments=content.get("assignment_segments", {}),
            tracking=content.get("tracking", "full"),
        )


@dataclass(frozen=True)
class Strained:
    """A relay that may be handed mail to people whom its own terms leave out; `turn`: which of `[[relays]]`, None: `[smtp]`."""

    turn: int | None
    relay: str
    title: str
    bases: Sequence[str]


def find_declared(session: Session) -> Declared | None:
    """The published declarations; None before the first `publish`."""
    version = store.find_current_version(session, KIND, NAME)
    return store.derive(session, version, Declared.from_content) if version else None


def get_declared(session: Session) -> Declared:
    """The published declarations."""
    found = find_declared(session)
    if found is None:
        raise NotFound("Nothing is published yet; type `nurture publish`.")
    return found


def colleague_domains(session: Session) -> frozenset[str]:
    """Where our own people have their addresses; nowhere before the first `publish`."""
    declared = find_declared(session)
    return declared.company_domains if declared else frozenset()
