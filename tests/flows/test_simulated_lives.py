"""The simulation is the truth: what it tells beforehand is what the house then does.

Random sequences of every kind of step, with relays that fail, mail that is put off or refused, scanners and people, run
through the real database, SMTP and HTTP on the stepped clock, and through the simulation with the same happenings.
"""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, example, given, note, settings
from hypothesis import strategies as st

from nurture.cli.staging import KINDS, past_of, person_from, stage_of
from nurture.cli.trying import units_of
from nurture.database.engine import Database
from nurture.sequences.entries import enroll
from nurture.sequences.simulation.habits import Behavior, Habit
from nurture.sequences.simulation.simulate import simulate
from nurture.sequences.simulation.world import Ending, Outage
from tests.support.stories import Letter, Story, running_story
from tests.support.workspaces import LETTER

START = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
LASTING = timedelta(days=30)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

SCORING = """\
format: 1
threshold: {score: 42, fit: D}
activities:
  - {when: opened(), points: 3, half_life: 20 days}
  - {when: clicked(), points: 15, half_life: 30 days, cap: 30}
  - {when: replied(), points: 20}
grades: {A: 40, B: 20, C: 10}
"""
HANDOFF = """\
format: 1
definition: They read a lot.
rules: [{when: "True", due_after: 4 hours}]
fallback: dana@acme.example
"""
OTHER = """\
format: 1
sequence: other
topic: insights
compatible_with: all
steps: [{wait: 300 days}]
"""
FILES = {
    "campaigns/scoring.yaml": SCORING,
    "campaigns/handoff.yaml": HANDOFF,
    "campaigns/sequences/other.yaml": OTHER,
    "templates/report.mjml": LETTER,
}
#: The paths of the letter's links, in order.
PATHS = ("/report", "/pricing")


@pytest.fixture
def story(sqlite: Database, tmp_path: Path) -> Iterator[Story]:
    with running_story(tmp_path / "house", sqlite.url, START, FILES, NURTURE_SENDING__VALUES_PER_ASK="1") as told:
        yield told


# What is drawn: a sequence, and what happens to its mails.

MAILS = ("m1", "m2", "m3")


def conditions(sent: tuple[str, ...]) -> st.SearchStrategy[str]:
    """What can be asked once these mails were sent."""
    mail = st.sampled_from(sent)
    return st.one_of(
        st.builds('clicked("{}")'.format, mail),
        st.builds('clicked("{}", link="/pricing")'.format, mail),
        st.builds('opened("{}")'.format, mail),
        st.builds('clicked("{}", within="2 days")'.format, mail),
        st.builds('replied("{}")'.format, mail),
        st.builds('mailed("{}", before="1 day")'.format, mail),
        st.sampled_from(
            ['has_tag("seen")', "score >= 15", "score < 10", 'stage >= "sales_ready"', 'in_list("readers")',
             'enrolled("other")', "company_size > 100", "replied()", 'tracked_for("3 days")']
        ),
    )  # fmt: skip


lengths = st.sampled_from(["90 minutes", "1 day", "30 hours", "2 working days", "4 days"])
doing = st.sampled_from(
    [
        "{tag: seen}", "{untag: seen}", "{set: {company_size: 250}}", "{list: readers}", "{list: {leave: readers}}",
        "{score: 12, half_life: 5 days}", "{score: -4}", "{notify: They moved on}", "{task: Call them}",
        "{enroll: other}", "{hand_off: {}}", "{end: enough}",
    ]
)  # fmt: skip
waiting = st.one_of(
    st.builds("{{wait: {}}}".format, lengths),
    st.sampled_from(["{wait: {until: 'tue, thu', at: '10:00'}}", "{wait: {until: THAT_DAY, at: '09:30'}}"]),
)


def deciding(sent: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Steps with ways of their own."""
    asked = conditions(sent).map(repr)
    return st.one_of(
        st.builds("{{if: {}, then: [{}], else: [{}, {}]}}".format, asked, doing, doing, waiting),
        st.builds("{{wait_for: {}, up_to: {}, then: [{}], else: [{}]}}".format, asked, lengths, doing, doing),
        st.builds(
            "{{split: {{left: {{weight: 50, steps: [{}]}}, right: {{weight: 50, steps: [{}]}}}}}}".format,
            doing,
            waiting,
        ),
    )


kinds = st.sampled_from(["value", "value", "ask"])
late = st.sampled_from(["", ", late: {within: 6 hours}", ", late: {within: 2 days, otherwise: exit}"])
on_failure = st.sampled_from(["", ", on_failure: next"])
windows = st.sampled_from(
    ["", 'window: {days: mon-fri, hours: "09:00-17:00"}', 'window: {hours: "07:00-12:00", timezone: America/New_York}']
)
exits = st.sampled_from(
    ["", "exit: [{when: replied(), as: replied}]", "exit: [{when: 'stage >= \"sales_ready\"', as: promoted}]",
     "exit: [{when: score >= 25, as: keen}]", "exit: [{when: 'opened(within=\"12 hours\")', as: early}]"]
)  # fmt: skip


@st.composite
def sequences(draw: st.DrawFn) -> str:
    """A whole file; what is in it may be senseless, but not wrong."""
    lines = ["format: 1", "sequence: drawn", "topic: insights", draw(windows), draw(exits), "steps:"]
    for number, mail in enumerate(MAILS, 1):
        between = st.lists(st.one_of(waiting, deciding(MAILS[:number]), doing), min_size=1, max_size=3)
        send = f"{{id: {mail}, send: report, subject: {mail}, kind: {draw(kinds)}{draw(late)}{draw(on_failure)}}}"
        lines += [f"  - {one}" for one in (send, *draw(between))]
    if draw(st.booleans()):
        lines += ["  - {wait: 5 days}", "  - {goto: m2, at_most: 1}"]
    return "\n".join(line for line in lines if line) + "\n"


@dataclass(frozen=True)
class Acts:
    """What becomes of a mail, each so many minutes after it left."""

    done: Mapping[str, int]
    link: str
    is_refused: bool


delays = st.integers(1, 5 * 24 * 60)
acts = st.builds(
    Acts,
    st.dictionaries(st.sampled_from(["open", "click", "click", "scan", "reply"]), delays, max_size=3),
    st.sampled_from(PATHS),
    st.integers(0, 14).map(lambda one: one == 0),
)
leaving = st.dictionaries(st.sampled_from(MAILS), delays, max_size=1)
outages = st.lists(
    st.tuples(st.integers(0, 15 * 24), st.integers(1, 50), st.booleans()), max_size=2, unique_by=lambda one: one[2]
)  # fmt: skip
Outages = list[tuple[int, int, bool]]


def behavior_of(known: Mapping[str, Acts], opt_outs: Mapping[str, int]) -> Behavior:
    """The same happenings as the simulation is told them."""
    steps = {}
    for step, one in known.items():
        habits = {what: Habit(1, delay * MINUTE, link=one.link) for what, delay in one.done.items() if what != "scan"}
        if "scan" in one.done:
            habits["scan"] = Habit(1, one.done["scan"] * MINUTE)
        if step in opt_outs:
            habits["opt_out"] = Habit(1, opt_outs[step] * MINUTE)
        if one.is_refused:
            habits["bounce"] = Habit(1)
        steps[step] = habits
    return Behavior(steps=steps)


class Reality:
    """One person in the real house, and everything that happens to them."""

    def __init__(self, story: Story, known: Mapping[str, Acts], opt_outs: Mapping[str, int], email: str) -> None:
        self.story, self.known, self.opt_outs, self.email = story, known, opt_outs, email
        self.ahead: list[tuple[datetime, int, Any, tuple[Any, ...]]] = []
        self.read = 0

    def expect(self, at: datetime, what: Any, *about: Any) -> None:
        heapq.heappush(self.ahead, (at, len(self.ahead) + 1000 * self.read, what, about))

    def live_until(self, end: datetime) -> None:
        story = self.story
        while True:
            # First what is due around the house, also at the very start: a relay that is down from now on takes no mail.
            while self.ahead and self.ahead[0][0] <= story.now:
                _, _, what, about = heapq.heappop(self.ahead)
                what(*about)
            next_at = story.settle()
            letters = story.letters_to(self.email)
            for letter in letters[self.read :]:
                self.read += 1
                self.get(letter)
            at = min((one for one in (next_at, self.ahead[0][0] if self.ahead else None) if one), default=end)
            story.clock.step_to(min(at, end))
            if at >= end:
                story.settle()
                return

    def get(self, letter: Letter) -> None:
        known = self.known[letter.subject]
        for what, delay in known.done.items():
            self.expect(letter.at + delay * MINUTE, self.do, what, letter, known.link)
        if letter.subject in self.opt_outs:
            self.expect(letter.at + self.opt_outs[letter.subject] * MINUTE, self.story.leave, letter)

    def do(self, what: str, letter: Letter, link: str) -> None:
        # The mail of somebody who is not tracked has links to nobody but those they name.
        match what:
            case "open" if letter.clicks:
                self.story.ask(letter.pixel)
            case "click" if letter.clicks:
                self.story.ask(letter.clicks[PATHS.index(link)])
            case "scan":
                for one in letter.clicks:
                    self.story.ask(one)
            case "reply":
                self.story.write_to_us(letter.reply_to, "Tell me more, please")

    def put_off(self, answer: str | None) -> None:
        """What the relay says to everything from now on; mails that are refused for good are that first."""
        post = self.story.post

        def say(_: str) -> str | None:
            subject = post.tries[-1].subject
            is_theirs = post.tries[-1].arrived.rcpt_to == self.email
            if is_theirs and subject in self.known and self.known[subject].is_refused:
                return "554 5.6.0 not like this"  # not 5.1.1: three of those stop the campaign
            return answer if is_theirs else None

        post.on_data = say


#: Its first mail, an ask not earned yet, is due in the very minute in which the relay goes down.
DOWN_FROM_THE_START = """\
format: 1
sequence: drawn
topic: insights
exit: [{when: 'opened(within="12 hours")', as: early}]
steps:
  - {id: m1, send: report, subject: m1, kind: ask, late: {within: 6 hours}}
  - {wait: 4 days}
  - {split: {left: {weight: 50, steps: [{enroll: other}]}, right: {weight: 50, steps: [{wait: 90 minutes}]}}}
  - {id: m2, send: report, subject: m2, kind: value, late: {within: 6 hours}, on_failure: next}
  - {wait_for: 'clicked("m1")', up_to: 4 days, then: [{notify: They moved on}], else: [{set: {company_size: 250}}]}
  - {wait: {until: THAT_DAY, at: '09:30'}}
  - {hand_off: {}}
  - {id: m3, send: report, subject: m3, kind: ask, late: {within: 2 days, otherwise: exit}, on_failure: next}
  - {enroll: other}
  - {wait: 90 minutes}
  - {if: 'clicked("m2", within="2 days")', then: [{score: 12, half_life: 5 days}], else: [{notify: They moved on}, {wait: 4 days}]}
"""


@given(
    sequences(), st.fixed_dictionaries(dict.fromkeys(MAILS, acts)), leaving, outages,
    st.sampled_from(["US", "DE", "NZ"]),
)  # fmt: skip
@example(
    DOWN_FROM_THE_START,
    {
        "m1": Acts({"scan": 467}, "/pricing", False),
        "m2": Acts({}, "/report", False),
        "m3": Acts({"click": 6289}, "/pricing", False),
    },
    {},
    [(0, 22, False), (225, 47, True)],
    "DE",
)
# Without shrinking, for each try is a month in a real house; a failure shows its file and both timelines.
@settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_is_simulated_is_what_happens(
    story: Story, file: str, known: Mapping[str, Acts], opt_outs: Mapping[str, int], troubles: Outages, country: str
) -> None:
    begins_at = next_monday(story)
    # A campaign of its own: the house stops one whose first mails are refused or answered by leaving, whoever got them.
    name = f"drawn-{len(story.rows('contact'))}"
    file = file.replace("THAT_DAY", f"{begins_at + timedelta(days=12):%Y-%m-%d}")
    file = file.replace("sequence: drawn", f"sequence: {name}")
    note(file)
    (story.app.folder / f"campaigns/sequences/{name}.yaml").write_text(file)
    # What `check` calls an error, such as a step nobody reaches, is not published; another is drawn.
    assume(not story.app.read_files().errors)
    story.publish()
    story.settle()
    email = f"reader{len(story.rows('contact'))}@reader.example"
    contact = story.add_contact(email, country=country)
    story.settle()  # they are scored before they come in
    with story.database.writing() as session:
        enroll(session, story.app.language, name, contact, because="a test", now=begins_at)
    out = tuple(
        Outage(begins_at + first * HOUR, begins_at + (first + length) * HOUR, defers)
        for first, length, defers in troubles
    )
    told = tell(story, name, email, behavior_of(known, opt_outs), out, begins_at)
    reality = Reality(story, known, opt_outs, email)
    reality.put_off(None)
    for one in out:
        reality.expect(one.begins_at, *((reality.put_off, "451 4.3.0 later") if one.defers else (story.stop_relay,)))
        reality.expect(one.ends_at, *((reality.put_off, None) if one.defers else (story.start_relay,)))
    reality.live_until(begins_at + LASTING)
    note("\n".join(f"{one.at:%a %m-%d %H:%M:%S} {one.step}: {one.what} ({one.why})" for one in told.timeline))
    assert happened(story, email) == expected(told)


def next_monday(story: Story) -> datetime:
    """Everybody begins on a Monday, so that an example tells the same story whenever it is told."""
    behind = (story.now - START) % timedelta(days=7)
    story.live_until(story.now - behind + timedelta(days=7) if behind else story.now)
    return story.now


def tell(
    story: Story, name: str, email: str, behavior: Behavior, out: tuple[Outage, ...], begins_at: datetime
) -> Ending:
    stage = stage_of(story.app, units_of(story.app, *KINDS), name, out)
    contact = story.contact(email)
    [enrollment_id] = [row["id"] for row in story.rows("enrollment") if row["contact_id"] == contact.id]
    with story.database.reading() as session:
        past = {**past_of(session, stage, {contact.id: contact}, begins_at)[contact.id], "enrollment_id": enrollment_id}
    person = person_from(story.app, stage, contact, None, past)
    return simulate(stage.program, person, behavior, stage.world, start=begins_at, length=LASTING)


def expected(told: Ending) -> dict[str, Any]:
    return {
        "sent": [(f"{one.at:%Y-%m-%d %H:%M}", one.step) for one in told.sent],
        "end": (told.status, told.reason, told.ended_at and f"{told.ended_at:%Y-%m-%d %H:%M}"),
        "step": told.step,
        "tags": sorted(told.tags),
        "stage": told.stage,
        "score": pytest.approx(told.score, abs=0.11),
    }


def happened(story: Story, email: str) -> dict[str, Any]:
    contact = story.contact(email)
    ways = [row for row in story.rows("enrollment") if row["contact_id"] == contact.id]
    [way] = [row for row in ways if row["sequence"] != "other"]
    return {
        "sent": [(f"{one.at:%Y-%m-%d %H:%M}", one.subject) for one in story.letters_to(email)],
        "end": (way["status"], way["exit_reason"], way["ended_at"] and f"{way['ended_at']:%Y-%m-%d %H:%M}"),
        "step": None if way["ended_at"] else way["step"],
        "tags": sorted(row["tag"] for row in story.rows("contact_tag") if row["contact_id"] == contact.id),
        "stage": contact.stage,
        "score": contact.score,
    }
