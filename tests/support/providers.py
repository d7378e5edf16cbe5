"""A provider of tokens over real HTTP, which answers as a test has written down."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from tests.support.receivers import Receiver, running_receiver


@dataclass
class TokenProvider:
    """Its address, what it was asked, and what it says next: each answer once, the last one for ever."""

    receiver: Receiver

    @property
    def url(self) -> str:
        return self.receiver.url

    @property
    def asked(self) -> list[dict[str, str]]:
        """The forms that came, in order."""
        return [{key: value[0] for key, value in parse_qs(one.body.decode()).items()} for one in self.receiver.got]

    def say(self, *answers: tuple[int, dict[str, Any]]) -> None:
        self.receiver.answers = [(status, {}, json.dumps(words).encode()) for status, words in answers]


#: What a provider says when somebody is to type a code; it may be asked at once.
CODE = (200, {"user_code": "WDJB-MJHT", "verification_uri": "https://login.example/device", "device_code": "secret-device", "interval": 0})  # fmt: skip
PENDING = (400, {"error": "authorization_pending"})
TOKEN = (200, {"access_token": "access-1", "refresh_token": "refresh-1", "expires_in": 3600})
REVOKED = (400, {"error": "invalid_grant", "error_description": "AADSTS50173: the grant was revoked."})


@contextmanager
def running_provider() -> Iterator[TokenProvider]:
    """A provider on a free port of this machine."""
    with running_receiver() as receiver:
        yield TokenProvider(receiver)
