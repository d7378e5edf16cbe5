"""What a provider's answers mean when somebody signs in: RFC 6749, RFC 7636, RFC 8252, RFC 8628."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from nurture.relays.oauth import (
    Client,
    ConsentRevoked,
    SignInFailed,
    Token,
    Wait,
    read_device_code,
    read_poll,
    read_redirect,
    read_token,
)

CLIENT = Client("app-1", "https://login.example/token", "send offline", "hush")


def _said(**words: Any) -> bytes:
    return json.dumps(words).encode()


def test_a_code_says_what_to_type_and_where_and_how_often_we_may_ask() -> None:
    code = read_device_code(
        200,
        _said(user_code="WDJB-MJHT", verification_uri="https://login.example/device", device_code="GmRh", interval=7),
    )
    assert (code.user_code, code.verification_uri, code.interval, code.expires_in) == (
        "WDJB-MJHT", "https://login.example/device", 7, 900,
    )  # fmt: skip
    assert "GmRh" not in repr(code)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", _said(user_code="A"), _said(user_code="A", device_code="b", verification_uri="javascript:x")],
)
def test_an_answer_without_a_code_is_none(body: bytes) -> None:
    with pytest.raises(SignInFailed, match="has no code in it"):
        read_device_code(200, body)


def test_until_somebody_has_typed_the_code_we_wait_and_slow_down_when_asked() -> None:
    assert read_poll(400, _said(error="authorization_pending"), 5) == Wait(5)
    assert read_poll(400, _said(error="slow_down"), 5) == Wait(10)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("access_denied", "said no"),
        ("authorization_declined", "said no"),
        ("expired_token", "not typed in time"),
        ("invalid_client", "invalid_client: AADSTS7000218: allow public client flows"),
    ],
)
def test_every_other_end_is_a_sentence(error: str, sentence: str) -> None:
    words = _said(error=error, error_description="AADSTS7000218: allow public client flows.\r\nTrace ID: 1")
    with pytest.raises(SignInFailed, match=sentence):
        read_poll(400, words, 5)


def test_a_token_is_never_shown_and_asked_for_anew_before_it_ends() -> None:
    token = read_poll(200, _said(access_token="at", refresh_token="rt", expires_in=3600), 5)
    assert token == Token("at", "rt", 3600)
    assert "at" not in repr(token).replace("Token", "")
    assert token.is_good_for == 3300
    assert Token("at", "rt", 60).is_good_for == 30


def test_a_refresh_token_stays_unless_a_new_one_comes() -> None:
    assert read_token(200, _said(access_token="at"), known="old").refresh_token == "old"
    assert read_token(200, _said(access_token="at", refresh_token="new"), known="old").refresh_token == "new"


def test_consent_that_is_gone_is_told_from_a_provider_that_is_not_well() -> None:
    with pytest.raises(ConsentRevoked, match="invalid_grant: it was revoked"):
        read_token(400, _said(error="invalid_grant", error_description="it was revoked."))
    with pytest.raises(SignInFailed, match="invalid_client") as failed:
        read_token(401, _said(error="invalid_client"))
    assert not isinstance(failed.value, ConsentRevoked)


def test_the_page_carries_a_challenge_and_only_its_own_state_comes_back() -> None:
    page = urlsplit(CLIENT.page("https://login.example/auth", "http://127.0.0.1:9", "state-1", "verifier-1"))
    asked = {key: value[0] for key, value in parse_qs(page.query).items()}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier-1").digest()).rstrip(b"=").decode()
    assert asked["code_challenge"] == challenge
    assert asked["code_challenge_method"] == "S256"
    assert "hush" not in page.query
    assert read_redirect("/?state=state-1&code=c1", "state-1") == "c1"
    for wrong in ("/?state=other&code=c1", "/?code=c1", "/?state=state-1&error=access_denied", "/?state=state-1"):
        with pytest.raises(SignInFailed):
            read_redirect(wrong, "state-1")


def test_the_secret_of_an_app_goes_to_the_token_endpoint_only() -> None:
    assert "client_secret" not in CLIENT.ask_for_code()
    assert CLIENT.refresh("rt") == {
        "client_id": "app-1", "client_secret": "hush", "grant_type": "refresh_token", "refresh_token": "rt",
    }  # fmt: skip
    assert CLIENT.redeem("c", "http://127.0.0.1:9", "v")["code_verifier"] == "v"
    assert "hush" not in repr(CLIENT)
