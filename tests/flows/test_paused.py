"""Pausing in the middle of sending: what is on the wire is finished, one message a connection, and nothing follows."""

from collections.abc import Callable

import pytest

from nurture.database import installation
from nurture.database.engine import Session
from nurture.delivery.pausing import actions, store
from nurture.delivery.sender import Sender
from tests.flows.test_faults import PEOPLE, START, SetClock, Town, open_again, sink, town, with_a_sender

__all__ = ["open_again", "sink", "town"]  # fixtures of the faults

CAMPAIGN = "sequence:evaluators"


def pause_all(session: Session) -> None:
    installation.pause(session, because="wrong price", now=START)


def pause_one(session: Session) -> None:
    store.pause(session, CAMPAIGN, "wrong price", "dana", START)


def resume_all(town: Town) -> None:
    with town.app.database.writing() as session:
        installation.resume(session, home=town.app.home)


def resume_one(town: Town) -> None:
    actions.go_on(town.app.database, CAMPAIGN, START)


@pytest.mark.parametrize(
    ("pause", "resume"), [(pause_all, resume_all), (pause_one, resume_one)], ids=["everything", "one campaign"]
)
def test_after_a_pause_only_what_is_on_the_wire_is_finished_and_it_holds_over_a_restart(
    town: Town,
    open_again: Callable[[SetClock], Town],
    pause: Callable[[Session], None],
    resume: Callable[[Town], None],
) -> None:
    connections = town.app.settings.smtp.connections
    on_the_wire: list[int] = []

    def stop(_: object) -> None:
        if len(town.sink.taken) == 10:
            with town.app.database.writing(durable=True) as session:
                pause(session)
            on_the_wire.append(len(town.sink.taken))

    town.sink.on_read = stop
    town.send()
    read = len(town.sink.taken)
    assert on_the_wire[0] <= read <= on_the_wire[0] + connections
    with town.app.database.reading() as session:
        counts = actions.counts_of(session, CAMPAIGN)
    assert (counts.sent, counts.waiting) == (read, PEOPLE - read)

    again = open_again(town.clock)
    again.send()
    assert len(town.sink.taken) == read
    resume(again)
    again.send_until_all_is_settled()
    again.judge()


def test_a_campaign_that_is_cancelled_while_it_sends_reaches_nobody_more_and_its_numbers_add_up(town: Town) -> None:
    def stop(_: object) -> None:
        if len(town.sink.taken) == 10:
            actions.cancel(town.app.database, CAMPAIGN, by="dana", now=START)

    town.sink.on_read = stop
    town.send()
    read = len(town.sink.taken)
    assert 10 <= read <= 10 + town.app.settings.smtp.connections
    with town.app.database.reading() as session:
        counts = actions.counts_of(session, CAMPAIGN)
    assert (counts.audience, counts.sent, counts.cancelled) == (PEOPLE, read, PEOPLE - read)
    town.send_until_all_is_settled()
    assert len(town.sink.taken) == read


def put_off_at_the_cancellation(town: Town) -> int:
    """The campaign is cancelled in the middle, and the relay puts off what is on the wire then; how many were read."""
    is_over: list[bool] = []

    def stop(_: object) -> None:
        if len(town.sink.taken) == 10:
            actions.cancel(town.app.database, CAMPAIGN, by="dana", now=START)
            is_over.append(True)

    async def send(sender: Sender) -> None:
        await sender.drain()
        await sender.close()

    town.sink.on_read = stop
    town.sink.act = lambda stage, _: "451 4.3.0 not now" if is_over and stage == "dot" else ""
    with_a_sender(town, send)
    town.sink.act = lambda _stage, _rcpt_to: ""
    assert "queued" in town.statuses(), "something was put off"
    return len(town.sink.taken)


def test_what_a_relay_puts_off_after_its_campaign_was_cancelled_is_taken_back(town: Town) -> None:
    read = put_off_at_the_cancellation(town)
    town.send_until_all_is_settled()
    assert len(town.sink.taken) == read
    assert town.statuses().keys() == {"sent", "cancelled"}


def test_and_does_not_leave_when_somebody_lets_the_campaign_go_on(town: Town) -> None:
    read = put_off_at_the_cancellation(town)
    actions.go_on(town.app.database, CAMPAIGN, START)
    town.send_until_all_is_settled()
    assert len(town.sink.taken) == read
    assert town.statuses().keys() == {"sent", "cancelled"}
