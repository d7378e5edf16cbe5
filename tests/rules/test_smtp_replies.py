"""Replies are counted by line, wherever the bytes were split."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.adapters.smtp.replies import NotSmtp, Replies, Reply

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30)
REPLY = st.tuples(st.integers(200, 599), st.lists(WORDS, min_size=1, max_size=5))


def written(code: int, lines: list[str]) -> bytes:
    last = len(lines) - 1
    return b"".join(f"{code}{'-' if i < last else ' '}{line}\r\n".encode() for i, line in enumerate(lines))


@given(st.lists(REPLY, max_size=6), st.lists(st.integers(1, 40)))
def test_every_reply_is_read_once_however_it_is_split(said: list[tuple[int, list[str]]], pieces: list[int]) -> None:
    stream, replies, found = b"".join(written(*one) for one in said), Replies(), deque[Reply]()
    for length in [*pieces, len(stream)]:
        piece, stream = stream[:length], stream[length:]
        replies.feed(piece, found)
    assert replies.is_clean
    assert [reply.code for reply in found] == [code for code, _ in said]
    assert [len(reply.lines) for reply in found] == [len(lines) for _, lines in said]


def test_what_is_no_whole_reply_yet_waits_for_the_rest() -> None:
    replies, found = Replies(), deque[Reply]()
    for piece in (b"2", b"50-relay", b".example\r\n", b"250 ", b"OK\r"):
        replies.feed(piece, found)
        assert not found
        assert not replies.is_clean
    replies.feed(b"\n", found)
    assert str(found[0]) == "250 relay.example\nOK"


def test_replies_before_the_nonsense_are_still_heard() -> None:
    replies, found = Replies(), deque[Reply]()
    with pytest.raises(NotSmtp, match="'hello', which is not SMTP"):
        replies.feed(b"250 OK\r\nhello\r\n250 OK\r\n", found)
    assert [reply.code for reply in found] == [250]


def test_a_line_that_never_ends_is_given_up() -> None:
    replies, found = Replies(), deque[Reply]()
    for _ in range(500):
        replies.feed(b"250 xxxx", found)
    with pytest.raises(NotSmtp, match="endless"):
        replies.feed(b"x" * 100, found)


def test_a_code_alone_is_a_reply() -> None:
    replies, found = Replies(), deque[Reply]()
    replies.feed(b"250\r\n", found)
    assert str(found[0]) == "250 "
