"""`campaigns/newsletters/<name>/`: newsletter.yaml, the announcement, and one Markdown file per issue."""

from typing import Literal

from pydantic import Field

from nurture.campaigns.definitions import Definition, FileDefinition, Silencing
from nurture.campaigns.notations import Days, Holidays, Hours, Length, ReaderOrZone, TimeOfDay
from nurture.newsletters.rules import Schedule
from nurture.timing import DAYS, WeeklySlot, Window, get_zone, parse_days, parse_hours, parse_time


class ScheduleDefinition(Definition):
    """When issues go out."""

    every: Literal["week"] = Field("week", description="How often.")
    on: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] = Field(description="On which day.")
    at: TimeOfDay = Field(description='At what time, such as "09:00".')
    timezone: ReaderOrZone = Field(
        "sender", description="sender (one moment for all), reader (each in their own time), or a time zone."
    )


class AnnouncementWindow(Definition):
    """When the announcement may leave, in each reader's time."""

    days: Days = Field("mon-fri", description='Such as "mon-fri".')
    hours: Hours = Field("08:00-18:00", description='Such as "08:00-18:00".')
    holidays: Holidays = Field(
        (), description='Whose public holidays are left out: "DE", "DE-BY", a list of them, or "contact".'
    )

    def to_window(self) -> Window:
        return Window(parse_days(self.days), *parse_hours(self.hours), holidays=self.holidays)


class NewsletterDefinition(FileDefinition):
    """The whole of newsletter.yaml."""

    newsletter: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Its name; the folder is called the same.")
    name: str = Field("", description="Its name for readers.")
    topic: str = Field(description="What it is about; permission is asked for this topic.")
    sender: str = Field("default", description='"default", "owner", or a name from settings.toml.')
    owner: str = Field(description="The operator who writes it and is reminded when no issue is ready.")
    audience: str = Field(
        description="The condition that makes somebody one of those it is for: asked for the announcement and each issue."
    )
    announcement: str = Field("announcement.md", description="The file of the announcement.")
    announce_in: AnnouncementWindow | None = Field(None, description="When it may leave; left out: at any time.")
    wait_after: Length = Field("5 working days", description="Time between somebody's announcement and first issue.")
    schedule: ScheduleDefinition = Field(description="When issues go out.")
    sign_up: str = Field(
        "",
        description="The form of forms.yaml that somebody an issue is passed on to gets their own by; its last line.",
    )
    layout: str = Field("newsletter", description="The layout of issues, below templates/layouts/.")


class IssueFrontMatter(Silencing):
    """What stands between the --- lines of an issue."""

    number: int = Field(ge=1, le=99_999_999, description="Which issue this is; they go out in this order.")
    ready: bool = Field(False, description="true: it may go out.")
    subject: str = Field(min_length=1, description="The subject.")
    preheader: str = Field("", description="The line inboxes show behind the subject.")
    kind: Literal["value", "ask"] = Field(
        "value", description="value: something for the reader; ask: it wants something of them, and waits to be earned."
    )
    audience: str | None = Field(None, description="Only these readers get it; left out: all.")
    layout: str | None = Field(None, description="Another layout for this issue.")


class AnnouncementFrontMatter(Silencing):
    """What stands between the --- lines of the announcement."""

    subject: str = Field(min_length=1, description="The subject.")
    preheader: str = Field("", description="The line inboxes show behind the subject.")
    ready: bool = Field(True, description="false: nobody gets it yet.")
    layout: str | None = Field(None, description="The layout; left out: letter.")


def schedule_of(definition: NewsletterDefinition, sender_zone: str) -> Schedule:
    """The schedule as the rules read it."""
    raw = definition.schedule
    is_named = raw.timezone not in {"sender", "reader"}
    return Schedule(
        slot=WeeklySlot(DAYS.index(raw.on), parse_time(raw.at)),
        zone=get_zone(raw.timezone if is_named else sender_zone),
        is_readers_time=raw.timezone == "reader",
    )
