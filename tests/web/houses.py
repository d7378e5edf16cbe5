"""A small house with its web server running: real files, a real database, real HTTP."""

import email
import email.policy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa

from nurture.app.house import App
from nurture.campaigns import store as campaigns
from nurture.campaigns.declared import get_declared
from nurture.campaigns.publishing import Reading, publish
from nurture.clock import SteppedClock
from nurture.consent.actions import Said, record
from nurture.consent.definition import get_table
from nurture.consent.rules import Basis, Purpose
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts import store as contacts
from nurture.contacts.actions import mirror_operators, new_contact
from nurture.contacts.addresses import read_address
from nurture.contacts.store import Contact
from nurture.delivery import composing
from nurture.delivery.actions import Intention, queue_deliveries
from nurture.delivery.facts import gather_facts, gather_people
from nurture.delivery.printed_urls import make_urls
from nurture.delivery.rules import Priority, Status
from nurture.delivery.store import Delivery, delivery_of_key
from nurture.delivery.urls import Via, leave_url
from nurture.sequences.kind import KIND as SEQUENCE
from nurture.tracking.recorder import Recorder
from nurture.tracking.store import answers_of
from nurture.web.server import WebServer, make_asgi
from tests.support.schema import METADATA
from tests.support.workspaces import SETTINGS, open_house, small_workspace

TOPICS = """
[[topics]]
name = "events"
label = "Events <near you>"
description = "Two or three a year."
"""

#: Links: 0 leads somewhere, 1 depends on the address, 2 holds what must be encoded with care.
LETTER = """\
<mjml><mj-head><mj-title>Report</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-text>Hello {{ contact.first_name | fallback("there") }}, here is <a href="https://acme.example/report">the report</a>,
<a href="https://acme.example/hello?to={{ contact.email | urlencode }}">your own page</a> and
<a href="https://bücher.example/straße?a=1&amp;b=%20%26&amp;c=ü#part">a page with a difficult address</a>.
Write to <a href="mailto:dana@acme.example">Dana</a>.</mj-text>
<mj-text><a href="{{ wish_url('information') }}">Tell me more</a>, <a href="{{ wish_url('demonstration') }}">show me</a>,
<a href="{{ wish_url('need') }}">we have a need</a>.</mj-text>
<mj-text>{{ sender.postal_address }} · <a href="{{ leave_url }}">Leave</a> · <a href="{{ preferences_url }}">Choose</a> ·
<a href="{{ view_url }}">Read it in a browser</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
LINK_COUNT = 3


@dataclass(frozen=True)
class Mail:
    """One mail that was sent, with its links as paths."""

    id: int
    contact_id: int | None
    address_hash: str
    pixel: str
    track: str  # path of the links, without their number
    leave: str
    header_leave: str
    preferences: str
    view: str
    wish: str  # without the kind
    message: EmailMessage

    def click(self, number: int) -> str:
        return f"{self.track}/{number}"

    @property
    def html(self) -> str:
        body = self.message.get_body(("html",))
        assert body is not None
        return str(body.get_content())

    def every_link(self) -> list[str]:
        """Every address of ours anywhere in the message: HTML, text and headers, as paths."""
        text = self.message.get_body(("plain",))
        assert text is not None
        places = f"{unescape(self.html)} {text.get_content()} {self.message['List-Unsubscribe']}"
        found = re.findall(r"http://127\.0\.0\.1:8000(/[^\s\"'<>)]+)", places)
        return sorted({link.rstrip(".,") for link in found})


@dataclass
class House:
    """An app with its server; time stands still unless a test steps it."""

    app: App
    clock: SteppedClock
    recorder: Recorder
    server: WebServer
    http: httpx2.Client

    def add_contact(self, address: str = "ana@reader.example", *, country: str | None = "US", **values: Any) -> Contact:
        """A contact who agreed to every topic."""
        now = self.clock.now()
        with self.app.database.writing() as session:
            row = new_contact(read_address(address), self.app.hasher, now, country=country, **values)
            contacts.insert_contacts(session, [row])
            said = [
                Said(
                    row["id"],
                    row["address_hash"],
                    country,
                    topic,
                    "given",
                    Basis.DOUBLE_OPT_IN,
                    date(2026, 1, 5),
                    "a test",
                )
                for topic in ("insights", "events")
            ]
            record(session, get_table(session), said, now)
        with self.app.database.reading() as session:
            contact = contacts.find_contact(session, address.lower())
            assert contact is not None
            return contact

    def send(self, contact: Contact | None, *, key: str = "first", sent_at: datetime | None = None) -> Mail:
        """A mail that has left; without a contact a test mail to one of us."""
        now = self.clock.now()
        with self.app.database.writing() as session:
            version = campaigns.find_current(session, SEQUENCE, "evaluators")
            assert version is not None
            name = f"{key}:{contact.id if contact else 'test'}"
            intention = Intention(
                key=name,
                purpose=Purpose.CAMPAIGN if contact else Purpose.TEST,
                campaign="sequence:evaluators",
                version_id=version[0],
                mail="report",
                priority=Priority.SEQUENCE,
                due_at=now,
                contact_id=contact.id if contact else None,
                test_address=None if contact else "luis@acme.example",
                topic="insights",
            )
            queue_deliveries(session, [intention], now)
            delivery = delivery_of_key(session, name)
            assert delivery is not None
            content = campaigns.get_content(session, delivery.version_id)
            uses = composing.get_mail(session, delivery).uses
            sample = Contact(
                **new_contact(read_address("sample@reader.example"), self.app.hasher, now, first_name="Sam")
            )
            delivery.facts = gather_facts(
                gather_people(session, [delivery.contact_id], answers_of),
                delivery,
                content,
                get_declared(session),
                now,
                uses,
                contact=None if contact else sample,
            )
            delivery.status = Status.SENT
            delivery.attempted_at = delivery.settled_at = sent_at or now
            session.add(delivery)
            session.flush()
            return self._as_mail(composing_session=session, delivery=delivery)

    def queue_next(self, mail: Mail) -> None:
        """Another mail of a sequence waits for the same person, under the key "next"."""
        with self.app.database.writing() as session:
            sent = session.get_one(Delivery, mail.id)
            intention = Intention(
                key="next",
                purpose=Purpose.CAMPAIGN,
                campaign=sent.campaign,
                version_id=sent.version_id,
                mail=sent.mail,
                priority=Priority.SEQUENCE,
                due_at=self.clock.now(),
                contact_id=mail.contact_id,
                enrollment_id=7,
                topic="insights",
            )
            queue_deliveries(session, [intention], self.clock.now())

    def _as_mail(self, *, composing_session: Any, delivery: Delivery) -> Mail:
        app = self.app
        recipient = composing.find_recipient(composing_session, delivery)
        assert recipient is not None
        address = composing.email_of_contact(composing_session, delivery)
        composed = composing.compose(
            composing.get_mail(composing_session, delivery), delivery, app.house, recipient, address
        )
        urls = make_urls(app.keys, "", delivery.id, recipient.address_hash, is_tracked=True)
        message = email.message_from_bytes(composed.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return Mail(
            id=delivery.id,
            contact_id=delivery.contact_id,
            address_hash=recipient.address_hash,
            pixel=urls.open,
            track=urls.click(0).removesuffix("/0"),
            leave=urls.leave,
            header_leave=leave_url(app.keys, "", Via.HEADER, delivery.id, recipient.address_hash),
            preferences=urls.preferences,
            view=urls.view,
            wish=urls.wish("").removesuffix("/"),
            message=message,
        )

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Everything in a table."""
        with self.app.database.reading() as session:
            return [dict(row) for row in session.execute(sa.select(METADATA.tables[table])).mappings()]

    def everything(self, *, but: tuple[str, ...] = ()) -> dict[str, list[str]]:
        """The whole database, to see that nothing changed."""
        return {name: sorted(map(str, self.rows(name))) for name in METADATA.tables if name not in but}

    def suppressions(self) -> list[tuple[str, str, bool]]:
        """Address hash, reason, and whether it still stands."""
        return [(row["address_hash"], row["reason"], row["lifted_at"] is None) for row in self.rows("suppression")]

    def has_left(self, mail: Mail) -> bool:
        with self.app.database.reading() as session:
            return "opt_out" in suppressions_of(session, [mail.address_hash]).get(mail.address_hash, {})

    def hits(self) -> list[dict[str, Any]]:
        """The stored opens and clicks, oldest first."""
        self.recorder.flush()
        return sorted(self.rows("activity"), key=lambda row: (row["occurred_at"], row["id"]))

    def erase(self, contact: Contact) -> None:
        """Take a person away as erasure does: the row is gone, the ledger keeps the hash, what mails held is empty."""
        tables = METADATA.tables
        with self.app.database.writing() as session:
            session.execute(sa.update(tables["consent_event"]).values(contact_id=None))
            session.execute(sa.update(tables["delivery"]).values(contact_id=None, facts=None))
            for name in ("consent", "changed_contact", "activity", "enrollment"):
                session.execute(sa.delete(tables[name]).where(tables[name].c.contact_id == contact.id))
            session.execute(sa.delete(tables["contact"]).where(tables["contact"].c.id == contact.id))

    def step(self, **length: float) -> None:
        self.clock.step_to(self.clock.now() + timedelta(**length))


_read: dict[tuple[str, tuple[tuple[str, str], ...]], Reading] = {}


@contextmanager
def running_house(
    folder: Path,
    url: str,
    now: datetime,
    *,
    shows_overview: bool = False,
    files: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[House]:
    """A house with everything published and its server on a free port."""
    more = {"settings.toml": SETTINGS + TOPICS, "templates/report.mjml": LETTER, **(files or {})}
    clock = SteppedClock(now)
    app = open_house(small_workspace(folder, **more), url, relay_port=2525, clock=clock, **(environment or {}))
    # The same files under the same settings read the same: compiling them takes most of a house's time, so each test process does it once.
    key = (repr(app.declared), tuple(sorted(more.items())))
    reading = _read[key] = _read.get(key) or app.read_files()
    with app.database.writing() as session:
        publish(session, app.kinds(), reading, published_by="a test", now=now)
        mirror_operators(session, app.declared.operators)
    recorder = Recorder(app.database, clock)
    server = WebServer(make_asgi(app, recorder, shows_overview=shows_overview))
    server.start()
    client = httpx2.Client(base_url=server.url, follow_redirects=False, timeout=30)
    try:
        yield House(app, clock, recorder, server, client)
    finally:
        client.close()
        server.stop()
        recorder.stop()
        app.close()


def words(answer: httpx2.Response) -> str:
    """What a page says, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", answer.text)).split())
