"""What every test may ask for: real databases, keys, and one fixed instant."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from nurture.database.engine import Database
from nurture.tokens import AddressHasher, TokenKeys
from tests.support.browsers import NO_CHROMIUM, running_browser
from tests.support.commands import end_all
from tests.support.databases import Databases, roomy_folder

#: A Tuesday, ten in the morning in most of Europe.
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def keys() -> TokenKeys:
    return TokenKeys(["a secret for tests"])


@pytest.fixture
def hasher() -> AddressHasher:
    return AddressHasher("a suppression key for tests")


@pytest.fixture(autouse=True)
def _no_process_outlives_its_test() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser, for the tests of one file: while it runs, no other test may run an event loop of its own."""
    with running_browser() as made:
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have to tell; and nobody shall take a run without a browser for a whole one."""
    for one in terminalreporter.stats.get("passed", []):
        for name, value in getattr(one, "user_properties", ()):
            if name == "told":
                terminalreporter.line(f"{one.nodeid.rpartition('::')[2]}: {value}")
    skipped = [one for one in terminalreporter.stats.get("skipped", []) if NO_CHROMIUM in str(one.longrepr)]
    if skipped:
        terminalreporter.section("tests that did not run", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(skipped)} × {NO_CHROMIUM}", red=True, bold=True)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Iterator[Databases]:
    """Makes databases for this test process; all processes of a run share one PostgreSQL server.

    Its folder is not pytest's: those are swept away by the next runs, and are closed to the user PostgreSQL runs as.
    """
    shared = roomy_folder() / f"nurture-tests-{testrun_uid}"
    made = Databases(tmp_path_factory.getbasetemp(), shared)
    yield made
    made.close()


@pytest.fixture
def sqlite(databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated SQLite database."""
    with databases.sqlite(tmp_path / "nurture.db") as database:
        yield database


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database: the test runs on SQLite and again on PostgreSQL."""
    with databases.sqlite(tmp_path / "nurture.db") if request.param == "sqlite" else databases.postgres() as made:
        yield made
