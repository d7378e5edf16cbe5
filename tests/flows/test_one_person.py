"""Two contacts who are one person, a new address, and what colleagues do outside the mails."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nurture.consent.actions import choose_topic
from nurture.consent.identity.actions import change_address
from nurture.consent.rules import Purpose, may_send
from nurture.consent.store import standings
from nurture.consent.suppressions.actions import opt_out, suppress
from nurture.consent.suppressions.rules import SAID_BY_A_PERSON, SuppressionReason
from nurture.contacts import store as contacts
from nurture.contacts.actions import get_contact, join_list, tag_contact
from nurture.contacts.addresses import read_address
from nurture.contacts.history.rules import Author
from nurture.contacts.history.store import list_changes
from nurture.contacts.store import Contact
from nurture.database.engine import Database
from nurture.delivery.actions import queue_deliveries
from nurture.delivery.rules import Priority, Status
from nurture.delivery.store import count_by_status, delivery_of_key
from nurture.errors import BadInput, NotAllowed, NotFound
from nurture.handoff import store as tasks
from nurture.handoff.accounts import actions as accounts
from nurture.handoff.accounts.gathering import gather, list_accounts
from nurture.merging.actions import Merged, merge
from nurture.tracking.touches.actions import record_touch
from nurture.tracking.touches.rules import TouchKind
from tests.stores.test_outbox import intention
from tests.support.stories import Letter, Story, running_story
from tests.support.workspaces import SETTINGS

#: A Tuesday, ten in the morning in Berlin.
START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
ANA, ANNA = "ana@reader.example", "anna.sample@reader.example"
LUIS = "luis@acme.example"
BY_HAND = Author("command line")
SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
enroll:
  when: in_list("report")
steps:
  - {id: first, send: report, subject: "The first"}
  - wait: 2 days
  - {id: second, send: report, subject: "The second"}
  - wait: 2 days
  - {id: third, send: report, subject: "The third"}
"""
FILES = {
    "campaigns/sequences/evaluators.yaml": SEQUENCE,
    "campaigns/scoring.yaml": (
        "format: 1\nthreshold: {score: 90, fit: D}\nactivities:\n  - {when: clicked(), points: 10}\n"
        "fit: []\ngrades: {A: 45, B: 25, C: 10}\n"
    ),
}


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", database.url, START, FILES) as told:
        yield told


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", sqlite.url, START, FILES) as told:
        yield told


def bring(story: Story, email: str, **values: object) -> Contact:
    contact = story.add_contact(email, **values)
    with story.database.writing() as session:
        join_list(session, "report", [contact.id], story.now)
    return contact


def subjects(story: Story, email: str) -> list[str]:
    return [one.subject for one in story.letters_to(email)]


def is_mailable(story: Story, email: str) -> bool:
    with story.database.reading() as session:
        contact = get_contact(session, email)
        return may_send(
            Purpose.CAMPAIGN, standings(session, [contact.id], "insights")[contact.id], story.now
        ).is_allowed


def make_one(story: Story, keep: str = ANA, other: str = ANNA) -> Merged:
    with story.database.writing() as session:
        return merge(session, story.app.language, keep, other, story.now, BY_HAND)


def click(story: Story, letter: Letter) -> None:
    story.ask(letter.clicks[0])
    story.live(minutes=5)


# Merging.


def test_what_either_did_got_and_was_told_is_one_persons_and_no_step_is_mailed_twice(story: Story) -> None:
    bring(story, ANNA, first_name="Anna", job_title="Plant Manager")
    story.live(days=3)
    assert subjects(story, ANNA) == ["The first", "The second"]
    click(story, story.letters_to(ANNA)[0])
    bring(story, ANA, first_name="Ana")
    with story.database.writing() as session:
        tag_contact(session, get_contact(session, ANNA).id, "vip", story.now, BY_HAND)
        tag_contact(session, get_contact(session, ANA).id, "vip", story.now, BY_HAND)
    story.live(hours=1)
    assert subjects(story, ANA) == ["The first"]
    done = make_one(story)
    assert done.ended == ["evaluators"]
    assert done.passed == {"evaluators": ["first", "second"]}
    assert done.score > 9, "the click counts at once"
    story.live(days=10)
    assert subjects(story, ANA) == ["The first", "The third"], "the second was mailed to their other address"
    assert subjects(story, ANNA) == ["The first", "The second"]
    merged = story.contact(ANA)
    assert (merged.first_name, merged.job_title) == ("Ana", "Plant Manager")
    assert [row["tag"] for row in story.rows("contact_tag")] == ["vip"]
    assert {row["contact_id"] for row in story.rows("delivery") if row["contact_id"]} == {merged.id}
    assert {row["contact_id"] for row in story.rows("activity")} == {merged.id}
    with story.database.reading() as session:
        assert contacts.find_contact(session, ANNA) is None
        newest = list_changes(session, merged.id)
    assert ("merged", ANNA, None, "command line") in [(one.field, one.before, one.after, one.by) for one in newest]


@pytest.mark.parametrize("got_by", [ANA, ANNA])
@pytest.mark.parametrize("arrived_as", [Status.SENT, Status.UNCERTAIN])
def test_an_issue_that_one_of_both_got_does_not_leave_to_the_other(
    lite: Story, got_by: str, arrived_as: Status
) -> None:
    people = {email: bring(lite, email).id for email in (ANA, ANNA)}
    with lite.database.writing() as session:
        for email, contact in people.items():
            key = f"issue:weekly:1:{contact}"
            issue = intention(session, contact, key, priority=Priority.NEWSLETTER, campaign="newsletter:weekly")
            queue_deliveries(session, [replace(issue, due_at=lite.now + timedelta(hours=1))], lite.now)
            if email == got_by:
                got = delivery_of_key(session, key)
                assert got is not None
                got.status = arrived_as
    make_one(lite)
    with lite.database.reading() as session:
        assert count_by_status(session, campaign="newsletter:weekly") == {arrived_as: 1, Status.CANCELLED: 1}


def test_who_is_on_nothing_goes_on_with_what_the_other_contact_was_on(lite: Story) -> None:
    bring(lite, ANNA)
    lite.live(hours=1)
    lite.add_contact(ANA)
    assert make_one(lite).ended == []
    lite.live(days=10)
    assert subjects(lite, ANA) == ["The second", "The third"]
    assert subjects(lite, ANNA) == ["The first"]


@pytest.mark.parametrize("reason", [*sorted(SAID_BY_A_PERSON), SuppressionReason.HARD_BOUNCE])
def test_a_no_of_either_holds_for_both_and_a_bounce_for_its_address_alone(
    lite: Story, reason: SuppressionReason
) -> None:
    """STANDARDS 126: merge of duplicates keeps the strictest consent and all suppressions."""
    lite.add_contact(ANA)
    other = lite.add_contact(ANNA)
    with lite.database.writing() as session:
        suppress(session, other.address_hash, reason, how="a test", now=lite.now)
    make_one(lite)
    assert is_mailable(lite, ANA) is (reason is SuppressionReason.HARD_BOUNCE)
    assert other.address_hash in {row["address_hash"] for row in lite.rows("suppression")}, "and stays in force there"


def test_a_topic_that_either_left_is_left_and_a_yes_of_the_other_alone_is_none(lite: Story) -> None:
    """STANDARDS 126."""
    lite.add_contact(ANA)
    lite.add_contact(ANNA)
    with lite.database.writing() as session:
        choose_topic(session, get_contact(session, ANNA), "insights", wanted=False, how="a page", now=lite.now)
    assert make_one(lite).consents == [("insights", "mail", "given as opt-in", "withdrawn")]
    assert not is_mailable(lite, ANA)
    lite.add_contact("ben@reader.example", topic=None)
    lite.add_contact("benjamin@reader.example")
    assert make_one(lite, "ben@reader.example", "benjamin@reader.example").lost_yeses == ["insights"]
    assert not is_mailable(lite, "ben@reader.example")


def test_the_way_out_in_an_old_mail_takes_off_who_stays_and_its_undo_brings_them_back(story: Story) -> None:
    bring(story, ANNA)
    story.live(hours=1)
    story.add_contact(ANA)
    make_one(story)
    story.leave(story.letters_to(ANNA)[0])
    assert not is_mailable(story, ANA)
    story.live(days=10)
    assert subjects(story, ANA) == []


def test_a_merge_is_refused_while_both_are_with_a_rep_or_are_one(lite: Story) -> None:
    lite.add_contact(ANA)
    with pytest.raises(BadInput, match="one contact already"):
        make_one(lite, ANA, "ANA@reader.example")
    with pytest.raises(NotFound, match="no such contact"):
        make_one(lite, ANA, "nobody@reader.example")


# A new address.


def test_a_new_address_keeps_the_consent_and_every_no(lite: Story) -> None:
    bring(lite, ANA)
    lite.live(hours=1)
    letter = lite.letters_to(ANA)[0]
    with lite.database.writing() as session:
        contact = get_contact(session, ANA)
        fresh = read_address("ana@new.example")
        assert change_address(session, contact, fresh, lite.app.hasher, lite.now, Author("page", "preferences"))
        assert not change_address(session, contact, fresh, lite.app.hasher, lite.now, Author("page"))
    lite.add_contact("ben@reader.example")
    with lite.database.writing() as session:
        ben = get_contact(session, "ben@reader.example")
        with pytest.raises(NotAllowed, match="is a contact already"):
            change_address(session, ben, fresh, lite.app.hasher, lite.now, BY_HAND)
    assert is_mailable(lite, "ana@new.example")
    lite.live(days=3)
    assert subjects(lite, "ana@new.example") == ["The second"]
    lite.leave(letter)
    assert not is_mailable(lite, "ana@new.example"), "the way out in a mail to the old address"


def test_a_no_goes_along_to_the_new_address_and_one_that_waited_there_counts(lite: Story) -> None:
    for name, prepare in (
        ("left", lambda one: one.address_hash),
        ("waits", lambda one: lite.app.hasher.hash("waits@new.example")),
    ):
        contact = lite.add_contact(f"{name}@reader.example")
        with lite.database.writing() as session:
            opt_out(session, prepare(contact), how="a test", now=lite.now)
        with lite.database.writing() as session:
            known = get_contact(session, contact.email)
            change_address(session, known, read_address(f"{name}@new.example"), lite.app.hasher, lite.now, BY_HAND)
        assert not is_mailable(lite, f"{name}@new.example")
        lite.add_contact(f"{name}@reader.example")
        assert not is_mailable(lite, f"{name}@reader.example"), "under the old address again"


def test_no_file_brings_somebody_back_under_an_address_they_had_before(lite: Story) -> None:
    """A no is the person's: whichever of their addresses it was said for, and whenever."""
    lite.add_contact(ANA)
    lite.add_contact(ANNA)
    make_one(lite)
    with lite.database.writing() as session:
        opt_out(session, get_contact(session, ANA).address_hash, how="a test", now=lite.now)
    left = lite.add_contact("ben@reader.example")
    lite.add_contact("benjamin@reader.example")
    with lite.database.writing() as session:
        opt_out(session, left.address_hash, how="a test", now=lite.now)
    make_one(lite, "ben@reader.example", "benjamin@reader.example")
    for email in (ANNA, "benjamin@reader.example"):
        lite.add_contact(email)
        assert not is_mailable(lite, email)


def test_an_address_that_is_somebody_elses_by_now_is_left_to_them(lite: Story) -> None:
    lite.add_contact(ANA)
    with lite.database.writing() as session:
        fresh = read_address("ana@new.example")
        change_address(session, get_contact(session, ANA), fresh, lite.app.hasher, lite.now, BY_HAND)
    lite.add_contact(ANA)
    with lite.database.writing() as session:
        opt_out(session, get_contact(session, "ana@new.example").address_hash, how="a test", now=lite.now)
    assert not is_mailable(lite, "ana@new.example")
    assert is_mailable(lite, ANA)


# Touches.


def touch(
    story: Story, kind: TouchKind, *, ago: timedelta = timedelta(0), is_quiet: bool | None = None
) -> datetime | None:
    with story.database.writing() as session:
        luis = contacts.find_operator(session, LUIS)
        assert luis is not None
        return record_touch(
            session, get_contact(session, ANA), kind, "spoke about prices", luis,
            occurred_at=story.now - ago, now=story.now, is_quiet=is_quiet,
        )  # fmt: skip


def test_a_colleagues_word_makes_the_sequence_wait_a_week_and_then_it_goes_on(story: Story) -> None:
    bring(story, ANA)
    story.live(hours=1)
    assert touch(story, TouchKind.CALL) == story.now + timedelta(days=7)
    story.live(days=6)
    assert subjects(story, ANA) == ["The first"]
    story.live(days=2)
    assert subjects(story, ANA) == ["The first", "The second"]


@pytest.mark.parametrize(
    ("kind", "ago", "is_quiet", "mails"),
    [
        (TouchKind.EVENT, timedelta(0), None, 2),
        (TouchKind.EVENT, timedelta(0), True, 1),
        (TouchKind.VISIT, timedelta(0), False, 2),
        (TouchKind.VISIT, timedelta(days=8), None, 2),
    ],
)
def test_what_is_no_conversation_or_long_ago_keeps_nothing_back(
    lite: Story, kind: TouchKind, ago: timedelta, is_quiet: bool | None, mails: int
) -> None:
    bring(lite, ANA)
    lite.live(hours=1)
    touch(lite, kind, ago=ago, is_quiet=is_quiet)
    lite.live(days=3)
    assert len(subjects(lite, ANA)) == mails


def test_a_touch_is_something_that_was_done(lite: Story) -> None:
    bring(lite, ANA)
    with pytest.raises(BadInput, match="has not been yet"):
        touch(lite, TouchKind.CALL, ago=timedelta(minutes=-1))


# Target accounts.


def target(story: Story, company: str, owner: str = LUIS) -> str:
    with story.database.writing() as session:
        domain = accounts.find_domain(session, company)
        accounts.add_target(session, domain, owner, story.now)
    return domain


def test_choosing_a_company_leaves_two_tasks_and_changes_nobodys_permission(story: Story) -> None:
    bring(story, ANA, company="Reader & Sons", first_name="Ana", basis=None)
    story.add_contact("ben@reader.example", company="Reader & Sons")
    told = ("target_account", "task", "worker")
    before = story.everything(but=told)
    permissions = [is_mailable(story, one) for one in (ANA, "ben@reader.example")]
    assert target(story, "reader & sons") == "reader.example"
    assert story.everything(but=told) == before, "no consent, no list, no sequence, no mark"
    assert [is_mailable(story, one) for one in (ANA, "ben@reader.example")] == permissions == [False, True]
    with story.database.reading() as session:
        found = [(task.what, task.domain) for task, _, _ in tasks.list_tasks(session, owner=LUIS)]
    assert found == [
        ("Find out about reader.example: who decides, what they would need us for, and why now", "reader.example"),
        ("Talk to Ana at reader.example", "reader.example"),
    ]
    story.live(days=10)
    assert subjects(story, ANA) == [], "no basis of their own, no mail"


def test_a_company_nobody_is_known_at_may_be_chosen_and_let_go(lite: Story) -> None:
    assert target(lite, "unknown.example") == "unknown.example"
    assert [row["what"] for row in lite.rows("task")][1] == (
        "Find somebody to talk to at unknown.example; nobody is known there yet"
    )
    with pytest.raises(NotAllowed, match="a target account of Luis Ortega already"):
        target(lite, "unknown.example", "dana@acme.example")
    with lite.database.writing() as session:
        accounts.remove_target(session, "unknown.example", lite.now)
    assert lite.rows("task") == []
    target(lite, "unknown.example", "dana@acme.example")


def test_the_twenty_first_target_is_refused_with_what_to_do(lite: Story) -> None:
    for number in range(20):
        target(lite, f"company-{number}.example")
    with pytest.raises(NotAllowed, match=r"20 target accounts, and 20 are the most; let one go with `nurture accounts"):
        target(lite, "one-more.example")
    target(lite, "one-more.example", "dana@acme.example")


@pytest.mark.parametrize(
    ("company", "error", "words"),
    [
        ("gmail.com", BadInput, "is no company"),
        ("Nobody & Sons", NotFound, "name its domain"),
        ("ana@reader.example", BadInput, "such as reader.example"),
    ],
)
def test_what_is_no_company_cannot_be_chosen(lite: Story, company: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        target(lite, company)


def test_engagement_adds_up_by_company_without_colleagues_and_private_addresses(
    sqlite: Database, tmp_path: Path
) -> None:
    settings = f'{SETTINGS}\n[company]\ndomains = ["colleagues.example"]\n'
    with running_story(tmp_path / "house", sqlite.url, START, FILES | {"settings.toml": settings}) as story:
        people = (ANA, ANNA, "cal@other.example", "deb@gmail.com", "eve@colleagues.example")
        for email in people:
            bring(story, email, company="Reader & Sons")
        story.live(hours=1)
        for email in people:
            if email != "cal@other.example":
                click(story, story.letters_to(email)[0])
        with story.database.reading() as session:
            found = list_accounts(session, only_targets=False, limit=10)
            account = gather(session, "reader.example", story.now)
        assert [(one.domain, one.people, one.engaged, round(one.engagement)) for one in found] == [
            ("reader.example", 2, 2, 20),
            ("other.example", 1, 0, 0),
        ]
        assert [(one.contact.email, one.is_mailable) for one in account.people] == [(ANA, True), (ANNA, True)]
        because = [one.because for one in account.introducers]
        assert because.count("says that they work there, and has a private address") == 1, "Deb"


def test_who_is_with_a_rep_under_both_addresses_is_merged_after_a_verdict(lite: Story) -> None:
    for email in (ANA, ANNA):
        lite.add_contact(email, stage="sales_ready")
    with lite.database.writing() as session:
        luis = contacts.find_operator(session, LUIS)
        assert luis is not None
        for email in (ANA, ANNA):
            session.add(
                tasks.HandOff(
                    contact_id=get_contact(session, email).id, operator_id=luis.id, reason="need", score=1,
                    created_at=lite.now, due_at=lite.now,
                )
            )  # fmt: skip
    with pytest.raises(NotAllowed, match="both with a rep"):
        make_one(lite)
    with lite.database.writing() as session:
        [first, _] = tasks.list_hand_offs(session)
        first[0].verdict = "accepted"
    make_one(lite)
    assert len({row["contact_id"] for row in lite.rows("hand_off")}) == 1
