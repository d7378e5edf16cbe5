"""What becomes of people who are on their way already: their lives from where they stand now, told beforehand. Pure.

The production engine moves them as it moves everybody in a simulation; only where they begin differs: at their step,
with the mails that became of their enrollment so far. `calendar` asks which mails that makes.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from nurture.sequences.decisions import Enrollment
from nurture.sequences.facts import Mail
from nurture.sequences.program import Sequence as Program
from nurture.sequences.simulation.habits import Behavior
from nurture.sequences.simulation.life import Life
from nurture.sequences.simulation.rehearsal import Rehearsal
from nurture.sequences.simulation.world import Person, Sent, World


@dataclass(frozen=True)
class OnTheWay:
    """Somebody on their way: who, where they stand, and what became of the mails they were to get.

    `is_mail_asked_for`: the mail of their step waits in the outbox already, so it is not told again.
    """

    person: Person
    enrollment: Enrollment
    mails: Mapping[str, Mail] = field(default_factory=dict)
    enrolled_at: datetime | None = None
    is_mail_asked_for: bool = False


def mails_ahead(
    program: Program,
    people: Sequence[OnTheWay],
    behavior: Behavior,
    world: World,
    *,
    start: datetime,
    length: timedelta,
    winners: Mapping[str, str],
    seed: int = 0,
) -> list[list[Sent]]:
    """The mails each of them would get from `start` on, in the order in which they were given."""
    rehearsal = Rehearsal(program, world, behavior, start, start + length, seed, winners=dict(winners))
    lives = [_go_on(rehearsal, one, number) for number, one in enumerate(people)]
    ahead = [(at, number) for number, life in enumerate(lives) if (at := life.next_at) is not None]
    heapq.heapify(ahead)
    while ahead and ahead[0][0] <= rehearsal.ends_at:
        now, number = ahead[0]
        lives[number].go(max(now, start))
        following = lives[number].next_at
        if following is None:
            heapq.heappop(ahead)
        else:
            heapq.heapreplace(ahead, (following, number))
    return [_told(one, life.sent) for one, life in zip(people, lives, strict=True)]


def _go_on(rehearsal: Rehearsal, one: OnTheWay, number: int) -> Life:
    person = replace(one.person, enrollment_id=one.enrollment.id, arrives_at=None)
    life = Life(rehearsal, person, number, is_told=False)
    # Looking once more than needed changes nothing.
    life.enrollment = replace(one.enrollment, wake_at=one.enrollment.wake_at or rehearsal.begins_at)
    life.began_at = one.enrolled_at or rehearsal.begins_at
    life.post.mails = dict(one.mails)
    return life


def _told(one: OnTheWay, sent: Sequence[Sent]) -> list[Sent]:
    """Without the mail that is in the outbox: it is the first one, of the step they stand on."""
    is_known = one.is_mail_asked_for and sent and sent[0].step == one.enrollment.step
    return list(sent[1:] if is_known else sent)
