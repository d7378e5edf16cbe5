"""`campaigns/sequences/*.yaml`: the file format of a sequence, but for its steps, which `steps` knows."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from nurture.campaigns.definitions import Definition, FileDefinition
from nurture.campaigns.notations import ContactOrZone, Days, FixedLength, Holidays, Hours
from nurture.errors import BadInput
from nurture.sequences.simulation.expectations import parse_expectation
from nurture.sequences.steps import LateDefinition
from nurture.timing import Window, parse_days, parse_hours

_NAME = r"^[a-z0-9][a-z0-9-]*$"


class EnrollDefinition(Definition):
    """Who comes in by themselves; each key is a trigger of its own."""

    when: str | None = Field(None, description="Enrolls whoever this begins to hold for.")
    joined: str | None = Field(None, description="Enrolls whoever joins this list.")
    submitted: str | None = Field(None, description="Enrolls whoever sends this form.")
    did: str | None = Field(None, description='Enrolls whoever does this: one question such as `clicked("weekly/12")`.')
    on_date: str | None = Field(
        None, description='Enrolls when a date field of the contact comes: "renewal_on - 30 days".'
    )
    again: Literal["never", "always"] | FixedLength = Field(
        "never", description='"never", "always", or how long after the end: "180 days".'
    )

    @field_validator("again", mode="before")
    @classmethod
    def _without_after(cls, again: object) -> object:
        """`after 180 days` reads well, too."""
        return again.removeprefix("after ") if isinstance(again, str) else again

    @property
    def is_by_hand_only(self) -> bool:
        return not (self.when or self.joined or self.submitted or self.did or self.on_date)


class ExitDefinition(Definition):
    """What ends the sequence wherever somebody stands in it."""

    when: str = Field(description="The condition.")
    as_: str = Field("exited", alias="as", description='The reason that is kept; "replied" also tells the owner.')


class WindowDefinition(Definition):
    """When mail may leave."""

    days: Days = Field("daily", description='Such as "mon-fri".')
    hours: Hours = Field("00:00-24:00", description='Such as "09:00-17:00".')
    timezone: ContactOrZone = Field("contact", description="contact, owner, or a time zone.")
    holidays: Holidays = Field(
        (), description='Whose public holidays are left out: "DE", "DE-BY", a list of them, or "contact".'
    )

    def to_window(self) -> Window:
        return Window(parse_days(self.days), *parse_hours(self.hours), holidays=self.holidays)


def _check_expectation(text: str) -> str:
    try:
        parse_expectation(text)
    except BadInput as error:
        raise ValueError(str(error)) from None
    return text


class SequenceDefinition(FileDefinition):
    """The whole file."""

    sequence: str = Field(pattern=_NAME, description="Its name in commands and conditions.")
    name: str = Field("", description="Its name for people.")
    topic: str = Field(description="What its mails are about; permission is asked for this topic.")
    sender: str = Field("default", description='"default", "owner", or a name from settings.toml.')
    until_owner_agrees: str = Field(
        "default",
        description='For `sender: owner`: who writes until the owner said yes to these mails; "wait": nobody.',
    )
    priority: int = Field(50, ge=0, le=100, description="When several want the same contact, the higher comes first.")
    compatible_with: Literal["all"] | list[str] = Field(
        [], description="Sequences one may be on at the same time; otherwise one at a time."
    )
    if_busy: Literal["wait", "skip", "replace"] = Field(
        "wait",
        description="For whom is on another sequence: wait until it ends, stay out, or end it if its priority is lower.",
    )
    enroll: EnrollDefinition = Field(EnrollDefinition(), description="Who comes in by themselves.")
    exit: list[ExitDefinition] = Field([], description="What ends it early.")
    window: WindowDefinition | None = Field(None, description="When mail may leave; left out: at any time.")
    late: LateDefinition | None = Field(None, description="What to do after an outage; left out: send anyway.")
    expect: list[Annotated[str, AfterValidator(_check_expectation)]] = Field(
        [], description="What must hold of every simulated life; see `check --simulate`."
    )
    steps: list[Any] = Field(min_length=1, description="What happens, in order.")
