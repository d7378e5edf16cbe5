"""`nurture preview`, `send-test` and `simulate`: see what would happen before it does."""

import email
import email.policy
import re
from pathlib import Path

import pytest

from nurture.delivery.kind import NOTICES
from tests.support.relays import SmtpRelay
from tests.support.terminals import Terminal


@pytest.mark.parametrize(
    "mail",
    ["evaluators:report", "sequences/evaluators/report", "templates/sequences/evaluators/report.md", "weekly:announcement",
     "weekly:five-questions"],
)  # fmt: skip
def test_a_mail_is_shown_as_somebody_would_read_it(house: Terminal, mail: str) -> None:
    out, err = house.type("preview", mail)
    assert err == ""
    assert out.startswith("Subject: ")
    assert "12 Example Street" in out
    assert "{{" not in out


@pytest.mark.parametrize("name", NOTICES)
def test_a_note_to_operators_is_shown_with_something_in_every_place(house: Terminal, name: str) -> None:
    out, err = house.type("preview", f"templates/service/{name}")
    assert err == ""
    assert f"Hello {NOTICES[name]['first_name']}," in out
    template = (house.workspace / "templates" / "service" / f"{name}.md").read_text(encoding="utf-8")
    for fact in set(re.findall(r"\{\{ mail\.(\w+) \}\}", template)):
        assert " ".join(NOTICES[name][fact].split()) in " ".join(out.split()), fact
    assert house.type("preview", f"service/{name}.md") == (out, err)


def test_a_note_that_the_workspace_does_not_word_is_shown_in_the_starters_words(
    terminal: Terminal, relay: SmtpRelay
) -> None:
    terminal.set(NURTURE_SMTP__PORT=str(relay.port))
    assert terminal.type("preview", "templates/service/reply")[0].startswith("Subject: Ana Sample answered")
    terminal.type("send-test", "templates/service/reply", "--to", "you@acme.example")
    assert "Could you show us" in relay.to("you@acme.example")[0].part("plain")


def test_a_mail_is_shown_as_a_contact_would_get_it(house: Terminal) -> None:
    assert "Ben" in house.type("preview", "evaluators:report", "--contact", "ben@reader.example")[0]


def test_a_preview_is_written_in_the_form_its_name_says(house: Terminal) -> None:
    for name in ("mail.eml", "mail.html", "mail.txt"):
        house.type("preview", "evaluators:report", "--out", str(house.here / name))
    message = email.message_from_bytes((house.here / "mail.eml").read_bytes(), policy=email.policy.default)
    assert message["To"] == "Ana Sample <ana@reader.example>"
    assert (house.here / "mail.html").read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")
    text = (house.here / "mail.txt").read_text(encoding="utf-8")
    assert text.startswith("Hello Ana,")
    assert "</" not in text


@pytest.mark.parametrize(
    "words", [["preview", "evaluators:report", "--out"], ["contacts", "export"], ["suppression", "export"]]
)
def test_a_place_where_no_file_can_stand_is_told_in_one_sentence(house: Terminal, words: list[str]) -> None:
    gone, taken = house.here / "gone" / "x.txt", house.here / "taken.txt"
    taken.mkdir()
    said = house.refused(*words, str(gone))
    assert said == f"{gone}: there is no folder {gone.parent}; make it first, or name another one."
    assert house.refused(*words, str(taken)) == f"{taken}: this is a folder; name a file in it, or another one."


def test_a_preview_leaves_no_trace(house: Terminal) -> None:
    before = house.json("deliveries")
    house.type("preview", "evaluators:report")
    assert house.json("deliveries") == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["evaluators:reprot"], 'there is no mail "evaluators:reprot". Did you mean "evaluators:report"? `nurture check` says what cannot be read.'),
        (["evaluators:report", "--contact", "eve@reader.example"], "eve@reader.example: there is no such contact;"),
        (["evaluators:report", "--out", "mail.pdf"], "mail.pdf: end the name with .eml, .html or .txt, which says what to write."),
        (["sequences/evaluators/reprot"], "templates/sequences/evaluators/reprot:1:1: there is no mail"),
        (["/nonexist", "--explain"], "/nonexist: there is no such folder; name any folder with mails in it, or a mail"),
        (["../settings", "--explain"], "../settings: there is no such folder; name any folder with mails in it, or a mail"),
        (["../settings"], 'templates/../settings:1:1: "../settings" leads outside templates/'),
    ],
)  # fmt: skip
def test_a_mail_that_cannot_be_shown_ends_with_one_sentence(house: Terminal, words: list[str], sentence: str) -> None:
    assert house.refused("preview", *words).startswith(sentence)


def test_a_test_mail_reaches_a_colleague_marked_as_one(house: Terminal, relay: SmtpRelay) -> None:
    house.set(NURTURE_SMTP__PORT=str(relay.port))
    sent = house.json("send-test", "evaluators:report", "--to", "you@acme.example")
    assert (sent["to"], sent["status"], sent["reply"]) == ("you@acme.example", "sent", "250 OK taken")
    [arrived] = relay.to("you@acme.example")
    assert str(arrived.message["Subject"]).startswith("[Test] ")
    assert len(relay.arrived) == 1
    [kept] = [mail for mail in house.json("deliveries") if mail["id"] == sent["id"]]
    assert (kept["purpose"], kept["email"]) == ("test", "you@acme.example")
    out, _ = house.type("send-test", "weekly:announcement", "--to", "luis@acme.example")
    assert out == "weekly:announcement is on its way to luis@acme.example.\n"


def test_a_test_mail_may_be_sent_before_anything_is_published(terminal: Terminal, relay: SmtpRelay) -> None:
    terminal.set(NURTURE_SMTP__PORT=str(relay.port))
    assert terminal.json("send-test", "evaluators:report", "--to", "you@acme.example")["status"] == "sent"
    [arrived] = relay.to("you@acme.example")
    assert arrived.message["From"] == "Dana Reed <dana@acme.example>"
    assert "Acme, 12 Example Street, Berlin" in arrived.part("plain")
    assert {one["from"] for one in terminal.json("publish", "--plan")} == {None}  # it published nothing


def test_a_test_mail_goes_to_no_stranger(house: Terminal, relay: SmtpRelay) -> None:
    house.set(NURTURE_SMTP__PORT=str(relay.port))
    said = house.refused("send-test", "evaluators:report", "--to", "ana@reader.example")
    assert said.startswith("ana@reader.example is neither an operator of settings.toml nor in senders.test_domains;")
    assert relay.arrived == []


def test_a_test_mail_the_relay_refuses_is_told_in_its_words(house: Terminal, relay: SmtpRelay) -> None:
    house.set(NURTURE_SMTP__PORT=str(relay.port))
    relay.on_rcpt = lambda _: "550 5.1.1 no such user"
    said = house.refused("send-test", "evaluators:report", "--to", "you@acme.example")
    assert said == "evaluators:report was not sent to you@acme.example: failed, 550 5.1.1 no such user."
    house.set(NURTURE_SMTP__PORT="1")
    said = house.refused("send-test", "evaluators:report", "--to", "you@acme.example")
    assert said.startswith("evaluators:report was not sent to you@acme.example: queued, 127.0.0.1:1: Connect")


def test_a_script_sees_that_a_test_mail_was_not_sent(house: Terminal, relay: SmtpRelay) -> None:
    house.set(NURTURE_SMTP__PORT=str(relay.port))
    relay.on_rcpt = lambda _: "550 5.1.1 no such user"
    told = house.json("send-test", "evaluators:report", "--to", "you@acme.example", code=1)
    assert (told["status"], told["reply"]) == ("failed", "550 5.1.1 no such user")


def test_a_test_mail_waits_for_the_end_of_a_pause_and_leaves_then(house: Terminal, relay: SmtpRelay) -> None:
    house.set(NURTURE_SMTP__PORT=str(relay.port))
    house.type("pause", "--because", "wrong price")
    said = house.refused("send-test", "weekly:announcement", "--to", "you@acme.example")
    assert said.startswith("weekly:announcement was not sent to you@acme.example yet. Sending is paused since ")
    assert said.endswith(" UTC: wrong price. `nurture resume` goes on. Then it leaves by itself.")
    told = house.json("send-test", "weekly:announcement", "--to", "luis@acme.example", code=1)
    assert told["status"] == "queued"
    assert told["reply"].startswith("Sending is paused since ")
    assert relay.arrived == []
    house.type("resume")
    house.type("run", "--once")
    tests = [mail for mail in relay.arrived if str(mail.message["Subject"]).startswith("[Test] ")]
    assert sorted(mail.rcpt_to for mail in tests) == ["luis@acme.example", "you@acme.example"]


def test_a_simulation_tells_one_way_through_a_sequence(house: Terminal) -> None:
    told = house.json("simulate", "evaluators", "--from", "2026-03-02T09:00", "--contact", "ana@reader.example")
    assert set(told) == {"contact", "status", "reason", "mails", "score", "timeline"}
    assert told["contact"] == "ana@reader.example"
    assert all(set(entry) == {"at", "step", "what", "why"} for entry in told["timeline"])
    instants = [entry["at"] for entry in told["timeline"]]
    assert instants == sorted(instants)
    assert told["timeline"][0]["what"] == "enrolled"


def test_a_simulation_reads_well_in_a_pipe(house: Terminal) -> None:
    out, err = house.type("simulate", "evaluators", "--from", "2026-03-02T09:00")
    assert err == ""
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["when", "(UTC)"]
    assert lines[-1] == "ana@reader.example: finished, 4 mails."


def test_a_simulation_stops_where_it_was_told_to(house: Terminal) -> None:
    told = house.json("simulate", "evaluators", "--from", "2026-03-02T09:00", "--for", "5d")
    assert (told["status"], told["mails"]) == ("waiting", 2)
    assert told["timeline"][-1]["what"] == "still on the way"


def test_one_seed_is_one_story_and_a_simulation_leaves_no_trace(house: Terminal) -> None:
    behavior = house.write("open: {p: 0.5}\nclick: {p: 0.5}\nopt_out: {p: 0.1}\n", "behavior.yaml")
    words = ["simulate", "evaluators", "--from", "2026-03-02T09:00", "--behavior", behavior]
    before = house.json("deliveries")
    stories = [house.json(*words, "--seed", seed) for seed in "1122"]
    assert stories[::2] == stories[1::2]
    assert len({str(story) for story in stories}) > 1
    assert house.json("deliveries") == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["evaluator"], 'there is no sequence "evaluator" without errors. Did you mean "evaluators"? `nurture check` says more.'),
        (["evaluators", "--from", "soon"], '"soon" is no moment;'),
        (["evaluators", "--for", "5 working days"], '"5 working days" depends on a calendar, and none counts here;'),
        (["evaluators", "--behavior", "nowhere.yaml"], "nowhere.yaml: there is no such file."),
        (["evaluators", "--contact", "eve@reader.example"], "eve@reader.example: there is no such contact;"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_ends_with_one_sentence(house: Terminal, words: list[str], sentence: str) -> None:
    assert house.refused("simulate", *words).startswith(sentence)


def test_a_mistake_in_a_behavior_is_told_with_its_line(house: Terminal) -> None:
    behavior = house.write("open: {p: 50}\nclcik: {p: 0.5}\n", "behavior.yaml")
    _, err = house.type("simulate", "evaluators", "--behavior", behavior, code=1)
    assert f"{Path(behavior)}:1:11: open.p: 50 is too large; write 1 or less. [NS004]" in err
    assert f"{Path(behavior)}:2:1: clcik: there is no such key. [NS002]" in err


def test_a_mail_is_explained_by_what_it_says_to_everybody(house: Terminal) -> None:
    out, _ = house.type("preview", "templates/sequences", "--explain")
    assert "templates/sequences/evaluators/report.md: 9" in out
    assert "% the same for all, " in out
    assert out.splitlines()[-1] == "27 mails: 27 written ahead as a whole, 0 but for regions, 0 left out."
    for name in ("evaluators:report", "sequences/evaluators/report", "campaigns/newsletters"):
        explained = house.json("preview", name, "--explain")
        assert {one["why_plain"] for one in explained} == {""}
        assert all(one["share"] > 0.9 and one["expressions"] > 10 for one in explained)


def test_what_is_rendered_for_each_reader_is_named_with_its_line(house: Terminal) -> None:
    place = house.here / "letters"
    place.mkdir()
    (place / "loud.mjml").write_text(
        "<mjml><mj-body><mj-section><mj-column><mj-text>\n"
        "{% filter upper %}{{ contact.company }}{% endfilter %}\n"
        "</mj-text></mj-column></mj-section></mj-body></mjml>\n"
    )
    (place / "broken.mjml").write_text(
        "<mjml><mj-body><mj-section><mj-column><mj-text>{{ contact.company }}\n"
        "{{ nobody }}</mj-text></mj-column></mj-section></mj-body></mjml>\n"
    )
    out, err = house.type("preview", str(place), "--explain")
    assert "letters/loud.mjml:2:1: `{% filter upper %}`: a filter takes its block as a whole" in out
    assert out.splitlines()[-1] == "1 mail: 0 written ahead as a whole, 1 but for regions, 1 left out."
    assert 'broken.mjml: left out. letters/broken.mjml:2:4: a mail knows no "nobody"' in err
