"""`nurture pause`, `resume` and `cancel` of one campaign, and the numbers that go with it."""

import sqlite3
from contextlib import closing

import pytest

from nurture.delivery.guard.rules import because
from tests.cli.conftest import NUMBER
from tests.support.relays import SmtpRelay
from tests.support.terminals import Terminal

NUMBERS = ("mails", "sent", "refused", "cancelled", "failed", "expired", "uncertain", "waiting")


def counts(working: Terminal) -> dict[str, int]:
    [found] = working.json("deliveries", "counts", "--campaign", "evaluators")
    assert sum(found[word] for word in NUMBERS[1:]) == found["mails"]
    return {word: found[word] for word in NUMBERS if found[word]}


def test_one_campaign_is_paused_and_the_others_go_on(working: Terminal, relay: SmtpRelay) -> None:
    told = working.json("pause", "evaluators", "--because", "wrong price")
    assert (told["campaign"], told["mails"]) == ("sequence:evaluators", counts(working)["mails"])
    working.type("run", "--once")
    assert relay.to("ben@reader.example") == []
    assert len(relay.to("luis@acme.example")) == 1  # the note about the lead
    [shown] = working.json("deliveries", "counts", "--campaign", "evaluators")
    assert shown["paused_because"] == "wrong price"
    assert working.json("deliveries", "--contact", "ben@reader.example")[0]["because"] == "campaign paused"
    out, _ = working.type("pause", "sequence:evaluators", "--because", "lunch")
    assert out.startswith("sequence:evaluators was paused already, because wrong price. ")
    assert working.type("resume", "evaluators")[0].startswith("sequence:evaluators goes on. ")
    working.type("run", "--once")
    assert len(relay.to("ben@reader.example")) == 1


def test_resuming_everything_says_which_campaign_stays_paused(working: Terminal) -> None:
    working.type("pause", "weekly")
    working.type("pause")
    out, err = working.type("resume")
    assert out == "Sending goes on.\n"
    assert err == "newsletter:weekly stays paused; `nurture resume newsletter:weekly` goes on with it.\n"
    assert working.type("resume", "weekly")[0] == "newsletter:weekly goes on. No mails yet.\n"


def test_a_campaign_that_goes_on_while_everything_is_paused_says_that_nothing_leaves_yet(working: Terminal) -> None:
    working.type("pause", "weekly")
    working.type("pause", "--because", "the domain is new")
    out, err = working.type("resume", "weekly")
    assert out == "newsletter:weekly goes on. No mails yet.\n"
    assert err.startswith("Sending is paused since ")
    assert err.endswith(": the domain is new. `nurture resume` goes on.\n")
    working.type("resume")
    assert working.type("resume", "weekly")[1] == ""


def test_a_yes_to_fewer_than_wait_says_what_becomes_of_the_others(working: Terminal) -> None:
    working.type("pause")
    working.type("run", "--once")  # queues Ben's mail
    why = because("sequence:evaluators")
    with closing(sqlite3.connect(working.workspace / ".nurture" / "nurture.db")) as connection, connection:
        connection.execute("CREATE TEMP TABLE one AS SELECT * FROM delivery WHERE campaign = 'sequence:evaluators'")
        for number in (1, 2):  # and two more like it
            connection.execute("UPDATE one SET id = id + 1, key = key || ?", (number,))
            connection.execute("INSERT INTO delivery SELECT * FROM one LIMIT 1")
        held = (
            "UPDATE delivery SET status = 'held', because = ?, held_until = NULL WHERE campaign = 'sequence:evaluators'"
        )
        waiting = connection.execute(held, (why,)).rowcount
    out, _ = working.type("allow", "evaluators", "--people", "1")
    assert out.startswith("sequence:evaluators may mail 1 person a day until ")
    assert (
        f" Of {waiting} mails that waited, those it has room for leave with the next `nurture run`; the others " in out
    )


def test_what_waits_of_a_campaign_is_cancelled_for_good_and_nothing_follows_unseen(
    working: Terminal, relay: SmtpRelay
) -> None:
    working.type("pause")
    working.type("run", "--once")  # queues Ben's mail
    working.type("resume")
    before = counts(working)
    told = working.json("cancel", "evaluators", "--yes")
    assert told["moved"] == before["waiting"] == 1
    assert counts(working) == {**{k: v for k, v in before.items() if k != "waiting"}, "cancelled": 1}
    working.type("run", "--once")
    assert relay.to("ben@reader.example") == []
    assert working.json("deliveries", "--contact", "ben@reader.example")[0]["because"].startswith("cancelled by ")
    out, err = working.type("deliveries", "--campaign", "evaluators")
    assert "cancelled" in out
    assert err.startswith(f"sequence:evaluators: {before['mails']:,} mails: ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pause", "weakly"], 'no campaign is called "weakly". Did you mean "weekly"? Known: '),
        (["cancel", "evaluators", "--json"], "--yes: 0 mails of sequence:evaluators would be cancelled for good;"),
        (["run", "--once", "--workers", "2"], "--workers: with --once this process sends, and ends;"),
        (["deliveries", "resolve"], "--as: say what became of it: sent, failed or resend."),
        (["deliveries", "resolve", str(NUMBER), "--log", "-"], "--log: the log itself says which and how;"),
        (["deliveries", "resolve", "--log", "no.log"], "--log: there is no file no.log; name the log that the relay"),
        (["deliveries", "resolve", "--log", "."], "--log: there is no file .; name the log that the relay writes"),
        (["deliveries", "resolve", "--campaign", "weekly", "--as", "Sent"], '"Sent" is no verdict; say sent, failed'),
        (["deliveries", "resolve", str(NUMBER), "--campaign", "weekly", "--as", "sent"], "--campaign: one delivery is"),
        (["deliveries", "resolve", "--as", "failed", "--json"], "--yes: 1 uncertain mail would be settled as failed;"),
        (
            ["deliveries", "resolve", str(NUMBER + 1), "--as", "sent"],
            f"delivery {NUMBER + 1} is sent; only an uncertain one is",
        ),
    ],
)
def test_what_cannot_be_paused_cancelled_or_resolved_ends_with_one_sentence(
    house: Terminal, words: list[str], sentence: str
) -> None:
    assert house.refused(*words).startswith(sentence)


def test_a_campaign_that_is_retired_is_still_paused_resumed_cancelled_and_counted(house: Terminal) -> None:
    house.type("pause", "evaluators")
    (house.workspace / "campaigns/sequences/evaluators.yaml").unlink()
    house.type("publish", "--retire", "evaluators", "--in-flight", "evaluators=end")
    _, err = house.type("resume")
    assert err == "sequence:evaluators stays paused; `nurture resume sequence:evaluators` goes on with it.\n"
    assert house.type("resume", "sequence:evaluators")[0].startswith("sequence:evaluators goes on. 2 mails: ")
    assert counts(house)["mails"] == 2
    assert house.type("cancel", "evaluators", "--yes")[0].startswith(
        "sequence:evaluators is paused, and 0 of its mails"
    )
    assert house.refused("pause", "evaluator").startswith('no campaign is called "evaluator". ')


def test_mails_in_doubt_are_listed_with_their_age_and_settled_together(house: Terminal) -> None:
    [one] = house.json("deliveries", "uncertain")
    assert (one["id"], one["message_id"]) == (str(NUMBER), f"<{NUMBER}@acme.example>")
    out, _ = house.type("deliveries", "uncertain", "--campaign", "evaluators")
    assert f"<{NUMBER}@acme.example>" in out
    told = house.json("deliveries", "resolve", "--campaign", "evaluators", "--as", "sent", "--yes")
    assert told == {"settled": 1, "left": 0}
    assert house.type("deliveries", "uncertain")[0] == "No mail is in doubt.\n"
    assert house.type("deliveries", "resolve", "--as", "sent")[0] == "0 settled, 0 still uncertain.\n"


def test_the_log_of_the_relay_settles_what_it_took(house: Terminal) -> None:
    log = house.write(
        f"Mar 10 09:00:01 mx postfix/cleanup[81]: 4XyZ: message-id=<{NUMBER}@acme.example>\n"
        "Mar 10 09:00:01 mx postfix/qmgr[12]: 4XyZ: from=<dana@acme.example>, size=2930, nrcpt=1 (queue active)\n",
        "mail.log",
    )
    assert house.json("deliveries", "resolve", "--log", log) == {"settled": 1, "left": 0}
    [mail] = [one for one in house.json("deliveries") if one["id"] == str(NUMBER)]
    assert mail["status"] == "sent"
    assert mail["because"].startswith(
        "the relay took it: the relay's log says \"Mar 10 09:00:01 mx postfix/qmgr[12]: 4XyZ: … size=2930"
    )


def test_a_log_that_says_bounced_is_never_told_as_an_arrival(house: Terminal) -> None:
    log = house.write(
        f"Mar 10 09:00:01 mx postfix/cleanup[81]: 4XyZ: message-id=<{NUMBER}@acme.example>\n"
        "Mar 10 09:00:09 mx postfix/smtp[90]: 4XyZ: to=<ana@reader.example>, dsn=5.1.1, status=bounced (550 no)\n",
        "mail.log",
    )
    assert house.json("deliveries", "resolve", "--log", log) == {"settled": 1, "left": 0}
    [mail] = [one for one in house.json("deliveries") if one["id"] == str(NUMBER)]
    assert mail["status"] == "bounced"
    assert mail["because"].startswith("bounced: 5.1.1; the relay's log says \"Mar 10 09:00:09 mx postfix/smtp[90]: ")
    assert mail["because"].endswith('status=bounced (550 no)"')
