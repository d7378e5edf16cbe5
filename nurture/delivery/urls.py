"""The links that stand in a mail, and how to read them when they come back.

Every token names its purpose and the delivery it came from. The one that opens the way out also carries the suppression
hash of the address, so that it works for good: after retention, after erasure, on a restored database. One byte of it
says whether it stood in a header or in the body.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias
from urllib.parse import quote

from nurture.rendering.compiling import Urls
from nurture.tokens import TokenKeys, TokenPurpose

DELIVERY_BYTES = 8
_HASH_BYTES = 16


class Via(IntEnum):
    """Where in the mail a way out stood."""

    HEADER = 1
    BODY = 2
    MAILTO = 3


@dataclass(frozen=True)
class WayOut:
    """What a leave token says."""

    via: Via
    delivery_id: int
    address_hash: str


@dataclass(frozen=True)
class OwnBox:
    """An operator's own address of ours, for the BCC of mails they write themselves."""

    operator_id: int


@dataclass(frozen=True)
class CameBack:
    """The return path of a delivery: what arrives there is about that mail, and a machine wrote it."""

    delivery_id: int


@dataclass(frozen=True)
class Complaint:
    """The complaint address of a delivery (RFC 9477)."""

    delivery_id: int


@dataclass(frozen=True)
class OwnCheck:
    """The address to which `nurture doctor --round-trip` sends its own mails."""

    run: int


def make_mail_urls(
    keys: TokenKeys,
    domain: str,
    delivery_id: int,
    address_hash: str,
    *,
    sender: str,
    others: frozenset[str] = frozenset(),
) -> Urls:
    """The same where no page of ours can be reached: every one is a mail to us, written but for the press of "send".

    A mail to the way out takes its reader off at once; the others come back as a reply to this very mail.
    A colleague it was passed on to writes to its `sender` instead, for a reply would count as its reader's word.
    """
    leave = f"{leave_local_part(keys, delivery_id, address_hash)}@{domain}"
    reply = f"{reply_local_part(keys, delivery_id)}@{domain}"
    return Urls(
        is_tracked=False,
        open="",
        click=lambda _: "",
        leave=f"mailto:{leave}?subject=Unsubscribe",
        preferences=_mailto(reply, "What I get from you"),
        view=_mailto(reply, "Please send me this mail again"),
        wish=lambda kind: _mailto(reply, _WISHES.get(kind, kind)),
        answer=lambda number: _mailto(reply, f"My answer is number {number}"),
        form=lambda name: _mailto(reply, f"Please sign me up: {name}"),
        share=lambda name: _mailto(sender, f"Please sign me up: {name}"),
        others=others,
    )


_WISHES = {
    "information": "Yes, send me more information",
    "demonstration": "Yes, show me a demonstration",
    "need": "Yes, I have a need, talk to me",
}


def meet_mailto(keys: TokenKeys, domain: str, delivery_id: int) -> Callable[[str], str]:
    """The mail in which the reader of this one picks that time, or none, to meet."""
    reply = f"{reply_local_part(keys, delivery_id)}@{domain}"
    return lambda label: _mailto(reply, f"Let us meet on {label}" if label else "Let us meet at another time")


def _mailto(address: str, words: str) -> str:
    """A mail that says so in its subject and in its text: some people send one without looking at the other."""
    said = quote(words, safe="")
    return f"mailto:{address}?subject={said}&body={said}"


def meet_url(keys: TokenKeys, base_url: str, delivery_id: int) -> str:
    """Where the reader of this mail picks a time to meet."""
    return f"{base_url.rstrip('/')}/meet/{sign_delivery(keys, TokenPurpose.MEET, delivery_id)}"


def leave_url(keys: TokenKeys, base_url: str, via: Via, delivery_id: int, address_hash: str) -> str:
    """The link of the one-click header (RFC 8058) or of the body."""
    return f"{base_url.rstrip('/')}/u/{keys.sign(TokenPurpose.LEAVE, _way_out(via, delivery_id, address_hash))}"


def leave_local_part(keys: TokenKeys, delivery_id: int, address_hash: str) -> str:
    """The local part of the mailto way out (RFC 2369); 62 of the 64 octets it may have."""
    payload = _way_out(Via.MAILTO, delivery_id, address_hash)
    return f"leave+{keys.sign_in_address(TokenPurpose.LEAVE, payload)}"


def reply_local_part(keys: TokenKeys, delivery_id: int) -> str:
    """The local part that brings a reply back to its delivery."""
    return f"reply+{keys.sign_in_name(TokenPurpose.REPLY, delivery_id.to_bytes(DELIVERY_BYTES))}"


def own_local_part(keys: TokenKeys, operator_id: int) -> str:
    """The local part of an operator's own address, which nobody else can make up."""
    return f"bcc+{keys.sign_in_address(TokenPurpose.TOUCH, operator_id.to_bytes(DELIVERY_BYTES))}"


def message_id(keys: TokenKeys, delivery_id: int, domain: str) -> str:
    """The Message-ID of a delivery: the same on every try, and recognized in what quotes it."""
    return f"<{keys.sign_in_name(TokenPurpose.MESSAGE, delivery_id.to_bytes(DELIVERY_BYTES))}@{domain}>"


def sign_delivery(keys: TokenKeys, purpose: TokenPurpose, delivery_id: int) -> str:
    return keys.sign(purpose, delivery_id.to_bytes(DELIVERY_BYTES))


def read_delivery(keys: TokenKeys, purpose: TokenPurpose, token: str) -> int | None:
    """The delivery a link came from; None for anything we did not sign."""
    payload = keys.read(purpose, token)
    return int.from_bytes(payload) if payload is not None and len(payload) == DELIVERY_BYTES else None


def read_way_out(keys: TokenKeys, token: str) -> WayOut | None:
    """Who wants to leave, and through which door."""
    return _read_way_out(keys.read(TokenPurpose.LEAVE, token))


def return_path(keys: TokenKeys, delivery_id: int, domain: str) -> str:
    """Where a mail comes back to if it cannot be delivered: an address that nobody else can make up (RFC 5321, 3.6.3)."""
    return f"b-{keys.sign_in_name(TokenPurpose.RETURN, delivery_id.to_bytes(DELIVERY_BYTES))}@{domain}"


def complaint_local_part(keys: TokenKeys, delivery_id: int) -> str:
    """The local part to which a mailbox provider reports that the reader called this mail spam (RFC 9477)."""
    return f"complaint+{keys.sign_in_name(TokenPurpose.COMPLAINT, delivery_id.to_bytes(DELIVERY_BYTES))}"


def letterbox_local_part(keys: TokenKeys, run: int) -> str:
    """The local part to which the doctor sends mails to see how they arrive."""
    return f"check+{keys.sign_in_address(TokenPurpose.LETTERBOX, run.to_bytes(DELIVERY_BYTES))}"


def is_handed_out(local_part: str) -> bool:
    """Whether this looks like an address that stands in our mails; only its token says whether it is one."""
    return local_part.lower().startswith(("leave+", "reply+", "bcc+", "b-", "complaint+", "check+"))


#: What an address of ours that mail arrived at means; a number is the delivery replied to.
Meaning: TypeAlias = WayOut | OwnBox | CameBack | Complaint | OwnCheck | int

_MEANINGS: Mapping[str, tuple[TokenPurpose, Callable[[int], Meaning]]] = {
    "reply": (TokenPurpose.REPLY, int),
    "bcc": (TokenPurpose.TOUCH, OwnBox),
    "b": (TokenPurpose.RETURN, CameBack),
    "complaint": (TokenPurpose.COMPLAINT, Complaint),
    "check": (TokenPurpose.LETTERBOX, OwnCheck),
}


def read_local_part(keys: TokenKeys, local_part: str) -> Meaning | None:
    """What an address of ours that mail arrived at means; None for one that we did not hand out.

    Those that every mail carries are in hexadecimal, where there is room for it; the first mails had all in base32.
    """
    word, _, token = local_part.lower().partition("-" if local_part[:2].lower() == "b-" else "+")
    if word == "leave":
        return _read_way_out(keys.read_in_address(TokenPurpose.LEAVE, token))
    if word not in _MEANINGS:
        return None
    purpose, meaning = _MEANINGS[word]
    payload = keys.read_in_name(purpose, token) or keys.read_in_address(purpose, token)
    return meaning(int.from_bytes(payload)) if payload is not None and len(payload) == DELIVERY_BYTES else None


def read_message_id(keys: TokenKeys, value: str) -> int | None:
    """The delivery whose Message-ID this is; those of the first mails were spelled like addresses."""
    token = value.strip().strip("<>").partition("@")[0]
    payload = keys.read_in_name(TokenPurpose.MESSAGE, token) or keys.read_in_address(TokenPurpose.MESSAGE, token)
    return int.from_bytes(payload) if payload is not None and len(payload) == DELIVERY_BYTES else None


def _way_out(via: Via, delivery_id: int, address_hash: str) -> bytes:
    return bytes([via]) + delivery_id.to_bytes(DELIVERY_BYTES) + bytes.fromhex(address_hash)


def _read_way_out(payload: bytes | None) -> WayOut | None:
    if payload is None or len(payload) != 1 + DELIVERY_BYTES + _HASH_BYTES:
        return None
    return WayOut(Via(payload[0]), int.from_bytes(payload[1 : 1 + DELIVERY_BYTES]), payload[1 + DELIVERY_BYTES :].hex())
