"""People on their way, told beforehand from where they stand: they go on, and get nothing a second time."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from nurture.delivery.rules import Status
from nurture.sequences.decisions import Enrollment, mail_key
from nurture.sequences.facts import Mail
from nurture.sequences.program import Arm, Send, Sequence, Split
from nurture.sequences.simulation.ahead import OnTheWay, mails_ahead
from nurture.sequences.simulation.habits import Behavior
from nurture.sequences.simulation.world import Limits, World
from tests.rules.test_simulate import DAY, START, person, sequence, wait

STEPS = (Send("first", "pause"), wait("pause", "second", 4), Send("second", "again"), wait("again", "third", 2), Send("third", None))  # fmt: skip


def at(step: str, *, since: datetime = START, wake_at: datetime | None = None) -> Enrollment:
    return Enrollment(7, 7, "s", step, since, 1, "waiting", "", wake_at)


def ahead(enrollment: Enrollment, mails: Mapping[str, Mail] | None = None, **more: Any) -> list[tuple[str, float]]:
    """Each mail that would leave, and after how many days."""
    program: Sequence = more.pop("program", sequence(*STEPS))
    winners = more.pop("winners", {})
    one = OnTheWay(person(), enrollment, mails or {}, START - 5 * DAY, **more)
    world = World(Limits(cap_per_day=99, cap_per_week=99))
    [sent] = mails_ahead(program, [one], Behavior(), world, start=START, length=60 * DAY, winners=winners)
    return [(mail.step, (mail.at - START) / DAY) for mail in sent]


def test_whoever_waits_goes_on_when_their_wait_is_over() -> None:
    assert ahead(at("pause", since=START - DAY, wake_at=START + 3 * DAY)) == [("second", 3), ("third", 5)]


def test_a_mail_that_was_sent_is_not_sent_again() -> None:
    standing = at("second", since=START - DAY)
    sent = {mail_key(standing, "second"): Mail(1, Status.SENT, attempted_at=START - timedelta(hours=12))}
    assert ahead(standing, sent) == [("third", 1.5)]


def test_a_mail_that_waits_in_the_outbox_is_told_there() -> None:
    assert ahead(at("second")) == [("second", 0), ("third", 2)]
    assert ahead(at("second"), is_mail_asked_for=True) == [("third", 2)]


def test_a_test_that_was_won_sends_everybody_the_same_way() -> None:
    program = sequence(Split("test", (Arm("a", 1, "first"), Arm("b", 1, "third"))), Send("first", None), Send("third", None))  # fmt: skip
    for arm, mail in (("a", "first"), ("b", "third")):
        standing = replace(at("test"), status="active")
        assert [step for step, _ in ahead(standing, program=program, winners={"test": arm})] == [mail]
