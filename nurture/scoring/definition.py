"""`campaigns/scoring.yaml`: what counts, how long, and where the line is."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from nurture.campaigns import store as campaigns
from nurture.campaigns.definitions import Definition, FileDefinition
from nurture.campaigns.notations import HalfLife
from nurture.campaigns.reading import Problems, Unit, Workspace, YamlFile, open_yaml, read_definition
from nurture.conditions import Asks, Condition, Words, parse, walk
from nurture.contacts.fields import FIT_GRADES
from nurture.contacts.segments import Language, rests_on
from nurture.database.engine import Session
from nurture.scoring.rules import ActivityRule, FitRule, Model
from nurture.timing import parse_duration
from nurture.tracking.rules import ANSWERED_BY

KIND = "scoring"
NAME = "scoring"
FILE = "scoring.yaml"

Grade = Literal["A", "B", "C", "D"]

_NO_MERIT = frozenset({"mailed", "tracked_for"})


class ActivityDefinition(Definition):
    """Points for what somebody does."""

    when: str = Field(description='A question about one activity, such as `clicked(link="/pricing")`.')
    points: float = Field(description="What each such activity is worth when it is new.")
    half_life: HalfLife | None = Field(None, description="After this long it is worth half; left out: it never fades.")
    cap: float | None = Field(None, gt=0, description="The most that all activities of this rule give together.")


class FitDefinition(Definition):
    """Points for who somebody is."""

    when: str = Field(description="A condition over contact fields, such as `company_size >= 50`.")
    points: float = Field(description="Points towards the grade; negative ones are allowed.")


class ThresholdDefinition(Definition):
    """The line that makes somebody sales-ready."""

    score: float = Field(60, description="At least this score …")
    fit: Grade = Field("D", description="… and at least this grade.")


class ScoringDefinition(FileDefinition):
    """The whole file."""

    threshold: ThresholdDefinition = Field(
        ThresholdDefinition(), description="Crossing it makes a contact sales-ready."
    )
    activities: list[ActivityDefinition] = Field([], description="Every rule looks at every activity of a person.")
    fit: list[FitDefinition] = Field([], description="How much somebody is like the customers you want.")
    grades: dict[Grade, float] = Field({}, description="The fit points at which each grade begins.")


class ScoringKind:
    """Reads, checks and freezes the scoring."""

    name = KIND

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        path = workspace.campaigns / FILE
        if not path.exists():
            return []
        file = open_yaml(workspace, path, problems)
        definition = read_definition(file, ScoringDefinition) if file else None
        if file is None or definition is None:
            return []
        good = _check(file, definition, workspace.words)
        content = {**definition.model_dump(mode="json"), "rests_on": rests_on(good, workspace.words)}
        return [Unit(KIND, NAME, file.name, content)]

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        rules = {f"{kind}: {rule['when']}": rule for kind in ("activities", "fit") for rule in content[kind]}
        return {**rules, "grades": content["grades"], "threshold": content["threshold"]}

    def count_people(self, session: Session, name: str) -> int:
        return 0


def _check(file: YamlFile, definition: ScoringDefinition, words: Words) -> list[str]:
    """Complain about rules that cannot work, and hand back the conditions that can be read."""
    found = []
    for number, rule in enumerate(definition.activities):
        at = ("activities", number, "when")
        condition = file.read_condition(at, rule.when, words)
        if condition is None:
            continue
        found.append(rule.when)
        _check_questions(file, at, condition)
        if not _asks_about_activity(condition):
            file.complain(
                "NS310", at, "this asks about no activity, so nothing would ever match it.",
                "Ask opened(), clicked(), replied() or visited(…); conditions on fields alone belong to `fit`.",
            )  # fmt: skip
    for number, fit in enumerate(definition.fit):
        at = ("fit", number, "when")
        condition = file.read_condition(at, fit.when, words)
        if condition is not None:
            found.append(fit.when)
            _check_questions(file, at, condition)
            if _asks_about_activity(condition):
                file.complain("NS311", at, "fit is about who somebody is; what they do belongs to `activities`.")
    _check_grades(file, definition)
    return found


def _check_questions(file: YamlFile, at: tuple[str | int, ...], condition: Condition) -> None:
    """What we did, and what we may see, is nobody's merit: it is not even gathered when scores are computed."""
    for part in walk(condition):
        if isinstance(part, Asks) and part.predicate in _NO_MERIT:
            file.complain(
                "NS314", at, f"{part.predicate}() earns nobody points: it asks what we did or may see.",
                "Ask it in a sequence, a segment or an audience.",
            )  # fmt: skip


def _check_grades(file: YamlFile, definition: ScoringDefinition) -> None:
    points = [definition.grades[name] for name in FIT_GRADES if name in definition.grades]
    if points != sorted(points):
        file.complain("NS312", ("grades",), "a better grade must begin at more points than a worse one.")
    if definition.threshold.fit != "D" and definition.threshold.fit not in definition.grades:
        file.complain(
            "NS313",
            ("threshold", "fit"),
            f"nobody can reach the grade {definition.threshold.fit}: grades does not name it.",
        )
    most = sum(rule.points for rule in definition.fit if rule.points > 0)
    begins_at = definition.grades.get(definition.threshold.fit, 0)
    if definition.fit and begins_at > most:
        file.complain(
            "NS315", ("threshold", "fit"),
            f"the grade {definition.threshold.fit} begins at {begins_at:g} points, and the rules for fit give {most:g} at most.",
            "Let it begin lower, or give more.", severity="warning",
        )  # fmt: skip


def _asks_about_activity(condition: Condition) -> bool:
    return any(isinstance(part, Asks) and part.predicate in ANSWERED_BY for part in walk(condition))


def model_of(content: Mapping[str, Any], language: Language) -> Model:
    """The scoring as the rules read it."""
    definition = ScoringDefinition.model_validate({key: value for key, value in content.items() if key != "rests_on"})
    return _model(definition, language.words(content["rests_on"]))


def read_model(workspace: Workspace) -> Model | None:
    """The scoring as the files have it; None when there is none, or none that can be read."""
    problems = Problems()
    units = ScoringKind().read(workspace, problems)
    if not units or problems.errors:
        return None
    content = {key: value for key, value in units[0].content.items() if key != "rests_on"}
    return _model(ScoringDefinition.model_validate(content), workspace.words)


def _model(definition: ScoringDefinition, words: Words) -> Model:
    return Model(
        activities=tuple(
            ActivityRule(
                text=rule.when,
                when=parse(rule.when, words),
                points=rule.points,
                half_life=parse_duration(rule.half_life).exact if rule.half_life else None,
                cap=rule.cap,
            )
            for rule in definition.activities
        ),
        fit=tuple(FitRule(rule.when, parse(rule.when, words), rule.points) for rule in definition.fit),
        grades=tuple(definition.grades.items()),
        threshold_score=definition.threshold.score,
        threshold_fit=definition.threshold.fit,
    )


def find_model(session: Session, language: Language) -> Model | None:
    """The published scoring; None when there is none."""
    version = campaigns.find_current_version(session, KIND, NAME)
    return campaigns.derive(session, version, model_of, language) if version else None
