"""What `simulate` tells beforehand is what the house then does: the same mails at the same instants, the same ending."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nurture.consent.suppressions.actions import opt_out
from nurture.contacts.store import tags_of
from nurture.database.engine import Database
from nurture.sequences.entries import enroll
from tests.support.stories import Story, running_story
from tests.support.terminals import Terminal

#: A Monday, nine in the morning in Berlin.
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
exit:
  - {when: stage >= "sales_ready", as: promoted}
window: {days: mon-fri, hours: "09:00-17:00", timezone: contact}
late: {within: 5 days, otherwise: skip}
steps:
  - {id: report, send: report, subject: One}
  - wait: 1 day
  - id: read-it
    if: clicked("report", link="/pricing")
    then:
      - {tag: hot}
      - {score: 15, because: looked at the prices, half_life: 20 days}
      - {id: offer, send: report, subject: Two}
    else:
      - {id: reminder, send: report, subject: Three}
  - wait: 2 working days
  - set: {company_size: 500}
  - {id: last, send: report, subject: Four}
  - wait: 9 days
  - if: score >= 30
    then: [{hand_off: {}}]
    else: [{tag: cold}]
  - {id: never-after-a-hand-off, send: report, subject: Five}
"""
SCORING = """\
format: 1
threshold: {score: 60, fit: D}
activities:
  - {when: opened(), points: 3, half_life: 21 days}
  - {when: clicked(), points: 25, half_life: 30 days, cap: 50}
fit: [{when: company_size >= 100, points: 10}]
grades: {A: 20, B: 10}
"""
HANDOFF = """\
format: 1
definition: Somebody whom a talk would help now.
rules: [{when: score >= 0, due_after: 8 hours}]
fallback: dana@acme.example
"""
FILES = {
    "campaigns/sequences/evaluators.yaml": SEQUENCE,
    "campaigns/scoring.yaml": SCORING,
    "campaigns/handoff.yaml": HANDOFF,
}

EMAIL = "ana@reader.example"
HOUR = timedelta(hours=1)
PRICING = 1  # the second link of the letter

#: What Ana does, by mail: with its subject, how long after it came, and what.
READERS: dict[str, dict[str, list[tuple[timedelta, str]]]] = {
    "who reads nothing": {},
    "who looks at the prices once": {"One": [(2 * HOUR, "click")]},
    "who looks at the prices too late": {"One": [(30 * HOUR, "click")]},
    "who looks at them again and again": {
        "One": [(2 * HOUR, "click")],
        "Two": [(HOUR, "click")],
        "Four": [(HOUR, "click")],
    },
    "who leaves": {"One": [(2 * HOUR, "click")], "Two": [(3 * HOUR, "opt_out")]},
    "who leaves before the second mail": {"One": [(5 * HOUR, "opt_out")]},
}
STEPS = {"One": "report", "Two": "offer", "Three": "reminder", "Four": "last", "Five": "never-after-a-hand-off"}


Acts = dict[str, list[tuple[timedelta, str]]]


def rehearsed(story: Story, acts: Acts, length: timedelta, house: "Rehearsal") -> dict[str, Any]:
    """What the command tells about Ana beforehand."""
    habits = {
        STEPS[subject]: {
            act: {"p": 1, "after": f"{after // HOUR} hours", **({"link": "/pricing"} if act == "click" else {})}
            for after, act in each
        }
        for subject, each in acts.items()
    }
    told = house.simulate(story, {"format": 1, "steps": habits}, f"{length // HOUR}h")
    left = [one for one in told["timeline"] if one["what"] == "mail leaves"]
    return {
        "mails": [(datetime.fromisoformat(one["at"]), one["step"]) for one in left],
        "status": told["status"],
        "reason": told["reason"],
        "tags": sorted(one["what"].split('"')[1] for one in told["timeline"] if one["what"].startswith("tagged")),
    }


def lived(story: Story, acts: Acts, length: timedelta) -> dict[str, Any]:
    """Ana comes in, and does what she does; what became of her."""
    ana = story.contact(EMAIL)
    with story.database.writing() as session:
        assert enroll(session, story.app.language, "evaluators", ana, because="a test", now=story.now)
    done: set[tuple[str, str]] = set()
    end = story.now + length
    while True:
        next_at = story.settle() or end
        due = sorted(
            (letter.at + after, letter.subject, act)
            for letter in story.letters_to(EMAIL)
            for after, act in acts.get(letter.subject, [])
            if (letter.subject, act) not in done
        )  # fmt: skip
        if due and due[0][0] <= next_at:
            at, subject, act = due[0]
            [letter] = [one for one in story.letters_to(EMAIL) if one.subject == subject]
            story.clock.step_to(at)
            if act == "click":
                story.ask(letter.clicks[PRICING])
            else:
                story.leave(letter)
            done.add((subject, act))
        elif next_at >= end:
            break
        else:
            story.clock.step_to(next_at)
    [way] = story.rows("enrollment")
    with story.database.reading() as session:
        tags = tags_of(session, [ana.id]).get(ana.id, frozenset())
    return {
        "mails": [(letter.at, STEPS[letter.subject]) for letter in story.letters_to(EMAIL)],
        "status": way["status"],
        "reason": way["exit_reason"],
        "tags": sorted(tags),
    }


@dataclass
class Rehearsal:
    """Types `nurture simulate` as somebody would."""

    here: Path
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def simulate(self, story: Story, behavior: dict[str, Any], length: str) -> Any:
        self.patch.setenv("NURTURE_DATABASE__URL", story.database.url)
        self.patch.setenv("NURTURE_SECRET", "a secret for tests")
        self.patch.setenv("NURTURE_SUPPRESSION_KEY", "a suppression key for tests")
        terminal = Terminal(story.app.folder, self.here, self.capture, self.patch)
        file = terminal.write(json.dumps(behavior), "behavior.yaml")
        return terminal.json(
            "simulate", "evaluators", "--contact", EMAIL, "--from", START.isoformat(), "--for", length, "--behavior", file
        )  # fmt: skip


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    return Rehearsal(tmp_path, capsys, monkeypatch)


@pytest.mark.parametrize("reader", READERS)
def test_a_simulated_way_is_the_way_the_house_goes(
    reader: str, house: Rehearsal, sqlite: Database, tmp_path: Path
) -> None:
    length = timedelta(days=40)
    with running_story(tmp_path / "house", sqlite.url, START, FILES) as story:
        story.add_contact(EMAIL, timezone="Europe/Berlin", country="US")
        told = rehearsed(story, READERS[reader], length, house)
        real = lived(story, READERS[reader], length)
    assert told["status"] in {"finished", "exited"}
    assert told == real


def test_the_readers_go_every_way_there_is(house: Rehearsal, sqlite: Database, tmp_path: Path) -> None:
    with running_story(tmp_path / "house", sqlite.url, START, FILES) as story:
        story.add_contact(EMAIL, timezone="Europe/Berlin", country="US")
        told = [rehearsed(story, acts, timedelta(days=40), house) for acts in READERS.values()]
    assert {step for one in told for _, step in one["mails"]} == set(STEPS.values())
    assert {one["reason"] for one in told} == {"", "promoted", "opt_out"}
    assert {tag for one in told for tag in one["tags"]} == {"hot", "cold"}


def test_a_mail_that_the_cap_makes_too_late_is_skipped_in_both(
    house: Rehearsal, sqlite: Database, tmp_path: Path
) -> None:
    hasty = SEQUENCE.replace("within: 5 days", "within: 3 days")
    with running_story(
        tmp_path / "house", sqlite.url, START, {**FILES, "campaigns/sequences/evaluators.yaml": hasty}
    ) as story:
        story.add_contact(EMAIL, timezone="Europe/Berlin", country="US")
        told = rehearsed(story, {}, timedelta(days=40), house)
        assert told == lived(story, {}, timedelta(days=40))
    assert [step for _, step in told["mails"]] == ["report", "reminder", "never-after-a-hand-off"]


def test_somebody_who_opted_out_is_told_to_get_nothing(house: Rehearsal, sqlite: Database, tmp_path: Path) -> None:
    with running_story(tmp_path / "house", sqlite.url, START, FILES) as story:
        ana = story.add_contact(EMAIL, timezone="Europe/Berlin", country="US")
        with story.database.writing() as session:
            opt_out(session, ana.address_hash, how="a test", now=story.now)
        told = rehearsed(story, {}, timedelta(days=40), house)
    assert told == {"mails": [], "status": "exited", "reason": "opt_out", "tags": []}
