"""`nurture run`: the house at work, once or until somebody stops it."""

import json
import re
import shutil
import signal
import subprocess
import threading
import urllib.request
from datetime import datetime, timedelta
from typing import IO

import pytest
import sqlalchemy as sa
from sqlmodel import col

from nurture.clock import SystemClock
from nurture.contacts.store import Contact
from nurture.database.claiming import end_worker
from nurture.newsletters.store import Reader
from tests.cli.conftest import NUMBER, WINDOW, be_silent
from tests.support.commands import CommandLine
from tests.support.relays import SmtpRelay
from tests.support.terminals import Terminal

WORDS = ["enrolled", "advanced", "sent", "deferred", "failed", "refused", "held", "uncertain"]
CALLS = ["called", "calls_put_off", "calls_failed", "calls_refused"]


def test_running_once_does_what_is_due_and_counts_it(working: Terminal, relay: SmtpRelay) -> None:
    done = working.json("run", "--once")
    assert list(done) == [*WORDS, *CALLS]
    assert done["sent"] == 2  # Ben's first mail, and the note about the lead to her rep
    assert len(relay.to("ben@reader.example")) == len(relay.to("luis@acme.example")) == 1
    again = working.json("run", "--once")
    assert (again["sent"], again["failed"], again["uncertain"]) == (0, 0, 0)


def test_running_once_is_told_in_one_line(working: Terminal) -> None:
    out, _ = working.type("run", "--once")
    assert len(out.splitlines()) == 1
    assert all(f" {word}" in out for word in WORDS)


def test_a_pause_is_no_silence(working: Terminal) -> None:
    working.type("pause", "--because", "wrong price")
    out, err = working.type("run", "--once")
    assert ", 0 sent, " in out
    assert re.fullmatch(r"Sending is paused since .+ UTC: wrong price\. `nurture resume` goes on\.\n", err)
    working.type("resume")
    assert working.json("run", "--once")["sent"] == 2


def test_mail_that_waits_is_counted_with_the_reason_and_until_when(working: Terminal) -> None:
    assert working.json("run", "--once")["sent"] == 2
    # Ben was written to today, and once a day is enough.
    working.write(
        "format: 1\nsequence: more\ntopic: product-insights\ncompatible_with: all\nsteps:\n  - {send: sequences/evaluators/report}\n",
        "more.yaml",
    )
    shutil.copy(working.here / "more.yaml", working.workspace / "campaigns" / "sequences" / "more.yaml")
    working.type("publish")
    working.type("enroll", "more", "ben@reader.example")
    out, err = working.type("run", "--once")
    assert ", 1 held, " in out
    assert re.fullmatch(r"1 held: cap, until \d{4}-\d\d-\d\d \d\d:\d\d UTC at the earliest\.\n", err)


def test_mail_that_was_queued_for_a_window_that_opens_later_is_counted_as_held(
    house: Terminal, relay: SmtpRelay
) -> None:
    house.set(NURTURE_SMTP__PORT=str(relay.port))
    be_silent(house)
    opens_on = SystemClock().now() + timedelta(days=3)
    house.edit(
        "campaigns/sequences/evaluators.yaml",
        WINDOW,
        f'window: {{days: {opens_on:%a}, hours: "09:00-17:00", timezone: UTC}}',
    )
    house.type("publish")
    house.type("enroll", "evaluators", "ben@reader.example")
    assert house.json("run", "--once")["held"] == 1
    out, err = house.type("run", "--once")
    assert ", 1 held, " in out
    assert err == f"1 held: window, until {opens_on:%Y-%m-%d} 09:00 UTC at the earliest.\n"


def test_failed_mail_and_a_relay_that_is_away_are_no_failure_of_the_run(working: Terminal, relay: SmtpRelay) -> None:
    relay.on_rcpt = lambda address: "550 5.1.1 no such user" if address == "ben@reader.example" else None
    done = working.json("run", "--once")
    assert (done["sent"], done["failed"]) == (1, 1)
    [failed] = working.json("deliveries", "--status", "failed")
    assert failed["reply"] == "550 5.1.1 no such user"
    working.set(NURTURE_SMTP__PORT="1")
    working.type("enroll", "evaluators", "ana@reader.example")
    working.type("run", "--once")


def commands_at(working: Terminal, relay: SmtpRelay) -> CommandLine:
    return CommandLine(working.workspace, {"NURTURE_SMTP__PORT": str(relay.port)})


@pytest.mark.parametrize("with_", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_with_the_message_at_hand_finished(
    working: Terminal, relay: SmtpRelay, with_: signal.Signals
) -> None:
    relay.hold_answers = threading.Event()
    process = commands_at(working, relay).start("run", "--port", "0")
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said.startswith("Listening on http://127.0.0.1:")
    address = said.split()[2].rstrip(".")
    assert urllib.request.urlopen(f"{address}/healthz", timeout=10).status == 200
    assert relay.is_holding.wait(30)
    process.send_signal(with_)
    relay.hold_answers.set()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert out.endswith("Stopping: the messages at hand are finished first. A second signal ends it at once.\n")
    mails = [mail for mail in working.json("deliveries") if mail["id"] != str(NUMBER)]
    arrived = [one.rcpt_to for one in relay.arrived]
    assert {mail["status"] for mail in mails} <= {"sent", "queued", "cancelled", "refused"}
    assert sorted(arrived) == sorted(
        mail["email"] for mail in mails if mail["status"] == "sent" and mail["id"] != str(NUMBER + 1)
    )


def test_a_signal_leaves_nothing_in_doubt_when_running_once(working: Terminal, relay: SmtpRelay) -> None:
    relay.hold_answers = threading.Event()
    process = commands_at(working, relay).start("run", "--once", "--json")
    assert relay.is_holding.wait(30)
    process.send_signal(signal.SIGTERM)
    relay.hold_answers.set()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    done = json.loads(out)
    assert (done["sent"], done["uncertain"]) == (len(relay.arrived), 0)


def test_a_run_that_was_declared_dead_says_so_and_goes_on_as_a_new_worker(working: Terminal, relay: SmtpRelay) -> None:
    working.type("pause")
    process = commands_at(working, relay).start("run", "--port", "0")
    workers = [worker_at_work(process)]
    database = working.open_database()
    with database.writing() as session:
        end_worker(session, workers[0])  # as a process does that no longer hears its heart
    database.close()
    assert process.stderr is not None
    said = read_until("declared this worker dead", process.stderr)
    assert f" worker={workers[0]} " in said
    workers.append(worker_at_work(process))
    assert workers[0] != workers[1]
    working.type("resume")
    read_until(" sent=", process.stderr)
    process.terminate()
    assert process.communicate(timeout=30)[0].endswith(
        "Stopping: the messages at hand are finished first. A second signal ends it at once.\n"
    )
    assert process.returncode == 0
    assert [mail["attempts"] for mail in working.json("deliveries", "--contact", "ben@reader.example")] == [1]


def read_until(words: str, stream: IO[str]) -> str:
    """The next line of a log with these words."""
    while words not in (line := stream.readline()):
        assert line, f"it ended without saying {words}"
    return line


def worker_at_work(process: "subprocess.Popen[str]") -> int:
    assert process.stderr is not None
    found = re.search(r" worker=(\d+) ", read_until("at work", process.stderr))
    assert found
    return int(found[1])


def test_a_run_says_what_is_planned_and_what_stands_in_the_way(working: Terminal, relay: SmtpRelay) -> None:
    working.edit("campaigns/segments.yaml", "company_size >= 40", "company_size >= 50")
    working.type("pause", "--because", "wrong price")
    process = commands_at(working, relay).start("run", "--port", "0")
    assert process.stdout is not None
    assert process.stderr is not None
    paused = process.stderr.readline()
    assert paused.startswith("Sending is paused since ")
    assert ": wrong price." in paused
    read_until("weekly: Tuesday ", process.stdout)
    read_until("change nobody until `nurture publish`: segments segments", process.stderr)
    read_until("nothing leaves it.", process.stdout)
    process.terminate()
    process.communicate(timeout=30)


def test_a_run_right_after_the_first_publish_says_to_whom_what_goes_when(house: Terminal, relay: SmtpRelay) -> None:
    process = commands_at(house, relay).start("run", "--port", "0")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    process.terminate()
    process.communicate(timeout=30)
    assert lines[1] == "weekly: the announcement goes to 2 people, mon-fri 08:00-18:00 where they are.\n"
    assert re.fullmatch(
        r'weekly: Tuesday .+, 09:00 \(Europe/Berlin\): nothing: nobody is due their first issue, and "five-questions" '
        r"waits\.\n",
        lines[2],
    )
    assert re.fullmatch(r"On the way through sequences: 1 person, the next step at \d{4}-.+ UTC\.\n", lines[3])
    assert lines[4] == "No mail is queued yet.\n"


def test_an_issue_whose_slot_has_passed_is_said_to_go_out_at_once(house: Terminal, relay: SmtpRelay) -> None:
    slot_at = datetime.fromisoformat(house.json("newsletter", "show", "weekly")["next_slot_at"])
    be_silent(house)
    house.type("publish")
    database = house.open_database()
    with database.writing() as session:
        ana = session.scalars(sa.select(Contact).where(col(Contact.email) == "ana@reader.example")).one()
        long_ago = slot_at - timedelta(days=30)
        session.add(Reader(newsletter="weekly", contact_id=ana.id, announced_at=long_ago, first_issue_from=long_ago))
    database.close()
    an_hour_later = int((slot_at - SystemClock().now()).total_seconds()) + 3600
    house.set(NURTURE_CLOCK__OFFSET=f"{an_hour_later} seconds")
    out, _ = house.type("newsletter", "show", "weekly")
    assert out.splitlines()[1].startswith("Due since Tuesday ")
    assert out.endswith(': "five-questions" to 1 person.\n')
    environment = {"NURTURE_SMTP__PORT": str(relay.port), "NURTURE_CLOCK__OFFSET": f"{an_hour_later} seconds"}
    process = CommandLine(house.workspace, environment).start("run", "--port", "0")
    assert process.stdout is not None
    said = read_until("weekly: due since Tuesday ", process.stdout)
    process.terminate()
    process.communicate(timeout=30)
    assert said.endswith(': "five-questions" to 1 person, at once.\n')


def test_a_run_says_what_is_queued_and_for_when(working: Terminal, relay: SmtpRelay) -> None:
    working.type("pause")
    working.type("run", "--once")
    process = commands_at(working, relay).start("run", "--port", "0")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    process.terminate()
    process.communicate(timeout=30)
    assert lines[3] == (
        "Queued: Evaluators who asked for the benchmark report: report to 1 person, once sending goes on.\n"
    )


def test_a_run_says_which_campaigns_stand_still_and_what_lets_them_go_on(working: Terminal, relay: SmtpRelay) -> None:
    working.type("pause")
    working.type("run", "--once")
    for words in (["weekly", "--because", "wrong link"], ["evaluators", "--because", "wrong price"]):
        working.type("pause", *words)
    working.type("resume")
    process = commands_at(working, relay).start("run", "--port", "0")
    assert process.stdout is not None
    newsletter = read_until("weekly: nothing goes out. newsletter:weekly is paused since ", process.stdout)
    held = read_until("1 held: campaign paused. sequence:evaluators is paused since ", process.stdout)
    process.terminate()
    process.communicate(timeout=30)
    assert newsletter.endswith(" UTC: wrong link. `nurture resume newsletter:weekly` goes on.\n")
    assert held.endswith(" UTC: wrong price. `nurture resume sequence:evaluators` goes on.\n")


def test_a_run_names_each_relay_of_this_machine_once(working: Terminal, relay: SmtpRelay) -> None:
    entries = "".join(
        f'\n[[relays]]\nname = "{name}"\nhost = "{host}"\nport = {relay.port}\n'
        for name, host in (("one", "127.0.0.1"), ("two", "127.0.0.1"), ("three", "localhost"))
    )
    settings = working.workspace / "settings.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + entries, encoding="utf-8")
    process = commands_at(working, relay).start("run", "--port", "0")
    assert process.stdout is not None
    said = read_until("on this machine", process.stdout)
    process.terminate()
    process.communicate(timeout=30)
    assert said == (
        f"The relays 127.0.0.1:{relay.port} and localhost:{relay.port} are on this machine; nothing leaves it.\n"
    )


def test_a_port_that_is_taken_is_told_in_one_sentence(working: Terminal, relay: SmtpRelay) -> None:
    out, err = commands_at(working, relay).run("run", "--port", str(relay.port), code=1)
    assert out == ""
    assert err == (
        f"cannot listen on 127.0.0.1:{relay.port}: Address already in use; choose another with --host or --port.\n"
    )
