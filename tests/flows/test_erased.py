"""Somebody is erased: no trace of their address stays but the hash that refuses them, and they can still leave."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from nurture.consent.identity.actions import change_address
from nurture.consent.rules import Proof
from nurture.contacts.addresses import read_address
from nurture.contacts.history.rules import Author
from nurture.contacts.store import Contact
from nurture.database.engine import Database
from nurture.privacy import erasing
from nurture.privacy.knowing import everything_about
from nurture.privacy.personal import KEPT, PERSONAL
from tests.flows.test_newsletter import FILES
from tests.support.imports import Importer
from tests.support.schema import METADATA
from tests.support.stories import Story, running_story

MONDAY = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)
ANA = "ana.secret@reader.example"


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    """Ana got the announcement, clicked, wrote to us, and Ben quoted her."""
    yield from _telling(database, tmp_path)


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    """The same on SQLite only, where the database plays no part."""
    yield from _telling(sqlite, tmp_path)


def _telling(database: Database, folder: Path) -> Iterator[Story]:
    with running_story(folder / "house", database.url, MONDAY, FILES) as told:
        told.add_contact(ANA, first_name="Ana")
        told.add_contact("ben@reader.example")
        told.live(hours=1)
        letter = told.letters_to(ANA)[0]
        told.ask(letter.pixel)
        told.write_to_us(letter.reply_to, f"Please call me. {ANA}", From=ANA)
        told.write_to_us(told.letters_to("ben@reader.example")[0].reply_to, f"Ask {ANA.upper()} instead.")
        told.live(hours=1)
        yield told


def erase(story: Story, email: str = ANA) -> Contact:
    contact = story.contact(email)
    with story.database.writing(durable=True) as session:
        erasing.begin(session, contact.address_hash, proof=Proof("a test", by="root"), now=story.now)
    erasing.finish(story.database, story.now)
    return contact


def files_of(story: Story) -> list[Path]:
    """Every file in which something of this house could stand."""
    places = list(story.app.folder.rglob("*"))
    if story.database.is_sqlite:
        file = Path(str(make_url(story.database.url).database))
        places += file.parent.glob(f"{file.name}*")
    return [path for path in places if path.is_file()]


def naming(story: Story, word: str) -> list[str]:
    """Which files and which places in the database have that word in them."""
    found = [str(path) for path in files_of(story) if word.encode().lower() in path.read_bytes().lower()]
    return found + [name for name in METADATA.tables for row in story.rows(name) if word.lower() in str(row).lower()]


def test_no_trace_of_the_address_stays_in_the_whole_folder_and_database(story: Story) -> None:
    """GDPR 17: rule 87 of the standards."""
    assert naming(story, ANA), "it was there before"
    contact = erase(story)
    assert naming(story, ANA) == []
    left = {name for name in METADATA.tables for row in story.rows(name) if contact.address_hash in str(row)}
    assert left == {*KEPT, "consent_event", "audit_entry"}
    assert "Ask (erased) instead." in str(story.rows("inbound_mail")), "what Ben wrote stays, without her address"
    assert any(row["contact_id"] is None and row["status"] == "sent" for row in story.rows("delivery"))


def test_an_earlier_address_is_erased_too_and_names_the_person_who_had_it(lite: Story) -> None:
    """Ben wrote the earlier one in a mail of his, and it is the one they give when they ask to be erased."""
    contact = lite.contact(ANA)
    with lite.database.writing(durable=True) as session:
        here = session.get_one(Contact, contact.id)
        change_address(session, here, read_address("new@reader.example"), lite.app.hasher, lite.now, Author("page"))
    with lite.database.writing(durable=True) as session:
        assert erasing.begin(session, contact.address_hash, proof=Proof("a test", by="root"), now=lite.now)
    assert erasing.finish(lite.database, lite.now) == 1
    assert naming(lite, ANA) == naming(lite, "new@reader.example") == []
    assert {row["address_hash"] for row in lite.rows("suppression")} == {
        contact.address_hash, lite.app.hasher.hash("new@reader.example")
    }  # fmt: skip


def test_whoever_was_erased_is_refused_when_a_file_brings_them_and_can_still_leave(lite: Story, tmp_path: Path) -> None:
    """Rules 31 and 87: the link of a mail they still have works, and a re-import is refused as erased."""
    letter = lite.letters_to(ANA)[0]
    erase(lite)
    summary = Importer(lite.database, lite.app.hasher, tmp_path, lite.now).take(f"email\n{ANA}\n")
    assert summary.created == 0
    lite.leave(letter)
    assert {row["reason"] for row in lite.rows("suppression")} == {"erased", "opt_out"}


def test_an_erasure_that_was_cut_off_goes_on_at_the_next_start(lite: Story) -> None:
    contact = lite.contact(ANA)
    with lite.database.writing(durable=True) as session:
        erasing.begin(session, contact.address_hash, proof=Proof("a test"), now=lite.now)
    assert naming(lite, ANA)
    lite.settle()  # as any engine does
    assert naming(lite, ANA) == []


def test_what_waits_for_somebody_is_not_sent_any_more(lite: Story) -> None:
    lite.stop_relay()
    cleo = lite.add_contact("cleo@reader.example")
    lite.settle()
    erase(lite, "cleo@reader.example")
    lite.start_relay()
    lite.live(days=1)
    assert lite.letters_to("cleo@reader.example") == []
    assert [row["status"] for row in lite.rows("delivery") if row["because"] == "erased"] == ["cancelled"]
    assert cleo.id not in {row["id"] for row in lite.rows("contact")}


def test_a_person_gets_everything_that_is_kept_about_them_as_json(lite: Story) -> None:
    """GDPR 15 and 20: rule 88 of the standards."""
    with lite.database.reading() as session:
        told = everything_about(session, lite.contact(ANA), lite.app.language, lite.now)
    document: dict[str, Any] = json.loads(json.dumps(told))
    kept = {one["table"]: one["rows"] for one in document["kept"]}
    assert {"contact", "consent", "consent_event", "delivery", "inbound_mail", "activity"} <= kept.keys()
    assert kept["contact"][0]["email"] == ANA
    assert kept["consent_event"][0]["how"]
    assert [one["topic"] for one in document["mail"]] == ["insights"]
    assert document["score"]["logic"]
    everybody = {trace.table: trace.hidden for trace in PERSONAL}
    assert not any(everybody[table] & row.keys() for table, rows in kept.items() for row in rows)


def test_the_daily_round_lets_go_of_what_is_old(story: Story) -> None:
    """GDPR 5(1)(e): rule 90 of the standards."""
    assert any(row["ip"] for row in story.rows("activity"))
    story.sleep(days=29)
    story.settle()
    assert any(row["ip"] for row in story.rows("activity"))
    story.sleep(days=3)
    story.settle()
    assert {(row["ip"], row["user_agent"]) for row in story.rows("activity")} == {("", "")}
    story.sleep(days=200)
    story.settle()
    assert {row["text"] for row in story.rows("inbound_mail")} == {""}
    assert any(row["facts"] for row in story.rows("delivery"))
    story.clock.step_to(MONDAY + timedelta(days=1100))
    story.settle()
    assert not any(row["facts"] for row in story.rows("delivery") if row["queued_at"] < story.now - timedelta(days=400))
    assert story.rows("activity") == []
