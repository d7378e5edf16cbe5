"""What a worker has in hand of a row, and of the person it goes to, is what the database has."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nurture.contacts.store import Contact
from nurture.database.claiming import register_worker
from nurture.database.columns import new_id
from nurture.database.engine import Database
from nurture.delivery.actions import queue_deliveries
from nurture.delivery.claimed import Claimed, Person
from nurture.delivery.claiming.store import read_lines, take
from nurture.delivery.rules import Priority
from nurture.delivery.store import Delivery
from nurture.timing import Window, parse_days, parse_hours
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.stores.test_outbox import a_version, house, intention
from tests.support.people import add_contact

__all__ = ["house"]

MINUTE = timedelta(minutes=1)
WINDOW = Window(parse_days("mon-fri"), *parse_hours("09:00-17:00"))

#: Few values each, so that some neighbors are alike, some differ in one thing, and some come again after others.
mails = st.fixed_dictionaries(
    {
        "campaign": st.sampled_from(["newsletter:a", "newsletter:b"]),
        "mail": st.sampled_from(["one", "two"]),
        "sender": st.sampled_from(["default", "owner"]),
        "priority": st.sampled_from([Priority.SEQUENCE, Priority.NEWSLETTER]),
        "due_at": st.sampled_from([NOW, NOW - MINUTE]),
        "window": st.sampled_from([None, WINDOW]),
        "expires_at": st.sampled_from([None, NOW + MINUTE]),
    }
)


@given(st.lists(mails, min_size=2, max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_claimed_row_is_as_it_is_kept_and_the_most_urgent_come_first(
    house: Database, hasher: AddressHasher, wanted: Sequence[dict[str, object]]
) -> None:
    with house.writing() as session:
        people = [add_contact(session, hasher, f"p{new_id()}@reader.example", NOW) for _ in wanted]
        version = a_version(session)
        for person, more in zip(people, wanted, strict=True):
            person.fields, person.first_name = {"plan": "ä"}, "Zoë"
            queue_deliveries(session, [intention(session, person.id, f"k{new_id()}", version_id=version, **more)], NOW)
        session.flush()
        worker = register_worker(session)
        ids = take(session, worker, 100, NOW)
        lines = read_lines(session, worker, ids)
        session.expire_all()
        kept = [session.get_one(Delivery, i) for i in ids]
        assert len(lines) == len(wanted)
        assert ids == [one.id for one in sorted(kept, key=lambda one: (one.priority, one.due_at, one.id))]
        for line, row in zip(lines, kept, strict=True):
            assert line.claimed == Claimed._make(getattr(row, name) for name in Claimed._fields)
            assert line.claimed[: len(line.shared)] == line.shared
            contact = session.get_one(Contact, row.contact_id)
            assert line.person == Person._make(getattr(contact, name) for name in Person._fields)
        session.rollback()
