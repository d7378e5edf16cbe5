"""A connection comes about: connect, TLS with a verified name, EHLO, sign in."""

import asyncio
import base64
import ipaddress
import re
import ssl
from collections.abc import Mapping

from nurture.adapters.smtp.relay import Relay
from nurture.adapters.smtp.replies import Reply
from nurture.adapters.smtp.talking import CLOSED, Conversation, Ended, words
from nurture.delivery.mailer import RelayDown
from nurture.errors import NurtureError

_WELL = 250
#: What is said to EHLO by those who know only HELO (RFC 5321, 3.2 and 4.1.1.1): they offer nothing.
_NO_EHLO = frozenset({500, 501, 502, 504, 550})
#: The next address of a host is tried after so long without an answer of the one before (RFC 8305).
_NEXT_ADDRESS_SECONDS = 0.25


class _Unusable(Exception):
    """The relay said something after which this connection is of no use."""


async def open_conversation(relay: Relay) -> tuple[Conversation, Mapping[str, str]]:
    """A conversation that is ready for mail, and what the relay offers; raises `RelayDown`."""
    if relay.tls == "off" and not relay.is_loopback:
        raise RelayDown(f"smtp.tls is off, which is for loopback relays only; {relay.host} needs TLS")
    conversation: Conversation | None = None
    try:
        async with asyncio.timeout(relay.timeout_seconds):
            conversation = await _connect(relay)
        return conversation, await _introduce(conversation, relay)
    except (TimeoutError, OSError, Ended, _Unusable) as error:
        if conversation is not None:
            conversation.end(words(error))
            await conversation.closed(1)
        raise RelayDown(f"{relay.host}:{relay.port}: {_without_secrets(words(error), relay)}") from None
    except BaseException:
        if conversation is not None:
            conversation.end(CLOSED)
        raise


async def _connect(relay: Relay) -> Conversation:
    loop = asyncio.get_running_loop()
    # What has one address needs no race of several, which takes tasks and turns of the loop.
    host = _bare(relay)
    delay = None if _is_address(host) else _NEXT_ADDRESS_SECONDS
    try:
        _, conversation = await loop.create_connection(
            lambda: Conversation(relay.timeout_seconds), host, relay.port, happy_eyeballs_delay=delay
        )
    except ValueError as error:
        # Python does not even ask for a name with an empty label, or one that is too long.
        raise _Unusable(f"this is not the name of a host: {error}") from None
    if relay.is_implicit:
        await _encrypt(conversation, relay)
    return conversation


def _bare(relay: Relay) -> str:
    """The host without the brackets in which people write an IPv6 address."""
    return relay.host.strip("[]")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _introduce(conversation: Conversation, relay: Relay) -> Mapping[str, str]:
    """Hear the greeting, greet, encrypt, sign in."""
    _expect(await conversation.reply(), 220)
    offers = await _greet(conversation, relay)
    if relay.must_encrypt and not conversation.is_encrypted:
        if "STARTTLS" not in offers:
            raise _Unusable("the relay offers no STARTTLS, and mail never leaves this machine unencrypted")
        _expect(await conversation.ask("STARTTLS"), 220)
        async with asyncio.timeout(relay.timeout_seconds):
            await _encrypt(conversation, relay)
        # What was offered before the handshake may have been said by anybody.
        offers = await _greet(conversation, relay)
    if relay.username:
        await _sign_in(conversation, relay, offers)
    return offers


async def _encrypt(conversation: Conversation, relay: Relay) -> None:
    try:
        await conversation.encrypt(relay.tls_context, _bare(relay))
    except ssl.SSLError as error:
        raise _Unusable(str(error)) from None
    except ConnectionError:
        raise _Unusable(CLOSED) from None


async def _greet(conversation: Conversation, relay: Relay) -> Mapping[str, str]:
    reply = await conversation.ask(f"EHLO {relay.hello}")
    is_plain = not relay.username and (conversation.is_encrypted or not relay.must_encrypt)
    if reply.code in _NO_EHLO and is_plain and (await conversation.ask(f"HELO {relay.hello}")).code == _WELL:
        return {}
    _expect(reply, _WELL)
    offers: dict[str, str] = {}
    for line in reply.text.split("\n")[1:]:
        # Some say AUTH= as before RFC 4954, some in both ways, and some need several lines for it.
        word, _, more = re.sub(r"(?i)^auth=", "AUTH ", line.strip()).partition(" ")
        word = word.upper()
        offers[word] = f"{offers[word]} {more}" if word == "AUTH" and word in offers else more.strip()
    offers.pop("", None)
    return offers


async def _sign_in(conversation: Conversation, relay: Relay, offers: Mapping[str, str]) -> None:
    if not relay.is_loopback and not conversation.is_encrypted:
        raise _Unusable("the password is only ever sent over TLS")
    mechanism = _mechanism(relay, offers)
    match mechanism:
        case "XOAUTH2":
            reply = await _show_token(conversation, relay)
        case "LOGIN":
            _expect(await conversation.ask("AUTH LOGIN"), 334)
            _expect(await conversation.ask(_base64(relay.username)), 334)
            reply = await conversation.ask(_base64(relay.password))
        case _:
            reply = await conversation.ask(f"AUTH PLAIN {_plain(relay)}")
    if reply.code != 235:
        if mechanism == "XOAUTH2" and relay.forget_token is not None:
            relay.forget_token()
        raise _Unusable(f"signing in as {relay.username} failed: {reply}")


def _mechanism(relay: Relay, offers: Mapping[str, str]) -> str:
    """How to sign in: as the settings say, or as it is offered."""
    offered = offers.get("AUTH", "").upper().split()
    if relay.auth != "auto":
        wanted = relay.auth.upper()
        if offered and wanted not in offered:
            raise _Unusable(f"the relay offers no sign-in by {wanted}; it offers {', '.join(offered)}")
        return wanted
    if relay.token is not None:
        return "XOAUTH2"
    return "LOGIN" if "LOGIN" in offered and "PLAIN" not in offered else "PLAIN"


async def _show_token(conversation: Conversation, relay: Relay) -> Reply:
    """XOAUTH2, as Google and Microsoft have it: a no comes as 334 with a reason, to be answered with an empty line."""
    try:
        token = await asyncio.to_thread(relay.token) if relay.token is not None else relay.password
    except NurtureError as error:
        raise _Unusable(f"there is no token to sign in with: {error}") from None
    shown = _base64(f"user={relay.username}\1auth=Bearer {token}\1\1")
    reply = await conversation.ask(f"AUTH XOAUTH2 {shown}")
    if reply.code == 334:
        reply = await conversation.ask("")
    return Reply(reply.code, tuple(_hidden(line, token, shown) for line in reply.lines))


def _expect(reply: Reply, code: int) -> None:
    if reply.code != code:
        raise _Unusable(str(reply))


def _plain(relay: Relay) -> str:
    return _base64(f"\0{relay.username}\0{relay.password}")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _hidden(line: bytes, *secrets: str) -> bytes:
    for secret in filter(None, secrets):
        line = line.replace(secret.encode(), "…".encode())
    return line


def _without_secrets(text: str, relay: Relay) -> str:
    """A relay may repeat what it was told; a password is in no log."""
    if not relay.password:
        return text
    return _hidden(text.encode(), relay.password, _plain(relay), _base64(relay.password)).decode()
