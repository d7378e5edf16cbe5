"""People of a claim who never had a mail from here: which campaigns meet them, and in which wave."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from nurture.consent.rules import Purpose
from nurture.consent.silence.rules import turn_of
from nurture.database.engine import Session
from nurture.delivery.claimed import Row
from nurture.delivery.pacing.granting import Memory, Place
from nurture.delivery.pacing.lanes import Lane, Limit
from nurture.delivery.pacing.rules import Road, Wait
from nurture.delivery.rules import HeldBecause
from nurture.delivery.waves import store
from nurture.delivery.waves.actions import look
from nurture.delivery.waves.rules import LOOK_AFTER, LOOK_EVERY, Wave, place_of

#: Whose mails line up before the first wave, so that those go first who were most recently in touch. A newsletter's
#: announcement has a line of its own, and its issues go to whoever had that.
_LINES_UP = "sequence:"


@dataclass
class Meeting:
    """First mails of a claim: who stands in line, who asks for a place in a wave."""

    waves: dict[str, Wave] = field(default_factory=dict)
    in_line: dict[int, Wait] = field(default_factory=dict)
    first_mails: dict[int, tuple[Road, Place]] = field(default_factory=dict)
    roads: dict[str, Road] = field(default_factory=dict)
    turns: dict[int, int] = field(default_factory=dict)  # by delivery
    as_read: Mapping[str, Wave] = field(default_factory=dict)

    @property
    def is_any(self) -> bool:
        return bool(self.in_line or self.first_mails)

    def in_order(self, claimed: Sequence[Row]) -> Sequence[Row]:
        """The mails of the claim, of the first ones those first whose readers were most recently in touch."""
        return sorted(claimed, key=lambda one: self.turns.get(one.id, 0)) if self.first_mails else claimed

    def spread(self, held: Mapping[int, Wait]) -> dict[int, Wait]:
        """Those who wait for the next wave come back in the order of the line."""
        words = {road.because for road in self.roads.values()}
        return {
            i: Wait(wait.because, wait.until + place_of(self.turns[i]))
            if wait.because in words and i in self.turns
            else wait
            for i, wait in held.items()
        }

    def keep(self, session: Session) -> None:
        """Count who got a place."""
        for campaign, road in self.roads.items():
            if road.taken:
                self.waves[campaign] = replace(self.waves[campaign], people=self.waves[campaign].people + road.taken)
        store.save(session, [one for name, one in self.waves.items() if one != self.as_read[name]])


def meet(session: Session, claimed: Sequence[Row], first: int, now: datetime, memory: Memory | None) -> Meeting:
    """Look at the campaigns of a claim, and find the first mails in it; `first` 0: nobody waits for a wave."""
    mails = [one for one in claimed if one.purpose == Purpose.CAMPAIGN]
    if memory is not None:
        memory.claimed.update([one.campaign for one in mails])
    fresh = _first_mails(session, mails) if first else []
    passed = _passed(mails, memory)
    wanted = {one.campaign for one in fresh} | passed | _not_looked_at({one.campaign for one in mails}, memory, now)
    if not wanted:
        return Meeting()
    as_read = store.lock_waves(session, sorted(wanted))
    meeting = Meeting(_look_at_all(session, as_read, passed, memory, now), as_read=as_read)
    if not fresh:
        meeting.keep(session)
        return meeting
    signs = store.last_signs(session, [one.contact_id or 0 for one in fresh])
    for one in fresh:
        meeting.turns[one.id] = turn_of(signs.get(one.contact_id or 0), now.date())
        _find_place(session, meeting, one, first, now)
    return meeting


def _look_at_all(
    session: Session, waves: Mapping[str, Wave], passed: set[str], memory: Memory | None, now: datetime
) -> dict[str, Wave]:
    """Judge those that have not been looked at for a minute, or for many mails; all of them as they stand then."""
    found = dict(waves)
    for name, wave in waves.items():
        is_young, is_judged = None, True
        if name in passed or wave.is_to_be_looked_at(now):
            found[name], is_young, is_judged = look(session, wave, now)
        if memory is not None and is_judged:
            memory.note_look(name, now, is_young=is_young)
    return found


def look_once_more(session: Session, memory: Memory, now: datetime) -> None:
    """At the end of a run: what its last mails met with tells of the next ones, which may be days away."""
    campaigns = sorted(memory.young.keys() & memory.claimed)
    if campaigns:
        waves = store.lock_waves(session, campaigns)
        looks = {name: look(session, wave, now).wave for name, wave in waves.items()}
        store.save(session, [one for name, one in looks.items() if one != waves[name]])


def _passed(mails: Sequence[Row], memory: Memory | None) -> set[str]:
    """The campaigns whose first mails are on their way, and of which this sender took many since it looked at them."""
    if memory is None or not memory.young:
        return set()
    young = memory.young
    young.update(Counter([one.campaign for one in mails if one.campaign in young]))
    return {name for name, count in young.items() if count >= LOOK_AFTER}


def _not_looked_at(campaigns: set[str], memory: Memory | None, now: datetime) -> set[str]:
    """Those of these campaigns at which this sender did not look within a minute."""
    known = memory.looked_at if memory is not None else {}
    return {one for one in campaigns if one not in known or not known[one] <= now < known[one] + LOOK_EVERY}


def _first_mails(session: Session, mails: Sequence[Row]) -> list[Row]:
    """Of these mails those whose reader never had one from here. An issue goes to whoever had the announcement."""
    asked = [one for one in mails if one.issue_id is None and one.contact_id is not None and not one.attempts]
    known = store.mailed_before(session, [one.contact_id for one in asked if one.contact_id]) if asked else set()
    return [one for one in asked if one.contact_id not in known]


def _find_place(session: Session, meeting: Meeting, one: Row, first: int, now: datetime) -> None:
    campaign = one.campaign
    wave = meeting.waves[campaign]
    is_new = wave.number == 0 and wave.lined_up_at is None and campaign.startswith(_LINES_UP)
    if is_new and store.is_more_queued(session, campaign, first):
        wave = meeting.waves[campaign] = replace(wave, lined_up_at=now)
    until = wave.lines_up_until(meeting.turns[one.id], now)
    if until is not None:
        meeting.in_line[one.id] = Wait(f"{HeldBecause.FIRST_WAVE}: {campaign} lines up", until)
        return
    if campaign not in meeting.roads:
        wave = meeting.waves[campaign] = wave.now(first, now)
        meeting.roads[campaign] = Road(
            Lane(f"wave:{campaign}", Limit(), campaign),
            now,
            room=wave.room(first),
            opens_at=wave.ends_at(now),
            because=wave.because,
        )
    began_at = meeting.waves[campaign].began_at or now
    meeting.first_mails[one.id] = meeting.roads[campaign], Place(campaign, None, began_at)
