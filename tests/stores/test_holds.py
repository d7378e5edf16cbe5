"""Hands off: what a hold keeps back, who may place one, and what follows when it ends."""

from datetime import datetime, timedelta

import pytest

from nurture.consent.holds import store
from nurture.consent.holds.actions import LONGEST, find_target, lift, place
from nurture.consent.rules import Permission, Purpose, may_send
from nurture.consent.store import standings
from nurture.consent.suppressions.actions import opt_out
from nurture.contacts.store import Contact, Operator, list_changed
from nurture.database.claiming import hold_lock
from nurture.database.engine import Database, Session
from nurture.delivery.holds import follow_holds
from nurture.errors import BadInput, NotAllowed, NotFound
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.people import add_contact

MONTH = timedelta(days=30)


def people(session: Session, hasher: AddressHasher) -> dict[str, Contact]:
    """Ana and Ben belong to Luis and work at one company, Cal to Mei at another one; Dana is in marketing."""
    operators = {
        name: Operator(email=f"{name}@acme.example", name=name.title(), role=role)
        for name, role in (("luis", "rep"), ("mei", "rep"), ("dana", "marketing"))
    }
    session.add_all(operators.values())
    session.flush()
    return {
        email.partition("@")[0]: add_contact(
            session, hasher, email, NOW, company=company, owner_id=operators[owner].id
        )
        for email, company, owner in (
            ("ana@reader.example", "Reader & Sons", "luis"),
            ("ben@reader.example", "Reader & Sons", "luis"),
            ("cal@other.example", "Other", "mei"),
            ("deb@gmail.com", "Alone", "luis"),
        )
    }  # fmt: skip


def permission(
    session: Session, contact: Contact, purpose: Purpose = Purpose.CAMPAIGN, at: datetime = NOW
) -> Permission:
    return may_send(purpose, standings(session, [contact.id], "insights")[contact.id], at)


def test_a_hold_says_who_until_when_and_why_and_ends_by_itself(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        known = people(session, hasher)
        place(session, find_target(session, "ana@reader.example"), length=MONTH, because=" negotiating ", now=NOW)
        held = permission(session, known["ana"])
        assert held == Permission(False, "hold", "Luis holds them until 2026-04-09: “negotiating”", NOW + MONTH)
        assert permission(session, known["ana"], Purpose.SERVICE).is_allowed
        assert permission(session, known["ben"]).is_allowed
        assert permission(session, known["ana"], at=NOW + MONTH).is_allowed


def test_an_opt_out_beats_a_hold(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        known = people(session, hasher)
        place(session, find_target(session, "ana@reader.example"), length=MONTH, because="a deal", now=NOW)
        opt_out(session, known["ana"].address_hash, how="page", now=NOW)
        assert permission(session, known["ana"]) == Permission(False, "opt_out", "opted out on 2026-03-10")


@pytest.mark.parametrize("company", ["reader.example", "Reader.Example", "reader & sons"])
def test_a_company_is_everybody_at_its_domain(database: Database, hasher: AddressHasher, company: str) -> None:
    with database.writing() as session:
        known = people(session, hasher)
        place(session, find_target(session, company), length=MONTH, because="a deal", now=NOW)
        assert [permission(session, known[one]).is_allowed for one in ("ana", "ben", "cal")] == [False, False, True]
        late = add_contact(session, hasher, "eve@reader.example", NOW)
        assert permission(session, late).reason == "hold", "who comes later is held, too"
        assert [(hold.domain, people) for hold, _, _, people in store.list_holds(session, NOW)] == [
            ("reader.example", 3)
        ]


def test_the_last_of_several_holds_counts_and_the_same_one_gives_way(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        known = people(session, hasher)
        ana, company = find_target(session, "ana@reader.example"), find_target(session, "reader.example")
        place(session, company, length=MONTH, because="first", now=NOW)
        place(session, ana, length=2 * MONTH, because="second", now=NOW)
        assert permission(session, known["ana"]).until == NOW + 2 * MONTH
        place(session, ana, length=timedelta(days=1), because="shorter", now=NOW)
        assert permission(session, known["ana"]).until == NOW + MONTH
        assert len(store.list_holds(session, NOW)) == 2


def test_only_the_owner_marketing_and_admins_may_hold(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        people(session, hasher)
        ana = find_target(session, "ana@reader.example")
        with pytest.raises(NotAllowed, match="belongs to Luis, not to Mei"):
            place(session, ana, length=MONTH, because="mine", by="mei@acme.example", now=NOW)
        _, by = place(session, ana, length=MONTH, because="theirs", by="Dana@acme.example", now=NOW)
        assert by.name == "Dana"


@pytest.mark.parametrize(
    ("target", "length", "because", "by", "sentence"),
    [
        ("gmail.com", MONTH, "x", "", "gmail.com is no company"),
        ("Alone", MONTH, "x", "", "private address"),
        ("eve@reader.example", MONTH, "x", "", "no such contact"),
        ("readr & sons", MONTH, "x", "", 'Did you mean "Reader & Sons"'),
        ("ana@reader.example", MONTH, " ", "", "say why"),
        ("ana@reader.example", LONGEST + timedelta(1), "x", "", "at most a year"),
        ("ana@reader.example", timedelta(0), "x", "", "more than nothing"),
        ("ana@reader.example", MONTH, "x", "luis@acme.exampl", 'Did you mean "luis@acme.example"'),
    ],
)
def test_what_makes_no_sense_is_refused(
    sqlite: Database, hasher: AddressHasher, target: str, length: timedelta, because: str, by: str, sentence: str
) -> None:
    with sqlite.writing() as session:
        people(session, hasher)
        with pytest.raises((BadInput, NotFound), match=sentence):
            place(session, find_target(session, target), length=length, because=because, by=by, now=NOW)


def test_a_company_of_many_owners_and_one_of_many_domains_must_be_told_apart(
    sqlite: Database, hasher: AddressHasher
) -> None:
    with sqlite.writing() as session:
        known = people(session, hasher)
        add_contact(session, hasher, "fay@reader.example", NOW, owner_id=known["cal"].owner_id)
        with pytest.raises(BadInput, match="several people own contacts there; say who holds them with --by"):
            place(session, find_target(session, "reader.example"), length=MONTH, because="x", now=NOW)
        add_contact(session, hasher, "gus@sons.example", NOW, company="Reader & Sons")
        with pytest.raises(BadInput, match=r'"Reader & Sons" is at reader.example, sons.example; say which'):
            find_target(session, "Reader & Sons")


def test_lifting_is_for_exactly_what_was_held(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        known = people(session, hasher)
        place(session, find_target(session, "reader.example"), length=MONTH, because="x", now=NOW)
        with pytest.raises(NotFound, match=r"nobody holds ana@reader.example alone, but everybody at reader.example"):
            lift(session, find_target(session, "ana@reader.example"), NOW)
        lift(session, find_target(session, "reader.example"), NOW)
        assert permission(session, known["ana"]).is_allowed


@pytest.mark.parametrize("is_lifted", [True, False])
def test_everybody_it_was_about_is_looked_at_again_however_many_they_are(
    database: Database, hasher: AddressHasher, is_lifted: bool
) -> None:
    with database.writing() as session:
        people(session, hasher)
        for number in range(250):
            add_contact(session, hasher, f"p{number}@reader.example", NOW, owner_id=None)
        company = find_target(session, "reader.example")
        place(session, company, length=MONTH, because="x", by="luis@acme.example", now=NOW)
    with database.reading() as session:
        counters = list_changed(session, "sequences", 1_000)
    end = NOW + MONTH
    assert follow(database, NOW) == 0, "while it is in force nobody has to be looked at"
    if is_lifted:
        end = NOW + timedelta(days=1)
        with database.writing() as session:
            lift(session, company, end)
    assert [follow(database, end) for _ in range(4)] == [200, 52, 0, 0]
    with database.reading() as session:
        again = [i for i, count in list_changed(session, "sequences", 1_000).items() if count > counters[i]]
        assert len(again) == 252


def follow(database: Database, now: datetime) -> int:
    with database.writing() as session:
        assert hold_lock(session, "holds")
        return follow_holds(session, now)
