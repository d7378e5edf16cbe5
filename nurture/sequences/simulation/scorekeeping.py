"""What steps, scoring and hand-off make of a simulated contact, by the rules of production. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from nurture.conditions import Compare, Missing, OneOf, walk
from nurture.contacts.facts import ContactFacts
from nurture.contacts.fields import STAGES
from nurture.handoff.rules import Reason, find_reason
from nurture.scoring.rules import Given, Model, Part, compute, is_over_the_line
from nurture.sequences import decisions
from nurture.tracking.rules import Deed

_ENGAGED_ONLY = frozenset({"subscriber", "lead"})


@dataclass(frozen=True)
class Scored:
    """The contact with the score they have now, and why they are handed to a rep, if they are."""

    contact: ContactFacts
    reason: Reason | None = None
    fit_parts: tuple[Part, ...] = ()


def rescore(
    model: Model,
    contact: ContactFacts,
    deeds: Sequence[Deed],
    given: Sequence[Given],
    at: datetime,
    *,
    may_hand_off: bool,
    is_mailable: bool,
    has_open: bool,
    fit_parts: tuple[Part, ...] | None = None,
) -> Scored:
    """Score them as of `at`; without an agreement on hand-offs nobody is promoted."""
    result = compute(model, deeds, given, contact, at, fit_parts=fit_parts)
    values = {**contact.values, "score": result.score, "fit": result.fit}
    stage = str(values.get("stage") or STAGES[0])
    if result.score > 0 and stage == STAGES[0]:
        stage = "lead"
    reason = None
    if may_hand_off:
        interest = values.get("interest")
        reason = find_reason(
            stage=stage,
            interest=interest if isinstance(interest, str) else None,
            interest_is_new=not has_open,
            is_over_the_line=is_over_the_line(model, result.score, result.fit),
            is_mailable=is_mailable,
            has_open=has_open,
        )
        if reason is not None:
            stage = "sales_ready"
        elif stage in _ENGAGED_ONLY and result.score >= model.threshold_score:
            stage = "marketing_qualified"
    if (
        values.get("stage") != stage
        or contact.values.get("score") != result.score
        or contact.values.get("fit") != result.fit
    ):
        contact = replace(contact, values={**values, "stage": stage})
    return Scored(contact, reason, result.fit_parts)


def may_fade_up(model: Model) -> bool:
    """Whether a score may rise only because time passes: points against somebody fade, too."""
    return any(rule.points < 0 and rule.half_life is not None for rule in model.activities)


def has_steady_fit(model: Model) -> bool:
    """Whether a fit depends on nothing that a score, a promotion or a wish changes."""
    parts = [part for rule in model.fit for part in walk(rule.when)]
    named = {part.field for part in parts if isinstance(part, Compare | OneOf | Missing)}
    return not named & {"score", "fit", "stage", "interest"}


def changed_by(effect: decisions.Effect, contact: ContactFacts) -> ContactFacts | None:
    """The contact after a step that changes fields, tags or lists; None for any other effect."""
    match effect:
        case decisions.Tagged(tag):
            return replace(contact, tags=contact.tags | {tag})
        case decisions.Untagged(tag):
            return replace(contact, tags=contact.tags - {tag})
        case decisions.FieldsSet(values):
            return replace(contact, values={**contact.values, **dict(values)})
        case decisions.ListChanged(name, is_joining):
            return replace(contact, lists=contact.lists | {name} if is_joining else contact.lists - {name})
    return None
