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
from nurture.consent.crowds import store as crowds
from nurture.consent.definition import CLOSED_TABLE
from nurture.consent.law.rules import ConsentTable
from nurture.consent.ledger import store as ledger
from nurture.consent.recording.rules import Mode, Recording, Word, is_tracked_for
from nurture.consent.rules import (
    Basis,
    Purpose,
    is_subscribed,
    may_send,
)
from nurture.consent.suppressions import actions
from nurture.consent.suppressions import store as suppressions
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts.store import Contact
from nurture.database.engine import Database, Session
from nurture.errors import NotAllowed
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.crowds import add_person, people
from tests.support.people import add_contact


@given(st.lists(people, min_size=1, max_size=6), st.sampled_from(list(Purpose)))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_judge_and_its_sql_agree(
    database: Database, hasher: AddressHasher, known: list[dict[str, object]], purpose: Purpose
) -> None:
    with database.reading() as session:  # what is written in it is thrown away, so each example begins anew
        ids = [add_person(session, hasher, number, one) for number, one in enumerate(known)]
        standings = store.standings(session, ids, "insights")
        by_rule = {i for i in ids if may_send(purpose, standings[i], NOW).is_allowed}
        clause = store.may_be_mailed(purpose, "insights", NOW)
        by_sql = set(session.scalars(sa.select(col(Contact.id)).where(col(Contact.id).in_(ids), clause)))
        at_once = crowds.may_be_mailed_of(crowds.rare_noes(session, NOW), "insights", NOW)
        by_crowd = set(session.scalars(sa.select(col(Contact.id)).where(col(Contact.id).in_(ids), at_once)))
        by_campaign_rule = {i for i in ids if may_send(Purpose.CAMPAIGN, standings[i], NOW).is_allowed}
        subscribed = store.is_subscribed("insights", NOW)
        subscribed_by_sql = set(session.scalars(sa.select(col(Contact.id)).where(col(Contact.id).in_(ids), subscribed)))
        subscribed_by_rule = {i for i in ids if is_subscribed(standings[i], NOW)}
    assert by_sql == by_rule
    assert by_crowd == by_campaign_rule
    assert subscribed_by_sql == subscribed_by_rule


def test_an_opt_out_is_for_the_address_known_or_not_and_counts_once(database: Database, hasher: AddressHasher) -> None:
    unknown = hasher.hash("stranger@reader.example")
    with database.writing() as session:
        contact = add_contact(session, hasher, "ana@reader.example", NOW)
        assert actions.opt_out(session, contact.address_hash, how="page", now=NOW)
        assert not actions.opt_out(session, contact.address_hash, how="page", now=NOW)
        assert actions.opt_out(session, unknown, how="one-click", now=NOW)
        permission = may_send(Purpose.CAMPAIGN, store.standings(session, [contact.id], "insights")[contact.id], NOW)
        assert permission.reason == "opt_out"
        assert [event.what for event in ledger.list_events(session, contact.address_hash)] == ["given", "opted_out"]
        assert [event.what for event in ledger.list_events(session, unknown)] == ["opted_out"]


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
