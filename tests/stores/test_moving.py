"""People in flight follow to a newer version: nobody repeats a step, nobody is lost, whatever was edited."""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlmodel import col

from nurture.app.language import language
from nurture.campaigns import planning, publishing
from nurture.campaigns import store as campaigns
from nurture.campaigns.in_flight import Policies
from nurture.campaigns.planning import Order
from nurture.campaigns.publishing import Reading
from nurture.campaigns.reading import Unit
from nurture.contacts.segments import Language
from nurture.database.engine import Database
from nurture.delivery.rules import SETTLED, Status
from nurture.delivery.store import Delivery
from nurture.sequences import actions, store
from nurture.sequences.actions import Surroundings
from nurture.sequences.decisions import Decision, QueueMail
from nurture.sequences.definition import SequenceDefinition
from nurture.sequences.kind import SequenceKind, load_sequence
from nurture.sequences.moving import actions as moving
from nurture.sequences.moving import store as moves
from nurture.sequences.store import EnrollmentRow
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.databases import Databases
from tests.support.people import add_contact

if TYPE_CHECKING:
    from random import Random  # noqa: TID251 — its type only: Hypothesis hands one in, and replays it

Step = dict[str, Any]
DAY = timedelta(days=1)
KINDS = (SequenceKind(),)


def content_of(steps: list[Step], templates: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A version as `publish` keeps it, with a mail for each step that sends one."""
    definition = SequenceDefinition.model_validate(
        {"format": 1, "sequence": "s", "topic": "insights", "steps": steps}
    ).model_dump(mode="json", by_alias=True)
    content: dict[str, Any] = {"definition": definition, "mails": {}, "about": {}, "rests_on": {"fields": {}}}
    program = load_sequence({**content, "rests_on": NOTHING}, LANGUAGE)
    mails = {
        one["id"]: {
            "template": (templates or {}).get(one["id"], f"templates/{one['id']}.md"),
            "subject": one["id"], "preheader": "", "body": (templates or {}).get(one["id"], one["id"]), "language": "en",
        }
        for one in every_step(steps)
        if "send" in one
    }  # fmt: skip
    return {**content, "first": program.first, "mails": mails, "rests_on": NOTHING}


def every_step(steps: list[Step]) -> Iterator[Step]:
    for one in steps:
        yield one
        inner = [one.get("then", []), one.get("else", []), *(arm["steps"] for arm in one.get("split", {}).values())]
        for way in inner:
            yield from every_step(way)


LANGUAGE: Language = language()
NOTHING: dict[str, Any] = {"fields": {}, "segments": {}}


@dataclass
class House:
    """One sequence, some people on their way through it, and a relay that takes everything."""

    database: Database
    now: datetime = NOW
    asked: list[tuple[int, str, str]] = field(default_factory=list)  # enrollment, step, "ask" or "again"
    done: Counter[str] = field(default_factory=Counter)

    def publish(self, steps: list[Step], policy: str = "keep", templates: Mapping[str, str] | None = None) -> None:
        unit = Unit("sequence", "s", "s.yaml", content_of(steps, templates))
        order = Order(Policies.read([policy]))
        with self.database.writing() as session:
            publishing.publish(session, KINDS, Reading((unit,), ()), published_by="a test", now=self.now, order=order)

    def plan(self, steps: list[Step], templates: Mapping[str, str] | None = None) -> planning.Change:
        unit = Unit("sequence", "s", "s.yaml", content_of(steps, templates))
        with self.database.reading() as session:
            planned = planning.plan(session, KINDS, [unit])
            [change] = planning.with_people(session, KINDS, planned, [unit]).changes
        return change

    def enroll(self, count: int = 1) -> None:
        with self.database.writing() as session:
            version_id = campaigns.find_current_version(session, "sequence", "s")
            assert version_id is not None
            first = campaigns.get_content(session, version_id)["first"]
            people = len(session.scalars(sa.select(EnrollmentRow)).all())
            for number in range(people, people + count):
                contact = add_contact(session, HASHER, f"p{number}@reader.example", self.now)
                session.add(
                    EnrollmentRow(
                        contact_id=contact.id, sequence="s", version_id=version_id, step=first, since=self.now,
                        wake_at=self.now, enrolled_at=self.now,
                    )
                )  # fmt: skip

    def follow(self) -> int:
        """Let everybody follow who is to."""
        total = 0
        while True:
            with self.database.writing() as session:
                moved = moving.carry_on(session, self.now)
            if not moved:
                return total
            total += moved

    def advance(self, *, relay: bool = True) -> None:
        """Decide for everybody whose time has come, until nobody's has; the relay takes what is queued."""
        while True:
            with self.database.writing() as session:
                due = store.list_due(session, self.now, 100)
                decided = actions.advance_all(session, due, SURROUNDINGS, self.now)
                for row, decision in decided:
                    self._note(row, decision)
                actions.record(session, decided, SURROUNDINGS, self.now)
            if not due and not (relay and self._mail()):
                return

    def _note(self, row: EnrollmentRow, decision: Decision) -> None:
        self.asked += [(row.id, one.step, "again") for one in decision.passed if one.way == "again"]
        for effect in decision.effects:
            if isinstance(effect, QueueMail):
                self.asked.append((row.id, effect.step, "ask"))
            elif key := getattr(effect, "key", ""):
                self.done[key] += 1

    def _mail(self) -> int:
        with self.database.writing() as session:
            open_ = sa.update(Delivery).where(col(Delivery.status).not_in(SETTLED))
            sent = open_.values(status=Status.SENT, attempted_at=self.now, settled_at=self.now)
            contacts = list(
                session.scalars(sa.select(col(Delivery.contact_id)).where(col(Delivery.status).not_in(SETTLED)))
            )
            session.execute(sent)
            store.wake(session, [one for one in contacts if one is not None], self.now)
        return len(contacts)

    def live(self, days: int) -> None:
        for _ in range(days):
            self.follow()
            self.advance()
            self.now += DAY

    def finish(self) -> None:
        """Go on until everybody has come to their end, however long they wait."""
        for _ in range(60):
            self.follow()
            self.advance()
            waking = [row.wake_at for row in self.rows() if row.ended_at is None]
            if not waking:
                return
            self.now = max(self.now, min(at or self.now for at in waking))

    def rows(self) -> list[EnrollmentRow]:
        with self.database.reading() as session:
            return list(session.scalars(sa.select(EnrollmentRow).order_by(col(EnrollmentRow.id))))

    def sent(self) -> list[tuple[str, str]]:
        """Every mail there is, in the order in which it was asked for, with its status."""
        with self.database.reading() as session:
            found = session.scalars(sa.select(Delivery).order_by(col(Delivery.queued_at), col(Delivery.id)))
            return [(one.mail, one.status) for one in found]


HASHER = AddressHasher("a suppression key for tests")
SURROUNDINGS = Surroundings(LANGUAGE, timedelta(minutes=10))


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def send(name: str) -> Step:
    return {"id": name, "send": name}


def wait(name: str, days: int) -> Step:
    return {"id": name, "wait": f"{days} days"}


def test_whoever_is_kept_stays_on_their_version_to_the_end(house: House) -> None:
    house.publish([send("a"), wait("w", 2), send("b")])
    house.enroll()
    house.live(1)
    house.publish([send("a"), wait("w", 2), send("c")])
    house.live(5)
    assert house.sent() == [("a", "sent"), ("b", "sent")]


def test_whoever_moves_goes_on_where_they_stand_and_a_shorter_wait_is_over_sooner(house: House) -> None:
    house.publish([send("a"), wait("w", 10), send("b")])
    house.enroll()
    house.live(3)
    house.publish([send("a"), wait("w", 2), send("c")], "move")
    house.live(1)
    assert house.sent() == [("a", "sent"), ("c", "sent")]
    assert [row.status for row in house.rows()] == ["finished"]


def test_whoever_begins_anew_passes_what_they_have_had(house: House) -> None:
    house.publish([send("a"), wait("w", 10), send("b")])
    house.enroll()
    house.live(3)
    house.publish([send("new"), {"id": "p", "score": 5}, send("a"), wait("w", 1), send("b")], "s=restart")
    house.live(4)
    assert house.sent() == [("a", "sent"), ("new", "sent"), ("b", "sent")]


def test_the_mail_of_a_removed_step_that_has_not_left_is_not_sent_and_the_next_one_is(house: House) -> None:
    house.publish([send("a"), send("b")])
    house.enroll()
    house.advance(relay=False)
    assert house.sent() == [("a", "queued")]
    house.publish([send("b")], "move")
    house.live(1)
    assert house.sent() == [("a", "cancelled"), ("b", "sent")]
    house.enroll()
    house.publish([send("a"), send("b")], "restart")
    house.live(1)
    assert house.sent() == [("a", "cancelled"), ("b", "sent"), ("a", "sent"), ("b", "sent")]


def test_a_mail_that_is_queued_stays_queued_once(house: House) -> None:
    house.publish([send("a"), send("b")])
    house.enroll()
    house.advance(relay=False)
    for number, policy in enumerate(("move", "restart")):
        house.publish([wait(f"w{number}", 1), send("a"), send("b")], policy)
        house.follow()
        house.advance(relay=False)
    assert house.sent() == [("a", "queued")]
    house.live(3)
    assert house.sent() == [("a", "sent"), ("b", "sent")]


def test_whoever_decided_about_somebody_before_they_moved_loses(house: House) -> None:
    house.publish([send("a"), wait("w", 2), send("b")])
    house.enroll()
    with house.database.reading() as session:
        slow = actions.advance_all(session, store.list_due(session, house.now, 9), SURROUNDINGS, house.now)
    house.publish([send("c")], "move")
    house.follow()
    with house.database.writing() as session:
        actions.record(session, slow, SURROUNDINGS, house.now)
    house.live(1)
    assert house.sent() == []  # they stood on "a", which is gone, and nothing comes behind it
    assert [row.status for row in house.rows()] == ["finished"]


def test_people_follow_in_chunks_and_a_crash_between_two_loses_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "_CHUNK", 2)
    house.publish([wait("w", 9), send("a")])
    house.enroll(5)
    house.advance()
    house.publish([wait("w", 1), send("a")], "move")
    with house.database.writing() as session:
        assert moving.carry_on(session, house.now) == 2
    with pytest.raises(KeyboardInterrupt):
        crash(house)
    assert Counter(row.is_moved for row in house.rows()) == {True: 2, False: 3}
    house.follow()
    assert Counter(row.is_moved for row in house.rows()) == {True: 5}
    with house.database.reading() as session:
        assert moves.list_moves(session) == []


def crash(house: House) -> None:
    """Die after a chunk, before it is committed."""
    with house.database.writing() as session:
        moving.carry_on(session, house.now)
        raise KeyboardInterrupt


def test_what_was_before_a_loop_is_not_sent_again_when_it_comes_behind_it(house: House) -> None:
    looping = [wait("w", 1), send("a"), {"id": "again", "goto": "w", "at_most": 3}]
    house.publish([send("hello"), *looping])
    house.enroll()
    house.live(2)
    assert house.sent() == [("hello", "sent"), ("a", "sent")]
    house.publish([*looping[:2], send("hello"), looping[2]], "move")
    house.now += 5 * DAY
    house.advance()
    house.follow()
    house.advance()
    mails = [mail for mail, _ in house.sent()]
    assert mails == ["hello", "a", "a"]
    house.live(20)
    # The round they were in has no "hello" for them; the next one, which the new file begins, has.
    assert Counter(mail for mail, _ in house.sent()) == {"a": 4, "hello": 2}


def test_people_on_what_is_retired_finish_or_end(house: House) -> None:
    for policy, left in (("keep", {"sent": 2}), ("end", {"sent": 1, "cancelled": 1})):
        steps = [send("a"), send("b")]
        house.publish(steps)
        house.enroll()
        house.advance(relay=False)
        house._mail()
        house.advance(relay=False)
        order = Order(Policies.read([policy]), retire=frozenset({"s"}))
        with house.database.writing() as session:
            publishing.publish(session, KINDS, Reading((), ()), published_by="a test", now=house.now, order=order)
        house.live(1)
        last = house.rows()[-1]
        with house.database.reading() as session:
            found = session.scalars(sa.select(Delivery).where(col(Delivery.enrollment_id) == last.id))
            assert Counter(str(one.status) for one in found) == left
        assert (last.status, last.exit_reason) == (("finished", "") if policy == "keep" else ("exited", "retired"))


def test_a_plan_says_what_would_happen_to_everybody(house: House) -> None:
    house.publish([send("a"), wait("w", 5), send("b"), wait("v", 5)])
    house.enroll(3)
    house.live(1)
    change = house.plan([send("new"), send("a"), send("b")])
    assert change.people == 3
    [row] = change.standings
    assert (row.version, row.step, row.people, row.move, row.restart, row.is_gone) == (1, "w", 3, "b", "new", True)


def test_a_plan_names_new_steps_whose_mail_somebody_has_had(house: House) -> None:
    house.publish([send("a"), wait("w", 5)])
    house.enroll(2)
    house.live(1)
    [warning] = house.plan([send("renamed"), wait("w", 5)], {"renamed": "templates/a.md"}).warnings
    assert warning == (
        "renamed sends templates/a.md, which 2 people on their way got from a; to them it is the same mail again."
    )
    [warning] = house.plan([send("copied"), wait("w", 5)], {"copied": "a"}).warnings
    assert warning.startswith("copied sends a, which 2 people")
    assert house.plan([send("other"), send("a"), wait("w", 5)]).warnings == ()


# Whatever was edited.

NAMES = tuple("abcdefgh")


class Draws:
    """Draws one sequence from few names, so that versions share steps, rename them, reorder them, change their kind."""

    def __init__(self, chance: "Random") -> None:
        self.chance = chance
        self.names = chance.sample(NAMES, chance.randint(4, len(NAMES)))
        self.targets: list[str] = []

    def steps(self, most: int, depth: int = 0) -> list[Step]:
        found: list[Step] = []
        while self.names and len(found) < most:
            name = self.names.pop()
            kinds = ["send", "wait", "wait", "score", "task"]
            kinds += ["if", "wait_for", "split"] if depth < 2 else []
            kinds += ["goto"] if self.targets and depth == 0 else []
            found.append({"id": name, **self.keys(self.chance.choice(kinds), name, depth)})
            if depth == 0 and found[-1].keys() & {"send", "wait"}:
                self.targets.append(name)
        return found

    def keys(self, kind: str, name: str, depth: int) -> Step:
        match kind:
            case "send":
                return {"send": name}
            case "wait":
                return {"wait": f"{self.chance.randint(1, 5)} days"}
            case "goto":
                return {"goto": self.chance.choice(self.targets), "at_most": 2}
            case "split":
                arms = self.chance.choice([("x", "y"), ("y", "z")])
                return {"split": {arm: {"weight": 1, "steps": self.steps(1, depth + 1)} for arm in arms}}
            case "if" | "wait_for":
                condition = self.chance.choice(['has_tag("t")', 'not has_tag("t")'])
                ways = {"then": self.steps(2, depth + 1), "else": self.steps(1, depth + 1)}
                return {kind: condition, **ways, **({"up_to": "2 days"} if kind == "wait_for" else {})}
        return {kind: 1 if kind == "score" else "Call them"}


@contextmanager
def fresh(databases: Databases, folder: Path) -> Iterator[House]:
    with databases.sqlite(folder / f"{secrets.token_hex(8)}.db") as database:
        yield House(database)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=True))
def test_nobody_repeats_a_step_and_everybody_finishes_whatever_was_edited(
    databases: Databases, tmp_path: Path, chance: "Random"
) -> None:
    with fresh(databases, tmp_path) as house:
        for _ in range(chance.randint(2, 5)):
            steps, policy = (
                Draws(chance).steps(len(NAMES)),
                chance.choice(["move", "restart", "move", "restart", "keep"]),
            )
            note(f"{policy}: {steps}")
            house.publish(steps, policy)
            house.advance(relay=chance.random() < 0.5)  # before all have followed: some mail is still queued
            house.follow()
            everybody_stands_somewhere(house)
            house.enroll(chance.randint(1, 3))
            house.live(chance.randint(0, 3))
        house.finish()
        assert {row.status for row in house.rows()} <= {"finished", "exited"}
        assert {row.exit_reason for row in house.rows()} == {""}
        nobody_was_asked_twice(house)
        assert {status for _, status in house.sent()} <= {Status.SENT, Status.CANCELLED}


def everybody_stands_somewhere(house: House) -> None:
    with house.database.reading() as session:
        for row in session.scalars(sa.select(EnrollmentRow).where(col(EnrollmentRow.ended_at).is_(None))):
            program = actions.get_sequence(session, row.version_id, LANGUAGE)
            assert row.step is None or row.step in program.steps


def nobody_was_asked_twice(house: House) -> None:
    """A mail is asked for once; only a `goto` that was really taken since makes it due again."""
    due_again: dict[tuple[int, str], bool] = {}
    for enrollment, step, what in house.asked:
        if what == "again":
            due_again.update({key: True for key in due_again if key[0] == enrollment})
            continue
        assert due_again.get((enrollment, step), True), f"{step} was asked for twice"
        due_again[enrollment, step] = False
    repeated = {key: count for key, count in house.done.items() if count > 1}
    assert not repeated
