"""Who stands where on a sequence and went which way: counted without colleagues, without walking through everybody."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nurture.app.house import App
from nurture.campaigns.declared import colleague_domains
from nurture.campaigns.store import find_current_version
from nurture.consent.actions import choose_tracking
from nurture.consent.law.rules import ConsentTable
from nurture.consent.recording.rules import Recording
from nurture.consent.store import is_tracked_for
from nurture.contacts import store as contacts
from nurture.contacts.store import everybody
from nurture.database.columns import new_id
from nurture.database.engine import Database, Session
from nurture.sequences.graph.flow import People
from nurture.sequences.graph.store import count_people
from nurture.sequences.store import EnrollmentRow, StepVisit, count_arms
from tests.conftest import NOW
from tests.support.people import add_contact
from tests.support.workspaces import SETTINGS, open_house, small_workspace

SEQUENCE = """\
format: 1
sequence: evaluators
topic: insights
steps:
  - id: test
    split: {short: {weight: 1, steps: [{tag: a}]}, long: {weight: 1, steps: [{tag: b}]}}
  - {id: rest, wait: 3 days}
  - {id: seen, if: company_size > 5, then: [{tag: c}]}
"""
CHOICES = ("test", "seen")
COLLEAGUES = '\n[company]\ndomains = ["acme.example"]\n'


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[App]:
    files: dict[str, Any] = {"campaigns/sequences/evaluators.yaml": SEQUENCE, "settings.toml": SETTINGS + COLLEAGUES}
    made = open_house(small_workspace(tmp_path / "house", **files), database.url, relay_port=1)
    try:
        made.publish(made.read_files(), published_by="a test")
        yield made
    finally:
        made.close()


def on_the_way(session: Session, house: App, email: str, step: str | None, **ways: str) -> None:
    """Somebody who stands at a step and went these ways before; None: they are done."""
    contact = add_contact(session, house.hasher, email, NOW, topic="insights")
    version_id = find_current_version(session, "sequence", "evaluators")
    assert version_id is not None
    row = EnrollmentRow(
        id=new_id(), contact_id=contact.id, sequence="evaluators", version_id=version_id, step=step, since=NOW,
        enrolled_at=NOW, ended_at=None if step else NOW, status="waiting" if step else "finished",
    )  # fmt: skip
    session.add(row)
    session.flush()
    for name, way in ways.items():
        session.add(StepVisit(enrollment_id=row.id, step=name, visit=1, way=way, passed_at=NOW))
    session.flush()


def count(session: Session, **more: Any) -> People:
    return count_people(session, "evaluators", CHOICES, colleague_domains(session), **more)


def test_people_are_counted_where_they_stand_and_by_the_ways_they_went(house: App) -> None:
    with house.database.writing() as session:
        assert count(session) == People(1)
        on_the_way(session, house, "ana@reader.example", "rest", test="short")
        on_the_way(session, house, "ben@reader.example", "rest", test="long")
        on_the_way(session, house, "cal@reader.example", "test")
        on_the_way(session, house, "eve@reader.example", None, test="long", rest="", seen="no")
        assert count(session) == People(
            1, {"rest": 2, "test": 1}, {("test", "short"): 1, ("test", "long"): 2, ("seen", "no"): 1}
        )


def test_colleagues_are_on_no_step_and_went_no_way(house: App) -> None:
    with house.database.writing() as session:
        on_the_way(session, house, "ana@reader.example", "rest", test="short")
        on_the_way(session, house, "dana@acme.example", "rest", test="short")
        on_the_way(session, house, "luis@acme.example", "test")
        assert count(session) == People(1, {"rest": 1}, {("test", "short"): 1})


def test_colleagues_decide_no_test(house: App) -> None:
    with house.database.writing() as session:
        on_the_way(session, house, "ana@reader.example", "rest", test="short")
        on_the_way(session, house, "dana@acme.example", "rest", test="short")
        goal, until = everybody(), NOW + timedelta(days=1)
        counted = count_arms(session, "evaluators", "test", goal, until, colleague_domains(session))
        assert counted == {"short": (1, 1, 0)}


def test_where_only_tracked_people_can_reach_the_goal_only_they_are_counted_and_the_others_named(house: App) -> None:
    with house.database.writing() as session:
        on_the_way(session, house, "ana@reader.example", "rest", test="short")
        on_the_way(session, house, "bea@reader.example", "rest", test="short")
        bea = contacts.find_contact(session, "bea@reader.example")
        assert bea is not None
        choose_tracking(session, bea, wanted=False, how="a test", now=NOW)
        tracked = is_tracked_for(timedelta(0), Recording(ConsentTable((), frozenset())), NOW)
        by = NOW + timedelta(days=1)
        counted = count_arms(session, "evaluators", "test", everybody(), by, frozenset(), tracked)
        assert counted == {"short": (1, 1, 1)}


def test_of_many_the_latest_are_counted(house: App) -> None:
    with house.database.writing() as session:
        for number in range(5):
            on_the_way(session, house, f"p{number}@reader.example", "rest", test="long" if number else "short")
        assert count(session, latest=4) == People(1, {"rest": 5}, {("test", "long"): 4}, is_sample=True)
        assert not count(session, latest=5).is_sample


def test_a_newer_version_begins_at_nobody(house: App) -> None:
    with house.database.writing() as session:
        on_the_way(session, house, "ana@reader.example", "rest", test="short")
    file = house.folder / "campaigns/sequences/evaluators.yaml"
    file.write_text(SEQUENCE.replace("3 days", "4 days"), encoding="utf-8")
    house.publish(house.read_files(), published_by="a test")
    with house.database.reading() as session:
        assert count(session) == People(2)


def test_nobody_is_walked_through(house: App) -> None:
    """Every table of people is reached by an index."""
    if house.database.engine.dialect.name != "sqlite":
        return
    said: list[tuple[str, Any]] = []
    sa.event.listen(
        house.database.engine, "before_cursor_execute", lambda _c, _k, text, given, _x, _m: said.append((text, given))
    )
    with house.database.reading() as session:
        count(session)
    asked = [one for one in said if "enrollment" in one[0] and one[0].startswith("SELECT")]
    assert len(asked) == 4
    with house.database.engine.connect() as connection:
        for text, given in asked:
            plan = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)]
            walked = ("SCAN enrollment", "SCAN contact", "SCAN step_visit")
            assert not [one for one in plan if one.startswith(walked)], text
