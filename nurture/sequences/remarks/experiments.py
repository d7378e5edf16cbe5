"""Splits and A/B tests: arms that are alike, arms hardly anybody takes, goals that an arm cannot reach."""

from typing import Any

from nurture.conditions import Asks
from nurture.sequences.numbering import Numbered, walk_all
from nurture.sequences.program import Split
from nurture.sequences.remarks.judged import Judged, Question
from nurture.sequences.remarks.possible import Possible
from nurture.sequences.steps import SplitStep

_FEW = 1  # percent


def splits(judged: Judged) -> None:
    for one in judged.every:
        if isinstance(one.step, SplitStep):
            _equal_arms(judged, one, one.step)
            _rare_arms(judged, one, one.step)
    for question in judged.questions:
        if isinstance(judged.program.steps[question.step or ""], Split):
            _goal(judged, question)


def _equal_arms(judged: Judged, one: Numbered, step: SplitStep) -> None:
    seen: list[tuple[str, list[Any]]] = []
    for name in step.split:
        content = [_content(judged, inner) for inner in walk_all(one.ways[name])]
        twin = next((other for other, known in seen if known == content), None)
        if twin is not None:
            message = f'"{name}" does what "{twin}" does, mail by mail and step by step.'
            judged.remark(
                "NS332", (*one.path, "split", name), message, "Let them differ in one thing, or make one of them.",
                at_key=True,
            )  # fmt: skip
        seen.append((name, content))


def _content(judged: Judged, one: Numbered) -> list[Any]:
    """What a step does and what its mail says, whatever it is called."""
    apart = {"id", "silence"}
    written = one.step.model_dump(mode="json", exclude=apart)
    if one.mail is None:
        return [len(one.path), {key: value for key, value in written.items() if key not in one.ways}]
    said = judged.mails[one.id]
    slots = written["offer_meeting"]["slots"] if "offer_meeting" in written else 0
    return [len(one.path), one.mail.kind, slots, said.subject, said.preheader, said.body]


def _rare_arms(judged: Judged, one: Numbered, step: SplitStep) -> None:
    every = sum(arm.weight for arm in step.split.values())
    for name, arm in step.split.items():
        share = 100 * arm.weight / every
        if share < _FEW:
            message = f'only {share:.2g} % go this way: "{name}" will tell nothing for a long time.'
            judged.remark("NS334", (*one.path, "split", name, "weight"), message, "Give it more, or leave it out.")


def _goal(judged: Judged, question: Question) -> None:
    """Whether each arm can win; a question about a mail that an arm never gets to cannot be answered yes there."""
    split = judged.program.steps[question.step or ""]
    assert isinstance(split, Split)
    before = judged.ways.mails_before(split.id)
    losers = []
    for arm in split.arms:
        sent = before | judged.ways.mails_after(arm.first)

        def answer(asked: Asks, sent: set[str] = sent) -> bool | None:
            mail = dict(asked.arguments).get("mail")
            return False if isinstance(mail, str) and "/" not in mail and mail not in sent else None

        if not Possible(judged.workspace.words.fields, answer).can_hold(question.when):
            losers.append(arm.name)
    if len(losers) == len(split.arms):
        message = "no arm sends the mail that this asks about, so nobody can reach the goal."
        hint = "Ask about a mail that the arms send, or that comes after them."
        judged.remark("NS255", question.place, message, hint, severity="error")
    elif losers:
        message = f'"{losers[0]}" does not send what this asks about, so it can never win.'
        hint = "Let the goal ask about the mails of every arm, joined by `or`."
        judged.remark("NS333", question.place, message, hint)
