"""The ledger of consent: what is written down of every yes and no, and that nobody can rewrite it, not even our own code."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from ruamel.yaml import YAML
from sqlmodel import col

from nurture.campaigns.starter import starter_folder
from nurture.campaigns.store import Campaign, CampaignVersion, hash_of, write_content
from nurture.consent.actions import Said, choose_topic, choose_tracking, record
from nurture.consent.definition import FILE, KIND, NAME, ConsentDefinition
from nurture.consent.identity.actions import change_address
from nurture.consent.kind import starter_table
from nurture.consent.ledger.store import list_events
from nurture.consent.recording.rules import Mode
from nurture.consent.rules import Basis, ConsentPurpose, Pile, Proof, Purpose, may_send
from nurture.consent.store import ConsentEvent, add_event, consents_of, standings
from nurture.consent.suppressions.actions import opt_out
from nurture.contacts.addresses import read_address
from nurture.contacts.history.rules import Author
from nurture.contacts.store import Contact
from nurture.database.engine import Database, Session
from nurture.database.migrating import upgrade
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.people import TABLE, add_contact

SIGNED_UP = Proof(
    "form newsletter",
    wording="Yes, write to me about planning a plant, once a week.",
    wording_version="v3",
    page="https://acme.example/subscribe/newsletter",
    ip="203.0.113.7",
)


def say(session: Session, contact: Contact, basis: Basis, how: Proof | str) -> None:
    who = (contact.id, contact.address_hash, contact.country)
    said = Said(*who, "insights", "given", basis, NOW.date(), how, contact.domain)
    record(session, starter_table(), [said], NOW)


def publish_starter_table(session: Session) -> None:
    """As if somebody had published the table that nurture ships."""
    file = (starter_folder() / "campaigns" / FILE).read_text(encoding="utf-8")
    text = write_content(ConsentDefinition.model_validate(YAML(typ="safe").load(file)).model_dump(mode="json"))
    campaign = Campaign(kind=KIND, name=NAME, file=f"campaigns/{FILE}")
    session.add(campaign)
    session.flush()
    version = CampaignVersion(
        campaign_id=campaign.id, number=1, content=text, hash=hash_of(text), published_at=NOW, published_by="a test"
    )
    session.add(version)
    session.flush()
    campaign.version_id = version.id


def test_the_ledger_keeps_who_when_how_the_exact_words_shown_with_their_version_and_when_it_ends(
    database: Database, hasher: AddressHasher
) -> None:
    """GDPR 7(1): who, when, how, the text shown, its version, the page, the IP address."""
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW, topic=None, country="CA")
        say(session, ana, Basis.INQUIRY, SIGNED_UP)
        choose_tracking(session, ana, wanted=Mode.LAST_OPEN_DATE, how=Proof("page", ip="203.0.113.8"), now=NOW)
        choose_topic(session, ana, "insights", wanted=False, how=Proof("telephone", by="luis@acme.example"), now=NOW)
        first, tracking, left = list_events(session, ana.address_hash)
    assert (first.what, first.basis, first.given_on, first.recorded_at) == ("given", "inquiry", NOW.date(), NOW)
    assert first.expires_at is not None
    assert first.expires_at.date().isoformat() == "2026-09-10", "six months after the inquiry"
    assert Proof(first.how, first.said_by, first.wording, first.wording_version, first.page, first.ip) == SIGNED_UP
    assert (tracking.purpose, tracking.what, tracking.topic, tracking.ip) == (
        "tracking", "last_open_date", "", "203.0.113.8",
    )  # fmt: skip
    assert (left.what, left.how, left.said_by, left.wording) == ("withdrawn", "telephone", "luis@acme.example", "")


@pytest.mark.parametrize(
    "change",
    [
        sa.update(ConsentEvent).values(what="refused"),
        sa.update(ConsentEvent).values(wording="Yes to everything."),
        sa.update(ConsentEvent).values(recorded_at=NOW - timedelta(days=900)),
        sa.update(ConsentEvent).values(ip="192.0.2.1"),
        sa.delete(ConsentEvent),
    ],
    ids=["what", "wording", "when", "ip", "delete"],
)
def test_the_database_refuses_to_change_or_delete_what_was_written(
    database: Database, hasher: AddressHasher, change: sa.Update | sa.Delete
) -> None:
    """GDPR 7(1): append only."""
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW, topic=None)
        say(session, ana, Basis.OPT_IN, SIGNED_UP)
    with pytest.raises(sa.exc.DBAPIError, match="append only"), database.writing() as session:
        session.execute(change)
    with database.reading() as session:
        assert [one.what for one in session.scalars(sa.select(ConsentEvent))] == ["given"]


def test_an_upgrade_puts_the_guard_in_place_again_and_erasure_still_takes_person_and_address_away(
    database: Database, hasher: AddressHasher
) -> None:
    upgrade(database)
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW, topic=None)
        say(session, ana, Basis.OPT_IN, SIGNED_UP)
        session.flush()
        session.execute(sa.update(ConsentEvent).values(contact_id=None, ip=""))
    with pytest.raises(sa.exc.DBAPIError, match="append only"), database.writing() as session:
        session.execute(sa.delete(ConsentEvent))
    with database.reading() as session:
        [kept] = list_events(session, hasher.hash("ana@reader.example"))
        assert (kept.contact_id, kept.ip, kept.wording) == (None, "", SIGNED_UP.wording)


def test_whoever_leaves_has_the_last_word_in_the_ledger_and_it_says_from_which_mail(
    database: Database, hasher: AddressHasher
) -> None:
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW)
        opt_out(session, ana.address_hash, how=Proof("one-click header", ip="203.0.113.9"), now=NOW, delivery_id=7)
        last = list_events(session, ana.address_hash)[-1]
    assert (last.what, last.how, last.ip, last.delivery_id) == ("opted_out", "one-click header", "203.0.113.9", 7)


@pytest.mark.parametrize(
    ("country", "basis", "months", "reason"),
    [("CA", Basis.CUSTOMER, 24, "expired"), ("CA", Basis.INQUIRY, 6, "expired"), ("DE", Basis.CUSTOMER, 24, "expired")],
)
def test_a_basis_that_ends_makes_somebody_unmailable_on_the_day_after(
    sqlite: Database, hasher: AddressHasher, country: str, basis: Basis, months: int, reason: str
) -> None:
    """CASL 10(10): two years from a purchase, six months from an inquiry; the day after that it is over."""
    with sqlite.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW, topic=None, country=country)
        say(session, ana, basis, "import")
        known = standings(session, [ana.id], "insights")[ana.id]
    assert known.expires_at is not None
    last_day = known.expires_at.replace(hour=12)
    assert (last_day.year * 12 + last_day.month) - (NOW.year * 12 + NOW.month) == months
    assert may_send(Purpose.CAMPAIGN, known, last_day).is_allowed
    after = may_send(Purpose.CAMPAIGN, known, last_day + timedelta(days=1))
    assert (after.is_allowed, after.reason) == (False, reason)
    assert known.law in after.because


@pytest.mark.parametrize(
    ("email", "country", "pile"),
    [
        ("ana@reader.example", "GB", Pile.ANNOUNCE),
        ("ana@gmail.com", "GB", Pile.ASK),
        ("ana@reader.example", "FR", Pile.ANNOUNCE),
        ("ana@laposte.net", "FR", Pile.ASK),
    ],
)
def test_somebody_we_met_is_judged_as_a_private_person_if_the_address_is_one(
    sqlite: Database, hasher: AddressHasher, email: str, country: str, pile: Pile
) -> None:
    with sqlite.writing() as session:
        ana = add_contact(session, hasher, email, NOW, topic=None, country=country)
        say(session, ana, Basis.MET, "a trade show")
        assert consents_of(session, [ana.id])[ana.id, "insights"].pile == pile


def test_a_yes_is_recorded_for_its_topic_and_purpose_only(sqlite: Database, hasher: AddressHasher) -> None:
    with sqlite.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW, topic=None, country="DE")
        choose_tracking(session, ana, wanted=True, how="a form", now=NOW, topic="insights")
        assert not may_send(Purpose.CAMPAIGN, standings(session, [ana.id], "insights")[ana.id], NOW).is_allowed
        said = Said(ana.id, ana.address_hash, "DE", "insights", "given", Basis.OPT_IN, NOW.date(), "a form")
        record(session, TABLE, [said], NOW)
        assert may_send(Purpose.CAMPAIGN, standings(session, [ana.id], "insights")[ana.id], NOW).is_allowed
        assert not may_send(Purpose.CAMPAIGN, standings(session, [ana.id], "events")[ana.id], NOW).is_allowed
        events = session.scalars(sa.select(ConsentEvent).order_by(col(ConsentEvent.id)))
        assert [(one.topic, one.purpose, one.what) for one in events] == [
            ("insights", "tracking", "given"), ("insights", "mail", "given"),
        ]  # fmt: skip


def test_a_new_address_is_judged_anew_and_what_was_said_of_the_old_one_stays_in_the_ledger(
    sqlite: Database, hasher: AddressHasher
) -> None:
    with sqlite.writing() as session:
        publish_starter_table(session)
    with sqlite.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW, topic=None, country="GB")
        say(session, ana, Basis.MET, "a trade show")
        assert consents_of(session, [ana.id])[ana.id, "insights"].pile == Pile.ANNOUNCE
        change_address(session, ana, read_address("ana@gmail.com"), hasher, NOW, Author("page", ""))
        session.expire_all()
        assert consents_of(session, [ana.id])[ana.id, "insights"].pile == Pile.ASK
        assert [one.how for one in list_events(session, ana.address_hash)] == []
        assert [one.how for one in list_events(session, ana.address_hash, ana.id)] == ["a trade show"]


def test_who_takes_an_address_that_left_a_topic_has_left_it(database: Database, hasher: AddressHasher) -> None:
    """Whoever had it was erased since, or is somebody whom a restored database does not know."""
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW)
        add_event(
            session, Proof("a page"), contact_id=None, address_hash=hasher.hash("ana@new.example"), topic="insights",
            purpose=ConsentPurpose.MAIL, what="withdrawn", recorded_at=NOW,
        )  # fmt: skip
        assert may_send(Purpose.CAMPAIGN, standings(session, [ana.id], "insights")[ana.id], NOW).is_allowed
        change_address(session, ana, read_address("ana@new.example"), hasher, NOW, Author("page", ""))
        session.expire_all()
        verdict = may_send(Purpose.CAMPAIGN, standings(session, [ana.id], "insights")[ana.id], NOW)
        assert verdict.reason == "withdrawn"


def test_the_ledger_of_an_address_is_found_whoever_has_or_had_it(database: Database, hasher: AddressHasher) -> None:
    with database.writing() as session:
        ana = add_contact(session, hasher, "ana@reader.example", NOW, topic=None)
        say(session, ana, Basis.MET, "a trade show")
        earlier = ana.address_hash
        change_address(session, ana, read_address("ana@elsewhere.example"), hasher, NOW, Author("page", ""))
        bea = add_contact(session, hasher, "ana@reader.example", NOW, topic=None)
        say(session, bea, Basis.CUSTOMER, "an order")
        opt_out(session, "nobody", how="a page", now=NOW)
        opt_out(session, ana.address_hash, how="a mail", now=NOW)
    with database.reading() as session:
        told = {
            one: [event.how for event in list_events(session, *one)]
            for one in [
                (earlier, None),
                (earlier, bea.id),
                (ana.address_hash, None),
                (ana.address_hash, ana.id),
                ("nobody", None),
            ]
        }
    assert told == {
        (earlier, None): ["a trade show", "an order"],
        (earlier, bea.id): ["a trade show", "an order"],
        (ana.address_hash, None): ["a mail"],
        (ana.address_hash, ana.id): ["a trade show", "a mail"],
        ("nobody", None): ["a page"],
    }
