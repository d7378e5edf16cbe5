"""Silences: remarks of `check` that a file does not want to hear any more, each with its reason.

`silence: {NS241: "…"}` stands at the top of a file, on a step of a sequence, or in the front matter of a mail, and
covers what is remarked about that file or that step. An error cannot be silenced, only mended; a silence without a
reason, of nothing known or of nothing there is complained about. `publishing` asks here when all files are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from nurture.campaigns import mail_remarks
from nurture.campaigns.reading import Problem, Problems, Silence
from nurture.errors import did_you_mean

#: What `check` only warns of, and what it means. Codes NT are told by rendering, whose `CODES` explain them.
REMARKS: Mapping[str, str] = {
    "NS014": "a sender that does not listen",
    "NS015": "a sender who is nobody",
    "NS017": "a newsletter on the domain of people's own mail",
    "NS018": "a relay whose terms are stricter than its section",
    "NS019": "a sender whose mails many servers refuse",
    "NS022": "a silence that silences nothing",
    **mail_remarks.REMARKS,
    # Of sequences and the scoring: what their shape says, told by rooms above this one.
    "NS249": "a later mail moves a deadline",
    "NS301": "an ask before the mails that earn it",
    "NS302": "a loop that sends mail without end",
    "NS303": "a wait for a date that has passed",
    "NS304": "a jump into the middle of a branch",
    "NS305": "a window so short that a change of the clocks takes a day of it",
    "NS306": "a condition that holds of everybody",
    "NS307": "two mails closer than a day",
    "NS308": "what only people get to whose opens and clicks we may record",
    "NS309": "missing opens and clicks that count as silence",
    "NS315": "a grade that the rules for fit do not reach",
    "NS330": "a score that the points on offer do not reach",
    "NS331": "a line in the scoring that the points on offer do not reach",
    "NS332": "arms of a split that are alike",
    "NS333": "an arm of an A/B test that cannot win",
    "NS334": "an arm that hardly anybody takes",
    "NS335": "a sequence that takes the place of no other",
    "NS336": "a condition about a sequence that is not there",
    "NS341": "a list that no file asks about, and one that is called nearly the same",
    "NS337": "a question whose answer changes nothing",
}
_OF_TEMPLATES = frozenset({"NT205", "NT303", "NT401", "NT404", "NT405", "NT406"})
_CANNOT_BE_SILENCED = frozenset({"NS022"})

SILENCEABLE = (frozenset(REMARKS) | _OF_TEMPLATES) - _CANNOT_BE_SILENCED


@dataclass(frozen=True)
class Silenced:
    """A remark that is not made, and why."""

    problem: Problem
    reason: str


def apply(problems: Problems) -> tuple[list[Problem], list[Silenced]]:
    """What is said in the end, and what is not."""
    by_place: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems.sorted():
        by_place.setdefault((problem.file, problem.code), []).append(problem)
    said = Problems(list(problems.found))
    reasons: dict[Problem, str] = {}
    # A mail that several campaigns send is read several times.
    silences = {(one.file, one.code, one.first): one for one in problems.silences}
    for one in silences.values():
        covered = [found for found in by_place.get((one.file, one.code), []) if _covers(one, found)]
        remarks = [found for found in covered if found.severity == "warning"]
        if not one.reason.strip() or one.reason == "None":
            _complain(said, one, "NS020", "a silence needs a reason.", f'Write {one.code}: "why it is right here".')
        elif one.code not in SILENCEABLE or (covered and not remarks):
            message = f"{one.code} is no remark; an error cannot be silenced, only mended."
            _complain(said, one, "NS021", message, did_you_mean(one.code, SILENCEABLE).strip())
        else:
            reasons.update(dict.fromkeys(remarks, one.reason))
            if not covered and not problems.errors:  # errors keep remarks from being made
                _complain(said, one, "NS022", f"nothing here is {one.code}; take the silence away.", severity="warning")
    kept = [problem for problem in said.sorted() if problem not in reasons]
    return kept, [Silenced(problem, reasons[problem]) for problem in problems.sorted() if problem in reasons]


def _covers(silence: Silence, problem: Problem) -> bool:
    place = (problem.line, problem.column)
    return silence.first <= place and (silence.last is None or place <= silence.last)


def _complain(
    said: Problems, one: Silence, code: str, message: str, hint: str = "", *, severity: str = "error"
) -> None:
    said.add(Problem(one.file, *one.place, code, f"silence.{one.code}: {message}", hint, severity))
