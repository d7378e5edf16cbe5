"""What `nurture run` says when it starts: what goes out when, to how many, and what stands in the way."""

from typing import TYPE_CHECKING

from nurture.cli.output import say, warn

if TYPE_CHECKING:
    from nurture.app import App
    from nurture.database.engine import Session


def brief(house: "App") -> None:
    """Say what is planned, what is held, and which files differ from what is published."""
    from nurture.campaigns import publishing
    from nurture.delivery import store
    from nurture.newsletters import actions as newsletters
    from nurture.newsletters import store as readers

    with house.database.reading() as session:
        warn_of_pause(session)
        for newsletter in newsletters.list_published(session):
            outlook = newsletters.look_ahead(session, newsletter)
            slot = f"{outlook.slot_at.astimezone(newsletter.zone):%A %-d %B, %H:%M} ({newsletter.zone})"
            count = readers.count_readers(session, newsletter.name)
            what = f'"{outlook.issue}" to {count:,} readers' if outlook.issue else "nothing: no issue is ready"
            say(f"{newsletter.name}: {slot}: {what}.")
        queued = store.count_by_status(session).get("queued", 0)
        say(f"{queued:,} mails are queued." if queued else "No mail is queued right now.")
        for because, count, until in store.held_by_reason(session):
            when = f", until {until:%Y-%m-%d %H:%M} UTC at the earliest" if until else ""
            say(f"{count:,} held: {because}{when}.")
        reading = house.read_files()
        if not reading.errors:
            changed = [one for one in publishing.plan(session, house.kinds(), reading.units) if one.old != one.new]
            if changed:
                names = ", ".join(f"{one.kind} {one.name}" for one in changed)
                warn(f"These files differ from what is published, and change nobody until `nurture publish`: {names}.")
    _say_boundary(house)


def warn_of_pause(session: "Session") -> None:
    """Say that nothing is sent, why, and what ends that."""
    from nurture.database.installation import get_pause

    if (pause := get_pause(session)) is not None:
        way_on = "" if "`nurture resume" in pause[1] else " `nurture resume` goes on."
        warn(f"Sending is paused since {pause[0]:%Y-%m-%d %H:%M} UTC: {pause[1]}.{way_on}")


def _say_boundary(house: "App") -> None:
    boundary = house.boundary
    if boundary.relay_is_loopback:
        say(f"The relay {house.relay.host}:{house.relay.port} is on this machine; nothing leaves it.")
    elif not boundary.only_to:
        warn("sending.only_to is empty, so real mail goes to senders.test_domains only.")
    elif "*" not in boundary.only_to:
        say(f"Real mail goes only to {', '.join(sorted(boundary.only_to))}.")
