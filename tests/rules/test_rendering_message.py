"""The bytes of a message: what any parser reads out of them is what went in, and nothing on the way has to touch them."""

import email
import re
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from email.utils import unquote
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import BadInput
from nurture.rendering.compiling import RenderedMail
from nurture.rendering.headers import text_line
from nurture.rendering.message import Headers, Letterhead, boundary_of, quoted_printable, write_head, write_plainly
from tests.emails.workspace import unhurried

DATE = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)


def headers(**given_: Any) -> Headers:
    letterhead: dict[str, Any] = {"from_name": "Bob Ray", "from_email": "bob@sender.example", "date": DATE}
    usual: dict[str, Any] = {"to_name": "Ana", "to_email": "ana@reader.example", "message_id": "<1.abc@sender.example>"}
    for name in ("from_name", "from_email", "date", "shared", "mark"):
        if name in given_:
            letterhead[name] = given_.pop(name)
    return Headers(Letterhead(**letterhead), **(usual | given_))


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    assert not [defect for part in message.walk() for defect in part.defects]
    return message


def built(mail: RenderedMail | None = None, **given_: Any) -> tuple[bytes, EmailMessage]:
    written = write_plainly(
        mail or RenderedMail("Hello", "<p>Hi</p>", "Hi\n"), headers(**given_), boundary_of("a mail")
    )
    content = written.content
    return content, parsed(content)


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


#: Everything a person may write; lone surrogates cannot be encoded and NUL is refused by parsers.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"))
AWKWARD = st.lists(
    st.one_of(
        TEXT,
        st.sampled_from([
            "\n", ".", "\n.", "\n..\n", "From ", "\nFrom me", "=", "=20", " \n", "\t\n", "é" * 40, "😀" * 30, "x" * 1200,
            "--=_", "\n--", "\u2028", "\x0b", "a b " * 30, "=C3=A9",
        ]),
    ),
    max_size=6,
).map("".join)  # fmt: skip


@unhurried
@given(AWKWARD, AWKWARD)
def test_both_parts_come_out_as_they_went_in(html: str, text: str) -> None:
    content, message = built(RenderedMail("Hello", html, text))
    assert body(message, "html") == html
    assert body(message, "plain") == text
    assert content.isascii()
    for line in content.split(b"\r\n"):
        assert len(line) <= 78
        assert b"\n" not in line
        assert b"\r" not in line
    behind = content.partition(b"\r\n\r\n")[2]
    assert not re.search(rb"(?m)^(\.|From )", behind)


@unhurried
@given(st.text())
def test_quoted_printable_is_never_longer_than_76_and_has_no_space_at_an_end(text: str) -> None:
    for line in quoted_printable(text).split("\r\n"):
        assert len(line) <= 76
        assert not line.endswith((" ", "\t"))


#: A header is one line without control characters; spaces at its ends mean nothing.
LINE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), min_size=1, max_size=80)
LINES = st.lists(LINE, min_size=1, max_size=8).map(" ".join)


@unhurried
@given(LINES)
def test_a_subject_comes_out_as_it_went_in(subject: str) -> None:
    content, message = built(RenderedMail(subject, "h", "t"))
    assert message["Subject"] == subject
    assert content.isascii()
    assert all(len(line) <= 78 for line in content.split(b"\r\n"))


@unhurried
@given(
    st.text(
        st.sampled_from(["a", "Z", " ", ",", "?", "_", "=", "é", "ł", "漢", "😀", "\udfff"]), min_size=30, max_size=200
    )
)
def test_each_encoded_word_is_short_and_holds_whole_characters(text: str) -> None:
    """RFC 2047, 2 and 5: a program that shows words one by one shows no half of a character."""
    line = text_line("Subject", f"é{text}é")
    words = line.removeprefix("Subject: ").split()
    assert "".join(str(make_header(decode_header(word))) for word in words) == f"é{text}é".replace("\udfff", "?")
    for word in words:
        assert re.fullmatch(r"=\?utf-8\?[bq]\?[!->@-~]+\?=", word)
        assert len(word) <= 75
    assert all(len(one) <= 76 for one in line.split("\r\n"))


@unhurried
@given(LINES)
def test_a_name_comes_out_as_it_went_in_and_is_exactly_one_mailbox(name: str) -> None:
    content, message = built(from_name=name, to_name=name)
    assert [each.addr_spec for each in message["From"].addresses + message["To"].addresses] == [
        "bob@sender.example",
        "ana@reader.example",
    ]
    # The parser of Python 3.11 keeps the space between two encoded words of a name, which RFC 2047 (6.2) takes away.
    raw = email.message_from_bytes(content)["To"]
    phrase = re.sub(r"\r\n ", " ", raw).removesuffix(" <ana@reader.example>")
    shown = str(make_header(decode_header(phrase))) if phrase.startswith("=?") else unquote(phrase)
    assert shown == name
    longest = 76 if b"=?" in content else 120  # a name in words of ASCII is folded at its spaces alone
    assert all(len(line) <= longest for line in content.split(b"\r\n"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "bob@sender.example"),
        ("Bob Ray", "Bob Ray <bob@sender.example>"),
        ("Ray, Bob", '"Ray, Bob" <bob@sender.example>'),
        ('Bob "R" \\ Ray', '"Bob \\"R\\" \\\\ Ray" <bob@sender.example>'),
        ("bob@sender.example", '"bob@sender.example" <bob@sender.example>'),
        ("Zoë", "=?utf-8?b?Wm/Dqw==?= <bob@sender.example>"),
        ("=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <bob@sender.example>"),
    ],
)
def test_a_name_is_quoted_or_encoded_only_where_it_must_be(name: str, expected: str) -> None:
    content, _ = built(from_name=name)
    assert content.split(b"\r\n")[0].decode() == f"From: {expected}"


def test_a_name_with_everything_in_it_is_one_mailbox() -> None:
    content, message = built(from_name='Müller, "Bob" (CEO)')
    assert message["From"].addresses == (Address('Müller, "Bob" (CEO)', addr_spec="bob@sender.example"),)
    assert content.isascii()


EVIL = st.sampled_from(
    ["A\r\nBcc: evil@x.example", "A\nBcc: evil@x.example", "A\rBcc: x", "A\x00B", "A\u2028Bcc: x", "A\x85B"]
)


@unhurried
@given(EVIL)
def test_nothing_anybody_typed_becomes_a_header(value: str) -> None:
    _, clean = built()
    _, message = built(
        RenderedMail(value, "h", "t"), from_name=value, to_name=value, mark=value, extra=(("X-Note", value),)
    )
    assert message.keys() == [*clean.keys()[:5], "X-Note", *clean.keys()[5:]]


def test_there_is_exactly_one_of_each_header_and_text_comes_first() -> None:
    content, message = built(reply_to="reply@sender.example")
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Reply-To"):
        assert len(message.get_all(name, [])) == 1
    assert content.count(b"MIME-Version") == 1
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in message.iter_parts()] == ["utf-8", "utf-8"]
    assert message["Date"].datetime == DATE
    assert b"Date: Tue, 10 Mar 2026 09:30:00 +0000\r\n" in content
    assert message["Message-ID"] == "<1.abc@sender.example>"


def test_a_date_keeps_its_numeric_zone() -> None:
    content, _ = built(date=DATE.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert b"Date: Tue, 10 Mar 2026 15:00:00 +0530\r\n" in content


def test_the_same_mail_gives_the_same_bytes() -> None:
    assert built()[0] == built()[0]


def test_the_addresses_of_a_way_out_stay_whole_and_unencoded() -> None:
    """The standard library would turn a long address into encoded words, which no one-click button survives."""
    address = f"<https://n.example/u/{'t' * 90}>"
    extra = (
        ("List-Unsubscribe", f"{address}, <mailto:leave+{'t' * 50}@in.sender.example>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    content, message = built(extra=extra)
    assert f"List-Unsubscribe: {address},\r\n <mailto:leave".encode() in content
    assert (message["List-Unsubscribe"], message["List-Unsubscribe-Post"]) == (extra[0][1], extra[1][1])


def test_headers_are_utf8_only_for_an_address_beyond_ascii() -> None:
    mail = RenderedMail("Grüße", "h", "t")
    content = write_plainly(mail, headers(from_name="Zoë", to_email="jürgen@reader.example"), "=_b").content
    assert content.startswith("From: Zoë <bob@sender.example>\r\nTo: Ana <jürgen@reader.example>\r\n".encode())
    assert "Subject: Grüße\r\n".encode() in content
    message = email.message_from_string(content.decode(), policy=default)
    assert message["To"].addresses[0].username == "jürgen"


@pytest.mark.parametrize("address", ["ana@reader.example", "jürgen@reader.example"])
def test_half_a_surrogate_pair_in_a_name_is_a_question_mark_to_whomever_the_mail_goes(address: str) -> None:
    given_ = headers(from_name="B\udc80b", to_name="A\ud800a", to_email=address, extra=(("X-Own", "\ud800"),))
    content = write_head("Hi \ud800", given_, "=_b").decode()
    decoded = str(make_header(decode_header(content.replace("\r\n ", " "))))
    for line in ("From: B?b <bob@sender.example>", f"To: A?a <{address}>", "Subject: Hi ?", "X-Own: ?"):
        assert line in decoded


def test_a_letterhead_serves_messages_of_every_kind_and_says_each_time_what_belongs_to_it() -> None:
    """Its lines are written once for those that are alike."""
    letterhead = Letterhead("Zoë", "bob@sender.example", DATE, (("X-Shared", "é"),))
    usual = Headers(letterhead, "Ana", "ana@reader.example", "<1@sender.example>")
    others = [
        usual,
        usual._replace(to_email="jürgen@reader.example"),
        usual._replace(extra=(("X-Own", "1"),)),
        usual._replace(reply_to="reply@sender.example"),
    ]
    for boundary in ("=_a", "=_b", "=_a"):
        for one in others:
            alone = one._replace(letterhead=headers(from_name="Zoë", shared=letterhead.shared).letterhead)
            assert write_head("Hello", one, boundary) == write_head("Hello", alone, boundary)
    with pytest.raises(BadInput, match="the header 'x-shared' is already there"):
        write_head("Hello", usual._replace(extra=(("X-Shared", "1"),)), "=_a")


def test_a_test_may_be_marked_in_its_subject() -> None:
    assert built(mark="[Test] ")[1]["Subject"] == "[Test] Hello"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"to_email": "ana"}, "'ana' is no address a message can carry; write one such as ana@reader.example."),
        ({"to_email": "a@b.example\r\nBcc: x@y.example"}, "is no address a message can carry"),
        ({"from_email": "a@b.example, c@d.example"}, "is no address a message can carry"),
        ({"reply_to": "<a@b.example>"}, "is no address a message can carry"),
        ({"to_email": "a\ud800na@reader.example"}, "is no address a message can carry"),
        ({"from_email": "bob@sender.\udfff"}, "is no address a message can carry"),
        ({"message_id": "1@x"}, "'1@x' is no Message-ID; write one such as <1@sender.example>."),
        ({"message_id": "<1@x>\r\nBcc: y"}, "is no Message-ID"),
        ({"date": datetime(2026, 3, 10)}, "has no time zone; give one that is aware."),
        ({"extra": (("Subject", "x"),)}, "the header 'subject' is already there or has no proper name; leave it out."),
        ({"extra": (("X A", "x"),)}, "the header 'x a' is already there"),
        ({"extra": (("X-A", "x"), ("x-a", "y"))}, "the header 'x-a' is already there"),
    ],
)
def test_headers_no_message_may_have_are_refused(wrong: dict[str, Any], expected: str) -> None:
    with pytest.raises(BadInput) as told:
        built(**wrong)
    assert expected in str(told.value)
