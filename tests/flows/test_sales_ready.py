"""From a click to a rep's verdict: what raises a score, who is handed over, how often, and what a no means."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nurture.contacts import store as contacts
from nurture.contacts.actions import join_list, move_stage
from nurture.database.engine import Database
from nurture.errors import NotAllowed
from nurture.handoff import actions as handoff
from nurture.handoff.rules import Verdict
from nurture.scoring.actions import results
from nurture.scoring.definition import find_model
from nurture.scoring.rules import Result
from tests.support.commands import CommandLine
from tests.support.stories import Letter, Story, running_story

#: A Tuesday, ten in the morning in Berlin.
START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
ANA, LUIS, DANA = "ana@reader.example", "luis@acme.example", "dana@acme.example"

LETTER = """\
<mjml><mj-head><mj-title>Report</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-text><a href="https://acme.example/report">The report</a>, <a href="https://acme.example/pricing">what it costs</a>,
<a href="https://acme.example/cases">who uses it</a>, <a href="https://acme.example/team">who we are</a>.</mj-text>
<mj-text><a href="{{ wish_url('information') }}">Tell me more</a> <a href="{{ wish_url('need') }}">We have a need</a></mj-text>
<mj-text>{{ sender.postal_address }} · <a href="{{ leave_url }}">Leave</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
REPORT, PRICING, CASES, TEAM = range(4)

#: A click is worth 10, one on the prices 30, which is the line; it takes thirty days to fade by half.
SCORING = """\
format: 1
threshold: {score: 30, fit: B}
activities:
  - {when: opened(), points: 3, half_life: 21 days, cap: 12}
  - {when: clicked(), points: 10, half_life: 30 days, cap: 40}
  - {when: visited("/pricing"), points: 20, half_life: 30 days, cap: 40}
fit:
  - {when: company_size >= 40, points: 25}
grades: {A: 45, B: 25, C: 10}
"""
HANDOFF = """\
format: 1
definition: Somebody who fits and has shown that a talk would help them now.
rules:
  - {when: interest == "need", route: owner, due_after: 1 hour}
  - {when: score >= 30, route: owner, due_after: 8 hours}
fallback: dana@acme.example
rejections:
  no_budget: {label: No budget this year, recycle_after: 90 days}
  not_a_fit: {label: We are not for them, recycle_after: never}
"""
SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
enroll: {when: in_list("report")}
exit:
  - {when: stage >= "sales_ready", as: promoted}
window: {days: daily, hours: "09:00-17:00", timezone: Europe/Berlin}
steps:
  - {id: report, send: report, subject: Your report}
  - wait: 10 hours
  - {id: cases, send: report, subject: Who uses it}
  - wait: 10 days
  - {id: prices, send: report, subject: What it costs}
  - wait: 1 day
  - hand_off: {}
"""
FILES = {
    "templates/report.mjml": LETTER,
    "campaigns/scoring.yaml": SCORING,
    "campaigns/handoff.yaml": HANDOFF,
    "campaigns/sequences/evaluators.yaml": SEQUENCE,
}

#: What asks for links and pictures although nobody reads.
PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", database.url, START, FILES) as told:
        yield told


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    """On SQLite only, where the database plays no part."""
    with running_story(tmp_path / "house", sqlite.url, START, FILES) as told:
        yield told


def bring(story: Story, email: str = ANA, *, owner: str | None = LUIS, size: int = 120, **values: Any) -> Letter:
    """Somebody who asked for the report and has it."""
    with story.database.reading() as session:
        operator = contacts.find_operator(session, owner) if owner else None
    contact = story.add_contact(
        email, owner_id=operator.id if operator else None, fields={"company_size": size}, first_name="Ana",
        last_name="Ruiz", company="Northwind", job_title="CTO", source="trade show", **values,
    )  # fmt: skip
    with story.database.writing() as session:
        join_list(session, "report", [contact.id], story.now)
    story.settle()
    [letter] = story.letters_to(email)
    story.live(minutes=10)
    return letter


def click(story: Story, letter: Letter, *links: int) -> None:
    """A person clicks, with a minute in between, and the verdicts come."""
    for link in links:
        assert story.ask(letter.clicks[link]).status_code == 302
        story.live(minutes=2)


def score_of(story: Story, email: str = ANA) -> float:
    return story.contact(email).score


def explained(story: Story, email: str = ANA) -> Result:
    with story.database.reading() as session:
        model = find_model(session, story.app.language)
        assert model is not None
        contact = story.contact(email)
        return results(session, model, {contact.id: contact}, story.now)[contact.id]


def judge(story: Story, verdict: Verdict, reason: str = "") -> None:
    """What the rep says about the lead that waits."""
    [lead] = [row["id"] for row in story.rows("hand_off") if row["verdict"] in {"waiting", "accepted"}]
    with story.database.writing() as session:
        agreement = handoff.get(session, story.app.language)
        handoff.give_verdict(session, agreement, lead, verdict, reason=reason, now=story.now)
    story.settle()


# What raises a score.


def test_a_click_of_a_person_raises_the_score_and_fades(story: Story) -> None:
    letter = bring(story)
    click(story, letter, REPORT)
    assert (score_of(story), story.contact(ANA).stage) == (10, "lead")
    click(story, letter, CASES)
    assert score_of(story) == 20
    story.live(days=30)
    assert score_of(story) == pytest.approx(10, abs=0.5)


def machines(story: Story, letter: Letter) -> Iterator[Callable[[], object]]:
    """Everything that looks like reading and is none."""
    yield lambda: story.ask(letter.clicks[PRICING], method="HEAD")
    yield lambda: story.ask(letter.clicks[PRICING], agent="")
    yield lambda: story.ask(letter.clicks[PRICING], agent="Mozilla/5.0 (compatible; Googlebot/2.1)")
    yield lambda: story.ask(letter.clicks[PRICING], agent="Barracuda Sentinel")
    yield lambda: story.ask(letter.pixel, agent=PREFETCH)
    yield lambda: story.ask(letter.pixel, agent="Mozilla/5.0")
    yield lambda: [story.ask(one) for one in (letter.pixel, *letter.clicks)]


def test_what_machines_fetch_raises_nothing(story: Story) -> None:
    letter = bring(story)
    before = story.contact(ANA).stage
    for number, fetch in enumerate(machines(story, letter), 1):
        fetch()
        story.live(minutes=2)
        assert (score_of(story), story.contact(ANA).stage) == (0, before), f"machine number {number}"
        assert {row["actor"] for row in story.rows("activity")} <= {"proxy", "scanner"}
    click(story, letter, REPORT)
    assert score_of(story) == 10, "the person who comes after them is still a person"
    assert len(story.rows("activity")) == 12


def test_a_scanner_that_clicks_as_soon_as_the_mail_is_handed_over_raises_nothing(lite: Story) -> None:
    bring(lite, "ben@reader.example")
    contact = lite.add_contact(ANA)
    with lite.database.writing() as session:
        join_list(session, "report", [contact.id], lite.now)
    lite.settle()
    lite.ask(lite.letters_to(ANA)[0].clicks[PRICING])
    lite.live(minutes=5)
    assert score_of(lite) == 0


def test_a_burst_half_a_minute_later_leaves_the_click_of_a_person_a_persons(lite: Story) -> None:
    letter = bring(lite)
    lite.ask(letter.clicks[PRICING])
    lite.live(seconds=30)
    assert score_of(lite) == 0
    for one in letter.clicks:
        lite.ask(one)
    lite.live(minutes=5)
    assert sorted(row["actor"] for row in lite.rows("activity")) == ["person", *["scanner"] * 4]


def test_the_parts_of_a_score_sum_to_it_whenever_somebody_asks(lite: Story) -> None:
    letter = bring(lite)
    for _ in range(3):
        lite.ask(letter.pixel)
        click(lite, letter, REPORT, CASES, TEAM)
        lite.live(days=3, hours=7)
        told = explained(lite)
        assert round(sum(part.points for part in told.parts), 1) == told.score
        assert all(part.points == round(part.points, 1) for part in told.parts), "as they are shown"
        assert told.score > 0
    lite.live(minutes=5)
    commands = CommandLine(lite.app.folder, {"NURTURE_DATABASE__URL": lite.database.url, **SECRETS})
    printed = commands.json("score", "explain", ANA, "--at", lite.now.isoformat())
    assert round(sum(part["points"] for part in printed["parts"]), 1) == printed["score"] == explained(lite).score
    assert printed["fit_points"] == 25


SECRETS = {"NURTURE_SECRET": "a secret for tests", "NURTURE_SUPPRESSION_KEY": "a suppression key for tests"}


# The hand-off.


def test_crossing_the_line_hands_somebody_to_their_owner_once_with_the_whole_story(story: Story) -> None:
    letter = bring(story)
    click(story, letter, REPORT, CASES)
    assert story.letters_to(LUIS) == []
    click(story, letter, PRICING)
    assert story.contact(ANA).stage == "sales_ready"
    [row] = story.rows("hand_off")
    assert (row["reason"], row["verdict"], row["score"]) == ("engaged", "waiting", 50)
    [note] = story.letters_to(LUIS)
    assert note.subject == "Ana Ruiz, CTO at Northwind, US: read a lot and fits"
    for line in (
        "50 points, fit B",
        "clicked in evaluators/report → /pricing",
        "+20 click evaluators/report /pricing",
        "Came in through trade show on 10 March 2026.",
        "We may write to them as opt-in, since 10 March 2026.",
        "Please say yes or no by Tuesday 10 March, 17:00 (America/New_York)",
        ANA,
        f"nurture lead accept {row['id']}",
    ):
        assert line in " ".join(note.text.split()).replace("*", ""), note.text
    # Whatever they go on to do, and however often the jobs look.
    story.live(days=1)
    click(story, letter, PRICING, TEAM)
    story.publish()
    story.live(days=20)
    assert len(story.rows("hand_off")) == len(story.letters_to(LUIS)) == 1


def test_whoever_reads_a_lot_and_does_not_fit_is_not_handed_over(lite: Story) -> None:
    letter = bring(lite, size=3)
    click(lite, letter, PRICING, CASES)
    assert lite.contact(ANA).stage == "marketing_qualified"
    assert lite.rows("hand_off") == []


@pytest.mark.parametrize("owner", [None, "gone@acme.example"])
def test_a_contact_without_an_owner_who_works_here_goes_to_the_fallback(lite: Story, owner: str | None) -> None:
    click(lite, bring(lite, owner=owner), PRICING)
    assert [len(lite.letters_to(one)) for one in (DANA, LUIS)] == [1, 0]


def test_somebody_who_says_they_have_a_need_is_handed_over_at_once_in_their_own_words(lite: Story) -> None:
    letter = bring(lite)
    wish(lite, letter, "need")
    wish(lite, letter, "need")
    lite.settle()
    [row] = lite.rows("hand_off")
    assert (row["reason"], row["interest"], row["because"]) == ("need", "need", "Yes, I have a need, talk to me")
    [note] = lite.letters_to(LUIS)
    assert "has a need" in note.subject


def wish(story: Story, letter: Letter, kind: str) -> None:
    path = next(one for one in letter.links if one.startswith("/wish/") and one.endswith(kind))
    assert story.http.post(path).status_code == 200


def test_a_sequence_that_comes_to_its_hand_off_finds_it_done(lite: Story) -> None:
    bring(lite, size=3)
    lite.live(days=13)
    assert [row["reason"] for row in lite.rows("hand_off")] == ["engaged"]
    assert [row["exit_reason"] for row in lite.rows("enrollment")] == [""]
    assert len(lite.letters_to(LUIS)) == 1


# Promotion beats what is queued.


def test_a_promotion_beats_a_mail_that_is_queued_already(story: Story) -> None:
    letter = bring(story)
    story.live(hours=11)  # the next mail is queued and waits for the morning
    assert [one.status for one in story.deliveries_to(ANA)] == ["sent", "queued"]
    wish(story, letter, "need")
    assert [(one.status, one.because) for one in story.deliveries_to(ANA)][1] == ("held", "recheck")
    story.settle()
    assert [one.status for one in story.deliveries_to(ANA)] == ["sent", "cancelled"]
    [way] = story.rows("enrollment")
    assert (way["status"], way["exit_reason"]) == ("exited", "promoted")
    story.live(days=30)
    assert len(story.letters_to(ANA)) == 1


def test_a_mail_that_was_looked_at_again_and_may_go_goes_when_it_would_have(story: Story) -> None:
    letter = bring(story)
    story.live(hours=11)
    wish(story, letter, "information")
    assert [(one.status, one.because) for one in story.deliveries_to(ANA)][1] == ("held", "recheck")
    story.settle()
    assert [one.status for one in story.deliveries_to(ANA)] == ["sent", "queued"]
    story.live(days=1)
    assert [one.at for one in story.letters_to(ANA)][1:] == [START + timedelta(days=1)]


# The verdict.


def test_a_yes_ends_it(lite: Story) -> None:
    letter = bring(lite)
    click(lite, letter, PRICING)
    judge(lite, Verdict.ACCEPTED)
    assert lite.contact(ANA).stage == "sales_accepted"
    lite.live(days=1)
    click(lite, letter, PRICING, CASES)
    wish(lite, letter, "need")
    lite.live(days=40)
    assert len(lite.rows("hand_off")) == 1
    with pytest.raises(NotAllowed, match="is accepted already"):
        judge(lite, Verdict.ACCEPTED)


def test_a_no_goes_back_into_nurture_until_its_term_is_over(lite: Story) -> None:
    letter = bring(lite)
    click(lite, letter, PRICING)
    judge(lite, Verdict.REJECTED, "no_budget")
    assert lite.contact(ANA).stage == "recycled"
    lite.live(days=60)
    click(lite, letter, PRICING)
    lite.live(days=29)
    assert (lite.contact(ANA).stage, len(lite.rows("hand_off"))) == ("recycled", 1)
    lite.live(days=2)
    assert lite.contact(ANA).stage == "lead"
    click(lite, letter, PRICING)
    lite.settle()
    assert lite.contact(ANA).stage == "sales_ready"
    assert len(lite.rows("hand_off")) == len(lite.letters_to(LUIS)) == 2


def test_the_word_of_somebody_who_was_sent_back_counts_at_once(lite: Story) -> None:
    letter = bring(lite)
    click(lite, letter, PRICING)
    judge(lite, Verdict.REJECTED, "no_budget")
    lite.live(days=5)
    wish(lite, letter, "need")
    lite.settle()
    assert [row["reason"] for row in lite.rows("hand_off")] == ["engaged", "need"]


def test_a_need_that_a_rep_said_no_to_is_handed_over_again_only_if_it_is_said_again(lite: Story) -> None:
    letter = bring(lite)
    wish(lite, letter, "need")
    lite.settle()
    judge(lite, Verdict.REJECTED, "no_budget")
    lite.live(days=5)
    click(lite, letter, PRICING)
    lite.settle()
    assert (lite.contact(ANA).stage, len(lite.rows("hand_off"))) == ("recycled", 1)
    wish(lite, letter, "need")
    lite.settle()
    assert (lite.contact(ANA).stage, len(lite.rows("hand_off"))) == ("sales_ready", 2)


def test_whoever_we_are_not_for_is_never_handed_over_again(lite: Story) -> None:
    letter = bring(lite)
    click(lite, letter, PRICING)
    judge(lite, Verdict.REJECTED, "not_a_fit")
    lite.live(days=200)
    click(lite, letter, PRICING, CASES)
    wish(lite, letter, "need")
    lite.live(days=1)
    assert (lite.contact(ANA).stage, len(lite.rows("hand_off"))) == ("disqualified", 1)


@pytest.mark.parametrize("stage", ["customer", "opportunity"])
def test_customers_and_open_deals_are_never_handed_over(lite: Story, stage: str) -> None:
    letter = bring(lite)
    with lite.database.writing() as session:
        move_stage(
            session, contacts.list_contacts(session, [lite.contact(ANA).id]).popitem()[1], stage, "CRM", lite.now
        )
    click(lite, letter, PRICING, CASES, TEAM)
    wish(lite, letter, "need")
    lite.live(days=30)
    assert score_of(lite) > 0
    assert (lite.contact(ANA).stage, lite.rows("hand_off"), lite.letters_to(LUIS)) == (stage, [], [])


def test_whoever_left_is_handed_to_nobody(lite: Story) -> None:
    letter = bring(lite)
    lite.leave(letter)
    click(lite, letter, PRICING, CASES, TEAM)
    lite.live(days=30)
    assert (lite.rows("hand_off"), lite.letters_to(LUIS)) == ([], [])
