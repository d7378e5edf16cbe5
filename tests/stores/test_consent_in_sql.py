"""`may_send` and its SQL form are one rule, whatever is known about a person."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col

from nurture.consent import actions as consent_actions
from nurture.consent import store
from nurture.consent.definition import CLOSED_TABLE
from nurture.consent.domains import store as domains
from nurture.consent.domains.rules import Spelling, Verdict
from nurture.consent.holds.store import Hold
from nurture.consent.law.rules import ConsentTable
from nurture.consent.recording.rules import Mode, Recording, Word, is_tracked_for
from nurture.consent.rules import (
    Basis,
    ConsentPurpose,
    Pile,
    Purpose,
    is_subscribed,
    may_send,
)
from nurture.consent.silence import store as silence
from nurture.consent.silence.rules import KeptBack
from nurture.consent.suppressions import actions
from nurture.consent.suppressions import store as suppressions
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts import store as contacts
from nurture.contacts.store import Contact, Operator
from nurture.database.engine import Database, Session
from nurture.errors import NotAllowed
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.people import add_contact

people = st.fixed_dictionaries(
    {
        "state": st.sampled_from([None, "given", "refused", "withdrawn", "none"]),
        "pile": st.sampled_from(list(Pile)),
        "afterwards": st.sampled_from(list(Pile)),
        "expires_at": st.sampled_from([None, NOW - timedelta(seconds=1), NOW, NOW + timedelta(seconds=1)]),
        "reasons": st.lists(st.sampled_from(list(SuppressionReason)), max_size=2, unique=True),
        "is_lifted": st.booleans(),
        "holds": st.lists(
            st.tuples(
                st.sampled_from(["contact", "domain"]),
                st.sampled_from([NOW - timedelta(seconds=1), NOW, NOW + timedelta(seconds=1), NOW + timedelta(days=9)]),
                st.booleans(),  # lifted
            ),
            max_size=3,
        ),
        "kept_back": st.sampled_from([None, None, *KeptBack]),
        "verdict": st.sampled_from([None, *Verdict]),
        "spelling": st.sampled_from(list(Spelling)),
    }
)


@given(st.lists(people, min_size=1, max_size=6), st.sampled_from(list(Purpose)))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_judge_and_its_sql_agree(
    database: Database, hasher: AddressHasher, known: list[dict[str, object]], purpose: Purpose
) -> None:
    with database.reading() as session:  # what is written in it is thrown away, so each example begins anew
        ids = [_add(session, hasher, number, one) for number, one in enumerate(known)]
        standings = store.standings(session, ids, "insights")
        by_rule = {i for i in ids if may_send(purpose, standings[i], NOW).is_allowed}
        clause = store.may_be_mailed(purpose, "insights", NOW)
        by_sql = set(session.scalars(sa.select(col(Contact.id)).where(col(Contact.id).in_(ids), clause)))
        subscribed = store.is_subscribed("insights", NOW)
        subscribed_by_sql = set(session.scalars(sa.select(col(Contact.id)).where(col(Contact.id).in_(ids), subscribed)))
        subscribed_by_rule = {i for i in ids if is_subscribed(standings[i], NOW)}
    assert by_sql == by_rule
    assert subscribed_by_sql == subscribed_by_rule


def _add(session: Session, hasher: AddressHasher, number: int, known: dict[str, object]) -> int:
    below = "mail." if number % 3 == 0 else ""
    contact = add_contact(session, hasher, f"p{number}@{below}reader{number % 2}.example", NOW, topic=None)
    if known["state"] is not None:
        row = {
            "contact_id": contact.id, "topic": "insights", "purpose": ConsentPurpose.MAIL, "state": known["state"],
            "basis": "opt-in", "given_on": None, "pile": known["pile"], "expires_at": known["expires_at"],
            "afterwards": known["afterwards"], "law": "", "changed_at": NOW,
        }  # fmt: skip
        store.save_consents(session, [row])
    reasons = known["reasons"]
    assert isinstance(reasons, list)
    for reason in reasons:
        if reason is SuppressionReason.DOMAIN:
            closed = contact.domain.removeprefix("mail.")  # below it, too
            suppressions.suppress_domain(session, closed, "a test", NOW)
            if known["is_lifted"]:
                suppressions.lift_domain(session, closed, NOW)
            continue
        suppressions.suppress(
            session, [{"address_hash": contact.address_hash, "reason": reason, "created_at": NOW, "how": "a test"}]
        )
        if known["is_lifted"]:
            suppressions.lift_suppression(session, contact.address_hash, reason, NOW)
    if known["kept_back"]:
        past = {
            **dict.fromkeys(silence.ContactPast.model_fields),
            "contact_id": contact.id,
            "kept_back": known["kept_back"],
        }
        silence.save_pasts(session, [past])
    domain = {
        "domain": contact.domain,
        "verdict": known["verdict"],
        "spelling": known["spelling"],
        "meant": "gmail.com",
    }
    domains.insert_domains(session, [{**domain, "because": "", "tries": 0, "ask_at": NOW}])
    holds = known["holds"]
    assert isinstance(holds, list)
    for whom, until, is_lifted in holds:
        session.add(
            Hold(
                contact_id=contact.id if whom == "contact" else None,
                domain=contact.domain if whom == "domain" else None,
                until=until,
                because="a deal",
                operator_id=_luis(session).id,
                placed_at=NOW - timedelta(days=1),
                lifted_at=NOW if is_lifted else None,
            )
        )
    session.flush()
    return contact.id


def _luis(session: Session) -> Operator:
    found = contacts.find_operator(session, "luis@acme.example")
    if found is None:
        found = Operator(email="luis@acme.example", name="Luis Ortega")
        session.add(found)
        session.flush()
    return found


def test_an_opt_out_is_for_the_address_known_or_not_and_counts_once(database: Database, hasher: AddressHasher) -> None:
    unknown = hasher.hash("stranger@reader.example")
    with database.writing() as session:
        contact = add_contact(session, hasher, "ana@reader.example", NOW)
        assert actions.opt_out(session, contact.address_hash, how="page", now=NOW)
        assert not actions.opt_out(session, contact.address_hash, how="page", now=NOW)
        assert actions.opt_out(session, unknown, how="one-click", now=NOW)
        permission = may_send(Purpose.CAMPAIGN, store.standings(session, [contact.id], "insights")[contact.id], NOW)
        assert permission.reason == "opt_out"
        assert [event.what for event in store.list_events(session, contact.address_hash)] == ["given", "opted_out"]
        assert [event.what for event in store.list_events(session, unknown)] == ["opted_out"]


def test_an_opt_out_can_be_undone_for_thirty_days_and_lifts_nothing_else(
    database: Database, hasher: AddressHasher
) -> None:
    with database.writing() as session:
        contact = add_contact(session, hasher, "ana@reader.example", NOW)
        actions.opt_out(session, contact.address_hash, how="page", now=NOW)
        actions.suppress(session, contact.address_hash, SuppressionReason.COMPLAINT, how="feedback loop", now=NOW)
        with pytest.raises(NotAllowed, match="more than 30 days ago"):
            actions.undo_opt_out(session, contact.address_hash, how="page", now=NOW + timedelta(days=31))
        assert actions.undo_opt_out(session, contact.address_hash, how="page", now=NOW + timedelta(days=29))
        assert set(suppressions.suppressions_of(session, [contact.address_hash])[contact.address_hash]) == {"complaint"}


def test_leaving_one_topic_keeps_the_basis_for_coming_back(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        contact = add_contact(session, hasher, "ana@reader.example", NOW)
        assert consent_actions.choose_topic(session, contact, "insights", wanted=False, how="preferences", now=NOW)
        assert not _may(session, contact.id)
        assert consent_actions.choose_topic(session, contact, "insights", wanted=True, how="preferences", now=NOW)
        assert _may(session, contact.id)


def _may(session: Session, contact_id: int) -> bool:
    return may_send(Purpose.CAMPAIGN, store.standings(session, [contact_id], "insights")[contact_id], NOW).is_allowed


def test_a_changed_table_is_applied_to_everybody_known(
    database: Database, hasher: AddressHasher, now: datetime
) -> None:
    with database.writing() as session:
        contact = add_contact(session, hasher, "ana@reader.example", now, basis=Basis.CUSTOMER)
        assert _may(session, contact.id)
        found = store.list_to_judge(session, [contact.id])
        assert consent_actions.judge_again(session, CLOSED_TABLE, found, now) == 1
        session.flush()
        assert not _may(session, contact.id)


words = st.fixed_dictionaries(
    {
        "country": st.sampled_from([None, "DE", "US", "de", ""]),
        "created_at": st.sampled_from([NOW - timedelta(days=days) for days in (0, 7, 8)]),
        "said": st.none()
        | st.tuples(
            st.sampled_from(list(Mode)),
            st.sampled_from([NOW - timedelta(days=7, microseconds=step) for step in (-1, 0, 1)]),
        ),
    }
)


@given(
    st.lists(words, min_size=1, max_size=6),
    st.sampled_from([frozenset[str](), frozenset({"DE"}), frozenset({"DE", "*"})]),
    st.sampled_from([frozenset[str](), frozenset({"US"})]),
    st.sampled_from([Mode.FULL, Mode.FULL, Mode.LAST_OPEN_DATE]),
    st.sampled_from([timedelta(), timedelta(days=7)]),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_who_has_been_tracked_for_how_long_is_the_same_in_sql(
    database: Database,
    hasher: AddressHasher,
    known: list[dict[str, Any]],
    ask_first: frozenset[str],
    date_only: frozenset[str],
    house: Mode,
    length: timedelta,
) -> None:
    here = Recording(ConsentTable((), ask_first, date_only), house)
    with database.reading() as session:
        people = {}
        for number, one in enumerate(known):
            contact = add_contact(
                session, hasher, f"p{number}@reader.example", one["created_at"], topic=None, country=one["country"]
            )
            if one["said"]:
                mode, at = one["said"]
                consent_actions.choose_tracking(session, contact, wanted=mode, how="a test", now=at)
            word = Word(*one["said"]) if one["said"] else None
            people[contact.id] = here.since(one["country"], one["created_at"], word)
        by_rule = {i for i, since in people.items() if is_tracked_for(length, since, NOW)}
        clause = store.is_tracked_for(length, here, NOW)
        by_sql = set(session.scalars(sa.select(col(Contact.id)).where(col(Contact.id).in_(people), clause)))
    assert by_sql == by_rule
