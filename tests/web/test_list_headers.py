"""STANDARDS section 2, as mails carry it: what each mail says to mail programs, and what a no does to a full queue.

The numbers in brackets name the rules. DKIM over these headers (26) is `tests/rules/test_dkim.py` and, on what a relay
received, `tests/cli/test_round_trip.py`; what a complaint does (37) `tests/flows/test_returned.py`. How the one-click POST behaves (27 to 31) is `test_leaving.py` and `test_scanners.py`;
leaving by mail (33) `test_way_out_by_mail.py` and `tests/flows/test_replies.py`.
"""

import asyncio
import re
from datetime import date, datetime
from pathlib import Path

import pytest

from nurture.campaigns import store as campaigns
from nurture.consent.actions import Said, record
from nurture.consent.definition import get_table
from nurture.consent.rules import Basis, Purpose
from nurture.contacts import store as contacts
from nurture.contacts.actions import new_contact
from nurture.contacts.addresses import read_address
from nurture.database.engine import Database
from nurture.delivery.actions import Intention, queue_deliveries
from nurture.delivery.headers import feedback_id, headers_of_a_mail, headers_of_a_reader
from nurture.delivery.rules import Priority
from nurture.delivery.urls import Via, leave_url
from nurture.sequences.kind import KIND as SEQUENCE
from tests.support.relays import running_relay
from tests.web.houses import House, running_house

KINDS = [
    (Purpose.CAMPAIGN, "newsletter:weekly"), (Purpose.CAMPAIGN, "sequence:evaluators"),
    (Purpose.TEST, "newsletter:weekly"), (Purpose.SERVICE, "service:request"), (Purpose.INTERNAL, "service:handoff"),
]  # fmt: skip
MARKETING = KINDS[:3]


def headers(purpose: str, campaign: str, title: str = "The Letter") -> dict[str, str]:
    own = headers_of_a_reader(
        purpose,
        "acme.example",
        leave_url="https://news.acme.example/u/token",
        leave_mail="leave+token@mail.acme.example",
        complain_to="complaint+token@mail.acme.example",
    )
    shared = headers_of_a_mail(
        purpose, campaign, list_domain="acme.example", list_title=title, mail="five-questions", takes_one_click=True
    )
    found = dict([*own, *shared])
    assert len(found) == len(own) + len(shared), "each once"
    return found


@pytest.mark.parametrize(("purpose", "campaign"), MARKETING)
def test_marketing_names_an_https_way_out_first_and_a_mail_beside_it(purpose: str, campaign: str) -> None:
    """RFC 2369 [24]: URIs in angle brackets, with commas between them."""
    uris = headers(purpose, campaign)["List-Unsubscribe"].split(", ")
    assert all(re.fullmatch(r"<[^<>\s]+>", uri) for uri in uris)
    assert [uri.partition(":")[0] for uri in uris] == ["<https", "<mailto"]


@pytest.mark.parametrize(("purpose", "campaign"), MARKETING)
def test_marketing_takes_one_click(purpose: str, campaign: str) -> None:
    """RFC 8058 3.1 [25]: these very bytes."""
    assert headers(purpose, campaign)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize("title", ["The Letter", "", 'Müller’s "Letter" <x@y>', "x" * 400])
def test_a_newsletter_has_one_stable_name(title: str) -> None:
    """RFC 2919 [34]: the same for good, whatever the title becomes, and no longer than 255 octets."""
    found = headers(Purpose.CAMPAIGN, "newsletter:weekly", title)["List-Id"]
    assert found.endswith("<weekly.acme.example>")
    assert found.isascii()
    assert len(re.findall("<", found)) == 1
    assert len(found) <= 255


def test_a_sequence_is_no_list() -> None:
    """RFC 2919 [34]: however many get it, each gets it alone."""
    assert "List-Id" not in headers(Purpose.CAMPAIGN, "sequence:evaluators")


@pytest.mark.parametrize(("purpose", "campaign"), KINDS)
def test_automatic_mail_says_so_and_none_claims_to_be_written_by_hand(purpose: str, campaign: str) -> None:
    """RFC 3834 5 [35]: what answers an act of theirs is auto-generated; bulk mail is bulk; `no` stands nowhere."""
    found = headers(purpose, campaign)
    is_automatic = purpose in {Purpose.SERVICE, Purpose.INTERNAL}
    assert found.get("Auto-Submitted") == ("auto-generated" if is_automatic else None)
    is_newsletter = campaign.startswith("newsletter:")
    assert found.get("Precedence") == ("bulk" if is_newsletter else None)


@pytest.mark.parametrize(("purpose", "campaign"), KINDS)
def test_out_of_office_answers_are_kept_away_and_bounces_never(purpose: str, campaign: str) -> None:
    """MS-OXCMAIL [36]: neither NDR nor All, which would hide bounces from us."""
    asked = headers(purpose, campaign).get("X-Auto-Response-Suppress", "")
    assert set(asked.split(", ")) <= {"OOF", "AutoReply", ""}
    if campaign.startswith("newsletter:"):
        assert asked == "OOF, AutoReply"


def test_service_mail_is_no_marketing() -> None:
    """Directive 2002/58, 13 [92]: what somebody just asked for has nothing to unsubscribe from."""
    for purpose, campaign in KINDS[3:]:
        assert not [name for name in headers(purpose, campaign) if name.startswith(("List-", "Precedence"))]


@pytest.mark.parametrize(("purpose", "campaign"), KINDS)
def test_what_goes_to_a_reader_says_where_complaints_go_and_a_colleagues_mail_does_not(
    purpose: str, campaign: str
) -> None:
    """RFC 9477 [37]: an address of the sender's domain, and an identifier without an address in it."""
    found = headers(purpose, campaign)
    is_internal = purpose == Purpose.INTERNAL
    assert found.get("CFBL-Address") == (None if is_internal else "complaint+token@mail.acme.example; report=arf")
    assert found.get("CFBL-Feedback-ID") == (None if is_internal else "token")


@pytest.mark.parametrize(
    ("domain", "is_there"),
    [("acme.example", True), ("mail.acme.example", True), ("news.acme.example", False), ("cme.example", False)],
)
def test_a_complaint_address_stands_only_where_the_senders_own_signature_speaks_for_it(
    domain: str, is_there: bool
) -> None:
    """RFC 9477 3.1 [37]: the domain of From, or below it."""
    found = headers_of_a_reader(
        Purpose.CAMPAIGN, domain, leave_url=None, leave_mail=None, complain_to="complaint+token@mail.acme.example"
    )
    assert ("CFBL-Address" in dict(found)) is is_there


@pytest.mark.parametrize(
    ("kind", "campaign", "mail", "domain", "identifier"),
    [
        ("newsletter", "weekly", "five-questions", "acme.example", "five-questions:weekly:newsletter:acmeexample"),
        ("newsletter", "weekly", "weekly", "acme.example", "weekly-2:weekly:newsletter:acmeexample"),
        ("sequence", "Käufer: neu", "a b", "a.de", "a-b:K-ufer-neu:sequence:ade"),
        ("sequence", "s", "m" * 90, "news.a-very-long-name.example", f"{'m' * 40}:s:sequence:newsaverylongna"),
    ],
)
def test_gmail_can_add_up_complaints_by_mail_campaign_kind_and_sender(
    kind: str, campaign: str, mail: str, domain: str, identifier: str
) -> None:
    """Google's Feedback-ID [38]: four fields, the sender's of 5 to 15 characters, none said twice, nobody in it."""
    found = feedback_id(kind, campaign, mail, domain)
    assert found.startswith(identifier)
    fields = found.split(":")
    assert len(set(fields)) == len(fields) == 4
    assert re.fullmatch(r"[a-z0-9]{5,15}", fields[-1])


PEOPLE = 1000
LEAVING = 5


def test_no_mail_reaches_whoever_left_although_a_thousand_were_queued(
    sqlite: Database, tmp_path: Path, now: datetime
) -> None:
    """Rule 32: the no comes while mails are on their way, and holds for the very next one of that person."""
    with (
        running_relay() as relay,
        running_house(
            tmp_path / "house",
            sqlite.url,
            now,
            environment={"NURTURE_SMTP__PORT": str(relay.port), "NURTURE_SENDING__FIRST_WAVE": "0"},
        ) as house,
    ):
        hashes = queue_for_many(house, now)
        leaving = list(hashes)[-LEAVING:]
        answers: list[int] = []

        def leave_in_the_midst(_recipient: str) -> None:
            if len(relay.arrived) == PEOPLE // 10 and not answers:
                for address in leaving:
                    link = leave_url(house.app.keys, "", Via.HEADER, 1, hashes[address])
                    answers.append(house.http.post(link, data={"List-Unsubscribe": "One-Click"}).status_code)

        relay.on_data = leave_in_the_midst
        sender = house.app.sender(house.app.register())

        async def send_all() -> None:
            await sender.drain()
            await sender.close()

        asyncio.run(send_all())
        assert answers == [200] * LEAVING
        assert [address for address in leaving if relay.to(address)] == []
        assert len(relay.arrived) == PEOPLE - LEAVING
        refused = [row for row in house.rows("delivery") if row["status"] == "refused"]
        assert len(refused) == LEAVING


def queue_for_many(house: House, now: datetime) -> dict[str, str]:
    """Everybody is to get the same mail, in this order; by address, the hash under which suppression knows it."""
    with house.app.database.writing() as session:
        rows = [
            new_contact(read_address(f"reader{number:04}@reader.example"), house.app.hasher, now, country="US")
            for number in range(PEOPLE)
        ]
        contacts.insert_contacts(session, rows)
        said = [
            Said(
                row["id"],
                row["address_hash"],
                "US",
                "insights",
                "given",
                Basis.DOUBLE_OPT_IN,
                date(2026, 1, 5),
                "a test",
            )
            for row in rows
        ]
        record(session, get_table(session), said, now)
        version = campaigns.find_current(session, SEQUENCE, "evaluators")
        assert version is not None
        queue_deliveries(
            session,
            [
                Intention(
                    key=f"many:{row['id']}", purpose=Purpose.CAMPAIGN, campaign="sequence:evaluators",
                    version_id=version[0], mail="report", priority=Priority.SEQUENCE, due_at=now,
                    contact_id=row["id"], topic="insights", domain="reader.example",
                )
                for row in rows
            ],
            now,
        )  # fmt: skip
    return {row["email"]: row["address_hash"] for row in rows}
