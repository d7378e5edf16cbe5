"""The readers' side of HTTP and SMTP: requests to the sender's server over real sockets."""

import http.client
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import urlencode, urljoin, urlsplit

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE_PRIVACY = "Mozilla/5.0"
NAMED_SCANNER = "SafeScan/4.1 (+https://safescan.example/bot)"


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    body: str


class Browser:
    """Talks to one server over a connection that is kept open; one thread at a time."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=30)

    def get(self, path: str, user_agent: str, *, method: str = "GET") -> Answer:
        return self._ask(method, path, user_agent)

    def post(self, path: str, fields: Mapping[str, str], user_agent: str) -> Answer:
        """Send a form, urlencoded."""
        return self._ask("POST", path, user_agent, urlencode(fields))

    def post_form(self, page: str, path: str, fields: Mapping[str, str], user_agent: str) -> Answer:
        """Press the button of a form on `page`, whose action is `path`."""
        return self.post(urlsplit(urljoin(page, path)).path, fields, user_agent)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, user_agent: str, body: str | None = None) -> Answer:
        headers = {"User-Agent": user_agent}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        for is_last in (False, True):
            try:
                self._connection.request(method, path, body, headers)
                response = self._connection.getresponse()
                return Answer(response.status, response.read().decode("utf-8", "replace"))
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # The server closed a connection that was idle; a fresh one will do.
                self._connection.close()
                if is_last:
                    raise
        raise AssertionError("the second try returns or raises")


def send_mail(port: int, sender: str, recipient: str, subject: str, text: str, in_reply_to: str) -> None:
    """Write back, as a mail client does; returns once the server has taken it (250)."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["In-Reply-To"] = in_reply_to
    message.set_content(text)
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as connection:
        connection.send_message(message, from_addr=sender, to_addrs=[recipient])
