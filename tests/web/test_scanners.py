"""Scanners follow every link of every mail, and some ask three times: nobody leaves, signs up, answers or is scored by it.

What they send is what is publicly known of them (`tracking.rules` says how their hits are told from people's).
"""

import asyncio
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import product
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Message, Scope

from nurture.database.engine import Database
from nurture.engines.rounds import run_due
from nurture.web.server import make_asgi
from tests.web.every_page import house_with_everything, sign_up
from tests.web.houses import House

_CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{} Safari/537.36"

#: Each by the name it gives itself; those that dress up as a browser are told by fetching everything at once.
SCANNERS = {
    "Microsoft SafeLinks": _CHROME.format("91.0.4472.124") + " Edg/91.0.864.59",
    "Proofpoint URL Defense": "Mozilla/5.0 (compatible; proofpoint-urldefense/1.0)",
    "Mimecast": "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Barracuda": "Mozilla/5.0 (compatible; BarracudaCentral; +https://www.barracudacentral.org)",
    "Google image proxy": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Apple Mail Privacy Protection": "Mozilla/5.0",
    "Cisco Secure Email": _CHROME.format("74.0.3729.169"),
    "Symantec Email Security": _CHROME.format("60.0.3112.113"),
    "Slack and Teams previews": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "plain curl": "curl/8.5.0",
}
MAILS = 100
METHODS = ("GET", "HEAD", "OPTIONS")
TIMES = 3
_AT_ONCE = 16
#: What a hit itself leaves behind: it is to be judged, and who it is about looked at again. All else must be as it was.
_HITS = ("activity", "changed_contact")


@pytest.fixture
def house(sqlite: Database, tmp_path: Path, now: datetime) -> Iterator[House]:
    with house_with_everything(tmp_path / "house", sqlite.url, now) as made:
        yield made


async def fetch(asgi: ASGIApp, visits: list[tuple[str, str, str]]) -> set[int]:
    """Method, path and user agent of each; straight to the application, since 18,000 connections take their time."""
    statuses: set[int] = set()

    async def nothing() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.add(message["status"])

    async def visit(method: str, address: str, agent: str) -> None:
        path, _, query = address.partition("?")
        scope: Scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "root_path": "", "scheme": "http", "client": ("203.0.113.9", 4711),
            "server": ("127.0.0.1", 8000), "headers": [(b"host", b"127.0.0.1"), (b"user-agent", agent.encode())],
        }  # fmt: skip
        await asgi(scope, nothing, note)

    for first in range(0, len(visits), _AT_ONCE):
        await asyncio.gather(*(visit(*one) for one in visits[first : first + _AT_ONCE]))
    return statuses


def test_ten_scanners_that_fetch_every_address_of_a_hundred_mails_change_nothing(house: House) -> None:
    """RFC 8058 1 [30]: GET, HEAD, OPTIONS and prefetch never unsubscribe, confirm, answer or book anything."""
    mails = [house.send(house.add_contact(f"reader{number}@reader.example")) for number in range(MAILS)]
    confirm = sign_up(house)
    house.http.post(mails[0].preferences, data={"ask": "erase"})
    letters = [str(row["facts"]["mail"]["url"]) for row in house.rows("delivery") if row["mail"] == "request"]
    house.step(minutes=5)
    before = house.everything(but=_HITS)
    agents = list(SCANNERS.values())
    visits: list[tuple[str, str, str]] = []
    for number, mail in enumerate(mails):
        addresses = [*mail.every_link(), mail.header_leave, mail.pixel]
        assert len(addresses) >= 18, "every kind of link is there"
        if number < len(agents):
            addresses += [confirm, *(re.sub(r"^https?://[^/]+", "", letter) for letter in letters)]
        visits += product(METHODS, addresses, [agents[number % len(agents)]] * TIMES)

    statuses = asyncio.run(fetch(make_asgi(house.app, house.recorder), visits))
    assert statuses <= {200, 302, 405}
    house.recorder.flush()
    assert house.everything(but=_HITS) == before
    hits = house.rows("activity")
    assert {row["kind"] for row in hits} == {"open", "click"}
    assert {row["method"] for row in hits} == set(METHODS)

    house.step(minutes=5)
    run_due(house.app.bench(house.app.register()), house.clock.now())
    by_people = [row["user_agent"] for row in house.rows("activity") if row["actor"] not in {"scanner", "proxy"}]
    assert by_people == []
    assert {(row["score"], row["interest"]) for row in house.rows("contact")} == {(0.0, None)}


def test_every_scanner_is_seen_through_alone(house: House) -> None:
    """One mail each, so that none hides behind another's burst."""
    for name, agent in SCANNERS.items():
        mail = house.send(house.add_contact(f"{name.replace(' ', '.')}@reader.example"))
        house.step(minutes=5)
        for link in (mail.click(0), mail.click(1), mail.click(2), mail.pixel):
            house.http.get(link, headers={"user-agent": agent})
    house.recorder.flush()
    house.step(minutes=5)
    run_due(house.app.bench(house.app.register()), house.clock.now())
    actors = {(row["user_agent"], row["actor"]) for row in house.rows("activity")}
    assert {actor for _, actor in actors} <= {"scanner", "proxy"}
    assert {agent for agent, _ in actors} == set(SCANNERS.values())
