"""Mail that comes back: a word to us, a way out, a machine's answer, and junk. Real SMTP in both directions."""

import smtplib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nurture.contacts import store as contacts
from nurture.database.engine import Database
from nurture.delivery.urls import reply_local_part
from nurture.inbound.listener import IDLE_SECONDS, MOST_CONNECTIONS, Listener
from nurture.sequences.entries import enroll
from nurture.tokens import TokenKeys, TokenPurpose
from tests.support.stories import REPLY_DOMAIN, Letter, Story, running_story

#: A Tuesday, ten in the morning in Berlin.
START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
ANA, LUIS, DANA = "ana@reader.example", "luis@acme.example", "dana@acme.example"

SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
exit:
  - {when: replied(), as: replied}
window: {days: daily, hours: "09:00-17:00", timezone: Europe/Berlin}
steps:
  - {id: report, send: report, subject: Your report}
  - wait: 10 hours
  - {id: second, send: report, subject: Something else}
"""
FILES = {"campaigns/sequences/evaluators.yaml": SEQUENCE}

QUOTED = """

On Tue, 10 Mar 2026 at 10:00, Dana Reed <dana@acme.example> wrote:
> Hello Ana, here is the report.
> Acme, 12 Example Street, Berlin · Leave · Unsubscribe: stop e-mailing me
"""


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", database.url, START, FILES) as told:
        yield told


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    """On SQLite only, where the database plays no part."""
    with running_story(tmp_path / "house", sqlite.url, START, FILES) as told:
        yield told


def bring(story: Story, email: str = ANA, *, owner: str | None = LUIS) -> Letter:
    """Somebody who has the first mail, and whose second one is queued for the morning."""
    with story.database.reading() as session:
        operator = contacts.find_operator(session, owner) if owner else None
    contact = story.add_contact(
        email, owner_id=operator.id if operator else None, first_name="Ana", last_name="Ruiz", company="Northwind"
    )
    with story.database.writing() as session:
        assert enroll(session, story.app.language, "evaluators", contact, because="a test", now=story.now)
    story.live(hours=11)
    assert [one.status for one in story.deliveries_to(email)] == ["sent", "queued"]
    return story.letters_to(email)[0]


def deliver(story: Story, recipients: list[str], content: bytes) -> None:
    """One transaction for all of them."""
    with smtplib.SMTP("127.0.0.1", story.inbound_port, timeout=30) as client:
        assert client.sendmail(ANA, recipients, content) == {}


def what_came_in(story: Story) -> list[str]:
    return [row["kind"] for row in sorted(story.rows("inbound_mail"), key=lambda row: row["id"])]


def has_left(story: Story) -> bool:
    return any(row["reason"] == "opt_out" for row in story.rows("suppression"))


def way_of(story: Story) -> tuple[str, str]:
    [way] = story.rows("enrollment")
    return way["status"], way["exit_reason"]


# A person answers.


def test_an_answer_is_recorded_ends_the_sequence_and_is_told_to_the_owner(story: Story) -> None:
    letter = bring(story)
    story.write_to_us(letter.reply_to, f"Thanks! Could you call me on Friday?{QUOTED}")
    assert story.deliveries_to(ANA)[1].because == "recheck", "nothing leaves before the answer was looked at"
    story.settle()
    assert way_of(story) == ("exited", "replied")
    [deed] = story.rows("activity")
    assert (deed["kind"], deed["actor"], deed["what"]) == ("reply", "person", "Thanks! Could you call me on Friday?")
    [note] = story.letters_to(LUIS)
    assert note.subject == "Ana Ruiz answered"
    assert "Could you call me on Friday?" in note.text
    assert ANA in note.text
    assert "Unsubscribe" not in note.text
    story.live(days=10)
    assert len(story.letters_to(ANA)) == len(story.letters_to(LUIS)) == 1
    assert not has_left(story)


def test_an_answer_to_somebody_without_an_owner_is_told_to_whoever_wrote(lite: Story) -> None:
    letter = bring(lite, owner=None)
    lite.write_to_us(letter.reply_to, "Thanks!")
    lite.settle()
    assert [one.subject for one in lite.letters_to(DANA)] == ["Ana Ruiz answered"]


def test_one_answer_that_arrives_twice_is_one_answer(lite: Story) -> None:
    letter = bring(lite)
    for _ in range(2):
        lite.write_to_us(letter.reply_to, "Thanks!", Message_ID="<one@reader.example>")
    lite.write_to_us(letter.reply_to, "One more thing.", Message_ID="<two@reader.example>")
    lite.settle()
    assert what_came_in(lite) == ["reply", "reply"]
    assert [row["what"] for row in lite.rows("activity")] == ["Thanks!", "One more thing."]
    assert len(lite.letters_to(LUIS)) == 2


def test_an_answer_whose_address_was_cut_short_is_known_by_what_it_quotes(lite: Story) -> None:
    letter = bring(lite)
    quoted = str(letter.arrived.message["Message-ID"])
    lite.write_to_us(f"reply+cut@{REPLY_DOMAIN}", "Thanks!", In_Reply_To=quoted)
    assert what_came_in(lite) == ["reply"]


# A way out.


@pytest.mark.parametrize(
    "text", ["please remove me", "Please remove me from your list. Thank you", "STOP", "Unsubscribe.", "Bitte abmelden"]
)
def test_who_answers_that_they_want_out_is_out(lite: Story, text: str) -> None:
    letter = bring(lite)
    lite.write_to_us(letter.reply_to, f"{text}{QUOTED}")
    assert has_left(lite), "as soon as the listener has said 250"
    lite.settle()
    assert way_of(lite) == ("exited", "opt_out")
    lite.live(days=10)
    assert len(lite.letters_to(ANA)) == 1
    assert (lite.rows("activity"), lite.letters_to(LUIS)) == ([], [])


def test_whoever_sends_it_the_person_of_the_address_is_out(story: Story) -> None:
    letter = bring(story)
    story.write_to_us(letter.leave_by_mail, "", From="assistant@elsewhere.example")
    assert what_came_in(story) == ["way_out"]
    assert has_left(story)
    story.live(days=10)
    assert len(story.letters_to(ANA)) == 1


A_LONGER_LETTER = """\
We cannot stop the line on a Monday, as you write; how do others plan it? Ours has been running for nine years, and
nobody dares to unsubscribe from the vendor's support. Could you send me the figures for plants like ours?"""


@pytest.mark.parametrize("text", ["Thanks, very useful.", A_LONGER_LETTER])
def test_the_words_of_our_own_footer_and_of_a_longer_letter_take_nobody_off(lite: Story, text: str) -> None:
    letter = bring(lite)
    lite.write_to_us(letter.reply_to, f"{text}{QUOTED}")
    assert not has_left(lite)
    assert what_came_in(lite) == ["reply"]


@pytest.mark.parametrize("way_out_comes", [0, 1])
def test_a_way_out_among_the_recipients_is_taken_whatever_its_place(lite: Story, way_out_comes: int) -> None:
    letter = bring(lite)
    recipients = [letter.reply_to]
    recipients.insert(way_out_comes, letter.leave_by_mail)
    deliver(lite, recipients, b"Subject: Re\r\n\r\nThanks!")
    assert what_came_in(lite) == ["way_out"]
    assert has_left(lite)


def test_everybody_whose_way_out_is_among_the_recipients_is_out(lite: Story) -> None:
    letters = [bring(lite)]
    lite.live(hours=13)
    letters.append(bring(lite, "ben@reader.example"))
    deliver(lite, [one.leave_by_mail for one in letters], b"Subject: Re\r\n\r\n")
    assert len(lite.rows("suppression")) == 2


def test_everybody_whose_mail_is_answered_with_a_no_is_out(lite: Story) -> None:
    letters = [bring(lite)]
    lite.live(hours=13)
    letters.append(bring(lite, "ben@reader.example"))
    deliver(lite, [one.reply_to for one in letters], b"Subject: Re\r\n\r\nStop")
    assert len(lite.rows("suppression")) == 2


def test_a_mail_that_was_handled_before_still_takes_its_way_out(story: Story) -> None:
    letter = bring(story)
    for to in (letter.reply_to, letter.leave_by_mail, letter.leave_by_mail):
        story.write_to_us(to, "Thanks!", Message_ID="<one@reader.example>")
    assert what_came_in(story) == ["reply"]
    assert len(story.rows("suppression")) == 1


def test_a_mail_that_came_to_nobody_first_still_says_no(lite: Story) -> None:
    letter = bring(lite)
    for to in (f"reply+cut@{REPLY_DOMAIN}", letter.reply_to):
        lite.write_to_us(to, "Stop", Message_ID="<one@reader.example>")
    assert what_came_in(lite) == ["unmatched", "reply"]
    assert has_left(lite)


def test_a_no_in_the_subject_alone_is_one(lite: Story) -> None:
    letter = bring(lite)
    lite.write_to_us(letter.reply_to, "", Subject="STOP")
    assert has_left(lite)


def test_a_no_in_html_alone_is_one(lite: Story) -> None:
    letter = bring(lite)
    html = b"<style>p {margin: 0}</style><p>Stop</p><blockquote>Hello Ana, here is the report.</blockquote>"
    lite.hand_in(letter.reply_to, b"Content-Type: text/html\r\n\r\n" + html)
    assert has_left(lite)


# A machine answers.


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; x=y"},
        {"X_Autoreply": "yes"},
        {"Precedence": "auto_reply"},
        {"Content_Type": "multipart/report; report-type=delivery-status"},
    ],
)
def test_an_automatic_answer_is_no_answer(lite: Story, headers: dict[str, str]) -> None:
    letter = bring(lite)
    lines = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    text = f"From: {ANA}\nSubject: Out of office\n{lines}\nI am out of reach. Please remove me.\n"
    lite.hand_in(letter.reply_to, text.encode())
    assert what_came_in(lite) == ["automatic"]
    lite.live(days=1)
    assert [one.subject for one in lite.letters_to(ANA)] == ["Your report", "Something else"]
    assert (lite.rows("activity"), lite.letters_to(LUIS), has_left(lite)) == ([], [], False)


# What is not for us.


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("dana@acme.example", 550),
        ("reply+abc@elsewhere.example", 550),
        (f"info@{REPLY_DOMAIN}", 550),
        (f"reply@{REPLY_DOMAIN}", 550),
    ],
)
def test_mail_to_others_and_to_nobody_is_refused_at_once(lite: Story, to: str, code: int) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        lite.write_to_us(to, "Hello")
    assert refused.value.recipients[to][0] == code
    assert what_came_in(lite) == []


def test_a_mail_too_large_to_be_an_answer_is_refused(lite: Story) -> None:
    letter = bring(lite)
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        lite.hand_in(letter.reply_to, b"Subject: A film\r\n\r\n" + b"x" * 77 * 70_000)
    assert refused.value.smtp_code == 552
    assert what_came_in(lite) == []


def test_a_mail_that_could_not_be_kept_is_tried_again_by_its_sender() -> None:
    def fail(*_: object) -> None:
        raise ConnectionError("the database is away")

    listener = Listener("127.0.0.1", 0, REPLY_DOMAIN, fail)
    listener.start()
    try:
        with smtplib.SMTP("127.0.0.1", listener.port) as client, pytest.raises(smtplib.SMTPDataError) as put_off:
            client.sendmail(ANA, [f"reply+x@{REPLY_DOMAIN}"], "Subject: Re\n\nStop")
        assert put_off.value.smtp_code == 451
    finally:
        listener.stop()


@pytest.fixture
def taken() -> list[EmailMessage]:
    return []


@pytest.fixture
def listener(taken: list[EmailMessage]) -> Iterator[Listener]:
    listening = Listener("127.0.0.1", 0, REPLY_DOMAIN, lambda _to, message, _content: taken.append(message))
    listening.start()
    yield listening
    listening.stop()


def test_who_calls_when_too_many_are_talking_is_asked_to_come_later(listener: Listener) -> None:
    with ExitStack() as ends:
        talking = [
            ends.enter_context(smtplib.SMTP("127.0.0.1", listener.port, timeout=30)) for _ in range(MOST_CONNECTIONS)
        ]
        with pytest.raises(smtplib.SMTPConnectError) as busy:
            smtplib.SMTP("127.0.0.1", listener.port, timeout=30)
        assert busy.value.smtp_code == 421
        talking[0].docmd("QUIT")
        assert talking[0].sock is not None
        assert talking[0].sock.recv(1) == b"", "the server has hung up, and has forgotten them"
        talking[0].close()
        assert ends.enter_context(smtplib.SMTP("127.0.0.1", listener.port, timeout=30)).noop()[0] == 250


def test_who_says_nothing_is_hung_up_on() -> None:
    assert IDLE_SECONDS == 60
    listening = Listener("127.0.0.1", 0, REPLY_DOMAIN, lambda *_: None, idle_seconds=0.01)
    listening.start()
    try:
        with socket.create_connection(("127.0.0.1", listening.port), timeout=30) as silent:
            answers = silent.makefile("rb").read()
        assert answers.count(b"\r\n") <= 1, "nothing but the greeting, and then the end"
    finally:
        listening.stop()


def test_of_a_header_of_any_length_no_more_is_read_than_a_mail_program_writes(
    listener: Listener, taken: list[EmailMessage]
) -> None:
    content = b"References: " + b"=?utf-8?q?a?= \r\n " * 20_000 + b"\r\nSubject: Re\r\n\r\nStop"
    with smtplib.SMTP("127.0.0.1", listener.port, timeout=30) as client:
        client.sendmail(ANA, [f"leave+x@{REPLY_DOMAIN}"], content)
    [message] = taken
    assert len(dict(message.raw_items())["References"]) <= 2_000
    assert message["Subject"] == "Re"


def forgeries(story: Story, letter: Letter) -> Iterator[str]:
    """Addresses that look like ours and were never given out."""
    keys = story.app.keys
    word, _, token = letter.reply_to.partition("@")[0].partition("+")
    [sent, _] = story.deliveries_to(ANA)
    for place in range(0, len(token), 5):
        yield f"{word}+{token[:place]}{'a' if token[place] != 'a' else 'b'}{token[place + 1 :]}"
    yield f"leave+{token}"
    yield f"{word}+{letter.leave_by_mail.partition('@')[0].partition('+')[2]}"
    yield f"{word}+{keys.sign_in_address(TokenPurpose.MESSAGE, sent.id.to_bytes(8))}"
    yield reply_local_part(TokenKeys(["another secret"]), sent.id)
    yield reply_local_part(keys, 1)
    yield f"{word}+"
    yield f"{word}+{'a' * 40}"


def test_a_forged_address_does_nothing(story: Story) -> None:
    letter = bring(story)
    before = story.everything(but=("inbound_mail", "worker"))
    sent = list(forgeries(story, letter))
    for local_part in sent:
        story.write_to_us(f"{local_part}@{REPLY_DOMAIN}", "Please remove me")
    assert what_came_in(story) == ["unmatched"] * len(sent)
    assert story.everything(but=("inbound_mail", "worker")) == before


def test_of_mail_that_belongs_to_nothing_only_that_it_came_is_kept(lite: Story) -> None:
    for _ in range(2):
        lite.write_to_us(f"leave+x@{REPLY_DOMAIN}", "My secret", Message_ID="<ana@reader.example>")
    [row] = lite.rows("inbound_mail")
    assert (row["kind"], row["text"], row["contact_id"], row["delivery_id"]) == ("unmatched", "", None, None)
    assert "reader.example" not in row["message_id"]


def test_a_server_that_folds_the_case_of_addresses_forges_nothing(lite: Story) -> None:
    letter = bring(lite)
    lite.write_to_us(letter.reply_to.upper(), "Please remove me")
    assert has_left(lite)


# Anything at all.

HEADERS = [
    "Message-ID",
    "In-Reply-To",
    "References",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
    "To",
]
ODD_VALUES = [
    "<", "<>", "[]", "@", '"', "(", "=?utf-8?q?=00?=", "text/", "text/plain; charset=nonsense", "base64",
    "text/plain; charset=utf-7", "multipart/mixed", 'multipart/mixed; boundary=""', "message/rfc822", "quoted-printable",
]  # fmt: skip
ODD_BODIES = [b"a\0b", b"+2AA-", b"=00=FF", b"\xff\xfe", b"", b"stop\0", b"begin 644 x\n`\nend\n"]
mails = st.builds(
    lambda headers, body: "".join(f"{name}: {value}\r\n" for name, value in headers).encode() + b"\r\n" + body,
    st.lists(
        st.tuples(
            st.sampled_from(HEADERS), st.sampled_from(ODD_VALUES) | st.text("<>[]()@;\"=?/\\ \0\tabé,:*'%", max_size=20)
        ),
        max_size=4,
    ),
    st.sampled_from(ODD_BODIES) | st.binary(max_size=60),
)


@given(st.lists(mails, max_size=5))
@example([b"Content-Type: text/plain; charset=utf-7\r\n\r\n+2AA-", b"\r\na\0b", b"Message-ID: <\r\n\r\n"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_arrives_is_taken_and_keeps_nothing_behind_it_waiting(story: Story, arriving: list[bytes]) -> None:
    letter = story.letters_to(ANA)[0] if story.letters_to(ANA) else bring(story)
    for content in arriving:
        story.hand_in(letter.reply_to, content)
    story.sleep(minutes=1)
    name = f"<{story.now.timestamp()}@reader.example>"
    story.write_to_us(letter.reply_to, "Thanks!", Message_ID=name)
    assert [row["kind"] for row in story.rows("inbound_mail") if row["message_id"] == name] == ["reply"]
    story.settle()
