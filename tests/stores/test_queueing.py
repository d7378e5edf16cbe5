"""One mail for a crowd: the same rows in the outbox, whether it is queued at once or person by person."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col

from nurture.consent.holds.store import Hold
from nurture.consent.rules import Purpose
from nurture.contacts.store import Contact, Operator
from nurture.contacts.zones import zone_at
from nurture.database.chunks import ChunkSize
from nurture.database.columns import new_id, new_ids
from nurture.database.engine import Database, Session
from nurture.delivery.actions import Intention, queue_deliveries
from nurture.delivery.queueing.actions import Mail, queue_mail
from nurture.delivery.queueing.rules import Verdict
from nurture.delivery.remembered import store as remembered
from nurture.delivery.rules import Kind, Priority, Status
from nurture.delivery.store import Delivery
from nurture.newsletters.queueing.store import Judge, Meant
from nurture.newsletters.rules import Schedule
from nurture.newsletters.store import insert_readers
from nurture.timing import CONTACT, WeeklySlot, Window, parse_days, parse_hours
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.stores.test_outbox import a_version
from tests.support.crowds import add_person, people

ZONES = (None, "Europe/Berlin", "Asia/Tokyo", "America/New_York", "Nowhere/Atall")
COUNTRIES = (None, "DE", "US", "JP", "XX")
ANYBODY = Meant(("anybody",), "insights", sa.true)
UNLESS_DISQUALIFIED = Meant(("some",), "insights", lambda: col(Contact.stage) != "disqualified")
lives = st.tuples(people, st.sampled_from(ZONES), st.sampled_from(COUNTRIES), st.booleans(), st.booleans())
#: Each kind of mail queues in another way: an issue on the sender's clock or on each reader's, and an announcement.
KINDS = ("issue", "issue in readers' time", "announcement", "announcement in a window")


def mail_of(kind: str, version_id: int) -> Mail:
    """The mail as `newsletters.queueing` words it."""
    schedule = Schedule(WeeklySlot(1, parse_hours("09:00-10:00")[0]), zone_at("Europe/Berlin", None), "time" in kind)
    window = Window(parse_days("mon-fri"), *parse_hours("09:00-10:00"), holidays=("DE", CONTACT))

    def word(timezone: str | None, country: str | None) -> Intention:
        zone = zone_at(timezone, country)
        return Intention(
            key=f"{kind}:77:",
            purpose=Purpose.CAMPAIGN,
            campaign="newsletter:weekly",
            version_id=version_id,
            mail="one",
            priority=Priority.NEWSLETTER,
            due_at=schedule.due_for(NOW, zone),
            issue_id=77 if "issue" in kind else None,
            topic="insights",
            kind=Kind.VALUE,
            window=window.in_country(country) if "window" in kind else None,
            zone=str(zone),
        )

    return Mail(word, NOW)


def queue_one_by_one(session: Session, ids: Sequence[int], mail: Mail) -> list[int]:
    """As it is done for everything that is not a crowd's."""
    intentions = []
    for contact in session.scalars(sa.select(Contact).where(col(Contact.id).in_(ids)).order_by(col(Contact.id))):
        shared = mail.at((contact.timezone, contact.country))
        own: dict[str, Any] = {"contact_id": contact.id, "domain": contact.domain}
        intentions.append(Intention(**{**vars(shared), **own, "key": f"{shared.key}{contact.id}"}))
    became = queue_deliveries(session, intentions, NOW)
    return [one.contact_id for one in intentions if one.contact_id and became.get(one.key) is Status.REFUSED]


def outbox(session: Session) -> list[Mapping[str, Any]]:
    """Every delivery with everything but its identifier."""
    columns = [one for one in Delivery.__table__.c if one.name != "id"]  # type: ignore[attr-defined]  # SQLModel does not declare it
    return [dict(row) for row in session.execute(sa.select(*columns).order_by(col(Delivery.key))).mappings()]


@given(st.lists(lives, min_size=1, max_size=8), st.sampled_from(KINDS))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_crowd_gets_the_rows_that_everybody_alone_would_get(
    database: Database, hasher: AddressHasher, known: list[tuple[Any, ...]], kind: str
) -> None:
    with database.reading() as session:  # what is written in it is thrown away, so each example begins anew
        version_id = a_version(session)
        ids = []
        for number, (standing, timezone, country, is_meant, had_it) in enumerate(known):
            ids.append(add_person(session, hasher, number, standing))
            contact = session.get_one(Contact, ids[-1])
            contact.timezone, contact.country = timezone, country
            contact.stage = "lead" if is_meant else "disqualified"
            if had_it:
                before = {"delivery_id": new_id(), "address_hash": contact.address_hash, "sent_at": NOW}
                remembered.remember(session, [{**before, "campaign": "newsletter:weekly", "mail": "one"}])
        session.flush()
        mail = mail_of(kind, version_id)
        meant = [one for one, (*_, is_meant, _) in zip(ids, known, strict=True) if is_meant]
        with session.begin_nested() as alone:
            refused_alone = queue_one_by_one(session, meant, mail)
            rows_alone = outbox(session)
            alone.rollback()
        judged = Judge().turns(session, ids, UNLESS_DISQUALIFIED, NOW)
        refused = queue_mail(session, judged, mail, NOW)
        rows = outbox(session)
    assert rows == rows_alone
    assert sorted(refused) == sorted(refused_alone)


def test_nobody_gets_a_second_row_for_the_same_mail(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        mail = mail_of("issue", a_version(session))
        ids = [add_person(session, hasher, number, WILLING) for number in range(4)]
        queue_mail(session, Judge().turns(session, ids[:2], ANYBODY, NOW), mail, NOW)
        before = outbox(session)
        queue_mail(session, Judge().turns(session, ids, ANYBODY, NOW), mail, NOW)
        assert [one["contact_id"] for one in outbox(session)] == sorted(ids)
        assert [one for one in outbox(session) if one["contact_id"] in ids[:2]] == before


def test_those_whose_turn_comes_first_are_claimed_first(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        mail = mail_of("announcement", a_version(session))
        ids = [add_person(session, hasher, number, WILLING) for number in range(5)]
        turns = [ids[3], ids[0], ids[4], ids[1], ids[2]]
        queue_mail(session, Judge().turns(session, turns, ANYBODY, NOW), mail, NOW)
        queued = session.scalars(sa.select(col(Delivery.contact_id)).order_by(col(Delivery.id)))
        assert list(queued) == turns


def test_readers_come_page_by_page_whoever_of_them_is_meant(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        ids = [add_person(session, hasher, number, WILLING) for number in range(6)]
        session.get_one(Contact, ids[1]).stage = "disqualified"
        rows = [
            {"newsletter": "weekly", "contact_id": one, "announced_at": NOW, "first_issue_from": NOW, "left_at": None}
            for one in ids
        ]
        rows[2]["first_issue_from"] = NOW + timedelta(days=7)
        rows[3]["left_at"] = NOW
        insert_readers(session, rows)
        session.flush()
        pages, after = [], 0
        judge = Judge()
        while found := judge.readers(session, "weekly", after, 2, NOW, UNLESS_DISQUALIFIED, NOW):
            pages.append([(one[0], Verdict(one[1])) for one in found])
            after = found[-1][0]
    assert pages == [
        [(ids[0], Verdict.MAY_BE_MAILED), (ids[1], Verdict.NOT_MEANT)],
        [(ids[4], Verdict.MAY_BE_MAILED), (ids[5], Verdict.MAY_BE_MAILED)],
    ]


@pytest.mark.parametrize("took", [0.001, 0.025, 0.5])
def test_the_next_chunk_takes_as_many_rows_as_the_lock_may_be_held_for(sqlite: Database, took: float) -> None:
    moments = iter([10.0, 10.0 + took])
    chunk = ChunkSize(lambda: next(moments))
    before = chunk.rows
    with sqlite.writing() as session, chunk.learning(session):
        pass
    assert chunk.rows == {0.001: 2 * before, 0.025: before, 0.5: before // 2}[took]


def test_a_chunk_of_a_few_says_nothing_about_how_many_fit_unless_it_took_too_long(sqlite: Database) -> None:
    moments = iter([1.0, 1.001, 2.0, 2.5, 3.0, 3.5])
    chunk, sizes = ChunkSize(lambda: next(moments), first=150, fewest=50), []
    for _ in range(3):
        with sqlite.writing() as session, chunk.learning(session) as piece:
            piece.rows = 3
        sizes.append(chunk.rows)
    assert sizes == [150, 75, 50]


def test_identifiers_taken_together_follow_each_other_and_none_comes_twice() -> None:
    taken = [*new_ids(3), new_id(), *new_ids(65_536), *new_ids(65_536), new_id(), *new_ids(1)]
    assert taken == sorted(set(taken))
    assert all(0 < one < 2**63 for one in taken)


#: Somebody who may be mailed about it.
WILLING: dict[str, object] = {
    "state": "given", "pile": "announce", "afterwards": "never", "expires_at": None, "reasons": [], "is_lifted": False,
    "holds": [], "kept_back": None, "verdict": None, "spelling": "",
}  # fmt: skip


def test_somebody_put_on_hold_between_two_chunks_is_held_in_the_second(
    database: Database, hasher: AddressHasher
) -> None:
    """The question about a crowd is written once, and asks about holds only where there are any."""
    judge = Judge()
    with database.writing() as session:
        ids = [add_person(session, hasher, number, WILLING) for number in range(3)]
        before = judge.turns(session, ids, ANYBODY, NOW)
        operator = Operator(email="luis@acme.example", name="Luis Ortega")
        session.add(operator)
        session.flush()
        session.add(
            Hold(
                contact_id=ids[1],
                until=NOW + timedelta(days=1),
                because="a deal",
                operator_id=operator.id,
                placed_at=NOW,
            )
        )
        session.flush()
        after = judge.turns(session, ids, ANYBODY, NOW)
    assert {one[1] for one in before} == {Verdict.MAY_BE_MAILED}
    assert [one[1] for one in after] == [Verdict.MAY_BE_MAILED, Verdict.MEANT, Verdict.MAY_BE_MAILED]
