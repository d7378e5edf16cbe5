"""The people of the demo: a few hundred invented ones, as a CRM would export them, flaws included."""

import csv
import unicodedata
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from nurture.demo.chance import chance, pick

PEOPLE = 312
EVALUATORS = 48
EVALUATOR_BATCHES = 4

_FIRST = (
    "Ana", "Ben", "Chiara", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Katrin", "Liam", "Maya", "Noah",
    "Olga", "Pablo", "Qi", "Rahel", "Samir", "Tove", "Ugo", "Vera", "Wanda", "Ximena", "Yara", "Zoë", "Jörg", "Sofía",
)  # fmt: skip
_LAST = (
    "Alvarez", "Bauer", "Costa", "Dubois", "Eriksen", "Fischer", "Gupta", "Hansen", "Ivanova", "Jansen", "Kowalski", "Lang",
    "Moreau", "Novak", "O'Brien", "Park", "Quinn", "Rossi", "Sato", "Tanaka", "Ueda", "Vogel", "Weiß", "Young", "Zimmer",
)  # fmt: skip
_COMPANIES = (
    "Northgate Castings", "Blue Harbor Foods", "Orchard Valves", "Summit Packaging", "Riverbend Paper", "Kestrel Motors",
    "Lindqvist Tools", "Meridian Glass", "Oakline Furniture", "Pine Street Bakery", "Quarry Cement", "Redwood Pumps",
    "Silverlake Dairy", "Tidewater Marine", "Union Bearings", "Vantage Optics", "Westfield Steel", "Yellowtail Foods",
    "Zephyr Turbines", "Aster Pharma", "Birchwood Doors", "Copperhead Cables", "Dunmore Textiles", "Eastgate Chemicals",
)  # fmt: skip
_TITLES = (
    "Plant Manager", "Head of Procurement", "VP Operations", "CFO", "Production Planner", "Buyer", "CTO", "Intern", "Owner",
)  # fmt: skip
_PLACES = (
    ("US", "America/New_York"), ("US", "America/Chicago"), ("US", "America/Los_Angeles"), ("US", "America/New_York"),
    ("CA", "America/Toronto"), ("AU", "Australia/Sydney"), ("US", "America/Denver"), ("GB", "Europe/London"),
    ("DE", "Europe/Berlin"), ("FR", "Europe/Paris"), ("BR", "America/Sao_Paulo"), ("US", "America/Chicago"),
    ("IN", "Asia/Kolkata"), ("NL", "Europe/Amsterdam"),
)  # fmt: skip
_INDUSTRIES = ("manufacturing", "manufacturing", "logistics", "energy", "retail", "software")
_SOURCES = ("trade show", "website form", "whitepaper", "crm", "referral", "event")
_OWNERS = ("luis@acme.example", "mei@acme.example", "dana@acme.example")
_SIZES = (12, 45, 80, 120, 180, 260, 420, 900)

#: Rows that may not be written to, each for a reason a real export has.
_SAID_NO = frozenset({17, 51, 88, 119, 150, 177, 203, 240, 288})
_LEFT_BEFORE = frozenset({64, 201})
_BROKEN_ADDRESS = 137

HEADERS = (
    "Email Address", "First Name", "Last Name", "Company", "Industry", "Job Title", "Company Size", "Country", "Timezone",
    "Lead Source", "Opted In", "Status", "Opted In On", "Owner",
)  # fmt: skip


def write_crm_export(path: Path, today: date) -> None:
    """Everybody, as the CRM has them."""
    _write(path, (_row(number, today) for number in range(PEOPLE)))


def write_evaluators(path: Path, today: date, batch: int) -> None:
    """The ones of them who later ask for the benchmark report, in `EVALUATOR_BATCHES` batches."""
    every = [_row(number, today) for number in range(PEOPLE)]
    good = [row for number, row in enumerate(every) if number not in _SAID_NO | _LEFT_BEFORE | {_BROKEN_ADDRESS}]
    chosen = sorted(good, key=lambda row: chance("evaluator", row[0]))[:EVALUATORS]
    _write(path, iter(chosen[batch::EVALUATOR_BATCHES]))


def _write(path: Path, rows: Iterator[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADERS)
        writer.writerows(rows)


def _row(number: int, today: date) -> tuple[str, ...]:
    first, last = pick(_FIRST, "first", number), pick(_LAST, "last", number)
    company = pick(_COMPANIES, "company", number)
    country, zone = pick(_PLACES, "place", number)
    local = _plain(f"{first}.{last}{number}")
    domain = f"{_plain(company.split()[0])}.example"
    address = f"{local}{domain}" if number == _BROKEN_ADDRESS else f"{local}@{domain}"
    since = today.replace(year=today.year - 1, day=min(today.day, 28))
    return (
        address,
        first,
        last,
        company,
        pick(_INDUSTRIES, "industry", company),
        pick(_TITLES, "title", number),
        str(pick(_SIZES, "size", company)),
        country,
        zone,
        pick(_SOURCES, "source", number),
        "no" if number in _SAID_NO else "yes",
        "unsubscribed" if number in _LEFT_BEFORE else "",
        since.isoformat(),
        pick(_OWNERS, "owner", number),
    )


def _plain(text: str) -> str:
    """ASCII letters, digits and dots, lower case: what the local part of an address is made of."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(c for c in decomposed.lower() if c.isascii() and (c.isalnum() or c == "."))
