"""A prompt at a small workspace, and one at a house with something in it for every command."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from nurture.app import open_app
from nurture.app.house import App
from nurture.campaigns.agreements import agree
from nurture.campaigns.store import find_current_version, get_content, list_campaigns
from nurture.cli.starter import write_starter
from nurture.consent.domains.actions import meet_domains
from nurture.consent.rules import Purpose
from nurture.contacts import store as contacts
from nurture.contacts.actions import join_list
from nurture.database.engine import Session, sqlite_url
from nurture.database.installation import resume
from nurture.delivery.rules import Priority, Status
from nurture.delivery.store import Delivery
from nurture.handoff import actions as handoff
from nurture.handoff.accounts.actions import add_target
from nurture.handoff.rules import Reason
from nurture.handoff.store import HandOff, Task
from nurture.outgoing.rules import Status as CallStatus
from nurture.outgoing.store import Call
from nurture.sequences.entries import enroll
from nurture.settings import Settings, read_settings
from tests.support.databases import Databases
from tests.support.people import add_contact
from tests.support.relays import SmtpRelay, running_relay
from tests.support.terminals import Terminal
from tests.support.workspaces import small_workspace

#: The number that stands in the examples of the help.
NUMBER = 195964323924347425

#: The hours of the starter's sequence.
WINDOW = 'window: {days: mon-fri, hours: "09:00-17:00", timezone: contact, holidays: contact}'


@pytest.fixture(autouse=True)
def nothing_set_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine has set is nothing to a test."""
    for name in [name for name in os.environ if name.startswith("NURTURE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the prompt stands."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def make_terminal(
    tmp_path: Path,
    here: Path,
    databases: Databases,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Terminal]:
    def make(name: str = "workspace", **files: str) -> Terminal:
        workspace = small_workspace(tmp_path / name, **files)
        with databases.sqlite(workspace / ".nurture" / "nurture.db"):
            return Terminal(workspace, here, capsys, monkeypatch)

    return make


@pytest.fixture
def terminal(make_terminal: Callable[..., Terminal]) -> Terminal:
    """A prompt at a small workspace, of which nothing is published and which knows nobody."""
    return make_terminal()


@pytest.fixture
def relay() -> Iterator[SmtpRelay]:
    with running_relay() as running:
        yield running


@dataclass(frozen=True)
class Lived:
    """A starter workspace that has lived: published, people in it, mail sent, in doubt and to come, a lead waiting."""

    folder: Path


@pytest.fixture(scope="session")
def lived(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("lived")
    write_starter(folder, "Acme Inc., 12 Example Street, Berlin")
    with databases.sqlite(folder / ".nurture" / "nurture.db"):
        house = open_app(folder, settings=settings_of(folder))
        house.publish(house.read_files(), published_by="a test")
        with house.database.writing() as session:
            populate(session, house)
        house.close()
    return Lived(folder)


def settings_of(folder: Path) -> Settings:
    return read_settings(folder, {"NURTURE_DATABASE__URL": sqlite_url(folder / ".nurture" / "nurture.db")})


def say_yes(session: Session, now: datetime) -> None:
    """Everybody who works here has agreed to every mail in their name, so that nobody has to be asked."""
    for campaign in list_campaigns(session, "sequence"):
        assert campaign.version_id is not None
        for operator_id in contacts.list_operators(session):
            agree(session, operator_id, campaign.name, get_content(session, campaign.version_id), by="a test", now=now)
    session.execute(sa.delete(Delivery).where(col(Delivery.purpose) == Purpose.INTERNAL))


def populate(session: Session, house: App) -> None:
    """Ana is sales-ready and on her way, Ben may be mailed, Cal may not."""
    now = house.clock.now()
    luis = contacts.find_operator(session, "luis@acme.example")
    assert luis is not None
    known: dict[str, Any] = {"topic": "product-insights", "owner_id": luis.id}
    ana = add_contact(
        session, house.hasher, "ana@reader.example", now - timedelta(days=3), first_name="Ana", last_name="Ruiz",
        company="Reader & Sons", job_title="Plant Manager", **known,
    )  # fmt: skip
    add_contact(session, house.hasher, "ben@reader.example", now, first_name="Ben", **known)
    add_contact(
        session, house.hasher, "cal@reader.example", now, first_name="Cal", topic="product-insights", basis=None
    )
    meet_domains(session, {"reader.example", "gmial.com"}, now)
    join_list(session, "benchmark-report", [ana.id], now)
    say_yes(session, now)
    made = handoff.hand_off(session, handoff.get(session, house.language), ana, Reason.ENGAGED, [], now)
    session.execute(sa.update(HandOff).where(col(HandOff.id) == made.id).values(id=NUMBER))
    assert enroll(session, house.language, "evaluators", ana, because="a test", now=now)
    version_id = find_current_version(session, "sequence", "evaluators")
    assert version_id is not None
    for id_, status, reply in ((NUMBER, Status.UNCERTAIN, ""), (NUMBER + 1, Status.SENT, "250 2.0.0 taken")):
        session.add(
            Delivery(
                id=id_, key=f"a test {id_}", purpose=Purpose.CAMPAIGN, campaign="sequence:evaluators",
                version_id=version_id, mail="report", priority=Priority.SEQUENCE, contact_id=ana.id,
                domain="reader.example", topic="product-insights", status=status, reply=reply, attempts=1,
                message_id=f"<{id_}@acme.example>", queued_at=now - timedelta(days=2),
                due_at=now - timedelta(days=2), settled_at=now - timedelta(days=2), attempted_at=now - timedelta(days=2),
            )
        )  # fmt: skip
    session.add(
        Call(
            id=NUMBER, key="a test", url="http://127.0.0.1:9/hook", payload={"email": ana.email}, contact_id=ana.id,
            status=CallStatus.FAILED, because="the receiver refused it with 410", reply="410 gone", attempts=1,
            queued_at=now - timedelta(days=1), due_at=now - timedelta(days=1), settled_at=now,
        )
    )  # fmt: skip
    session.add(
        Task(
            id=NUMBER, key="a test", contact_id=ana.id, operator_id=luis.id, what="Call Ana",
            because="evaluators, step call", created_at=now - timedelta(days=1), due_at=now - timedelta(hours=3),
        )
    )  # fmt: skip
    add_target(session, "wanted.example", "mei@acme.example", now)
    session.flush()


@pytest.fixture
def house(
    lived: Lived, here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """A prompt at a workspace that has lived; whatever happens to it happens to a copy."""
    folder = tmp_path / "house"
    shutil.copytree(lived.folder, folder)
    opened = open_app(folder, settings=settings_of(folder))
    with opened.database.writing() as session:
        resume(session, home=opened.home, here=True)
    opened.close()
    return Terminal(folder, here, capsys, monkeypatch)


def be_silent(house: Terminal) -> None:
    """Announce nothing yet."""
    house.edit("campaigns/newsletters/weekly/announcement.md", "layout: letter", "layout: letter\nready: false")


@pytest.fixture
def working(house: Terminal, relay: SmtpRelay) -> Terminal:
    """A house with a relay, in which Ben's mail waits for no window and nothing is announced."""
    house.set(NURTURE_SMTP__PORT=str(relay.port), NURTURE_WEB__PORT="0")
    house.edit("campaigns/sequences/evaluators.yaml", WINDOW, "")
    be_silent(house)
    house.type("publish")
    house.type("enroll", "evaluators", "ben@reader.example")
    return house
