"""What an answer makes of a call, where calls may go, and what their authors may not write."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.outgoing.calling import body_of, sign
from nurture.outgoing.rules import ARROWS, SETTLED, Answer, Outskirts, Status, find_fault, settle
from tests.conftest import NOW

GIVE_UP_AFTER = timedelta(days=3)

answers = st.builds(
    Answer,
    st.none() | st.integers(100, 599),
    st.just("said"),
    st.none() | st.timedeltas(timedelta(0), timedelta(days=30)),
    st.booleans(),
)


@given(answers, st.integers(1, 500), st.timedeltas(timedelta(0), timedelta(days=5)))
def test_every_answer_leads_along_an_arrow_and_nothing_waits_past_its_term(
    answer: Answer, attempts: int, waited: timedelta
) -> None:
    settling = settle(answer, attempts=attempts, queued_at=NOW - waited, now=NOW, give_up_after=GIVE_UP_AFTER)
    assert settling.status in ARROWS[Status.CLAIMED]
    assert (settling.due_at is None) == (settling.status in SETTLED)
    if settling.due_at is not None:
        assert NOW < settling.due_at <= NOW - waited + GIVE_UP_AFTER
    if settling.status is not Status.SENT:
        assert settling.because


@given(st.integers(1, 500))
def test_calls_are_made_often_enough_to_be_heard_soon_and_seldom_enough_to_bother_nobody(attempts: int) -> None:
    settling = settle(Answer(503), attempts=attempts, queued_at=NOW, now=NOW, give_up_after=GIVE_UP_AFTER)
    assert settling.due_at is not None
    assert timedelta(minutes=1) <= settling.due_at - NOW <= timedelta(hours=8)


@pytest.mark.parametrize(
    ("host", "address", "may"),
    [
        ("crm.example", "93.184.216.34", True),
        ("crm.example", "2606:2800:220:1:248:1893:25c8:1946", True),
        ("crm.example", "127.0.0.1", False),  # a name that leads back to us
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("crm.example", "10.1.2.3", False),
        ("crm.example", "::ffff:10.1.2.3", False),
        ("crm.example", "2002:a01:203::1", False),  # 6to4 of 10.1.2.3
        ("crm.example", "64:ff9b::a01:203", False),  # NAT64 of it
        ("crm.example", "64:ff9b::5db8:d822", True),
        ("crm.example", "224.0.0.1", False),
        ("crm.example", "fe80::1%eth0", False),
        ("Inside.example", "10.1.2.3", True),  # allowed by name
        ("inside.example", "127.0.0.1", True),
    ],
)
def test_calls_go_to_the_outside_to_this_machine_by_its_name_and_to_what_is_allowed(
    host: str, address: str, *, may: bool
) -> None:
    assert (Outskirts(allow=frozenset({"inside.example"})).find_objection(host, address) is None) == may


@pytest.mark.parametrize("address", ["93.184.216.34", "10.1.2.3", "2606:2800:220:1:248:1893:25c8:1946"])
def test_a_rehearsal_reaches_nobody_even_if_they_are_allowed(address: str) -> None:
    rehearsal = Outskirts(allow=frozenset({"inside.example"}), only_loopback=True)
    assert rehearsal.find_objection("inside.example", address) is not None
    assert rehearsal.find_objection("127.0.0.1", "127.0.0.1") is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://crm.example/hooks/nurture?x=1", None),
        ("http://127.0.0.1:8080/hook", None),
        ("http://localhost/hook", None),
        ("http://crm.example/hook", "is not encrypted; write https://."),
        ("crm.example/hook", "is no address"),
        ("https://", "is no address"),
        ("https://crm.example:99999/", "is no address"),
        ("ftp://crm.example/", "is no address"),
        ("https://user:word@crm.example/", "holds a name or a password"),
        ("https://crm.example/{{ contact.email }}", "holds a character that no address has"),
        ("https://crm.example/\r\nHost: other", "holds a character that no address has"),
        ("https://bücher.example/", "holds a character that no address has"),
    ],
)
def test_addresses_are_looked_at_before_anything_is_queued(url: str, fault: str | None) -> None:
    found = find_fault(url)
    assert found is None if fault is None else fault in (found or "")


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("X-Source", "nurture", None),
        ("Authorization", "Bearer x", None),
        ("Content-Length", "1", "is written by nurture itself"),
        ("WEBHOOK-ID", "1", "is written by nurture itself"),
        ("Host", "other.example", "is written by nurture itself"),
        ("X Source", "a", "is no name of a header"),
        ("", "a", "is no name of a header"),
        ("X-Source", "a\r\nX-Other: b", "must be printable ASCII"),
        ("X-Source", "ü", "must be printable ASCII"),
    ],
)
def test_headers_are_too(name: str, value: str, fault: str | None) -> None:
    found = find_fault("https://crm.example/", {name: value})
    assert found is None if fault is None else fault in (found or "")


def test_the_signature_is_the_one_of_the_standard() -> None:
    """The vector of Standard Webhooks 1.0.0."""
    import base64

    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_body_is_the_same_however_the_database_orders_it() -> None:
    assert body_of({"b": "ü", "a": {"d": 1, "c": None}}) == body_of({"a": {"c": None, "d": 1}, "b": "ü"})
    assert body_of({"b": "ü", "a": 1}) == '{"a":1,"b":"ü"}'.encode()
