"""`nurture deliveries` and `nurture newsletter`: what went to whom, and who was left out."""

import re
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from nurture.delivery.store import Delivery
from tests.cli.conftest import NUMBER
from tests.support.relays import SmtpRelay
from tests.support.terminals import Terminal
from tests.support.typists import typing


def test_the_json_of_deliveries_is_what_scripts_rely_on(house: Terminal) -> None:
    mails = house.json("deliveries")
    newest_first = [mail["queued_at"] for mail in mails]
    assert newest_first == sorted(newest_first, reverse=True)
    [sent] = [mail for mail in mails if mail["status"] == "sent"]
    assert {key: sent[key] for key in ("id", "email", "purpose", "campaign", "step", "message_id", "attempts", "reply")} == {
        "id": str(NUMBER + 1),
        "email": "ana@reader.example",
        "purpose": "campaign",
        "campaign": "sequence:evaluators",
        "step": "report",
        "message_id": f"<{NUMBER + 1}@acme.example>",
        "attempts": 1,
        "reply": "250 2.0.0 taken",
    }  # fmt: skip
    assert sent["settled_at"] is not None


def test_a_note_to_a_colleague_is_listed_under_their_address(house: Terminal) -> None:
    [note] = [mail for mail in house.json("deliveries") if mail["purpose"] == "internal"]
    assert (note["email"], note["campaign"]) == ("luis@acme.example", "service:handoff")


def test_deliveries_may_be_narrowed_to_a_person_and_a_state(house: Terminal) -> None:
    assert house.json("deliveries", "--contact", "ben@reader.example") == []
    assert {one["status"] for one in house.json("deliveries", "--contact", "ANA@reader.example")} >= {
        "sent",
        "uncertain",
    }
    [doubtful] = house.json("deliveries", "--status", "uncertain")
    assert doubtful["id"] == str(NUMBER)
    assert len(house.json("deliveries", "--limit", "1")) == 1
    out, _ = house.type("deliveries", "--status", "uncertain")
    [line] = [line for line in out.splitlines() if "reader.example" in line]
    assert line.split()[:3] == [str(NUMBER), "ana@reader.example", "uncertain"]


def test_what_waits_for_its_hour_or_for_the_next_try_says_until_when(house: Terminal) -> None:
    database = house.open_database()
    with database.writing() as session:
        one = session.get_one(Delivery, NUMBER)
        one.status, one.reply = "queued", "451 4.7.1 come back later"
        one.due_at = datetime(2036, 3, 10, 8, tzinfo=UTC)
    out, _ = house.type("deliveries", "--status", "queued")
    assert "451 4.7.1 come back later; due 2036-03-10 08:00 UTC" in out
    assert "due 2036-03-10 08:00" in house.type("deliveries", "show", str(NUMBER))[0]
    with database.writing() as session:
        session.get_one(Delivery, NUMBER).due_at = datetime(2026, 3, 10, 8, tzinfo=UTC)
    assert "due" not in house.type("deliveries", "--status", "queued")[0]
    database.close()


def test_what_is_queued_while_sending_is_paused_is_listed_with_a_word_about_that(house: Terminal) -> None:
    database = house.open_database()
    with database.writing() as session:
        session.get_one(Delivery, NUMBER).status = "queued"
    database.close()
    assert "paused" not in house.type("deliveries")[1]
    house.type("pause", "--because", "the wrong price")
    assert "the wrong price. `nurture resume` goes on." in house.type("deliveries")[1]
    assert "paused" not in house.type("deliveries", "--status", "sent")[1]


MORE = 1_200


def queue_many(house: Terminal) -> None:
    """Mails that were sent long before those the house has sent."""
    database = house.open_database()
    with database.writing() as session:
        model = session.get_one(Delivery, NUMBER + 1).model_dump()
        session.execute(
            sa.insert(Delivery),
            [
                {**model, "id": number, "key": f"old {number}", "message_id": f"<{number}@old>"}
                for number in range(MORE)
            ],
        )
    database.close()


def test_the_json_of_deliveries_has_every_one_and_the_table_says_how_many_it_does_not_show(house: Terminal) -> None:
    before = house.json("deliveries")
    queue_many(house)
    mails = house.json("deliveries")
    assert mails[: len(before)] == before
    assert [int(mail["id"]) for mail in mails[len(before) :]] == list(reversed(range(MORE)))
    assert len(house.json("deliveries", "--limit", "1100")) == 1100
    assert len(house.json("deliveries", "--limit", "0")) == len(house.json("deliveries")) == MORE + len(before)
    assert len(house.json("deliveries", "--status", "sent", "--contact", "ana@reader.example")) == MORE + 1
    for words, shown, hidden in (
        ((), 1_000, MORE + len(before) - 1_000),
        (("--limit", "7"), 7, MORE + len(before) - 7),
        (("--limit", "7", "--status", "sent"), 7, MORE + 1 - 7),
    ):
        out, err = house.type("deliveries", *words)
        assert len([line for line in out.splitlines() if ".example" in line]) == shown
        assert err == f"These are the newest {shown:,}; {hidden:,} more are not shown, and --limit 0 shows all.\n"
    assert house.type("deliveries", "--limit", "0")[1] == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--status", "snet"], '"snet" is no state of a delivery. Did you mean "sent"? Known: queued, held,'),
        (["--contact", "eve@reader.example"], "eve@reader.example: there is no such contact;"),
        (["resolve", "one", "--as", "sent"], '"one" is no delivery; `nurture deliveries` lists them with their numbers.'),
        (["resolve", "²", "--as", "sent"], '"²" is no delivery;'),
        (["resolve", "9" * 40, "--as", "sent"], f'"{"9" * 40}" is no delivery;'),
        (["resolve", "7", "--as", "sent"], "there is no delivery 7"),
        (["resolve", str(NUMBER), "--as", "maybe"], '"maybe" is no verdict'),
        (["resolve", str(NUMBER + 1), "--as", "sent"], f"delivery {NUMBER + 1} is sent; only an uncertain one"),
    ],
)  # fmt: skip
def test_what_cannot_be_listed_or_resolved_ends_with_one_sentence(
    house: Terminal, words: list[str], sentence: str
) -> None:
    assert house.refused("deliveries", *words).startswith(sentence)


@pytest.mark.parametrize(("verdict", "status"), [("sent", "sent"), ("failed", "failed"), ("resend", "queued")])
def test_an_uncertain_mail_is_settled_by_what_somebody_found_out(house: Terminal, verdict: str, status: str) -> None:
    assert house.json("deliveries", "resolve", str(NUMBER), "--as", verdict) == {"id": str(NUMBER), "status": status}
    assert house.json("deliveries", "--status", "uncertain") == []


def test_before_the_first_mail_it_is_said_what_would_make_one(terminal: Terminal) -> None:
    assert terminal.type("deliveries")[0] == (
        "No mail yet. Publish a newsletter or a sequence, then `nurture run`.\n"
    )  # fmt: skip
    assert terminal.json("deliveries") == []


def test_a_list_of_some_mails_that_is_empty_does_not_say_that_there_is_no_mail(house: Terminal) -> None:
    for words in (("--contact", "ben@reader.example"), ("--status", "bounced"), ("--campaign", "weekly")):
        assert house.type("deliveries", *words)[0] == "No mail is like that.\n"


def test_a_newsletter_shows_its_readers_and_its_next_slot(house: Terminal) -> None:
    shown = house.json("newsletter", "show", "weekly")
    assert (shown["newsletter"], shown["readers"]) == ("weekly", 0)
    assert set(shown) == {"newsletter", "readers", "next_slot_at", "next_issue", "people", "paused_because"}
    out, err = house.type("newsletter", "show", "weekly")
    assert out.startswith("The Planning Letter: 0 readers.\nNext slot Tuesday ")
    assert out.endswith(': nothing: nobody is due their first issue, and "five-questions" waits.\n')
    assert (shown["next_issue"], shown["people"], shown["paused_because"], err) == ("five-questions", 0, None, "")


def test_a_newsletter_that_is_paused_says_that_its_next_slot_is_nothing(house: Terminal) -> None:
    house.type("pause", "weekly", "--because", "wrong link")
    out, err = house.type("newsletter", "show", "weekly")
    assert ": nothing while it is paused. newsletter:weekly is paused since " in out
    assert out.endswith(" UTC: wrong link. `nurture resume newsletter:weekly` goes on.\n")
    assert err == ""
    assert house.json("newsletter", "show", "weekly")["paused_because"] == "wrong link"
    house.type("resume", "weekly")
    house.type("pause", "--because", "the domain is new")
    out, err = house.type("newsletter", "show", "weekly")
    assert "paused" not in out
    assert err.endswith(": the domain is new. `nurture resume` goes on.\n")


def test_whoever_is_left_out_is_named_with_the_reason(house: Terminal) -> None:
    left_out = {one["email"]: one["because"] for one in house.json("newsletter", "left-out", "weekly")}
    assert list(left_out) == ["cal@reader.example"]
    assert left_out["cal@reader.example"]
    assert "cal@reader.example" in house.type("newsletter", "left-out", "weekly")[0]
    said = house.refused("newsletter", "left-out", "weekly", "--issue", "five-question")
    assert 'Did you mean "weekly/five-questions"?' in said


def test_a_newsletter_nobody_published_is_told_as_such(house: Terminal) -> None:
    assert 'no newsletter "weakly" is published' in house.refused("newsletter", "show", "weakly")


def test_a_delivery_shows_each_of_its_tries_with_what_the_relay_said(working: Terminal, relay: SmtpRelay) -> None:
    said = iter(["451 4.3.0 not now"])
    relay.on_rcpt = lambda address: next(said, None) if address == "ben@reader.example" else None
    working.type("run", "--once")
    [mail] = working.json("deliveries", "--contact", "ben@reader.example")
    assert "No try of it has ended yet." not in working.type("deliveries", "show", mail["id"])[0]
    working.set(NURTURE_CLOCK__OFFSET="10m")  # when it is due again
    working.type("run", "--once")
    shown = working.json("deliveries", "show", mail["id"])
    assert shown["id"] == mail["id"]
    assert shown["status"] == "sent"
    assert [(one["number"], one["heard"], one["code"], one["reply"], one["relay"]) for one in shown["tries"]] == [
        (1, "deferred", 451, "451 4.3.0 not now", "default"),
        (2, "accepted", 250, "250 OK taken", "default"),
    ]
    first, second = (one["ended_at"] for one in shown["tries"])
    assert first < second == shown["settled_at"]
    out, _ = working.type("deliveries", "show", mail["id"])
    heading, why, _, _, *lines = out.splitlines()
    assert heading.startswith("sequence:evaluators report to ben@reader.example, queued ")
    assert heading.endswith(": sent.")
    assert why == "250 OK taken"
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert "451 4.3.0 not now" in lines[0]


def test_a_delivery_that_was_never_tried_and_one_that_is_not_there_are_a_sentence_each(house: Terminal) -> None:
    with house.open_database().writing() as session:
        one = session.get_one(Delivery, NUMBER + 1)
        one.status, one.attempts, one.settled_at = "queued", 0, None
    assert house.type("deliveries", "show", str(NUMBER + 1))[0].endswith("No try of it has ended yet.\n")
    assert house.json("deliveries", "show", str(NUMBER + 1))["tries"] == []
    assert house.refused("deliveries", "show", "17").startswith("There is no delivery 17;")


def test_a_delivery_that_somebody_settled_says_that_nobody_heard_how_its_try_ended(house: Terminal) -> None:
    house.type("deliveries", "resolve", str(NUMBER), "--as", "failed")
    out, _ = house.type("deliveries", "show", str(NUMBER))
    heading, why, unheard = out.splitlines()
    assert re.fullmatch(
        r"sequence:evaluators report to ana@reader\.example, queued \d{4}-\d\d-\d\d \d\d:\d\d UTC: failed\.", heading
    )
    assert (why, unheard) == ("resolved by hand", "How 1 try of it ended, nobody heard.")


def test_one_mail_in_doubt_is_one_mail(house: Terminal) -> None:
    said = house.refused("deliveries", "resolve", "--as", "sent", "--json")
    assert said == "--yes: 1 uncertain mail would be settled as sent; say that you mean it."


@pytest.mark.parametrize("words", [["deliveries"], ["deliveries", "counts"], ["deliveries", "uncertain"]], ids=" ".join)
def test_where_a_table_would_cut_words_its_rows_stand_one_below_the_other(house: Terminal, words: list[str]) -> None:
    rows = house.json(*words)
    with typing(house.workspace, *words, columns=60) as typist:
        assert typist.end() == 0
    lines = re.sub("\x1b\\[[0-9;]*m", "", typist.seen).splitlines()
    assert all(len(line) <= 60 for line in lines)
    heads = [line for line in lines if line and not line.startswith(" ")]
    assert heads[: len(rows)] == [one.get("id") or one["campaign"] for one in rows]
    assert [line.split() for line in lines].count([]) >= len(rows) - 1
    wanted = ["mails", "2"] if "counts" in words else ["to", "ana@reader.example"]
    assert wanted in [line.split() for line in lines]


def test_in_a_wide_terminal_a_mail_is_a_row(house: Terminal) -> None:
    with typing(house.workspace, "deliveries", columns=180) as typist:
        assert typist.end() == 0
    assert re.search(rf"{NUMBER} +ana@reader\.example +uncertain ", typist.seen)
    assert "queued (UTC)" in typist.seen
