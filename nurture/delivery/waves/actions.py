"""Looks at a campaign while it sends: stops it when its first readers do not want it, warns at a first complaint."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from nurture.database.engine import Session
from nurture.delivery.notices import tell_caretakers
from nurture.delivery.pausing import store as pausing
from nurture.delivery.waves import store
from nurture.delivery.waves.rules import Record, Wave, find_stop

#: Who stops a campaign when nobody does.
BY_ITSELF = "nurture"


def look(session: Session, wave: Wave, now: datetime) -> Wave:
    """Judge a campaign by what became of its mails so far. Its row is locked; the wave as it is to be kept."""
    record = store.record_of(session, wave)
    wave = replace(wave, looked_at=now)
    because = find_stop(record)
    if because is not None:
        if pausing.pause(session, wave.campaign, because, BY_ITSELF, now):
            _tell(session, wave.campaign, because, now, is_stopped=True)
        return replace(wave, judged_from=now, mailed_before=store.count_mailed(session, wave.campaign))
    if record.complained and wave.warned_at is None:
        _tell(session, wave.campaign, _first_complaint(record), now, is_stopped=False)
        return replace(wave, warned_at=now)
    return wave


def look_at_all(session: Session, waves: Iterable[Wave], now: datetime) -> dict[str, Wave]:
    """Judge those that have not been looked at for a minute; all of them as they stand then."""
    return {one.campaign: look(session, one, now) if one.is_to_be_looked_at(now) else one for one in waves}


def _first_complaint(record: Record) -> str:
    return "a reader called its mail spam" if record.complained == 1 else f"{record.complained:,} readers complained"


def _tell(session: Session, campaign: str, because: str, now: datetime, *, is_stopped: bool) -> None:
    facts = {"campaign": campaign, "because": because, "is_stopped": is_stopped}
    key = f"{'stopped' if is_stopped else 'complaint'}:{campaign}:{now:%Y%m%d%H%M%S}"
    tell_caretakers(session, "stopped", key=key, facts=facts, now=now)
