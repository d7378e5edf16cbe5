"""Brings a database up to what the journal beside it knows: the first thing that every start of sending does.

A database that was restored from a backup has forgotten who left since, whom it has mailed and who was erased. What the
journal has and the database does not is put back: every no, every mail as uncertain so that nobody gets it twice, every
erasure. A mark in the database says how far the two have been compared, so that a start reads only what is newer; a
restored database has an older mark. After a crash the same finds what was written down and never committed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from nurture.consent import replaying
from nurture.database.claiming import get_mark, hold_lock, set_mark
from nurture.database.engine import Database, Session
from nurture.database.journal import Place, drop_notes
from nurture.delivery.remembered import actions as remembered
from nurture.engines.stopping import Stopping
from nurture.figures import counted

_LOOKED_UP = 500
#: Putting one back takes about a millisecond, and nobody may hold the write lock of SQLite for more than 50.
_PUT_BACK = 30


@dataclass(frozen=True)
class CaughtUp:
    """What was put back: no's, and mails that the database believed unsent."""

    noes: int = 0
    mails: int = 0

    def __bool__(self) -> bool:
        return bool(self.noes or self.mails)

    def __str__(self) -> str:
        people = f"{self.noes:,} who said no since" if self.noes else ""
        mails = f"{counted(self.mails, 'mail')} sent before, now uncertain: not sent again" if self.mails else ""
        return f"Put back from the journal beside the database: {'; '.join(part for part in (people, mails) if part)}."


def catch_up(database: Database, now: datetime, stopping: Stopping | None = None) -> CaughtUp:
    """Compare what the journal has since the last time with the database, and put back what is missing.

    Asked to stop it goes no further, and the next one goes on from there; until then nothing may be sent.
    """
    journal = database.journal
    if journal is None or not journal.name:
        return CaughtUp()
    job, stopping = f"journal {journal.name}", stopping or Stopping()
    with database.reading() as session:
        mark = get_mark(session, job)
    done, place = CaughtUp(), Place.read(mark)
    # A no that was taken back long after it was said is not put back; what lies between are mostly mails.
    over: dict[tuple[str, ...], Place] = {}
    for chunk in _chunks(journal.entries(place), stopping):
        over |= {replaying.about(one): at for one, at in chunk if replaying.takes_back(one)}
    for chunk in _chunks(journal.entries(place), stopping):
        with database.reading() as session:
            news, judged = _list_news(session, chunk, over)
        for first in range(0, len(news), _PUT_BACK):
            done = _put_back(database, news[first : first + _PUT_BACK], done, now)
        if judged:
            place = chunk[judged - 1][1]
        if judged < len(chunk):
            break
    if str(place) != mark:
        with database.writing() as session:
            if hold_lock(session, job):
                set_mark(session, job, str(place))
    return done


def _chunks(
    entries: Iterator[tuple[dict[str, Any], Place]], stopping: Stopping
) -> Iterator[list[tuple[dict[str, Any], Place]]]:
    """None any more once it is to stop: whoever has not seen all of `over` then judges none of them either."""
    while not stopping.is_asked and (chunk := list(islice(entries, _LOOKED_UP))):
        yield chunk


def _list_news(
    session: Session, chunk: Sequence[tuple[Mapping[str, Any], Place]], over: Mapping[tuple[str, ...], Place]
) -> tuple[list[Mapping[str, Any]], int]:
    """What the database does not know of these entries, in their order, and how many of them could be judged."""
    entries = [entry for entry, _ in chunk]
    mails, judged = remembered.list_news(session, entries)
    standing = [entry for entry, at in chunk[:judged] if at >= over.get(replaying.about(entry), at)]
    noes = replaying.list_news(session, standing)
    wanted = {id(one) for one in (*mails, *noes)}
    return [one for one in entries[:judged] if id(one) in wanted], judged


def _put_back(database: Database, news: Sequence[Mapping[str, Any]], done: CaughtUp, now: datetime) -> CaughtUp:
    with database.writing(durable=True) as session:
        noes = replaying.put_back(session, news)
        mails = remembered.settle(session, [one for one in news if one["what"] in remembered.MAILS], now)
        drop_notes(session)  # it comes from there
    return replace(done, noes=done.noes + noes, mails=done.mails + mails)
