"""`nurture connect`: what is asked, what is tried, what is written, and that nothing is otherwise."""

import base64
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from nurture.settings import read_settings
from nurture.toml.editing import put
from tests.support.beside import scripted_beside
from tests.support.providers import CODE, PENDING, REVOKED, TOKEN, TokenProvider, running_provider
from tests.support.scripts import Script, ScriptedRelay
from tests.support.terminals import Terminal
from tests.support.typists import typing

PASSWORD = 'pass word, with # and "quotes"'
SIGNS_IN: Script = {"EHLO": "250-relay.example\n250-PIPELINING\n250 AUTH PLAIN LOGIN XOAUTH2"}


@pytest.fixture
def relay() -> Iterator[ScriptedRelay]:
    """A relay with sign-in."""
    with scripted_beside(SIGNS_IN) as running:
        yield running


@pytest.fixture
def oauth() -> Iterator[TokenProvider]:
    with running_provider() as running:
        yield running


def _own(relay: ScriptedRelay, *more: str) -> list[str]:
    return ["connect", "own", "--host", "127.0.0.1", "--port", str(relay.port), "--username", "dana", *more]


def _by_oauth(relay: ScriptedRelay, oauth: TokenProvider, *more: str) -> list[str]:
    said = ["--sign-in", "oauth", "--client-id", "app-1", "--token-url", oauth.url, "--device-url", oauth.url]
    return _own(relay, *said, "--scope", "send", *more)


def _password(terminal: Terminal, text: str = PASSWORD) -> list[str]:
    return ["--password-file", terminal.write(f"{text}\n", "password.txt")]


def _files(workspace: Path) -> dict[str, bytes]:
    """Every file of the workspace but the database."""
    paths = [path for path in workspace.rglob("*") if path.is_file() and not path.name.startswith("nurture.db")]
    return {str(path.relative_to(workspace)): path.read_bytes() for path in paths}


def _remarks(terminal: Terminal) -> dict[str, str]:
    """What `check` says, by code."""
    return {one["code"]: one["message"] for one in terminal.json("check")["problems"]}


def _signed_in_with(relay: ScriptedRelay) -> bytes:
    line = next(line for line in relay.heard if line.startswith("AUTH"))
    return base64.b64decode(line.split()[2])


def test_a_relay_is_tried_with_a_real_mail_and_only_then_written(terminal: Terminal, relay: ScriptedRelay) -> None:
    before = (terminal.workspace / "settings.toml").read_text(encoding="utf-8")
    out, err = terminal.type(*_own(relay), *_password(terminal))
    assert "took the test for dana@acme.example: 250 2.0.0 taken as 4711" in out
    assert _signed_in_with(relay) == f"\0dana\0{PASSWORD}".encode()
    [body] = relay.bodies
    assert b"Subject: nurture can send through A relay of your own" in body
    assert b"From: Dana Reed <dana@acme.example>" in body
    after = (terminal.workspace / "settings.toml").read_text(encoding="utf-8")
    assert after.startswith(before)
    [written] = read_settings(terminal.workspace, {}).relays
    assert (written.name, written.provider, written.host, written.port) == ("own", "own", "127.0.0.1", relay.port)
    assert (written.username, written.password) == ("dana", PASSWORD)
    secrets = terminal.workspace / ".nurture" / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert "password" not in after
    assert PASSWORD not in out + err


def test_the_test_comes_back_to_where_the_others_will(terminal: Terminal, relay: ScriptedRelay) -> None:
    """A relay may take no mail of a domain that it has not seen proof of, and better says so now."""
    terminal.set(NURTURE_INBOUND__DOMAIN="reply.acme.example")
    terminal.type(*_own(relay), *_password(terminal))
    assert any(line.startswith("MAIL FROM:<nurture-test@reply.acme.example>") for line in relay.heard)


def test_a_password_of_the_environment_is_used_and_written_nowhere(terminal: Terminal, relay: ScriptedRelay) -> None:
    terminal.set(NURTURE_RELAYS__OWN__PASSWORD=PASSWORD)
    terminal.type(*_own(relay))
    assert _signed_in_with(relay) == f"\0dana\0{PASSWORD}".encode()
    assert all(PASSWORD.encode() not in content for content in _files(terminal.workspace).values())


def test_run_again_it_changes_the_same_relay_and_leaves_what_its_owner_changed(
    terminal: Terminal, relay: ScriptedRelay
) -> None:
    terminal.type(*_own(relay), *_password(terminal))
    terminal.edit("settings.toml", "per_day = 0", "per_day = 900 # as agreed with the host")
    terminal.type(*_own(relay, "--per-second", "3"), *_password(terminal, "a new one"))
    [written] = read_settings(terminal.workspace, {}).relays
    assert (written.password, written.per_day, written.per_second) == ("a new one", 900, 3)
    assert "# as agreed with the host" in (terminal.workspace / "settings.toml").read_text(encoding="utf-8")
    terminal.type(*_own(relay, "--name", "second"), *_password(terminal))
    assert [one.name for one in read_settings(terminal.workspace, {}).relays] == ["own", "second"]
    assert [one.password for one in read_settings(terminal.workspace, {}).relays] == ["a new one", PASSWORD]


def test_the_mark_of_an_editor_is_no_part_of_a_password(terminal: Terminal, relay: ScriptedRelay) -> None:
    terminal.type(*_own(relay), *_password(terminal, f"\ufeff{PASSWORD}"))
    assert _signed_in_with(relay) == f"\0dana\0{PASSWORD}".encode()


def test_run_again_it_goes_where_it_went_before(terminal: Terminal, relay: ScriptedRelay, oauth: TokenProvider) -> None:
    """Whoever is told to type it again types as little as that."""
    terminal.type(*_own(relay), *_password(terminal))
    terminal.edit("settings.toml", 'auth = "auto"', 'auth = "plain"')
    terminal.edit("settings.toml", 'tls = "auto"', 'tls = "off"')
    terminal.type("connect", "own", *_password(terminal, "a new one"))
    [written] = read_settings(terminal.workspace, {}).relays
    assert (written.host, written.port, written.tls, written.username) == ("127.0.0.1", relay.port, "off", "dana")
    assert (written.auth, written.password) == ("plain", "a new one")
    oauth.say(CODE, TOKEN, TOKEN, CODE, TOKEN, TOKEN)
    terminal.type(*_by_oauth(relay, oauth, "--name", "by-oauth"))
    terminal.type("connect", "own", "--name", "by-oauth", "--device-url", oauth.url)
    written = read_settings(terminal.workspace, {}).relays[1]
    assert (written.auth, written.client_id, written.token_url, written.scope) == (
        "xoauth2",
        "app-1",
        oauth.url,
        "send",
    )


def test_run_again_it_stays_in_its_region(terminal: Terminal) -> None:
    words = ["connect", "ses", "--username", "key", "--no-test", *_password(terminal)]
    terminal.type(*words, "--region", "EU-Central-1")
    again = terminal.json(*words)
    assert again["host"] == "email-smtp.eu-central-1.amazonaws.com"
    assert not any("the test mail" in step for step in again["next"]), "there was none"


def test_at_port_465_it_speaks_tls_at_once(terminal: Terminal) -> None:
    for name in ("ses", "brevo"):
        terminal.type("connect", name, "--username", "key", "--port", "465", "--no-test", *_password(terminal))
    terminal.type("connect", "own", "--host", "mail.acme.example", "--username", "", "--port", "465", "--no-test")
    assert {(one.port, one.tls) for one in read_settings(terminal.workspace, {}).relays} == {(465, "implicit")}
    terminal.type("connect", "brevo", "--username", "key", "--port", "587", "--no-test", *_password(terminal))
    assert read_settings(terminal.workspace, {}).relays[1].tls == "starttls"


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            {"AUTH": "535 5.7.8 wrong password"},
            r"A relay of your own: 127.0.0.1:PORT: signing in as dana failed: 535 5.7.8 wrong password. Nothing was written.",
        ),
        (
            {"RCPT": "550 5.7.1 verify your domain first"},
            "A relay of your own did not take the test: 550 5.7.1 verify your domain first. Nothing was written.",
        ),
        (
            {".": "554 5.7.1 looks like spam"},
            "A relay of your own did not take the test: 554 5.7.1 looks like spam. Nothing was written.",
        ),
    ],
)
def test_what_does_not_work_is_not_written(terminal: Terminal, script: Script, sentence: str) -> None:
    before = _files(terminal.workspace)
    with scripted_beside({**SIGNS_IN, **script}) as relay:
        said = terminal.refused(*_own(relay), *_password(terminal))
        assert said == sentence.replace("PORT", str(relay.port))
    assert _files(terminal.workspace) == before


def test_a_known_relay_brings_its_limits_headers_and_terms(terminal: Terminal) -> None:
    report = terminal.json(
        "connect", "postmark", "--username", "key", "--no-test", "--sender", "dana@news.acme.example", "--sender-name",
        "Dana", *_password(terminal),
    )  # fmt: skip
    settings = read_settings(terminal.workspace, {})
    [written] = settings.relays
    assert (written.host, written.port, written.tls) == ("smtp-broadcasts.postmarkapp.com", 587, "starttls")
    assert written.headers == ("X-PM-Message-Stream: broadcast", "X-PM-KeepID: true")
    assert written.accepts == ("double-opt-in", "opt-in")
    assert (settings.senders.default.name, settings.senders.default.email) == ("Dana", "dana@news.acme.example")
    assert settings.senders.domains == ("acme.example", "news.acme.example")
    assert report["tested"] is False
    assert (
        "mail to people on any other basis than double-opt-in, opt-in waits (relays.accepts)." in report["remarks"][1]
    )
    assert any("nurture publish" in step for step in report["next"])
    assert "NS018" not in _remarks(terminal)
    terminal.edit("settings.toml", 'accepts = ["double-opt-in", "opt-in"]', 'accepts = ["opt-in", "met"]')
    assert _remarks(terminal)["NS018"].startswith(
        "Postmark wants people to have agreed, and mail to those on met would go"
    )


def test_regions_have_hosts_and_a_relay_in_the_way_is_named(terminal: Terminal) -> None:
    settings = terminal.workspace / "settings.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(put(text, ("smtp", "host"), "mail.acme.example", file="settings.toml"), encoding="utf-8")
    more = ["--region", "eu-central-1", "--username", "AKIA", "--header", "X-SES-CONFIGURATION-SET: news", "--no-test"]
    report = terminal.json("connect", "ses", *more, *_password(terminal))
    assert report["host"] == "email-smtp.eu-central-1.amazonaws.com"
    assert report["headers"] == ["X-SES-CONFIGURATION-SET: news"]
    assert report["limits"] == {"connections": 10, "per_second": 14, "per_hour": 0, "per_day": 50_000}
    assert "[smtp] (mail.acme.example) counts no more" in report["remarks"][1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["postmrk"], 'there is no relay "postmrk". Did you mean "postmark"? `nurture relays` lists them; any other one is "own".'),
        (["own", "--sender", "dana"], "dana: the address has no @."),
        (["gmail"], 'there is no relay "gmail". Did you mean "google-workspace"? `nurture relays` lists them; any other one is "own".'),
        (["O365"], 'there is no relay "O365". Did you mean "microsoft-365"? `nurture relays` lists them; any other one is "own".'),
        (["own", "--host", "smtps://mail.acme.example:465/"], "--host: smtps://mail.acme.example:465/ is more than the name of a host; write mail.acme.example, and its port as --port."),
        (["own", "--host", "mail.acme.example:587"], "--host: mail.acme.example:587 is more than the name of a host; write mail.acme.example, and its port as --port."),
        (["brevo", "--username", "a", "--password-file", "gone.txt"], "--password-file: gone.txt cannot be read: No such file or directory."),
        (["brevo", "--username", "a", "--password-file", "/"], "--password-file: / cannot be read: Is a directory."),
        (["ses", "--region", "eu-west-9"], 'Amazon SES has no region "eu-west-9". Did you mean "eu-west-3"? `nurture relays show ses` lists them.'),
        (["ses", "--host", "mail.acme.example"], "--host: Amazon SES is at email-smtp.{region}.amazonaws.com; connect any other relay as own."),
        (["brevo"], "--username is missing, and there is nobody to ask for it: SMTP login, as the SMTP tab shows it."),
        (["brevo", "--username", "a"], "--password-file is missing, and there is nobody to ask for it; it names a file, or - for stdin."),
        (["brevo", "--sign-in", "oauth"], '--sign-in: Brevo has no way in by "oauth", but by password.'),
        (["own", "--host", "127.0.0.1", "--sign-in", "address", "--no-test", "--per-second", "inf"], "relays.per_second: inf is not a number that ends; write it in digits. Nothing was written."),
        (["own"], "--host is missing, and there is nobody to ask for it: Host of the relay."),
    ],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_a_sentence(terminal: Terminal, words: list[str], sentence: str) -> None:
    before = _files(terminal.workspace)
    assert terminal.refused("connect", *words) == sentence
    assert _files(terminal.workspace) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--name", "a.b"], 'relays.name: "a.b" is no name of a relay; write small letters, digits and hyphens, such as "ses-eu".'),
        (["--header", "news"], 'relays.headers: "news" is no header of a relay; write one such as "X-SES-CONFIGURATION-SET: news".'),
        (["--sender", "dana@gmail.com"], "--sender: mail from gmail.com is gmail.com's to send: its DMARC record has everybody refuse ours; write from a domain of your own, or connect the relay of gmail.com."),
    ],
)  # fmt: skip
def test_what_check_would_refuse_is_neither_tried_nor_written_and_no_line_of_a_file_is_named(
    terminal: Terminal, relay: ScriptedRelay, words: list[str], sentence: str
) -> None:
    before = _files(terminal.workspace)
    assert terminal.refused(*_own(relay, *words), *_password(terminal)) == f"{sentence} Nothing was written."
    assert relay.heard == []
    assert _files(terminal.workspace) == before


def test_a_mailbox_writes_from_its_own_address_through_the_relay_of_its_provider(terminal: Terminal) -> None:
    mailbox = ["--sender", "dana@gmail.com", "--username", "dana@gmail.com", "--no-test", *_password(terminal)]
    terminal.type("connect", "own", "--host", "smtp.gmail.com", *mailbox)
    assert "NS016" not in _remarks(terminal)


def test_only_a_relay_elsewhere_asks_whom_real_mail_may_go_to(terminal: Terminal, relay: ScriptedRelay) -> None:
    steps = terminal.json(*_own(relay), *_password(terminal))["next"]
    assert not any("sending.only_to" in step for step in steps)
    elsewhere = ["connect", "own", "--name", "second", "--host", "mail.acme.example", "--username", "", "--no-test"]
    assert any("sending.only_to" in step for step in terminal.json(*elsewhere)["next"])


def test_the_test_goes_to_one_of_us_only(terminal: Terminal, relay: ScriptedRelay) -> None:
    said = terminal.refused(*_own(relay, "--to", "ana@reader.example"), *_password(terminal))
    assert said.startswith(
        "--to: ana@reader.example is neither an operator of settings.toml nor in senders.test_domains"
    )
    terminal.type(*_own(relay, "--to", "luis@acme.example"), *_password(terminal))
    assert "RCPT TO:<luis@acme.example>" in relay.heard


def test_a_code_is_typed_elsewhere_and_the_relay_is_shown_a_token(
    terminal: Terminal, relay: ScriptedRelay, oauth: TokenProvider
) -> None:
    """RFC 8628. The test already renews: the token the relay is shown is what production would show."""
    renewed = (200, {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 3600})
    oauth.say(CODE, PENDING, TOKEN, renewed)
    out, err = terminal.type(*_by_oauth(relay, oauth))
    assert "Open https://login.example/device on any device and type this code: WDJB-MJHT" in err
    assert _signed_in_with(relay) == b"user=dana\1auth=Bearer access-2\1\1"
    [written] = read_settings(terminal.workspace, {}).relays
    assert (written.auth, written.client_id, written.token_url) == ("xoauth2", "app-1", oauth.url)
    # Providers that hand out each refresh token once take only the newest.
    assert written.refresh_token == "refresh-2"
    text = (terminal.workspace / "settings.toml").read_text(encoding="utf-8")
    for secret in ("secret-device", "access-1", "access-2", "refresh-1", "refresh-2"):
        assert secret not in out + err + text


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ([CODE, (400, {"error": "access_denied"})], "whoever saw the code said no; type the command again and agree on the page."),
        ([CODE, (400, {"error": "expired_token"})], "the code was not typed in time; type the command again for a new one."),
        ([(400, {"error": "unauthorized_client"})], "the provider gives no code: unauthorized_client."),
        ([CODE, (200, {"access_token": "access-1"})], "the provider gave a token that cannot be renewed; ask for offline access in the scope."),
        (
            [CODE, TOKEN, REVOKED],
            ("A relay of your own: the provider gives no token: invalid_grant: AADSTS50173: the grant was revoked. "
            "The consent was taken back or has ended; type `nurture connect own`. Nothing was written."),
        ),
    ],
)  # fmt: skip
def test_a_sign_in_that_fails_writes_nothing(
    terminal: Terminal,
    relay: ScriptedRelay,
    oauth: TokenProvider,
    answers: list[tuple[int, dict[str, object]]],
    sentence: str,
) -> None:
    before = _files(terminal.workspace)
    oauth.say(*answers)
    _, err = terminal.type(*_by_oauth(relay, oauth), code=1)
    assert err.splitlines()[-1] == sentence
    assert _files(terminal.workspace) == before


def test_at_a_terminal_everything_is_asked_and_the_password_is_not_shown(
    terminal: Terminal, relay: ScriptedRelay
) -> None:
    with typing(terminal.workspace, "connect", "own", "--port", str(relay.port)) as typist:
        for question, answer in (
            ("Your name, as readers see it [Dana Reed]: ", ""),
            ("Your address, which mail comes from [dana@acme.example]: ", "dana at acme.example"),
            ("Your address, which mail comes from [dana@acme.example]: ", ""),
            ("Host of the relay: ", "smtp://127.0.0.1"),
            ("write 127.0.0.1, and its port as --port.", ""),
            ("Host of the relay: ", "127.0.0.1"),
            ("User name (empty: it asks for none): ", "dana"),
            ("Password (not shown): ", PASSWORD),
        ):
            typist.see(question)
            typist.type(answer)
        assert typist.end() == 0
    assert "settings.toml has it as the relay own." in typist.seen
    assert PASSWORD not in typist.seen
    assert read_settings(terminal.workspace, {}).relays[0].password == PASSWORD


@pytest.mark.parametrize("moment", ["Password (not shown): ", "Waiting …"])
def test_ctrl_c_leaves_every_file_as_it_was(
    terminal: Terminal, relay: ScriptedRelay, oauth: TokenProvider, moment: str
) -> None:
    oauth.say((200, {**CODE[1], "interval": 1}), PENDING)
    before = _files(terminal.workspace)
    words = _own(relay) if moment.startswith("Password") else _by_oauth(relay, oauth)
    with typing(terminal.workspace, *words, "--sender", "new@acme.example", "--sender-name", "New") as typist:
        typist.see(moment)
        typist.press_ctrl_c()
        assert typist.end() == 130
    assert _files(terminal.workspace) == before


def test_ctrl_d_at_a_password_ends_it_without_a_word(terminal: Terminal, relay: ScriptedRelay) -> None:
    before = _files(terminal.workspace)
    words = _own(relay, "--sender", "new@acme.example", "--sender-name", "New")
    with typing(terminal.workspace, *words) as typist:
        typist.see("Password (not shown): ")
        typist.press_ctrl_d()
        assert typist.end() == 130
    assert "Traceback" not in typist.seen
    assert _files(terminal.workspace) == before


def test_relays_are_listed_and_shown(terminal: Terminal, relay: ScriptedRelay) -> None:
    terminal.type(*_own(relay), *_password(terminal))
    listed = {one["name"]: one for one in terminal.json("relays")}
    assert [name for name, one in listed.items() if one["connected"]] == ["own"]
    assert listed["ses"]["checked_on"] == "2026-11-22"
    settings = terminal.workspace / "settings.toml"
    more = [("ses-eu", "email-smtp.eu-central-1.amazonaws.com"), ("ses-us", "email-smtp.us-east-1.amazonaws.com")]
    with settings.open("a", encoding="utf-8") as file:
        file.writelines(f'\n[[relays]]\nname = "{name}"\nhost = "{host}"\n' for name, host in (*more, ("house", "mx")))
    listed = {one["name"]: one for one in terminal.json("relays")}
    assert {name: one["connected_as"] for name, one in listed.items() if one["connected"]} == {
        "ses": ["ses-eu", "ses-us"],
        "own": ["own", "house"],
    }
    [line] = [line for line in terminal.type("relays")[0].splitlines() if line.split()[:1] == ["ses"]]
    assert line.endswith("ses-eu, ses-us")
    out, _ = terminal.type("relays", "show", "postmark")
    assert "Not verified:" in out
    assert terminal.json("relays", "show", "ses")["terms"]["demand_opt_in"] is True


def test_a_secret_in_settings_toml_is_sent_where_it_belongs(terminal: Terminal, relay: ScriptedRelay) -> None:
    terminal.type(*_own(relay), *_password(terminal))
    terminal.edit("settings.toml", "per_day = 0", 'refresh_token = "x"')
    said = terminal.refused("deliveries")
    assert "relays.refresh_token is a secret; move it to [relays.own] in .nurture/secrets" in said
    assert tomllib.loads((terminal.workspace / ".nurture" / "secrets").read_text(encoding="utf-8"))["relays"]
