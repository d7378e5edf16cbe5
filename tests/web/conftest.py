"""A house whose web server runs, for the tests of its pages."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from nurture.database.engine import Database
from tests.web.houses import House, Mail, running_house


@pytest.fixture
def house(database: Database, tmp_path: Path, now: datetime) -> Iterator[House]:
    """On SQLite and again on PostgreSQL."""
    with running_house(tmp_path / "house", database.url, now) as made:
        yield made


@pytest.fixture
def lite(sqlite: Database, tmp_path: Path, now: datetime) -> Iterator[House]:
    """On SQLite only, where the database plays no part."""
    with running_house(tmp_path / "house", sqlite.url, now) as made:
        yield made


@pytest.fixture
def mail(house: House) -> Mail:
    """A mail that ana@reader.example got."""
    return house.send(house.add_contact(first_name="Ana"))


@pytest.fixture
def lite_mail(lite: House) -> Mail:
    """The same in the house on SQLite."""
    return lite.send(lite.add_contact(first_name="Ana"))
