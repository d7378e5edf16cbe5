"""Looks at a campaign while it sends: stops it when its first readers do not want it, warns at a first complaint."""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from nurture.database.engine import Session
from nurture.delivery.notices import tell_caretakers
from nurture.delivery.pausing import store as pausing
from nurture.delivery.waves import store
from nurture.delivery.waves.rules import FIRST, Wave, find_stop

#: Who stops a campaign when nobody does.
BY_ITSELF = "nurture"


class Look(NamedTuple):
    """A campaign after somebody looked at it: its wave as it is to be kept, and whether its next mails decide much."""

    wave: Wave
    is_young: bool
    is_judged: bool = True


def look(session: Session, wave: Wave, now: datetime) -> Look:
    """Judge a campaign by what became of its mails so far. Its row is locked."""
    record = store.record_of(session, wave)
    is_young = record.mailed <= FIRST
    as_it_was, wave = wave, replace(wave, looked_at=now)
    because = find_stop(record)
    if because is not None:
        if not pausing.pause(session, wave.campaign, because, BY_ITSELF, now):
            # It stands still for another reason. Whoever lets it go on knows of that one only: it is judged anew then.
            return Look(as_it_was, is_young, is_judged=False)
        _tell(session, wave.campaign, because, now, key=f"stopped:{wave.campaign}:{now:%Y%m%d%H%M%S}", is_stopped=True)
        return Look(replace(wave, judged_from=now, mailed_before=store.count_mailed(session, wave.campaign)), True)
    if record.complained and wave.warned_at is None:
        _warn(session, wave.campaign, _first_complaint(record.complained), now)
        wave = replace(wave, warned_at=now)
    return Look(wave, is_young)


def take_complaint(session: Session, campaign: str, now: datetime) -> None:
    """A reader complained: that is told at once the first time, though nothing more of the campaign may be due for days."""
    # Whoever looks at the campaign later tells of it by the same key, which makes one mail of both.
    if not store.was_warned_of(session, campaign):
        _warn(session, campaign, _first_complaint(1), now)


def _first_complaint(complained: int) -> str:
    return "a reader called its mail spam" if complained == 1 else f"{complained:,} readers complained"


def _warn(session: Session, campaign: str, because: str, now: datetime) -> None:
    _tell(session, campaign, because, now, key=f"complaint:{campaign}", is_stopped=False)


def _tell(session: Session, campaign: str, because: str, now: datetime, *, key: str, is_stopped: bool) -> None:
    facts = {"campaign": campaign, "because": because, "is_stopped": is_stopped}
    tell_caretakers(session, "stopped", key=key, facts=facts, now=now)
