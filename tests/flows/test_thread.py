"""One thread through everything, with real processes: a CSV row becomes a mail, and an opt-out ends it.

And the promise that matters most: whatever is killed at whatever moment, nothing is lost and nothing is sent twice
without saying so.
"""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from nurture.app.house import App
from nurture.contacts.actions import get_contact
from nurture.database.engine import Database
from nurture.sequences import entries
from nurture.tracking.recorder import Recorder
from nurture.web.server import WebServer, make_asgi
from tests.support.commands import CommandLine
from tests.support.people import add_contact
from tests.support.relays import SmtpRelay, running_relay
from tests.support.workspaces import open_house, small_workspace

PEOPLE = 12
NAMES = [f"reader{number:02d}@reader.example" for number in range(PEOPLE)]


@pytest.fixture
def relay() -> Iterator[SmtpRelay]:
    with running_relay() as running:
        yield running


@pytest.fixture
def house(database: Database, relay: SmtpRelay, tmp_path: Path) -> Iterator[App]:
    """A workspace whose sequence of one step is published."""
    workspace = small_workspace(tmp_path / "workspace")
    opened = open_house(workspace, database.url, relay_port=relay.port)
    opened.publish(opened.read_files(), published_by="a test")
    yield opened
    opened.close()


@pytest.fixture
def commands(house: App, relay: SmtpRelay) -> CommandLine:
    """The command line at that workspace, which knows some people by now."""
    with house.database.writing() as session:
        for number, email in enumerate(NAMES):
            add_contact(session, house.hasher, email, house.clock.now(), first_name=f"Ana {number}")
    return CommandLine(
        house.folder,
        {
            "NURTURE_DATABASE__URL": house.database.url,
            "NURTURE_SMTP__PORT": str(relay.port),
            "NURTURE_SECRET": "a secret for tests",
            "NURTURE_SUPPRESSION_KEY": "a suppression key for tests",
        },
    )


def enroll(commands: CommandLine, *emails: str) -> None:
    for email in emails:
        assert commands.json("enroll", "evaluators", email)["enrolled"]


def enroll_quickly(house: App, *emails: str) -> None:
    """The same without a process for each."""
    with house.database.writing() as session:
        for email in emails:
            contact = get_contact(session, email)
            assert entries.enroll(
                session, house.language, "evaluators", contact, because="a test", now=house.clock.now()
            )


def test_a_row_of_a_csv_becomes_a_mail_and_the_link_in_it_ends_everything(
    commands: CommandLine, relay: SmtpRelay, house: App, tmp_path: Path
) -> None:
    ana, ben = "ana@from-csv.example", "ben@from-csv.example"
    (tmp_path / "people.csv").write_text(f"Email,First Name,Country\n{ana},Ana,US\n{ben},Ben,US\n")
    imported = commands.json("contacts", "import", str(tmp_path / "people.csv"), "--consent", "opt-in")
    assert (imported["created"], imported["may_announce"]) == (2, 2)
    assert {one["to"] for one in commands.json("publish")} == {1}
    enroll(commands, ana, ben)
    done = commands.json("run", "--once")
    assert (done["sent"], done["failed"], done["uncertain"]) == (2, 0, 0)
    [mail] = relay.to(ana)
    assert mail.message["Subject"] == "Your report, Ana"
    assert "the report" in mail.part("plain")

    door = str(mail.message["List-Unsubscribe"]).strip("<>")
    recorder = Recorder(house.database, house.clock)
    server = WebServer(make_asgi(house, recorder))
    server.start()
    try:
        path = door.partition("8000")[2]
        answer = httpx2.post(f"{server.url}{path}", data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    finally:
        server.stop()

    shown = commands.json("contacts", "show", ana)
    assert shown["mailable"] is False
    assert shown["refused_because"][0]["reason"] == "opt_out"
    _, why = commands.run("enroll", "evaluators", ana, code=1)
    assert "may not be mailed about insights: opted out on" in why
    assert commands.json("run", "--once")["sent"] == 0
    assert len(relay.to(ana)) == 1


def test_running_again_sends_nothing_again(commands: CommandLine, relay: SmtpRelay, house: App) -> None:
    enroll_quickly(house, NAMES[0])
    assert commands.json("run", "--once")["sent"] == 1
    assert commands.json("run", "--once")["sent"] == 0
    assert len(relay.arrived) == 1


def test_a_sender_killed_while_a_body_is_unanswered_leaves_that_one_mail_uncertain_and_loses_none(
    commands: CommandLine, relay: SmtpRelay, house: App
) -> None:
    enroll_quickly(house, *NAMES[:6])
    relay.hold_answers = threading.Event()
    sender = commands.start("run", "--once")
    assert relay.is_holding.wait(30)
    sender.send_signal(signal.SIGKILL)
    sender.communicate()
    relay.hold_answers.set()
    relay.hold_answers = None

    done = commands.json("run", "--once")
    deliveries = commands.json("deliveries")
    by_status = {one["email"]: one["status"] for one in deliveries}
    uncertain = [email for email, status in by_status.items() if status == "uncertain"]
    # As many as there were connections, at the most; each of them may have arrived, and is not sent again.
    assert 1 <= len(uncertain) <= 4
    assert done["sent"] == 6 - len(uncertain)
    assert all(len(relay.to(email)) == 1 for email in by_status if email not in uncertain)
    assert all(len(relay.to(email)) <= 1 for email in uncertain)
    assert sorted(set(by_status.values())) == ["sent", "uncertain"]

    first = next(one for one in deliveries if one["status"] == "uncertain")
    commands.run("deliveries", "resolve", first["id"], "--as", "sent")
    assert commands.json("deliveries", "--contact", first["email"])[0]["status"] == "sent"


def test_a_relay_that_is_down_costs_nothing_but_time(commands: CommandLine, relay: SmtpRelay, house: App) -> None:
    enroll_quickly(house, NAMES[0])
    away = CommandLine(commands.workspace, {**commands.environment, "NURTURE_SMTP__PORT": "1"})
    out, err = away.run("run", "--once")
    assert "0 sent" in out
    assert "The relay cannot be reached" in err
    assert commands.json("deliveries")[0]["attempts"] == 0
    assert commands.json("run", "--once")["sent"] == 1


def test_one_mail_the_relay_refuses_stops_none_behind_it(commands: CommandLine, relay: SmtpRelay, house: App) -> None:
    relay.on_rcpt = lambda address: "550 5.1.1 no such user" if address == NAMES[0] else None
    relay.on_data = lambda address: "451 4.3.0 try later" if address == NAMES[1] else None
    enroll_quickly(house, *NAMES[:4])
    done = commands.json("run", "--once")
    assert (done["sent"], done["failed"], done["deferred"]) == (2, 1, 1)
    found = {one["email"]: one for one in commands.json("deliveries")}
    assert found[NAMES[0]]["reply"] == "550 5.1.1 no such user"
    assert (found[NAMES[1]]["status"], found[NAMES[1]]["attempts"]) == ("queued", 1)


def test_a_pause_outlives_the_process_that_made_it(commands: CommandLine, relay: SmtpRelay, house: App) -> None:
    enroll_quickly(house, NAMES[0])
    commands.run("pause", "--because", "wrong price")
    assert commands.json("run", "--once")["sent"] == 0
    commands.run("resume")
    assert commands.json("run", "--once")["sent"] == 1
    assert len(relay.arrived) == 1


def test_two_processes_at_once_send_every_mail_once(commands: CommandLine, relay: SmtpRelay, house: App) -> None:
    enroll_quickly(house, *NAMES[:8])
    both = [commands.start("run", "--once", "--json") for _ in range(2)]
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert sorted(one.rcpt_to for one in relay.arrived) == sorted(NAMES[:8])
