"""Who gets a contact that has no owner. Pure: the first rule that holds decides, and its operators take turns.

An operator who no longer works here is passed over; a rule of whom nobody is left decides nothing, and the next one is
asked. Nothing here ever takes an owner away.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nurture.figures import counted


@dataclass(frozen=True)
class Rule:
    """`when` is a condition over contacts; `to` are the operators who take turns, by address."""

    name: str
    when: str
    to: tuple[str, ...]


@dataclass(frozen=True)
class Assigned:
    """Whose somebody is from now on, and by which rule."""

    contact_id: int
    operator: str
    rule: Rule

    @property
    def because(self) -> str:
        """`rule "dach": country in ["DE", "AT"], in turn with 2 others`, for the history."""
        others = len(self.rule.to) - 1
        turns = f", in turn with {counted(others, 'other')}" if others else ""
        return f'rule "{self.rule.name}": {self.rule.when or "everybody else"}{turns}'


def rules_of(declared: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """The rules as they were published, in their order; one without a condition holds for everybody."""
    return [Rule(str(one["name"]), str(one["when"]), tuple(map(str.lower, one["to"]))) for one in declared]


def assign(
    rules: Sequence[Rule],
    holds: Mapping[str, Collection[int]],
    ids: Sequence[int],
    working: Collection[str],
    turns: Mapping[str, int],
) -> tuple[list[Assigned], dict[str, int]]:
    """Decide about contacts without an owner, in their order; also how many each rule has given away by then.

    `holds` are the contacts for whom each rule's condition holds, `working` the addresses of operators who work here,
    `turns` how many contacts each rule gave away before.
    """
    counts = dict(turns)
    found = []
    for contact_id in ids:
        for rule in rules:
            takers = [one for one in rule.to if one in working]
            if takers and contact_id in holds[rule.name]:
                turn = counts.get(rule.name, 0)
                found.append(Assigned(contact_id, takers[turn % len(takers)], rule))
                counts[rule.name] = turn + 1
                break
    return found, counts
