"""The steps of a sequence as files write them: one key says what a step does, its details stand beside it.

Every step has an id, given or derived from what it does, by which branches, mails and later versions find it.
`numbering` reads a file's steps and gives them their ids; `building` makes a program of them.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from nurture.campaigns.definitions import Definition, Silencing
from nurture.campaigns.notations import FixedLength, HalfLife, Length, TimeOfDay, WebhookUrl
from nurture.errors import BadInput
from nurture.timing import parse_moment

#: What a step, an arm or another sequence may be called.
NAME = r"^[a-z0-9][a-z0-9-]*$"


def _written_as(value: object) -> str:
    """Asked of what a file says, and again of what was made of it."""
    return "group" if isinstance(value, dict | Definition) else "text"


#: A step that is written as a word or, with more to say, as a group of keys.
_WORD_OR_GROUP = Discriminator(_written_as)


def _check_until(value: object) -> object:
    """Of what YAML makes besides text and dates nobody can wait for anything."""
    if value is not None and (isinstance(value, datetime) or not isinstance(value, date | str)):
        try:
            parse_moment(value, time(0))
        except BadInput as error:
            raise ValueError(str(error)) from None
    return value


class LateDefinition(Definition):
    """What to do after an outage."""

    within: FixedLength = Field(description="How late a mail may still be sent.")
    otherwise: Literal["skip", "exit"] = Field("skip", description="What happens to a later one.")


class StepDefinition(Silencing):
    """What every step may say."""

    id: str | None = Field(None, pattern=NAME, description="How branches and versions find it; at most 60 characters.")


class MailKeys(Definition):
    """What a mail of a sequence is."""

    send: str = Field(description="The template, as its path below templates/ without the ending.")
    subject: str | None = Field(None, description="The subject; left out: the template's own.")
    preheader: str | None = Field(None, description="The line inboxes show behind the subject.")
    kind: Literal["value", "ask"] = Field(
        "value", description="Whether the mail gives something or asks for something."
    )
    on_failure: Literal["exit", "next"] = Field("exit", description="What happens when the relay refuses it.")
    late: LateDefinition | None = Field(None, description="What to do after an outage; left out: as the sequence says.")


class SendStep(StepDefinition, MailKeys):
    """Send a mail and wait until it has left."""


class OfferDefinition(MailKeys):
    """A mail that offers times for a meeting."""

    kind: Literal["value", "ask"] = Field("ask", description="Whether the mail gives something or asks for something.")
    slots: int = Field(3, ge=1, le=10, description="How many times it offers.")


class OfferMeetingStep(StepDefinition):
    """Send a mail that offers times for a meeting."""

    offer_meeting: OfferDefinition = Field(description="The mail, as for `send`, and how many `slots` it offers.")


class UntilDefinition(Definition):
    """Wait for a moment."""

    until: Annotated[date | str, BeforeValidator(_check_until)] = Field(
        description='A date, a date field of the contact such as "renewal_on - 30 days", or days such as "tue, thu".'
    )
    at: TimeOfDay = Field("00:00", description="The time of that day, in the window's zone.")
    if_missing: Literal["exit", "next"] = Field("exit", description="For whom the field has no date.")


class WaitStep(StepDefinition):
    """Stand still for a while, counted from when the last mail left, or until a moment."""

    wait: Annotated[Annotated[Length, Tag("text")] | Annotated[UntilDefinition, Tag("group")], _WORD_OR_GROUP] = Field(
        description='How long, such as "3 days" or "2 working days"; or `until` when.'
    )


class ElifDefinition(Definition):
    """Another condition, asked when those before it do not hold."""

    if_: str = Field(alias="if", description="The condition.")
    then: list[Any] = Field([], description="The steps if it holds.")


class IfStep(StepDefinition):
    """Go one way or the other; whoever took a branch stays on it."""

    if_: str = Field(alias="if", description="The condition.")
    then: list[Any] = Field([], description="The steps if it holds.")
    elif_: list[ElifDefinition] = Field([], alias="elif", description="Further conditions, asked in order.")
    else_: list[Any] = Field([], alias="else", description="The steps if none holds.")


class WaitForStep(StepDefinition):
    """Stand still until something happens, at most for a while."""

    wait_for: str = Field(description="The condition.")
    up_to: Length = Field(description="How long at most, counted from when the last mail left.")
    then: list[Any] = Field([], description="The steps if it happened in time.")
    else_: list[Any] = Field([], alias="else", description="The steps if it did not.")


class ArmDefinition(Definition):
    """One way of a split."""

    weight: float = Field(1, gt=0, le=1_000_000, description="How many go this way, compared with the other weights.")
    steps: list[Any] = Field([], description="The steps of this way.")


class WinnerDefinition(Definition):
    """Makes an A/B test of a split, and says when it is over."""

    goal: str = Field(description="What counts as a success, as a condition.")
    after: FixedLength = Field("7 days", description="How long each person has for it.")
    at_least: int = Field(100, ge=10, description="How many people per arm must have had that long.")
    confidence: float = Field(95, ge=80, le=99.9, description="How sure, in percent, one arm must be the better.")
    up_to: FixedLength | None = Field(None, description="When the test ends without a winner; left out: never.")


class SplitStep(StepDefinition):
    """Send people different ways by lot; the same person always goes the same way."""

    split: dict[str, ArmDefinition] = Field(min_length=2, description="The arms, by name.")
    winner: WinnerDefinition | None = Field(None, description="Makes it an A/B test.")


class TagStep(StepDefinition):
    """Tag the contact."""

    tag: str = Field(min_length=1, max_length=60, description="The tag.")


class UntagStep(StepDefinition):
    """Take a tag off the contact."""

    untag: str = Field(min_length=1, max_length=60, description="The tag.")


class SetStep(StepDefinition):
    """Set fields of the contact."""

    set: dict[str, str | int | float | bool | date | None] = Field(min_length=1, description="Field: value.")


class LeaveDefinition(Definition):
    """Leave a list."""

    leave: str = Field(min_length=1, max_length=60, description="The list.")


class ListStep(StepDefinition):
    """Put the contact on a list, or take them off it."""

    list: Annotated[
        Annotated[Annotated[str, Field(min_length=1, max_length=60)], Tag("text")]
        | Annotated[LeaveDefinition, Tag("group")],
        _WORD_OR_GROUP,
    ] = Field(description="The list to join, or `{leave: …}`.")


class ScoreStep(StepDefinition):
    """Give points."""

    score: float = Field(description="How many; negative ones take away.")
    because: str = Field("", description="Why, as `score explain` shows it.")
    half_life: HalfLife | None = Field(None, description="After this long they are worth half; left out: never.")


class NotifyDefinition(Definition):
    """A mail to somebody who works here."""

    to: str = Field("owner", description='"owner", or the address of an operator.')
    subject: str = Field(min_length=1, max_length=150, description="Its subject.")
    text: str = Field("", max_length=5_000, description="What it says above who the contact is.")


class NotifyStep(StepDefinition):
    """Tell somebody who works here, by mail."""

    notify: Annotated[
        Annotated[Annotated[str, Field(min_length=1, max_length=150)], Tag("text")]
        | Annotated[NotifyDefinition, Tag("group")],
        _WORD_OR_GROUP,
    ] = Field(description="The subject of a mail to the owner, or `to`, `subject` and `text`.")


class TaskDefinition(Definition):
    """Something to do for somebody who works here."""

    what: str = Field(min_length=1, max_length=300, description="What to do.")
    to: str = Field("owner", description='"owner", or the address of an operator.')
    due_after: FixedLength = Field("1 day", description="How much of their working time they have.")


class TaskStep(StepDefinition):
    """Give somebody who works here something to do."""

    task: Annotated[
        Annotated[Annotated[str, Field(min_length=1, max_length=300)], Tag("text")]
        | Annotated[TaskDefinition, Tag("group")],
        _WORD_OR_GROUP,
    ] = Field(description="What the owner should do, or `what`, `to` and `due_after`.")


class WebhookDefinition(Definition):
    """A call to another system."""

    url: WebhookUrl = Field(description="Where to; https.")
    send: list[str] = Field(["email"], description="Which fields of the contact go along.")
    headers: dict[str, str] = Field({}, description="Headers of the request; no secrets.")


class WebhookStep(StepDefinition):
    """Call another system."""

    webhook: Annotated[
        Annotated[WebhookUrl, Tag("text")] | Annotated[WebhookDefinition, Tag("group")], _WORD_OR_GROUP
    ] = Field(description="The address to call, or `url`, `send` and `headers`.")


class EnrollStep(StepDefinition):
    """Put the contact at the start of another sequence, as far as its own rules let them in."""

    enroll: str = Field(pattern=NAME, description="The other sequence.")


class HandOffStep(StepDefinition):
    """Give the contact to a rep, with the whole story."""

    hand_off: dict[str, Any] = Field(max_length=0, description="`{}`: handoff.yaml says to whom and how soon.")


class GotoStep(StepDefinition):
    """Go back to a step; its mails are sent again."""

    goto: str = Field(pattern=NAME, description="The id of the step.")
    at_most: int | None = Field(None, ge=1, le=1_000, description="How often; left out: again and again.")


class EndStep(StepDefinition):
    """End the sequence here."""

    end: str = Field("the end", description="Why, for the timeline.")


VERBS: Mapping[str, type[StepDefinition]] = {
    "send": SendStep,
    "offer_meeting": OfferMeetingStep,
    "wait": WaitStep,
    "if": IfStep,
    "wait_for": WaitForStep,
    "split": SplitStep,
    "tag": TagStep,
    "untag": UntagStep,
    "set": SetStep,
    "list": ListStep,
    "score": ScoreStep,
    "notify": NotifyStep,
    "task": TaskStep,
    "webhook": WebhookStep,
    "enroll": EnrollStep,
    "hand_off": HandOffStep,
    "goto": GotoStep,
    "end": EndStep,
}
