"""What settings.toml declares and files rest on: topics, fields, senders, operators, caps. Published like a file.

Workers take it from the database, so that changing a sender or the postal address changes nothing before `publish`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nurture.campaigns import store
from nurture.campaigns.reading import Problem, Problems, Unit, Workspace
from nurture.database.engine import Session
from nurture.errors import NotFound

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

    @property
    def postal_address(self) -> str:
        return self.default_sender.postal_address

    def signed(self, sender: Sender) -> Sender:
        """The sender with the signature of the operator whose address it is, if it is one's."""
        signatures = {one["email"].lower(): one["signature"] for one in self.operators}
        return replace(sender, signature=signatures.get(sender.email.lower(), ""))

    def to_content(self) -> dict[str, Any]:
        return {**asdict(self), "sender_domains": sorted(self.sender_domains)}

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
        )


class DeclaredKind:
    """Checks and freezes the declarations; `app` has read them from settings.toml."""

    name = KIND

    def __init__(self, declared: Declared) -> None:
        self._declared = declared

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        self._check(problems)
        return [Unit(KIND, NAME, FILE, self._declared.to_content())]

    def _check(self, problems: Problems) -> None:
        sender = self._declared.default_sender
        if not sender.email:
            problems.add(
                Problem(FILE, 1, 1, "NS010", "senders.default.email is missing.", _add("email", "you@example.com"))
            )
        if not sender.postal_address.strip():
            problems.add(
                Problem(
                    FILE, 1, 1, "NS011",
                    "senders.default.postal_address is missing; the law wants it in every mail (CAN-SPAM, 16 CFR 316).",
                    _add("postal_address", "Acme Inc., 12 Example Street, 10115 Berlin, Germany"),
                )
            )  # fmt: skip
        if not self._declared.topics:
            problems.add(
                Problem(
                    FILE, 1, 1, "NS012", "no topic is declared, so nobody could agree to one.",
                    'Add [[topics]] with name = "insights" and label = "Insights".',
                )
            )  # fmt: skip
        for named in (sender, *self._declared.senders.values()):
            if named.email and self._declared.sender_domains and named.domain not in self._declared.sender_domains:
                problems.add(
                    Problem(
                        FILE, 1, 1, "NS013", f"the sender {named.email} is not in one of senders.domains.",
                        f'Add "{named.domain}" to senders.domains if that domain is yours.',
                    )
                )  # fmt: skip

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        return content

    def count_people(self, session: Session, name: str) -> int:
        return 0


def _add(key: str, example: str) -> str:
    return f'Add to settings.toml, below [senders.default]: {key} = "{example}"'


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
