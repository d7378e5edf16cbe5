"""How we connect to a database server: one that vanishes without a word keeps nobody waiting for long."""

import pytest
from sqlalchemy.engine import make_url

from nurture.database.engine import Database

ON_POSTGRES = pytest.mark.parametrize("database", ["postgres"], indirect=True)


def connected_with(url: str) -> dict[str, str]:
    """What libpq was told beyond its own defaults."""
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            return dict(driver.info.get_parameters())
    finally:
        database.close()


@ON_POSTGRES
def test_a_server_that_vanishes_without_a_word_is_noticed_within_half_a_minute(database: Database) -> None:
    told = connected_with(database.url)
    assert int(told["connect_timeout"]) == 10
    probes = int(told["keepalives_interval"]) * int(told["keepalives_count"])
    assert int(told["keepalives_idle"]) + probes == 30
    assert int(told["tcp_user_timeout"]) == 30_000


@ON_POSTGRES
def test_what_the_url_says_of_it_goes_first(database: Database) -> None:
    own = {"connect_timeout": "3", "keepalives_count": "9", "tcp_user_timeout": "5000"}
    told = connected_with(make_url(database.url).update_query_dict(own).render_as_string(hide_password=False))
    assert {name: told[name] for name in own} == own
    assert told["keepalives_idle"] == "10"
