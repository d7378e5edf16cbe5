"""`nurture contacts show`: the sequences somebody is or was on, and the mails meant for them."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.support.relays import SmtpRelay
from tests.support.terminals import Terminal

ANA = "ana@reader.example"
KEYS = ["sequence", "version", "status", "step", "does", "until", "because", "since", "ended_at", "ended_because"]


def sequence(name: str, above: str = "", steps: str = "  - {id: hello, send: report, subject: Hello}\n") -> str:
    return f"format: 1\nsequence: {name}\ntopic: insights\n{above}steps:\n{steps}"


FILES = {
    "campaigns/sequences/evaluators.yaml": sequence(
        "evaluators",
        steps='  - {id: report, send: report, subject: "Your report, {{ contact.first_name }}"}\n  - wait: 10 days\n',
    ),
    "campaigns/sequences/modest.yaml": sequence("modest", 'enroll: {when: has_tag("pilot")}\nif_busy: skip\n'),
    "campaigns/sequences/patient.yaml": sequence("patient"),
}


@pytest.fixture
def lived(make_terminal: Callable[..., Terminal], relay: SmtpRelay) -> Terminal:
    """Ana is on one sequence, had her chance with another, and waits for a third."""
    terminal = make_terminal(**FILES)
    terminal.set(NURTURE_SMTP__PORT=str(relay.port), NURTURE_WEB__PORT="0")
    terminal.type("publish")
    terminal.type("contacts", "add", ANA, "--first-name", "Ana", "--consent", "opt-in")
    terminal.type("enroll", "evaluators", ANA)
    terminal.type("enroll", "patient", ANA)
    terminal.type("contacts", "tag", ANA, "pilot")
    terminal.type("run", "--once")
    terminal.type("run", "--once")  # that the mail has left is seen by the next look
    return terminal


def test_it_tells_which_sequence_somebody_is_on_where_they_stand_and_until_when(lived: Terminal) -> None:
    on = lived.json("contacts", "show", ANA)["sequences"][0]
    assert list(on) == KEYS
    assert (on["sequence"], on["version"], on["status"]) == ("evaluators", 1, "waiting")
    assert (on["step"], on["does"], on["ended_at"], on["ended_because"]) == ("wait-1", "waits 10 days", None, None)
    waited = datetime.fromisoformat(on["until"]) - datetime.fromisoformat(on["since"])
    assert timedelta(days=10) <= waited < timedelta(days=11)
    out, _ = lived.type("contacts", "show", ANA)
    assert f"waiting at wait-1: waits 10 days, until {on['until'][:10]}" in out


def test_whoever_waits_for_another_sequence_to_end_is_said_to_and_whoever_missed_one(lived: Terminal) -> None:
    _, waits, missed = lived.json("contacts", "show", ANA)["sequences"]
    assert list(waits) == list(missed) == KEYS
    assert (waits["sequence"], waits["status"], waits["does"]) == ("patient", "pending", "waits for evaluators to end")
    assert (missed["sequence"], missed["status"], missed["ended_because"]) == ("modest", "exited", "busy")
    assert missed["because"] == 'has_tag("pilot")'
    assert missed["ended_at"] is not None
    out, _ = lived.type("contacts", "show", ANA)
    assert "busy: was on another sequence and never came in" in out
    assert "waits for evaluators to end" in out


def test_it_tells_the_mails_as_their_reader_got_them(lived: Terminal) -> None:
    [mail] = lived.json("contacts", "show", ANA)["mails"]
    assert (mail["campaign"], mail["mail"], mail["status"]) == ("sequence:evaluators", "report", "sent")
    assert (mail["subject"], mail["because"], mail["held_until"]) == ("Your report, Ana", None, None)
    assert mail["sent_at"] >= mail["queued_at"]
    out, _ = lived.type("contacts", "show", ANA)
    assert "Your report, Ana" in out


def test_a_sequence_that_was_taken_away_is_the_reason_and_the_next_one_asks_for_its_mail(lived: Terminal) -> None:
    (lived.workspace / "campaigns/sequences/evaluators.yaml").unlink()
    lived.type("publish", "--retire", "evaluators", "--in-flight", "evaluators=end")
    lived.type("run", "--once")
    lived.type("run", "--once")
    on, *over = lived.json("contacts", "show", ANA)["sequences"]
    # One marketing mail a day: the second waits for tomorrow.
    assert (on["sequence"], on["step"], on["does"]) == ("patient", "hello", "its mail is held (cap)")
    assert on["until"] is not None
    assert {one["sequence"]: one["ended_because"] for one in over} == {"modest": "busy", "evaluators": "retired"}
    held = lived.json("contacts", "show", ANA)["mails"][0]
    assert (held["mail"], held["subject"], held["status"], held["because"]) == ("hello", "Hello", "held", "cap")


def test_an_opt_out_is_the_reason_why_a_sequence_ended(lived: Terminal) -> None:
    lived.type("opt-out", ANA)
    lived.type("run", "--once")
    ended = {one["sequence"]: one for one in lived.json("contacts", "show", ANA)["sequences"]}
    assert (ended["evaluators"]["status"], ended["evaluators"]["ended_because"]) == ("exited", "opt_out")
    assert ended["patient"]["does"] == "comes in next, if they may be mailed about it"


def test_whoever_was_on_nothing_and_got_nothing_is_told_in_a_sentence(lived: Terminal) -> None:
    lived.type("contacts", "add", "ben@reader.example")
    known = lived.json("contacts", "show", "ben@reader.example")
    assert (known["sequences"], known["mails"]) == ([], [])
    out, _ = lived.type("contacts", "show", "ben@reader.example")
    assert "They have not been on any sequence." in out
    assert "No mail was meant for them yet." in out
