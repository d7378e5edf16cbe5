"""Relays as people have them, at work: ids of their own, terms, tokens, headers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from nurture.consent.rules import Basis
from nurture.database.engine import Database
from nurture.sequences.entries import enroll
from tests.support.beside import scripted_beside
from tests.support.providers import REVOKED, TOKEN, running_provider
from tests.support.relays import running_relay
from tests.support.stories import Story, running_story
from tests.support.workspaces import SETTINGS

#: A Tuesday, ten in the morning in Berlin.
START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
ANA, BEN = "ana@reader.example", "ben@reader.example"
ID = "010201953e66541f-a46c5c6a-d68b-4771-96f9-70063b13684a-000000"
SIGNS_IN = {"EHLO": "250-relay.example\n250 AUTH XOAUTH2"}


@contextmanager
def _house(folder: Path, url: str, relay: str, **environment: str) -> Iterator[Story]:
    """A house with one relay of `[[relays]]`."""
    files = {"settings.toml": f"{SETTINGS}\n[[relays]]\n{relay}\n"}
    with running_story(folder / "house", url, START, files, **environment) as story:
        yield story


def _write_to(story: Story, email: str, **values: object) -> None:
    contact = story.add_contact(email, **values)
    with story.database.writing() as session:
        assert enroll(session, story.app.language, "evaluators", contact, because="a test", now=story.now)
    story.settle()


def test_a_reply_finds_its_mail_although_the_relay_put_a_message_id_of_its_own(
    sqlite: Database, tmp_path: Path
) -> None:
    answers = running_relay(on_data=lambda _: f"250 Ok {ID}")
    with answers as relay, _house(
        tmp_path, sqlite.url, f'name = "news"\nprovider = "ses"\nhost = "127.0.0.1"\nport = {relay.port}'
    ) as story:  # fmt: skip
        _write_to(story, ANA)
        [delivery] = story.deliveries_to(ANA)
        assert (delivery.status, delivery.reply) == ("sent", f"250 Ok {ID}")
        story.write_to_us(
            "reply+lost@reply.acme.example", "When can we talk?", In_Reply_To=f"<{ID}@eu-west-1.amazonses.com>"
        )
        [mail] = story.rows("inbound_mail")
        assert (mail["kind"], mail["delivery_id"], mail["text"]) == ("reply", delivery.id, "When can we talk?")
        story.write_to_us("reply+lost@reply.acme.example", "And now?", In_Reply_To="<another@eu-west-1.amazonses.com>")
        assert [one["kind"] for one in story.rows("inbound_mail")] == ["reply", "unmatched"]


def test_whom_the_terms_of_a_relay_leave_out_waits_until_somebody_says_otherwise(
    sqlite: Database, tmp_path: Path
) -> None:
    with running_relay() as relay:
        news = f'name = "news"\nhost = "127.0.0.1"\nport = {relay.port}'
        headers = 'headers = ["X-PM-KeepID: true"]'
        with _house(tmp_path, sqlite.url, f'{news}\n{headers}\naccepts = ["double-opt-in", "opt-in"]') as story:
            _write_to(story, ANA)
            _write_to(story, BEN, basis=Basis.CUSTOMER)
            assert [one.rcpt_to for one in relay.arrived] == [ANA]
            assert relay.arrived[0].message["X-PM-KeepID"] == "true"
            [held] = story.deliveries_to(BEN)
            assert held.status == "held"
            assert held.because == (
                "boundary: the terms of the relay news leave room for double-opt-in, opt-in, and this is customer; change "
                "relays.accepts in settings.toml if they allow it, or let another relay carry it"
            )
            now = story.now
        with running_story(tmp_path / "house", sqlite.url, now, {"settings.toml": f"{SETTINGS}\n[[relays]]\n{news}\n"}) as story:  # fmt: skip
            story.live(hours=2)
            assert [one.rcpt_to for one in relay.arrived] == [ANA, BEN]


def test_without_a_token_mails_wait_and_say_what_to_type(sqlite: Database, tmp_path: Path) -> None:
    with running_provider() as oauth, scripted_beside(SIGNS_IN) as relay:
        oauth.say(REVOKED)
        settings = (
            f'mail_from = "sender"\nname = "mailbox"\nhost = "127.0.0.1"\nport = {relay.port}\nusername = "dana@acme.example"\n'
            f'auth = "xoauth2"\nclient_id = "app-1"\ntoken_url = "{oauth.url}"'
        )
        secret = {"NURTURE_RELAYS__MAILBOX__REFRESH_TOKEN": "refresh-0"}
        with _house(tmp_path, sqlite.url, settings, **secret) as story:
            _write_to(story, ANA)
            [waiting] = story.deliveries_to(ANA)
            assert (waiting.status, waiting.attempts) == ("queued", 0)
            oauth.say(TOKEN)
            story.live(hours=2)
            assert [one.status for one in story.deliveries_to(ANA)] == ["sent"]
            # A mailbox sends as itself and as nobody else.
            assert any(line.startswith("MAIL FROM:<dana@acme.example>") for line in relay.heard)
        # What took its place is written down for the next start.
        assert "refresh-1" in (tmp_path / "house" / ".nurture" / "secrets").read_text(encoding="utf-8")
        assert "refresh" not in (tmp_path / "house" / "settings.toml").read_text(encoding="utf-8")
