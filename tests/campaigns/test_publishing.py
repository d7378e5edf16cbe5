"""From files to versions: all or nothing, the same files give nothing new, and what was published never changes."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel import col

from nurture.app.house import App
from nurture.campaigns import planning, publishing, store
from nurture.campaigns.in_flight import Policies
from nurture.campaigns.planning import Change, Order
from nurture.campaigns.publications import history, undoing
from nurture.campaigns.publishing import NotPublishable
from nurture.campaigns.store import Campaign, CampaignVersion
from nurture.database.engine import Database, Session
from nurture.errors import NotAllowed, NurtureError
from tests.conftest import NOW
from tests.support.workspaces import LETTER, ONE_STEP, SETTINGS, open_house, small_workspace, write

SEQUENCE = "campaigns/sequences/evaluators.yaml"


@pytest.fixture
def house(sqlite: Database, tmp_path: Path) -> Iterator[App]:
    opened = open_house(small_workspace(tmp_path / "workspace"), sqlite.url, relay_port=25)
    yield opened
    opened.close()


def publish(house: App, **said: Any) -> list[Change]:
    """Publish the files as they are now; what really changed."""
    reopened = open_house(house.folder, house.database.url, relay_port=25)
    try:
        changes = reopened.publish(reopened.read_files(), published_by="a test", order=Order(**said))
    finally:
        reopened.close()
    return [change for change in changes if change.is_real]


def roll_back(house: App, name: str = "", to: int | None = None) -> list[Change]:
    """Take back one thing, or the last publish as a whole."""

    def find(session: Session) -> undoing.Undoing:
        if not name:
            return undoing.plan_last(session, house.kinds(), planning.FILES_ONLY)
        return undoing.plan_one(session, house.kinds(), undoing.find_one(session, name), to, planning.FILES_ONLY)

    return list(house.roll_back(find, published_by="a test").plan.changes)


def versions(house: App) -> list[tuple[str, str, int, str]]:
    """Every version there is: kind, name, number, hash."""
    with house.database.reading() as session:
        statement = (
            sa.select(col(Campaign.kind), col(Campaign.name), col(CampaignVersion.number), col(CampaignVersion.hash))
            .join(CampaignVersion, col(CampaignVersion.campaign_id) == col(Campaign.id))
            .order_by(col(Campaign.kind), col(Campaign.name), col(CampaignVersion.number))
        )
        return [(kind, name, number, hash_) for kind, name, number, hash_ in session.execute(statement)]


def steps_now(house: App) -> list[str]:
    with house.database.reading() as session:
        current = store.find_current(session, "sequence", "evaluators")
        assert current is not None
        return [step["subject"] for step in current[1]["definition"]["steps"]]


def test_the_first_publish_gives_everything_its_first_version(house: App) -> None:
    changes = publish(house)
    assert {change.kind for change in changes} == {"settings", "consent", "service", "sequence"}
    assert {(change.old, change.new) for change in changes} == {(None, 1)}
    with house.database.reading() as session:
        version = store.get_version(session, store.get_campaign(session, "sequence", "evaluators").version_id or 0)
        assert (version.number, version.published_by) == (1, "a test")


def test_publishing_the_same_files_again_makes_no_new_version(house: App) -> None:
    publish(house)
    before = versions(house)
    assert publish(house) == []
    assert versions(house) == before


def test_what_changes_no_mail_and_no_decision_makes_no_new_version(house: App) -> None:
    publish(house)
    lines = ONE_STEP.splitlines()
    reordered = "\n".join(["# A remark.", "", lines[0], lines[2], lines[1], *lines[3:]])
    write(house.folder, {SEQUENCE: reordered, "templates/nobody-uses-it.mjml": "<mjml>"})
    assert publish(house) == []


@pytest.mark.parametrize("broken", ["steps: []", "steps:\n  - wait: 3 dayz", "\t"])
def test_one_broken_file_keeps_everything_from_being_published(house: App, broken: str) -> None:
    publish(house)
    before = versions(house)
    write(
        house.folder,
        {
            SEQUENCE: ONE_STEP.replace("Your report", "A better subject"),
            "campaigns/sequences/later.yaml": f"format: 1\nsequence: later\ntopic: insights\n{broken}\n",
            "settings.toml": SETTINGS.replace("12 Example Street", "13 Example Street"),
        },
    )
    with pytest.raises(NotPublishable, match="nothing was published; `nurture check` tells them all"):
        publish(house)
    assert versions(house) == before
    assert "Your report" in steps_now(house)[0]


def test_an_edited_file_changes_nobody_until_it_is_published(house: App) -> None:
    publish(house)
    before = versions(house)
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A better subject")})
    assert "Your report" in steps_now(house)[0]
    [change] = publish(house)
    assert (change.kind, change.name, change.old, change.new) == ("sequence", "evaluators", 1, 2)
    assert change.changes == ("~ report (subject)",)
    assert "A better subject" in steps_now(house)[0]
    assert [one for one in versions(house) if one[2] == 1] == before


@pytest.mark.parametrize(
    ("file", "text", "kinds"),
    [
        ("templates/report.mjml", LETTER.replace("what it costs", "our prices"), {"sequence"}),
        ("settings.toml", SETTINGS.replace("12 Example Street", "13 Example Street"), {"settings"}),
        ("settings.toml", SETTINGS + "\n[sending]\ncap_per_week = 3\n", {"settings"}),
        ("campaigns/segments.yaml", 'format: 1\nsegments: {germans: country == "DE"}\n', {"segments"}),
        ("templates/service/reply.mjml", f"---\nsubject: An answer\n---\n{LETTER}", {"service"}),
    ],
)
def test_whatever_decides_or_is_shown_is_in_a_version(house: App, file: str, text: str, kinds: set[str]) -> None:
    publish(house)
    write(house.folder, {file: text})
    assert {change.kind for change in publish(house)} == kinds


def test_a_plan_says_the_same_and_writes_nothing(house: App) -> None:
    publish(house)
    before = versions(house)
    write(
        house.folder,
        {
            SEQUENCE: ONE_STEP + "  - {id: bye, wait: 3 days}\n",
            "templates/report.mjml": LETTER.replace("costs", "pays"),
        },
    )
    with house.database.reading() as session:
        planned = planning.plan(session, house.kinds(), house.read_files().units)
    assert versions(house) == before
    assert [change for change in planned.changes if change.is_real] == publish(house)


def test_going_back_to_an_earlier_text_is_a_new_version_with_the_earlier_content(house: App) -> None:
    publish(house)
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A better subject")})
    publish(house)
    write(house.folder, {SEQUENCE: ONE_STEP})
    publish(house)
    first, second, third = [hash_ for kind, _, _, hash_ in versions(house) if kind == "sequence"]
    assert first == third != second


def test_a_file_that_is_gone_stops_a_publish_until_somebody_says_why(house: App) -> None:
    publish(house)
    before = versions(house)
    (house.folder / SEQUENCE).unlink()
    with pytest.raises(NotAllowed) as refused:
        publish(house)
    assert str(refused.value) == (
        f"{SEQUENCE}: sequence evaluators is published and has no file any more; "
        "put it back, or say `--retire evaluators`. Nothing was published."
    )
    [change] = publish(house, retire=frozenset({"evaluators"}))
    assert (change.kind, change.name, change.old, change.new) == ("sequence", "evaluators", 1, None)
    with house.database.reading() as session:
        assert store.find_current_version(session, "sequence", "evaluators") is None
    assert versions(house) == before
    assert publish(house) == []


def test_what_was_retired_comes_back_with_its_file(house: App) -> None:
    publish(house)
    (house.folder / SEQUENCE).unlink()
    publish(house, retire=frozenset({"sequence:evaluators"}))
    write(house.folder, {SEQUENCE: ONE_STEP})
    [change] = publish(house)
    assert (change.old, change.new, change.changes) == (None, 1, ("comes back",))
    assert "Your report" in steps_now(house)[0]


def test_a_file_may_be_called_anything(house: App) -> None:
    publish(house)
    (house.folder / SEQUENCE).rename(house.folder / "campaigns/sequences/renamed.yaml")
    assert publish(house) == []
    with house.database.reading() as session:
        assert store.get_campaign(session, "sequence", "evaluators").file == "campaigns/sequences/renamed.yaml"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("evaluators", f"--retire evaluators: its file {SEQUENCE} is still there; take that away first."),
        ("evaluator", "--retire evaluator: nothing of that name is published without a file."),
    ],
)
def test_only_what_has_no_file_can_be_retired(house: App, name: str, message: str) -> None:
    publish(house)
    with pytest.raises(NurtureError) as refused:
        publish(house, retire=frozenset({name}))
    assert str(refused.value) == message


def test_a_plan_that_a_person_saw_can_be_required(house: App) -> None:
    publish(house)
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A better subject")})
    with house.database.reading() as session:
        seen = planning.plan(session, house.kinds(), house.read_files().units).fingerprint
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "Something else")})
    with pytest.raises(NotAllowed, match=f"--expect {seen}: the plan is .* by now"):
        publish(house, expect=seen)
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A better subject")})
    with pytest.raises(NotAllowed, match="by now"):
        publish(house, expect=seen, in_flight=Policies.read(["move"]))
    assert len(publish(house, expect=seen)) == 1


def test_a_rollback_brings_the_earlier_content_back_as_the_next_version(house: App) -> None:
    publish(house)
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A second subject")})
    publish(house)
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A third subject")})
    publish(house)
    [change] = roll_back(house, "evaluators")
    assert (change.old, change.new, change.restores) == (3, 4, 2)
    assert "A second subject" in steps_now(house)[0]
    [change] = roll_back(house, "evaluators")
    assert (change.old, change.new, change.restores) == (4, 5, 1)
    [change] = roll_back(house, "evaluators", to=3)
    assert (change.old, change.new, change.restores) == (5, 6, 3)
    numbers = [number for kind, _, number, _ in versions(house) if kind == "sequence"]
    assert numbers == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("evaluators", None, "sequence evaluators: there is no version 0; `nurture history` lists them all."),
        ("evaluators", 7, "sequence evaluators: there is no version 7; `nurture history` lists them all."),
        ("evaluators", 1, "sequence evaluators is v1 already, as v1; nothing was changed."),
        ("evaluator", None, 'nothing called "evaluator" is published. Did you mean "evaluators"?'),
    ],
)
def test_only_what_was_published_can_be_brought_back(house: App, name: str, to: int | None, message: str) -> None:
    publish(house)
    with pytest.raises(NurtureError) as refused:
        roll_back(house, name, to)
    assert str(refused.value) == message


def test_files_that_still_hold_what_was_rolled_back_bring_it_back_and_the_plan_says_so(house: App) -> None:
    publish(house)
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A mistake")})
    publish(house)
    [change] = roll_back(house, "evaluators")
    assert change.warnings == (
        f"{SEQUENCE} still holds what is rolled back; edit it too, or the next publish brings it back.",
    )
    [change] = publish(house)
    assert change.warnings == (f"{SEQUENCE} still holds v2, which was rolled back to v1; publishing brings it back.",)


def test_the_last_publish_is_undone_as_a_whole(house: App) -> None:
    publish(house)
    second = "campaigns/sequences/second.yaml"
    write(
        house.folder,
        {
            SEQUENCE: ONE_STEP.replace("Your report", "A better subject"),
            second: ONE_STEP.replace("evaluators", "second"),
            "settings.toml": SETTINGS.replace("12 Example Street", "13 Example Street"),
        },
    )
    publish(house)
    undone = {(one.kind, one.name): (one.old, one.new, one.restores) for one in roll_back(house)}
    assert undone == {
        ("sequence", "evaluators"): (2, 3, 1),
        ("sequence", "second"): (1, None, None),
        ("settings", "settings"): (2, 3, 1),
    }
    assert "Your report" in steps_now(house)[0]
    with house.database.reading() as session:
        assert store.find_current_version(session, "sequence", "second") is None
    undone = {(one.kind, one.name): (one.old, one.new, one.restores) for one in roll_back(house)}
    assert ("sequence", "evaluators") not in undone, "the first publish made its first version, and that is not now's"


def test_the_history_tells_who_did_what_and_when(house: App) -> None:
    publish(house, note="the first", revision="abc")
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A better subject")})
    publish(house)
    roll_back(house, "evaluators")
    with house.database.reading() as session:
        back, edit, first = history.tell(session, house.kinds())
        [*_, oldest] = history.tell(session, house.kinds(), "sequence", "evaluators")
    assert (back.is_rollback, edit.is_rollback) == (True, False)
    assert [(one.now.old, one.now.new, one.now.restores, one.changes) for one in back.events] == [
        (2, 3, 1, ("~ report (subject)",))
    ]
    assert (first.by, first.note, first.revision) == ("a test", "the first", "abc")
    assert {one.now.kind for one in first.events} == {"settings", "consent", "service", "sequence"}
    assert [one.now.name for one in oldest.events] == ["evaluators"]


def test_two_publishers_take_turns_and_neither_sees_half_of_the_other(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower one begins first, and is in the middle of it when the other one comes."""
    places = [small_workspace(tmp_path / name) for name in ("slow", "fast")]
    write(places[1], {SEQUENCE: ONE_STEP.replace("Your report", "A better subject")})
    slow, fast = (open_house(place, database.url, relay_port=25) for place in places)
    record, has_lock, may_go_on = publishing.record, threading.Event(), threading.Event()

    def slowly(*given: Any, **named: Any) -> None:
        if named["published_by"] == "slow":
            has_lock.set()
            assert may_go_on.wait(30)
        record(*given, **named)

    monkeypatch.setattr(publishing, "record", slowly)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(lambda: slow.publish(slow.read_files(), published_by="slow"))
        assert has_lock.wait(30)
        second = threads.submit(lambda: fast.publish(fast.read_files(), published_by="fast"))
        assert not wait([second], timeout=0.5).done
        may_go_on.set()
        changes = [[one for one in done.result(30) if one.kind == "sequence"] for done in (first, second)]
    assert [[(one.old, one.new) for one in done] for done in changes] == [[(None, 1)], [(1, 2)]]
    with database.reading() as session:
        entries = history.tell(session, slow.kinds())
    assert [(one.by, [event.now.new for event in one.events if event.now.kind == "sequence"]) for one in entries] == [
        ("fast", [2]),
        ("slow", [1]),
    ]
    for opened in (slow, fast):
        opened.close()


def test_a_test_mail_keeps_its_draft_once_and_nobody_gets_it(house: App) -> None:
    publish(house)
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A draft")})
    [unit] = [unit for unit in house.read_files().units if unit.kind == "sequence"]
    with house.database.writing() as session:
        drafts = {publishing.freeze_draft(session, unit, published_by="a test", now=NOW) for _ in range(2)}
        assert len(drafts) == 1
        assert not drafts & set(store.all_current(session))
    assert "Your report" in steps_now(house)[0]
