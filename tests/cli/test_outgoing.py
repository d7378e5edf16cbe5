"""`nurture outgoing`, `nurture tasks` and `nurture contacts did`: what left, what is to be done, what was seen."""

import base64

import pytest

from nurture.outgoing.store import Call
from tests.cli.conftest import NUMBER
from tests.support.receivers import running_receiver
from tests.support.terminals import Terminal


def test_the_json_of_calls_is_what_scripts_rely_on(house: Terminal) -> None:
    [call] = house.json("outgoing")
    told = {key: call[key] for key in ("id", "key", "kind", "url", "email", "status", "because", "attempts", "reply")}
    assert told == {
        "id": str(NUMBER), "key": "a test", "kind": "webhook", "url": "http://127.0.0.1:9/hook",
        "email": "ana@reader.example", "status": "failed", "because": "the receiver refused it with 410",
        "attempts": 1, "reply": "410 gone",
    }  # fmt: skip
    assert {"queued_at", "due_at", "settled_at"} <= set(call)
    assert house.json("outgoing", "--status", "sent") == []
    assert "the receiver refused it with 410" in house.type("outgoing", "--status", "failed")[0]
    said = house.refused("outgoing", "--status", "faild")
    assert said == (
        '"faild" is no state of a call. Did you mean "failed"? Known: queued, claimed, sent, failed, refused.'
    )


def test_a_call_is_tried_again_and_the_next_run_makes_it(house: Terminal) -> None:
    with running_receiver() as receiver:
        database = house.open_database()
        with database.writing() as session:
            session.get_one(Call, NUMBER).url = receiver.url
        database.close()
        assert house.json("outgoing", "retry", str(NUMBER)) == {"id": str(NUMBER), "status": "queued"}
        house.set(NURTURE_SMTP__PORT="9")
        ran = house.json("run", "--once")
    assert (ran["called"], ran["calls_failed"], ran["calls_put_off"], ran["calls_refused"]) == (1, 0, 0, 0)
    [got] = receiver.got
    assert got.headers["idempotency-key"] == "a test"
    assert house.json("outgoing")[0]["status"] == "sent"
    assert house.refused("outgoing", "retry", str(NUMBER)).startswith(f"call {NUMBER} is sent;")


def test_receivers_are_told_the_secret_as_their_libraries_take_it(house: Terminal) -> None:
    secret = house.json("outgoing", "secret")["secret"]
    assert house.type("outgoing", "secret")[0] == f"{secret}\n"
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32


def test_the_json_of_tasks_is_what_scripts_rely_on(house: Terminal) -> None:
    [task] = house.json("tasks", "--owner", "luis@acme.example")
    assert {key: task[key] for key in ("id", "email", "owner", "what", "because", "done_at")} == {
        "id": str(NUMBER), "email": "ana@reader.example", "owner": "luis@acme.example", "what": "Call Ana",
        "because": "evaluators, step call", "done_at": None,
    }  # fmt: skip
    assert "overdue by 3 h" in house.type("tasks")[0]
    assert house.json("tasks", "--owner", "LUIS@acme.example") == [task]
    assert house.json("tasks", "--owner", "dana@acme.example") == []
    assert house.json("contacts", "show", "ana@reader.example")["tasks"] == [task]
    assert "To do for luis@acme.example until" in house.type("contacts", "show", "ana@reader.example")[0]


def test_a_task_is_done_once_and_then_listed_only_with_all(house: Terminal) -> None:
    assert house.type("tasks", "done", str(NUMBER))[0] == "Done: Call Ana\n"
    his = ("--owner", "luis@acme.example")
    assert house.json("tasks", *his) == []
    assert house.json("tasks", "--all", *his)[0]["done_at"] is not None
    assert house.refused("tasks", "done", str(NUMBER)).startswith(f"task {NUMBER} was done on ")
    assert house.type("tasks", *his)[0].startswith("Nothing to do.")


def test_an_owner_nobody_knows_is_named(house: Terminal) -> None:
    said = house.refused("tasks", "--owner", "louis@acme.example")
    assert said == 'louis@acme.example is no operator of settings.toml. Did you mean "luis@acme.example"?'


def test_what_a_form_saw_is_taken_down_once_and_conditions_find_it(house: Terminal) -> None:
    words = ("contacts", "did", "ana@reader.example", "submitted", "demo-form", "--at", "2026-01-05T10:00")
    first, second = house.json(*words), house.json(*words)
    assert first == {
        "email": "ana@reader.example", "did": "submitted", "what": "demo-form", "at": "2026-01-05T10:00:00+00:00",
        "new": True,
    }  # fmt: skip
    assert second == {**first, "new": False}
    house.type("contacts", "did", "ben@reader.example", "booked", "fair-2026")
    for condition, who in (
        ('submitted("demo-form")', ["ana@reader.example"]),
        ('submitted("demo-form", within="1 day")', []),
        ('submitted("another-form")', []),
        ("booked()", ["ben@reader.example"]),
    ):
        found = house.json("contacts", "list", "--where", condition)
        assert [one["email"] for one in found] == who, condition


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nobody@reader.example", "submitted", "x"], "nobody@reader.example"),
        (["ana@reader.example", "visited", "x"], '"visited" is nothing that can be told; say submitted or booked.'),
        (["ana@reader.example", "submitted", " "], "submitted what? Name the form or the meeting."),
        (["ana@reader.example", "submitted", "x", "--at", "2999-01-01"], "2999-01-01 00:00 UTC has not come yet;"),
        (["ana@reader.example", "submitted", "x", "--at", "soon"], '"soon" is no moment;'),
    ],
)
def test_what_cannot_have_happened_is_refused(house: Terminal, words: list[str], sentence: str) -> None:
    assert house.refused("contacts", "did", *words).startswith(sentence)
