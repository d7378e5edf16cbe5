"""From files to versions: all or nothing, the same files give nothing new, and what was published never changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import col

from nurture.app import App
from nurture.campaigns import publishing, store
from nurture.campaigns.publishing import Change, NotPublishable
from nurture.campaigns.store import Campaign, CampaignVersion
from nurture.database.engine import Database
from tests.conftest import NOW
from tests.support.workspaces import LETTER, ONE_STEP, SETTINGS, open_house, small_workspace, write

SEQUENCE = "campaigns/sequences/evaluators.yaml"


@pytest.fixture
def house(sqlite: Database, tmp_path: Path) -> Iterator[App]:
    opened = open_house(small_workspace(tmp_path / "workspace"), sqlite.url, relay_port=25)
    yield opened
    opened.close()


def publish(house: App) -> list[Change]:
    """Publish the files as they are now; what really changed."""
    reopened = open_house(house.folder, house.database.url, relay_port=25)
    try:
        changes = reopened.publish(reopened.read_files(), published_by="a test")
    finally:
        reopened.close()
    return [change for change in changes if change.old != change.new]


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
        planned = publishing.plan(session, house.kinds(), house.read_files().units)
    assert versions(house) == before
    assert [change for change in planned if change.old != change.new] == publish(house)


def test_going_back_to_an_earlier_text_is_a_new_version_with_the_earlier_content(house: App) -> None:
    publish(house)
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A better subject")})
    publish(house)
    write(house.folder, {SEQUENCE: ONE_STEP})
    publish(house)
    first, second, third = [hash_ for kind, _, _, hash_ in versions(house) if kind == "sequence"]
    assert first == third != second


def test_a_file_that_is_gone_leaves_what_was_published_and_is_named(house: App) -> None:
    publish(house)
    (house.folder / SEQUENCE).unlink()
    assert publish(house) == []
    with house.database.reading() as session:
        assert publishing.missing(session, house.read_files().units) == ["sequence evaluators"]
        assert store.find_current_version(session, "sequence", "evaluators")


def test_a_test_mail_keeps_its_draft_once_and_nobody_gets_it(house: App) -> None:
    publish(house)
    write(house.folder, {SEQUENCE: ONE_STEP.replace("Your report", "A draft")})
    [unit] = [unit for unit in house.read_files().units if unit.kind == "sequence"]
    with house.database.writing() as session:
        drafts = {publishing.freeze_draft(session, unit, published_by="a test", now=NOW) for _ in range(2)}
        assert len(drafts) == 1
        assert not drafts & set(store.all_current(session))
    assert "Your report" in steps_now(house)[0]
