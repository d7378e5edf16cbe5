"""Tokens for a relay, from a provider over real HTTP: got by a code or a page, renewed in time, gone when consent is."""

import asyncio
import base64
import os
import threading
import urllib.request
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from nurture.adapters.oauth import Landing, Provider, TokenSource, wait_for_consent
from nurture.adapters.smtp import Relay, SmtpMailer
from nurture.delivery.mailer import RelayDown
from nurture.relays.oauth import Client, SignInFailed, Token
from tests.support.providers import CODE, PENDING, REVOKED, TOKEN, TokenProvider, running_provider
from tests.support.receivers import running_receiver
from tests.support.scripts import scripted


@pytest.fixture
def oauth() -> Iterator[TokenProvider]:
    with running_provider() as running:
        yield running


class Time:
    """Real seconds, as a test lets them go by."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def elapsed(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def _provider(oauth: TokenProvider, hosts: frozenset[str] = frozenset()) -> Provider:
    return Provider(Client("app-1", oauth.url, "send"), hosts)


def test_a_code_is_typed_and_we_ask_no_more_often_than_we_may(oauth: TokenProvider) -> None:
    """RFC 8628, 3.5: each slow_down makes us five seconds slower, for good."""
    oauth.say((200, {**CODE[1], "interval": 4}), PENDING, (400, {"error": "slow_down"}), PENDING, TOKEN)
    provider, time = _provider(oauth), Time()
    code = provider.ask_for_code(oauth.url)
    token = wait_for_consent(provider, code, time.elapsed, time.pause)
    assert token == Token("access-1", "refresh-1", 3600)
    assert time.pauses == [4, 4, 9, 9]
    assert [one["client_id"] for one in oauth.asked] == ["app-1"] * 5
    assert oauth.asked[1]["device_code"] == "secret-device"


def test_a_provider_that_stumbles_is_asked_again_and_more_slowly(oauth: TokenProvider) -> None:
    oauth.say((200, {**CODE[1], "interval": 2}), (503, {}), TOKEN)
    provider, time = _provider(oauth), Time()
    assert wait_for_consent(provider, provider.ask_for_code(oauth.url), time.elapsed, time.pause).access_token
    assert time.pauses == [2, 4]


def test_a_code_nobody_types_ends(oauth: TokenProvider) -> None:
    oauth.say((200, {**CODE[1], "interval": 5, "expires_in": 30}), PENDING)
    provider, time = _provider(oauth), Time()
    with pytest.raises(SignInFailed, match="not typed in time"):
        wait_for_consent(provider, provider.ask_for_code(oauth.url), time.elapsed, time.pause)
    assert sum(time.pauses) == 30


def test_a_page_comes_back_to_this_machine_with_a_code(oauth: TokenProvider) -> None:
    oauth.say(TOKEN)
    provider, landing = _provider(oauth), Landing()
    page = provider.client.page("https://login.example/auth", landing.address, "state-1", "verifier-1")
    back = parse_qs(urlsplit(page).query)["redirect_uri"][0]

    def browse() -> None:
        for target in ("/favicon.ico", "/?state=state-1&code=c1"):
            try:
                urllib.request.urlopen(back + target).read()
            except urllib.error.HTTPError as error:
                error.close()

    browser = threading.Thread(target=browse)
    browser.start()
    code = landing.wait("state-1", 60, Time().elapsed)
    browser.join()
    landing.close()
    assert provider.redeem(code, back, "verifier-1").refresh_token == "refresh-1"
    assert oauth.asked == [
        {"client_id": "app-1", "grant_type": "authorization_code", "code": "c1", "redirect_uri": back, "code_verifier": "verifier-1"}
    ]  # fmt: skip


def test_the_address_of_a_browser_on_another_machine_may_be_pasted() -> None:
    landing = Landing()
    reading, writing = os.pipe()
    with os.fdopen(reading) as typed:
        os.write(writing, b"\nhttp://127.0.0.1:9/?state=state-1&code=c1\n")
        os.close(writing)
        assert landing.wait("state-1", 60, Time().elapsed, typed) == "c1"
    landing.close()


def test_a_page_that_nobody_comes_back_from_ends() -> None:
    landing = Landing()
    with pytest.raises(SignInFailed, match="nobody came back"):
        landing.wait("state-1", 0, Time().elapsed)
    landing.close()


def test_nobody_but_the_providers_hosts_is_asked_and_nothing_goes_unencrypted(oauth: TokenProvider) -> None:
    with pytest.raises(SignInFailed, match=r"127\.0\.0\.1 is none of the provider's own hosts \(login\.example\)"):
        _provider(oauth, frozenset({"login.example"})).refresh("refresh-1")
    with pytest.raises(SignInFailed, match="is no https address"):
        Provider(Client("app-1", "http://login.example/token")).refresh("refresh-1")
    assert oauth.asked == []


def test_a_redirect_of_a_provider_is_not_followed(oauth: TokenProvider) -> None:
    with running_receiver() as elsewhere:
        oauth.receiver.answer(302, headers={"Location": elsewhere.url})
        with pytest.raises(SignInFailed):
            _provider(oauth).refresh("refresh-1")
        assert elsewhere.got == []


def _source(oauth: TokenProvider, time: Time, kept: list[str]) -> TokenSource:
    return TokenSource(_provider(oauth), "refresh-0", time.elapsed, kept.append, "nurture connect microsoft-365")


def test_a_token_is_used_until_shortly_before_its_end_and_a_new_refresh_token_is_kept(oauth: TokenProvider) -> None:
    oauth.say(TOKEN, (200, {"access_token": "access-2", "expires_in": 3600}))
    time, kept = Time(), list[str]()
    source = _source(oauth, time, kept)
    assert [source(), source()] == ["access-1", "access-1"]
    time.now += 3299
    assert source() == "access-1"
    time.now += 1
    assert source() == "access-2"
    assert kept == ["refresh-1"]
    assert [one["refresh_token"] for one in oauth.asked] == ["refresh-0", "refresh-1"]
    assert "refresh" not in repr(source).replace("refresh_token", "")


def test_connections_that_sign_in_at_once_share_one_token(oauth: TokenProvider) -> None:
    oauth.say(TOKEN)
    source = _source(oauth, Time(), [])
    threads = [threading.Thread(target=source) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(oauth.asked) == 1


def test_a_token_the_relay_did_not_take_is_forgotten(oauth: TokenProvider) -> None:
    oauth.say(TOKEN, (200, {"access_token": "access-2"}))
    source = _source(oauth, Time(), [])
    source()
    source.forget()
    assert source() == "access-2"


def test_a_token_that_cannot_be_written_down_is_used_all_the_same(
    oauth: TokenProvider, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    oauth.say(TOKEN)
    source = TokenSource(_provider(oauth), "refresh-0", Time().elapsed, full, "nurture connect own")
    assert source() == "access-1"
    assert "could not be written: [Errno 28] No space left on device" in caplog.text
    assert "refresh-1" not in caplog.text


def test_a_relay_that_does_not_take_a_token_is_shown_a_new_one(oauth: TokenProvider) -> None:
    """Whoever changes a password ends tokens before their time."""
    oauth.say(TOKEN, (200, {"access_token": "access-2"}))
    source = _source(oauth, Time(), [])

    async def sign_in_twice() -> list[str]:
        async with scripted({"EHLO": "250-relay\n250 AUTH XOAUTH2", "AUTH": ["535 5.7.3 no", "235 welcome"]}) as relay:
            mailer = SmtpMailer(
                Relay(
                    "127.0.0.1", relay.port, username="dana", auth="xoauth2", token=source, forget_token=source.forget
                )
            )
            with pytest.raises(RelayDown, match=r"signing in as dana failed: 535 5\.7\.3 no"):
                await mailer.connect()
            await (await mailer.connect()).close()
            return [base64.b64decode(line.split()[2]).decode() for line in relay.heard if line.startswith("AUTH")]

    shown = asyncio.run(sign_in_twice())
    assert shown == ["user=dana\1auth=Bearer access-1\1\1", "user=dana\1auth=Bearer access-2\1\1"]


def test_consent_that_was_taken_back_says_what_to_type_and_lets_mails_wait(oauth: TokenProvider) -> None:
    oauth.say(REVOKED)
    with pytest.raises(RelayDown) as down:
        _source(oauth, Time(), [])()
    assert str(down.value) == (
        "the provider gives no token: invalid_grant: AADSTS50173: the grant was revoked. The consent was taken back or "
        "has ended; type `nurture connect microsoft-365`."
    )


def test_a_provider_out_of_reach_lets_mails_wait_too_and_asks_nobody_to_sign_in_again(oauth: TokenProvider) -> None:
    oauth.say((503, {}))
    with pytest.raises(RelayDown, match=r"^127\.0\.0\.1 is not well: it answers with 503\.$"):
        _source(oauth, Time(), [])()
