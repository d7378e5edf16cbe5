"""How fast a segment is counted among many contacts and many more activities, on PostgreSQL, and by which plan.

`python -m benchmarks.segments [CONTACTS] [ACTIVITIES] [ROUNDS]` fills a PostgreSQL database by bulk SQL (1,000,000 and
10,000,000 unless said otherwise: a few minutes and 6 GB), counts each segment as `nurture segments` does, and prints the
median seconds, how many there are, what the plan reads, and against what: one look at every contact. A plan that reads
all activities from the table itself is called by name. Set TEST_DATABASE_URL for a server of your own.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nurture.app.language import language
from nurture.conditions import parse
from nurture.contacts.store import Contact, count_contacts
from nurture.database.conditions import Clause
from nurture.database.engine import Database, Session
from tests.support.databases import Databases

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
RESTS_ON = {
    "fields": {"company_size": "number", "industry": "text"},
    "segments": {"right-size": "company_size >= 40 and company_size <= 5000"},
}
SEGMENTS: Mapping[str, str] = {
    "from the design": 'company_size >= 50 and country in ["DE", "AT"] and clicked(link="/pricing", within="30 days") '
    'and not has_tag("competitor")',
    "clicked a page, ever": 'clicked(link="/pricing")',
    "read a mail of late": 'opened("weekly/issue-7", within="90 days") and stage in ["lead", "subscriber"]',
    "gone quiet": 'in_segment("right-size") and opened() and not opened(within="180 days") '
    'and not clicked(within="180 days")',
    "nested": 'subscribed("insights") and (clicked(link="/pricing", within="30 days") or submitted("demo-form") '
    'or (has_tag("vip") and not replied()))',
    "answered": 'answered("timing", "this quarter") and not (budget == "no")',
}

_FILL = (
    # Identifiers as the product makes them: they count up with the time, and leave gaps.
    """
    INSERT INTO contact (id, email, address_key, address_hash, domain, country, fields, stage, interest_because, score,
                         fit_points, links, created_at, changed_at)
    SELECT n * 65536, 'p' || n || '@reader' || n % 5000 || '.example', 'p' || n || '@reader' || n % 5000 || '.example',
           md5(n::text), 'reader' || n % 5000 || '.example',
           (ARRAY['US','DE','GB','AT','FR','US','NL','US'])[1 + n % 8],
           jsonb_build_object('company_size', (n * 7919) % 6000, 'industry', (ARRAY['metal','food','wood'])[1 + n % 3]),
           (ARRAY['subscriber','lead','lead','marketing_qualified','customer'])[1 + n % 5], '', n % 90, 0, '{}',
           timestamptz '2024-11-22' + (n % 700) * interval '1 day', timestamptz '2026-11-01'
    FROM generate_series(1::bigint, :contacts) n
    """,
    # Drawn by a hash, each property on its own.
    """
    INSERT INTO activity (id, contact_id, kind, place, link_label, link_path, what, occurred_at, actor, because, method,
                          user_agent, ip)
    SELECT n * 4096, (1 + who % :contacts) * 65536, kind,
           CASE kind WHEN 'form' THEN (ARRAY['demo-form','newsletter'])[1 + which % 2] WHEN 'answer' THEN 'timing'
                     ELSE 'weekly/issue-' || which % 60 END,
           CASE kind WHEN 'answer' THEN (ARRAY['this quarter','this year'])[1 + which % 2] WHEN 'click' THEN 'read on'
                     ELSE '' END,
           CASE kind WHEN 'click' THEN (ARRAY['/pricing','/customers','/','/checklist','/roi'])[1 + which % 5]
                     ELSE '' END,
           '', timestamptz '2024-11-23' + at % 62899200 * interval '1 second',
           (ARRAY['person','person','proxy','scanner','person'])[1 + actor % 5], '', 'GET',
           'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', '192.0.2.' || n % 250
    FROM (SELECT n, CASE WHEN chance < 72 THEN 'open' WHEN chance < 96 THEN 'click' WHEN chance < 97 THEN 'reply'
                         WHEN chance < 98 THEN 'answer' ELSE 'form' END AS kind, who, which, at, actor
          FROM (SELECT n, abs(hashint8extended(n, 1) / 2) % 100 AS chance, abs(hashint8extended(n, 2) / 2) AS who,
                       abs(hashint8extended(n, 3) / 2) AS which, abs(hashint8extended(n, 4) / 2) AS at,
                       abs(hashint8extended(n, 5) / 2) AS actor
                FROM generate_series(1::bigint, :activities) n) numbers) drawn
    """,
    """
    INSERT INTO contact_tag (contact_id, tag, tagged_at)
    SELECT n * 65536, CASE WHEN n % 40 = 0 THEN 'competitor' ELSE 'vip' END, timestamptz '2026-01-01'
    FROM generate_series(1::bigint, :contacts) n WHERE n % 20 = 0
    """,
    """
    INSERT INTO consent (contact_id, topic, purpose, state, basis, pile, afterwards, law, changed_at)
    SELECT n * 65536, 'insights', 'mail', 'given', 'opt-in', 'announce', 'never', '', timestamptz '2026-01-01'
    FROM generate_series(1::bigint, :contacts) n WHERE n % 5 > 0
    """,
    """
    INSERT INTO suppression (address_hash, reason, created_at, how)
    SELECT md5(n::text), 'opt_out', timestamptz '2026-01-01', 'page' FROM generate_series(7::bigint, :contacts, 50) n
    """,
    """
    INSERT INTO mail_domain (domain, spelling, verdict, because, tries, ask_at)
    SELECT 'reader' || n || '.example', 'fine', CASE WHEN n % 100 = 0 THEN 'none' ELSE 'mx' END, '', 0,
           timestamptz '2027-01-01'
    FROM generate_series(0, 4999) n
    """,
    """
    INSERT INTO contact_past (contact_id, last_open_on, kept_back)
    SELECT n * 65536, date '2025-06-01' + (n % 300)::int, CASE WHEN n % 90 = 0 THEN 'silent' END
    FROM generate_series(1::bigint, :contacts, 3) n
    """,
)


def fill(database: Database, contacts: int, activities: int) -> None:
    """Contacts, what they did, tags and consents, as a few years leave them."""
    known = {"contacts": contacts, "activities": activities}
    with database.engine.begin() as connection:
        # As one restores a dump: what refers to a contact is known to be right, and indexes are built once at the end.
        connection.exec_driver_sql("ALTER TABLE activity DISABLE TRIGGER ALL")
        found = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'activity' AND indexname NOT LIKE 'pk%%'"
        indexes = connection.exec_driver_sql(found).all()
        for name, _ in indexes:
            connection.exec_driver_sql(f"DROP INDEX {name}")
        for statement in _FILL:
            named = {name: value for name, value in known.items() if f":{name}" in statement}
            connection.execute(sa.text(statement), named)
        for _, definition in indexes:
            connection.exec_driver_sql(definition)
        connection.exec_driver_sql("ALTER TABLE activity ENABLE TRIGGER ALL")
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def plan_of(session: Session, text: str) -> Mapping[str, Any]:
    """How PostgreSQL counted it, from EXPLAIN ANALYZE of the very statement."""
    connection = session.connection()

    def explain(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> tuple[str, Any]:
        return f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters

    sa.event.listen(connection, "before_cursor_execute", explain, retval=True)
    try:
        counting = sa.select(sa.func.count()).select_from(Contact).where(_clause(session, text))
        explained: Any = connection.execute(counting).scalar_one()
    finally:
        sa.event.remove(connection, "before_cursor_execute", explain)
    found: Mapping[str, Any] = explained[0]["Plan"]
    return found


def reads(plan: Mapping[str, Any]) -> Iterator[str]:
    """What a plan reads, in words, in the order in which it does."""
    for inner in plan.get("Plans", ()):
        yield from reads(inner)
    table = plan.get("Relation Name")
    rows = f"{plan.get('Actual Rows', 0) * plan.get('Actual Loops', 1):,.0f} rows"
    match plan["Node Type"]:
        case "Index Scan" | "Index Only Scan" as way:
            only = "only " if way == "Index Only Scan" else ""
            yield f"{rows} by {only}the index {plan['Index Name']}{_times(plan)}"
        case "Bitmap Index Scan":
            yield f"{rows} found in the index {plan['Index Name']}{_times(plan)}"
        case "Seq Scan":
            yield f"ALL of {table} from the table itself ({rows} kept)"


def _times(plan: Mapping[str, Any]) -> str:
    return f" in {plan['Actual Loops']:,} looks" if plan.get("Actual Loops", 1) > 10 else ""


def main() -> None:
    contacts, activities, rounds = [int(one) for one in sys.argv[1:]] + [1_000_000, 10_000_000, 5][len(sys.argv) - 1 :]
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder), Path(tempfile.gettempdir()) / "nurture-benchmark-segments")
        with databases.postgres() as database:
            began = time.monotonic()
            fill(database, contacts, activities)
            print(f"{contacts:,} contacts, {activities:,} activities, made in {time.monotonic() - began:.0f} s\n")
            base = _measure(database, "True", rounds)
            print(f"every contact, as a yardstick: {base[1]:.2f} s\n")
            for name, text in SEGMENTS.items():
                count, seconds = _measure(database, text, rounds)
                print(f"{name}: {count:,} in {seconds:.2f} s, {seconds / base[1]:.1f} times the yardstick\n  {text}")
                with database.reading() as session:
                    for line in dict.fromkeys(reads(plan_of(session, text))):
                        print(f"    {line}")
                print()
        databases.close()


def _clause(session: Session, text: str) -> Clause:
    spoken = language()
    words = spoken.words(RESTS_ON)
    return spoken.clause_of(session, parse(text, words), words, NOW, of_everybody=True)


def _measure(database: Database, text: str, rounds: int) -> tuple[int, float]:
    took = []
    count = 0
    for _ in range(rounds):
        with database.reading() as session:
            began = time.monotonic()
            count = count_contacts(session, _clause(session, text))
            took.append(time.monotonic() - began)
    return count, statistics.median(took)


if __name__ == "__main__":
    main()
