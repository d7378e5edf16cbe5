"""Many invented people in a database, written in bulk: whom benchmarks queue mail for and send it to.

Each is another person, with a name, a company and a city that no other has and that ASCII cannot spell. Of every twenty one
has opted out, half of them after their mail was queued. They agreed to three topics, live at 5,000 domains, in some dozen time zones, and are readers of one newsletter.
What the product computes about a person, such as the hash of their address, is computed here the same way.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from nurture.consent.domains.store import MailDomain
from nurture.consent.rules import Basis, ConsentPurpose, Pile
from nurture.consent.store import Consent
from nurture.consent.suppressions.store import Suppression
from nurture.contacts.store import Contact
from nurture.database.bulk import as_kept
from nurture.database.columns import new_id
from nurture.database.engine import Database
from nurture.newsletters.store import Reader
from nurture.tokens import AddressHasher

TOPICS = ("letters", "product-news", "events")
DOMAINS = 5_000
#: One in so many has opted out, half of them when their mail was queued already.
SUPPRESSED = 20
_ROWS = 20_000
_PLACES = (
    ("DE", "Europe/Berlin"), ("DE", None), ("US", "America/New_York"), ("US", "America/Los_Angeles"), ("US", None),
    ("GB", None), ("FR", None), ("AT", "Europe/Vienna"), ("JP", "Asia/Tokyo"), ("IN", None), ("BR", None),
    (None, None),
)  # fmt: skip
_FIRST = ("Zoë", "Jürgen", "Łucja", "André", "Søren", "Åsa", "Nuño", "Chloé", "İpek", "Đorđe", "Ana", "Tom")
_LAST = ("Müller", "Çelik", "Nováková", "Ørsted", "Peña", "Győr", "O’Neill", "Smith", "Grün", "Żak", "Lefèvre")


def left_early(number: int) -> bool:
    """Whether person number `number` has opted out before anything is queued."""
    return number % (2 * SUPPRESSED) == 7


def leaves_late(number: int) -> bool:
    """Whether they opt out between the queueing and the sending."""
    return number % (2 * SUPPRESSED) == 7 + SUPPRESSED


def count_queued(people: int) -> int:
    """Mails of how many of so many stand in the outbox."""
    return sum(1 for number in range(people) if not left_early(number))


def count_allowed(people: int) -> int:
    """How many of them may be mailed when it leaves."""
    return sum(1 for number in range(people) if not left_early(number) and not leaves_late(number))


def email_of(number: int) -> str:
    return f"reader{number}@firm{number * 7919 % DOMAINS}.example"


def populate(database: Database, hasher: AddressHasher, people: int, newsletter: str, now: datetime) -> None:
    """So many contacts with all that sending asks about, each a reader of the newsletter."""
    ids = sorted(new_id() for _ in range(people))
    long_ago = now - timedelta(days=60)
    _load(database, Contact, _contacts(ids, hasher, long_ago))
    _load(database, Consent, _consents(ids, long_ago))
    opt_out(database, hasher, filter(left_early, range(people)), long_ago)
    _load(database, MailDomain, (_domain(number, now) for number in range(DOMAINS)))
    _load(
        database,
        Reader,
        (
            {"newsletter": newsletter, "contact_id": i, "announced_at": long_ago, "first_issue_from": long_ago}
            for i in ids
        ),
    )


def opt_out(database: Database, hasher: AddressHasher, numbers: Iterable[int], at: datetime) -> None:
    """These people have left, as on the page."""
    _load(
        database,
        Suppression,
        (
            {"address_hash": hasher.hash(email_of(number)), "reason": "opt_out", "created_at": at, "how": "page"}
            for number in numbers
        ),
    )


def _contacts(ids: Sequence[int], hasher: AddressHasher, at: datetime) -> Iterator[dict[str, Any]]:
    for number, i in enumerate(ids):
        email = email_of(number)
        country, zone = _PLACES[number % len(_PLACES)]
        first, last = _FIRST[number * 31 % len(_FIRST)], _LAST[number * 17 % len(_LAST)]
        yield {
            "id": i, "email": email, "address_key": email, "address_hash": hasher.hash(email),
            "domain": email.partition("@")[2], "first_name": f"{first} {number:x}", "last_name": f"{last}-{number}",
            "company": f"Über & Söhne №{number}", "job_title": "Werksleiterin", "country": country, "timezone": zone,
            "fields": {}, "links": {}, "stage": "subscriber", "interest_because": "", "score": 0.0, "fit_points": 0.0,
            "created_at": at, "changed_at": at,
        }  # fmt: skip


def _consents(ids: Sequence[int], at: datetime) -> Iterator[dict[str, Any]]:
    for i in ids:
        for topic in TOPICS:
            yield {
                "contact_id": i, "topic": topic, "purpose": ConsentPurpose.MAIL, "state": "given",
                "basis": Basis.OPT_IN, "given_on": at.date(), "pile": Pile.ANNOUNCE, "afterwards": Pile.NEVER,
                "law": "consent", "changed_at": at,
            }  # fmt: skip


def _domain(number: int, now: datetime) -> dict[str, Any]:
    return {
        "domain": f"firm{number}.example", "spelling": "", "verdict": "takes_mail", "because": "", "tries": 0,
        "ask_at": now + timedelta(days=90), "asked_at": now,
    }  # fmt: skip


def _load(database: Database, model: Any, rows: Iterable[dict[str, Any]]) -> None:
    """Rows into a table, thousands at a time."""
    table = model.__table__
    rows = iter(rows)
    while piece := list(itertools.islice(rows, _ROWS)):
        columns = tuple(piece[0])
        tuples = [tuple(row.values()) for row in piece]
        named = ", ".join(f'"{name}"' for name in columns)
        if database.is_sqlite:
            with database.writing_in_bulk() as session:
                marks = ", ".join("?" * len(columns))
                statement = f"INSERT INTO {table.name} ({named}) VALUES ({marks})"
                session.connection().exec_driver_sql(statement, as_kept(model, columns, tuples))
        else:
            kinds = [table.c[name].type for name in columns]
            with database.engine.begin() as connection:
                cursor = connection.connection.cursor()
                with cursor.copy(f"COPY {table.name} ({named}) FROM STDIN") as copy:
                    for one in tuples:
                        copy.write_row([_copied(value, kind) for value, kind in zip(one, kinds, strict=True)])
    database.settle()


def _copied(value: Any, kind: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict) else value
