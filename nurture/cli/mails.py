"""`nurture newsletter`: readers, issues, and who was left out."""

from typing import Annotated

import typer

from nurture.cli.output import emit, say, table, warn
from nurture.cli.workspace import opened
from nurture.figures import counted

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    newsletter = typer.Typer(help="Newsletters: readers, issues, and who was left out.", no_args_is_help=True)
    newsletter.command("show")(show_newsletter)
    newsletter.command("left-out")(left_out)
    app.add_typer(newsletter, name="newsletter")


def show_newsletter(
    name: Annotated[str, typer.Argument(help="The newsletter.")],
    as_json: Json = False,
) -> None:
    """Show readers, the next slot and what would go out then.

    Example: nurture newsletter show weekly
    """
    from nurture.cli.briefing import words_of_campaign_pause, words_of_issue, words_of_pause
    from nurture.delivery.pausing.store import find_pause
    from nurture.newsletters import store
    from nurture.newsletters.published import get_published
    from nurture.reports.upcoming import next_issue

    with opened() as house, house.database.reading() as session:
        now, newsletter = house.clock.now(), get_published(session, name)
        issue, readers = next_issue(session, newsletter, now), store.count_readers(session, name)
        paused, pause_of_all = find_pause(session, issue.campaign), words_of_pause(session)
    if pause_of_all:
        warn(pause_of_all)
    facts = {
        "newsletter": name,
        "readers": readers,
        "next_slot_at": issue.due_at,
        "next_issue": issue.issue,
        "people": issue.people,
        "paused_because": paused.because if paused else None,
    }
    if as_json:
        emit(facts)
        return
    say(f"{newsletter.content['about']['title']}: {counted(readers, 'reader')}.")
    slot = f"{issue.due_at.astimezone(newsletter.zone):%A %-d %B %Y, %H:%M} ({newsletter.zone})"
    if paused:
        say(f"Next slot {slot}: nothing while it is paused. {words_of_campaign_pause(paused)}")
    else:
        say(f"{'Due since' if issue.due_at <= now else 'Next slot'} {slot}: {words_of_issue(issue)}.")


def left_out(
    name: Annotated[str, typer.Argument(help="The newsletter.")],
    issue: Annotated[str, typer.Option(help="An issue, as its file is called; default: the announcement.")] = "",
    as_json: Json = False,
) -> None:
    """Name everybody the announcement or an issue does not reach, and why.

    Example: nurture newsletter left-out weekly --issue five-questions
    """
    from nurture.newsletters.left_out import left_out_of_announcement, left_out_of_issue

    with opened() as house, house.database.reading() as session:
        now = house.clock.now()
        if issue:
            people = left_out_of_issue(session, house.language, name, issue, now)
        else:
            people = left_out_of_announcement(session, house.language, name, now)
    if as_json:
        emit([{"email": one.contact.email, "because": one.because} for one in people])
        return
    table(("who", "why"), [(one.contact.email, one.because) for one in people], empty="Nobody is left out.")
