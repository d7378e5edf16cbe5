"""What the log of a relay proves about a mail in doubt, and what it only mentions."""

import pytest

from nurture.delivery.doubts.rules import Proof, find_taken

OURS = "<7.Xy@acme.example>"
CLEANUP = f"Mar 10 09:00:01 mx postfix/cleanup[81]: 4XyZ: message-id={OURS}"
QUEUED = "Mar 10 09:00:01 mx postfix/qmgr[12]: 4XyZ: from=<dana@acme.example>, size=2930, nrcpt=1 (queue active)"
BOUNCED = "Mar 10 09:00:09 mx postfix/smtp[90]: 4XyZ: to=<ana@reader.example>, dsn=5.1.1, status=bounced (no such user)"


SENT = BOUNCED.replace("dsn=5.1.1, status=bounced (no such user)", "dsn=2.0.0, status=sent (250 2.0.0 OK)")
DEFERRED = BOUNCED.replace("dsn=5.1.1, status=bounced (no such user)", "dsn=4.2.1, status=deferred (busy)")
EXPIRED = "Mar 15 09:00:09 mx postfix/qmgr[12]: 4XyZ: from=<dana@acme.example>, status=expired, returned to sender"


@pytest.mark.parametrize("proof", [QUEUED, SENT, DEFERRED])
def test_postfix_took_what_it_queued_or_handed_on(proof: str) -> None:
    assert find_taken([CLEANUP, proof], {OURS}) == {OURS: Proof(proof)}


@pytest.mark.parametrize(
    ("end", "status"),
    [(BOUNCED, "5.1.1"), (BOUNCED.replace("dsn=5.1.1, ", ""), "no status"), (EXPIRED, "4.4.7")],
)
def test_what_postfix_sent_back_it_had_taken_before(end: str, status: str) -> None:
    assert find_taken([CLEANUP, QUEUED, DEFERRED, end], {OURS}) == {OURS: Proof(end, status)}


def test_what_reached_somebody_did_not_come_back() -> None:
    assert find_taken([CLEANUP, QUEUED, SENT, BOUNCED], {OURS}) == {OURS: Proof(QUEUED)}


def test_postfix_names_a_mail_while_it_comes_in_and_that_proves_nothing() -> None:
    gone = "Mar 10 09:00:01 mx postfix/smtpd[80]: lost connection after DATA (2930 bytes) from nurture[10.0.0.9]"
    another = QUEUED.replace("4XyZ", "5AbC")
    assert find_taken([CLEANUP, gone, another], {OURS}) == {}


def test_another_mails_line_proves_nothing_for_ours() -> None:
    assert find_taken([CLEANUP.replace("<7.", "<8."), QUEUED], {OURS}) == {}


def test_exim_names_a_mail_once_it_took_it() -> None:
    line = "2026-03-10 09:00:01 1tA-B-C <= dana@acme.example H=nurture [10.0.0.9] P=esmtps S=2930 id=7.Xy@acme.example"
    assert find_taken([line], {OURS}) == {OURS: Proof(line)}


@pytest.mark.parametrize(
    ("line", "is_proof"),
    [
        (f'{{"event": "delivered", "message-id": "{OURS}"}}', True),
        (f"accepted {OURS} for ana", True),
        (f"rejected {OURS}", False),
        (f"{OURS}: 550 message not accepted for delivery", False),
        (f"{OURS} could not be delivered", False),
        (f"{OURS} was never queued", False),
        (f'{{"message-id": "{OURS}", "delivered": false}}', False),
        (f"{OURS} bounced, sent back to its sender", False),
        (f"delivery of {OURS} failed, a bounce was sent", False),
        ("accepted <9@acme.example>", False),
        ("", False),
    ],
)
def test_another_relays_line_counts_if_it_says_both(line: str, *, is_proof: bool) -> None:
    assert (OURS in find_taken([line], {OURS})) is is_proof
