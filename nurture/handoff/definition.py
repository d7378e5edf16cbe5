"""`campaigns/handoff.yaml`: what sales and marketing agreed on: who takes a lead, by when, and what a no means."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal

from pydantic import Field

from nurture.campaigns import store as campaigns
from nurture.campaigns.definitions import Definition, FileDefinition
from nurture.campaigns.notations import FixedLength
from nurture.campaigns.reading import Problems, Unit, Workspace, YamlFile, open_yaml, read_definition
from nurture.contacts.segments import rests_on
from nurture.database.engine import Session
from nurture.errors import did_you_mean
from nurture.timing import parse_duration

KIND = "handoff"
NAME = "handoff"
FILE = "handoff.yaml"


class RuleDefinition(Definition):
    """Who takes which leads, and how soon."""

    when: str = Field(description="Which sales-ready contacts this rule is about; the first rule that fits decides.")
    route: str = Field("owner", description='"owner", or the address of an operator.')
    due_after: FixedLength = Field(description="Working time of whoever takes it until it is due.")


class RejectionDefinition(Definition):
    """What a rep may say no with."""

    label: str = Field("", description="The reason in words.")
    recycle_after: FixedLength | Literal["never"] = Field(
        "90 days", description='When the contact may come again; "never" disqualifies them.'
    )


class HandoffDefinition(FileDefinition):
    """The whole file."""

    definition: str = Field(description="What sales-ready means here, in one sentence both sides signed.")
    agreed_by: list[str] = Field([], description="Who agreed.")
    agreed_on: date | None = Field(None, description="When.")
    review_after: FixedLength | None = Field(None, description="When to look at it again.")
    rules: list[RuleDefinition] = Field(min_length=1, description="The first rule that fits decides.")
    fallback: str = Field(description="The operator who takes leads whose contact has no owner who works here.")
    rejections: dict[str, RejectionDefinition] = Field({}, description="Reasons a lead may be rejected with.")


class HandoffKind:
    """Reads, checks and freezes the agreement."""

    name = KIND

    def __init__(self, operators: frozenset[str]) -> None:
        self._operators = operators

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        path = workspace.campaigns / FILE
        if not path.exists():
            return []
        file = open_yaml(workspace, path, problems)
        definition = read_definition(file, HandoffDefinition) if file else None
        if file is None or definition is None:
            return []
        good = []
        for number, rule in enumerate(definition.rules):
            if file.read_condition(("rules", number, "when"), rule.when, workspace.words) is not None:
                good.append(rule.when)
            if rule.route != "owner":
                self._check_operator(file, ("rules", number, "route"), rule.route)
        self._check_operator(file, ("fallback",), definition.fallback)
        content = {**definition.model_dump(mode="json"), "rests_on": rests_on(good, workspace.words)}
        return [Unit(KIND, NAME, file.name, content)]

    def _check_operator(self, file: YamlFile, path: tuple[str | int, ...], email: str) -> None:
        if email.lower() not in self._operators:
            hint = did_you_mean(email.lower(), self._operators).strip()
            file.complain("NS320", path, f'"{email}" is no operator of settings.toml.', hint)

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        rules = {f"rule {rule['when']}": rule for rule in content["rules"]}
        return {**rules, "rejections": content["rejections"], "fallback": content["fallback"]}

    def count_people(self, session: Session, name: str) -> int:
        return 0


def find_agreement(session: Session) -> tuple[HandoffDefinition, Mapping[str, Any]] | None:
    """The published agreement and what its conditions rest on; None when there is none."""
    version = campaigns.find_current_version(session, KIND, NAME)
    return campaigns.derive(session, version, _agreement_of) if version else None


def _agreement_of(content: Mapping[str, Any]) -> tuple[HandoffDefinition, Mapping[str, Any]]:
    rest = {key: value for key, value in content.items() if key != "rests_on"}
    return HandoffDefinition.model_validate(rest), content["rests_on"]


def recycle_after(definition: HandoffDefinition, reason: str) -> timedelta | None:
    """How long a rejection with this reason keeps the contact in nurture; None: for good."""
    text = definition.rejections[reason].recycle_after
    return None if text == "never" else parse_duration(text).exact
