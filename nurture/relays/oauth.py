"""Signing in over OAuth 2.0 as pure rules: what is asked of the provider, and what its answers mean.

Two ways lead to a refresh token: a code that is typed on any device (RFC 8628), and a page that comes back to this machine
with a code (RFC 8252, with PKCE, RFC 7636). From then on the refresh token gives access tokens of an hour or so.
What a provider says is shown to people in one line; what it hands out never is.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from nurture.errors import NotAllowed

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
#: RFC 8628, 3.5: each `slow_down` adds five seconds, for this and all later requests.
_SLOWER_BY = 5.0
_LONGEST_WORDS = 200
#: A token is asked for anew this long before it ends, or at half of its life if it is shorter still.
_EARLY = 300.0


class SignInFailed(NotAllowed):
    """The provider did not let us in; nothing was changed."""


class ConsentRevoked(SignInFailed):
    """The provider takes our refresh token no longer."""


@dataclass(frozen=True)
class Client:
    """Who asks, where, and for what."""

    client_id: str
    token_url: str
    scope: str = ""
    client_secret: str = field(default="", repr=False)

    def _form(self, **more: str) -> dict[str, str]:
        secret = {"client_secret": self.client_secret} if self.client_secret else {}
        return {"client_id": self.client_id, **secret, **more}

    def ask_for_code(self) -> dict[str, str]:
        """The device authorization request (RFC 8628, 3.1)."""
        return {"client_id": self.client_id, "scope": self.scope}

    def ask_whether_done(self, device_code: str) -> dict[str, str]:
        """The device access token request (RFC 8628, 3.4)."""
        return self._form(grant_type=_DEVICE_GRANT, device_code=device_code)

    def redeem(self, code: str, redirect_uri: str, verifier: str) -> dict[str, str]:
        """The token request of the code flow (RFC 6749, 4.1.3; RFC 7636, 4.5)."""
        return self._form(grant_type="authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=verifier)

    def refresh(self, refresh_token: str) -> dict[str, str]:
        """The request for the next access token (RFC 6749, 6)."""
        return self._form(grant_type="refresh_token", refresh_token=refresh_token)

    def page(self, authorize_url: str, redirect_uri: str, state: str, verifier: str) -> str:
        """The page on which somebody agrees (RFC 6749, 4.1.1)."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": redirect_uri, "scope": self.scope,
            "state": state, "code_challenge": challenge, "code_challenge_method": "S256",
            # Google's words for: a refresh token, please, also if there was one before.
            "access_type": "offline", "prompt": "consent",
        }  # fmt: skip
        return f"{authorize_url}?{urlencode(asked)}"


@dataclass(frozen=True)
class DeviceCode:
    """What somebody types, and where; `interval` is how often we may ask whether they have."""

    user_code: str
    verification_uri: str
    device_code: str = field(repr=False)
    expires_in: float = 900
    interval: float = 5


@dataclass(frozen=True)
class Token:
    """What lets us in for a while, and what brings the next one."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_in: float = 3600

    @property
    def is_good_for(self) -> float:
        """Seconds after which the next one is asked for: before it ends, never after."""
        return max(self.expires_in - _EARLY, self.expires_in / 2)


@dataclass(frozen=True)
class Wait:
    """Nobody has typed the code yet."""

    seconds: float


def read_device_code(status: int, body: bytes) -> DeviceCode:
    """The answer to the request for a code."""
    said = _read(body)
    if status != 200:
        raise SignInFailed(f"the provider gives no code: {_words(status, said)}.")
    try:
        return DeviceCode(
            user_code=_line(said["user_code"]),
            # Some call it by an earlier draft's name.
            verification_uri=_https(said.get("verification_uri") or said["verification_url"]),
            device_code=str(said["device_code"]),
            expires_in=float(said.get("expires_in", 900)),
            interval=float(said.get("interval", 5)),
        )
    except (KeyError, TypeError, ValueError):
        raise SignInFailed("the provider's answer has no code in it (RFC 8628, 3.2); check the addresses.") from None


def read_poll(status: int, body: bytes, interval: float) -> Token | Wait:
    """The answer to whether somebody has typed the code; waiting, a token, or `SignInFailed`."""
    if status == 200:
        return read_token(status, body)
    said = _read(body)
    match said.get("error"):
        case "authorization_pending":
            return Wait(interval)
        case "slow_down":
            return Wait(interval + _SLOWER_BY)
        case "access_denied" | "authorization_declined":
            raise SignInFailed("whoever saw the code said no; type the command again and agree on the page.")
        case "expired_token" | "code_expired":
            raise SignInFailed("the code was not typed in time; type the command again for a new one.")
    raise SignInFailed(f"the provider does not let us in: {_words(status, said)}.")


def read_token(status: int, body: bytes, *, known: str = "") -> Token:
    """The answer of a token endpoint; `known` is the refresh token that stays if the answer has no new one."""
    said = _read(body)
    if status != 200:
        failure = ConsentRevoked if said.get("error") in {"invalid_grant", "interaction_required"} else SignInFailed
        raise failure(f"the provider gives no token: {_words(status, said)}.")
    access, refresh = said.get("access_token"), said.get("refresh_token") or known
    if not isinstance(access, str) or not access or not isinstance(refresh, str):
        raise SignInFailed("the provider's answer has no token in it (RFC 6749, 5.1); check the addresses.")
    try:
        expires_in = float(said.get("expires_in", 3600))
    except (TypeError, ValueError):
        expires_in = 3600
    return Token(access, refresh, max(expires_in, 1.0))


def read_redirect(target: str, state: str) -> str:
    """The code in the address somebody's browser came back to (RFC 6749, 4.1.2)."""
    asked = parse_qs(urlsplit(target).query)
    if asked.get("state") != [state]:
        raise SignInFailed("the page that came back is not the one we opened; type the command again.")
    if "error" in asked:
        raise SignInFailed(f"the provider does not let us in: {_line(asked['error'][0])}.")
    code = asked.get("code", [""])[0]
    if not code:
        raise SignInFailed("the page that came back has no code in it; type the command again.")
    return code


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _words(status: int, said: Mapping[str, Any]) -> str:
    """What a provider says about its no, on one line."""
    words = [_line(said[key]) for key in ("error", "error_description") if isinstance(said.get(key), str)]
    return ": ".join(words) or f"it answers with {status}"


def _line(text: object) -> str:
    """The first line of what somebody else says, as it may be shown."""
    first = str(text).strip().splitlines()[0] if str(text).strip() else ""
    return "".join(one for one in first if one.isprintable())[:_LONGEST_WORDS].rstrip(".")


def _https(address: object) -> str:
    """An address somebody is sent to: shown to people, so it has to be one."""
    text = _line(address)
    if urlsplit(text).scheme not in {"https", "http"} or " " in text:
        raise ValueError(text)
    return text
