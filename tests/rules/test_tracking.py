"""Person, proxy or scanner: the verdicts, and what conditions make of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.tracking.rules import ActivityKind, Actor, Deed, Hit, judge, judge_alone, matches

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"

GMAIL_PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)


def hit(number: int, seconds: float = 0, link: int | None = None, agent: str = CHROME, method: str = "GET") -> Hit:
    kind = ActivityKind.OPENED if link is None else ActivityKind.CLICKED
    return Hit(number, kind, link, NOW + timedelta(seconds=seconds), method, agent, "192.0.2.1")


def actors(*hits: Hit, links: int = 5, sent_seconds_ago: float = 600) -> list[Actor]:
    verdicts = judge(hits, links=links, sent_at=NOW - timedelta(seconds=sent_seconds_ago))
    return [verdicts[one.id].actor for one in hits]


@pytest.mark.parametrize(
    ("agent", "method", "actor"),
    [
        (CHROME, "HEAD", Actor.SCANNER),
        (CHROME, "OPTIONS", Actor.SCANNER),
        ("", "GET", Actor.SCANNER),
        ("python-requests/2.32", "GET", Actor.SCANNER),
        ("Go-http-client/1.1", "GET", Actor.SCANNER),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", "GET", Actor.SCANNER),
        ("Mozilla/5.0", "GET", Actor.PROXY),
        (GMAIL_PREFETCH, "GET", Actor.PROXY),
    ],
)
def test_some_requests_give_themselves_away(agent: str, method: str, actor: Actor) -> None:
    verdict = judge_alone(hit(1, agent=agent, method=method))
    assert verdict is not None
    assert verdict.actor is actor
    assert verdict.because


def test_a_picture_that_gmail_shows_is_an_open() -> None:
    shown = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    assert actors(hit(1, agent=shown)) == [Actor.PERSON]


def test_all_links_within_seconds_are_a_scanner_and_so_is_the_pixel_beside_them() -> None:
    burst = [hit(1, 0, 0), hit(2, 0.2, 1), hit(3, 0.4, 2), hit(4, 0.5)]
    assert actors(*burst) == [Actor.SCANNER] * 4


def test_both_links_of_a_mail_with_two_are_all_of_them() -> None:
    assert actors(hit(1, 0, 0), hit(2, 0.3, 1), links=2) == [Actor.SCANNER] * 2
    assert actors(hit(1, 0, 0), hit(2, 0.3, 1), links=5) == [Actor.PERSON] * 2


def test_one_link_clicked_three_times_is_an_impatient_person() -> None:
    assert actors(hit(1, 0, 1), hit(2, 0.5, 1), hit(3, 1, 1)) == [Actor.PERSON] * 3


def test_a_person_who_comes_after_the_scanner_is_still_a_person() -> None:
    burst = [hit(1, 0, 0), hit(2, 0.2, 1), hit(3, 0.4, 2)]
    assert actors(*burst, hit(4, 300, 1), hit(5, 290)) == [*[Actor.SCANNER] * 3, Actor.PERSON, Actor.PERSON]


def test_nobody_clicks_within_a_second_of_the_handover() -> None:
    assert actors(hit(1, 0, 0), sent_seconds_ago=1) == [Actor.SCANNER]


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 3)), min_size=1, max_size=8), st.integers(1, 6))
def test_the_order_in_which_hits_are_seen_does_not_matter(found: list[tuple[int, float]], links: int) -> None:
    hits = [hit(number, seconds, link) for number, (link, seconds) in enumerate(found)]
    forward = judge(hits, links=links, sent_at=None)
    assert judge(list(reversed(hits)), links=links, sent_at=None) == forward


def test_a_link_is_named_by_its_text_or_its_path() -> None:
    deed = Deed(ActivityKind.CLICKED, NOW, "evaluators/report", 1, "see prices", "/pricing")
    assert matches(deed, "clicked", {"link": "See prices"}, NOW)
    assert matches(deed, "clicked", {"link": "/pricing"}, NOW)
    assert not matches(deed, "clicked", {"link": "/price"}, NOW)
    assert matches(deed, "visited", {"path": "/pricing"}, NOW)
    assert not matches(deed, "opened", {}, NOW)


def test_within_leaves_out_what_is_older() -> None:
    deed = Deed(ActivityKind.CLICKED, NOW - timedelta(days=7))
    assert not matches(deed, "clicked", {"within": timedelta(days=7)}, NOW)
    assert matches(deed, "clicked", {"within": timedelta(days=8)}, NOW)
