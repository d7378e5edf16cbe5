"""Tokens open the one door they were made for, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.delivery.urls import (
    CameBack,
    Complaint,
    Via,
    complaint_local_part,
    leave_local_part,
    leave_url,
    message_id,
    read_local_part,
    read_message_id,
    read_way_out,
    reply_local_part,
    return_path,
)
from nurture.tokens import AddressHasher, TokenKeys, TokenPurpose

KEYS = TokenKeys(["one", "two"])
HASH = AddressHasher("key").hash("ana@reader.example")

purposes = st.sampled_from(list(TokenPurpose))
payloads = st.binary(min_size=1, max_size=40)


@given(purposes, payloads)
def test_a_token_reads_back_what_was_signed(purpose: TokenPurpose, payload: bytes) -> None:
    assert KEYS.read(purpose, KEYS.sign(purpose, payload)) == payload
    assert KEYS.read_in_address(purpose, KEYS.sign_in_address(purpose, payload).upper()) == payload
    assert KEYS.read_in_name(purpose, KEYS.sign_in_name(purpose, payload).upper()) == payload


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=25, max_size=25), st.binary(min_size=25, max_size=25))
def test_tokens_signed_in_one_go_are_those_signed_one_by_one(delivery: bytes, header: bytes, body: bytes) -> None:
    assert [token.decode() for token in KEYS.sign_mail(delivery, header, body)] == [
        KEYS.sign(TokenPurpose.TRACK, delivery),
        KEYS.sign(TokenPurpose.VIEW, delivery),
        KEYS.sign(TokenPurpose.PREFERENCES, delivery),
        KEYS.sign(TokenPurpose.LEAVE, header),
        KEYS.sign(TokenPurpose.LEAVE, body),
    ]


def test_what_stands_in_mails_already_sent_is_still_ours() -> None:
    """However tokens come to be written, these were handed out."""
    keys, delivery = TokenKeys(["a secret of long ago"]), (2**40 + 7).to_bytes(8)
    reader = delivery + bytes(range(16))
    assert keys.sign(TokenPurpose.VIEW, delivery) == "AAABAAAAAAch4oVW1NyxjA2O"
    assert keys.sign(TokenPurpose.LEAVE, b"\2" + reader) == "AgAAAQAAAAAHAAECAwQFBgcICQoLDA0OD5WQN1AG4Vuho1E"
    assert keys.sign_in_address(TokenPurpose.MESSAGE, delivery) == "aaaacaaaaaaap2euhn4oz4jlelr3m"
    assert keys.sign_in_name(TokenPurpose.MESSAGE, delivery) == "0000010000000007e8943b78ecf12b22e3b6"
    assert (
        keys.sign_in_address(TokenPurpose.LEAVE, b"\3" + reader)
        == "amaaaaiaaaaaabyaaebagbafaydqqcikbmga2dqpb2646qcw3eapvcds"
    )


@given(purposes, purposes, payloads)
def test_a_token_of_one_purpose_never_serves_another(
    purpose: TokenPurpose, other: TokenPurpose, payload: bytes
) -> None:
    if purpose is not other:
        assert KEYS.read(other, KEYS.sign(purpose, payload)) is None
        assert KEYS.read_in_name(other, KEYS.sign_in_name(purpose, payload)) is None


@given(payloads, st.integers(0), st.characters(codec="ascii"))
def test_changing_any_character_breaks_a_token(payload: bytes, position: int, character: str) -> None:
    token = KEYS.sign(TokenPurpose.LEAVE, payload)
    spot = position % len(token)
    changed = token[:spot] + character + token[spot + 1 :]
    if changed != token:
        assert KEYS.read(TokenPurpose.LEAVE, changed) is None


@given(st.text(max_size=80))
def test_any_text_is_no_token(text: str) -> None:
    assert KEYS.read(TokenPurpose.LEAVE, text) is None
    assert KEYS.read_in_address(TokenPurpose.LEAVE, text) is None
    assert KEYS.read_in_name(TokenPurpose.LEAVE, text) is None


@given(st.integers(0, 2**63 - 1))
def test_a_message_id_names_its_delivery_however_it_was_spelled(delivery: int) -> None:
    spelled_then = f"<{KEYS.sign_in_address(TokenPurpose.MESSAGE, delivery.to_bytes(8))}@acme.example>"
    for name in (message_id(KEYS, delivery, "acme.example"), spelled_then):
        assert read_message_id(KEYS, name) == read_message_id(KEYS, name.upper()) == delivery
        for place in range(1, name.index("@")):
            forged = f"{name[:place]}{'b' if name[place] != 'b' else 'c'}{name[place + 1 :]}"
            assert read_message_id(KEYS, forged) is None


@given(st.integers(0, 2**63 - 1))
def test_an_address_of_ours_names_its_delivery_however_it_was_spelled(delivery: int) -> None:
    for written, word, purpose, meaning in (
        (reply_local_part(KEYS, delivery), "reply+", TokenPurpose.REPLY, delivery),
        (return_path(KEYS, delivery, "x").partition("@")[0], "b-", TokenPurpose.RETURN, CameBack(delivery)),
        (complaint_local_part(KEYS, delivery), "complaint+", TokenPurpose.COMPLAINT, Complaint(delivery)),
    ):
        assert len(written) <= 64  # RFC 5321, 4.5.3.1.1
        spelled_then = f"{word}{KEYS.sign_in_address(purpose, delivery.to_bytes(8))}"
        for local_part in (written, spelled_then):
            assert read_local_part(KEYS, local_part) == read_local_part(KEYS, local_part.upper()) == meaning
            for place in range(len(word), len(local_part)):
                changed = "b" if local_part[place] != "b" else "c"
                assert read_local_part(KEYS, f"{local_part[:place]}{changed}{local_part[place + 1 :]}") is None


def test_a_name_is_read_in_one_spelling_only() -> None:
    name = KEYS.sign_in_name(TokenPurpose.MESSAGE, b"payload")
    assert KEYS.read_in_name(TokenPurpose.MESSAGE, f"{name[:4]} {name[4:]}") is None


def test_a_replaced_key_still_verifies_what_it_signed() -> None:
    old, both = TokenKeys(["old"]), TokenKeys(["new", "old"])
    token = old.sign(TokenPurpose.TRACK, b"x")
    assert both.read(TokenPurpose.TRACK, token) == b"x"
    assert old.read(TokenPurpose.TRACK, both.sign(TokenPurpose.TRACK, b"x")) is None


def test_the_way_out_carries_the_door_the_mail_and_the_address() -> None:
    link = leave_url(KEYS, "https://news.acme.example/", Via.HEADER, 2**62, HASH)
    found = read_way_out(KEYS, link.rpartition("/")[2])
    assert found is not None
    assert (found.via, found.delivery_id, found.address_hash) == (Via.HEADER, 2**62, HASH)


def test_the_way_out_by_mail_fits_into_a_local_part_and_survives_folding_of_case() -> None:
    local_part = leave_local_part(KEYS, 2**63 - 1, HASH)
    assert len(local_part) <= 64  # RFC 5321, 4.5.3.1.1
    found = read_local_part(KEYS, local_part.upper())
    assert found == read_local_part(KEYS, local_part)
    assert found is not None


def test_the_hash_of_an_address_depends_on_its_key() -> None:
    assert AddressHasher("a").hash("ana@reader.example") != AddressHasher("b").hash("ana@reader.example")


def test_keys_are_needed() -> None:
    with pytest.raises(ValueError, match="at least one secret"):
        TokenKeys([])
