"""Limits hold in every window, whoever asks and however often; nothing starves."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.delivery.pacing.lanes import FREE, MOST_WORKERS, Lane, Limit, Pacing, Rule, Span
from nurture.delivery.pacing.providers import group_of
from nurture.delivery.pacing.rules import LATE, LEASE, MOMENT, Asking, Pace, Road, bucket, counted_after, free_at, share
from nurture.delivery.pacing.warming import WarmUp, lanes_of
from tests.conftest import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@given(st.floats(0.5, 1000), st.lists(st.floats(0, 5), min_size=2, max_size=20))
def test_mails_keep_their_distance_however_they_come(per_second: float, gaps: list[float]) -> None:
    pace, elapsed, left = Pace(per_second), 0.0, []
    for gap in gaps:
        elapsed += gap
        pause, pace = pace.take(elapsed)
        left.append(elapsed + pause)
    assert all(b - a >= 1 / per_second - 1e-9 for a, b in pairwise(left))


def lanes(pacing: Pacing, sender: str = "dana@acme.example", domain: str = "gmail.com", relay: str = "a") -> list[str]:
    return [lane.key for lane in pacing.lanes_of(sender, domain, relay)]


def test_a_rule_counts_its_domains_together_and_a_star_each_provider_by_itself() -> None:
    google = Rule("google", Limit(per_hour=5), to=frozenset({"gmail.com", "googlemail.com"}))
    others = Rule("others", Limit(per_hour=1), to=frozenset({"*"}))
    pacing = Pacing(rules=(google, others))
    assert lanes(pacing) == lanes(pacing, domain="googlemail.com") == ["limit:google"]
    assert lanes(pacing, domain="gmx.de") == lanes(pacing, domain="web.de") == ["limit:others united-internet"]
    assert lanes(pacing, domain="one.example") == ["limit:others one.example"]


def test_a_rule_may_be_for_some_senders_by_address_or_domain() -> None:
    pacing = Pacing(rules=(Rule("dana", Limit(per_day=9), senders=frozenset({"acme.example"})),))
    assert lanes(pacing) == ["limit:dana"]
    assert lanes(pacing, sender="dana@mail.other.example") == []


def test_a_mail_takes_the_lane_of_the_house_and_of_its_relay() -> None:
    pacing = Pacing(house=Limit(per_second=9), relays={"a": Limit(per_day=5), "b": Limit()})
    assert lanes(pacing) == ["house", "relay:a"]
    assert lanes(pacing, relay="b") == ["house"]
    assert not FREE.is_any


@dataclass
class Lanes:
    """What workers share: the lanes as the database has them, counted before anything leaves."""

    limit: Limit
    counts: Counter[tuple[str, Span, datetime]] = field(default_factory=Counter)
    next_at: dict[str, float] = field(default_factory=dict)  # seconds after NOW
    waits_to: dict[str, datetime | None] = field(default_factory=dict)

    def claim(self, mails: list[tuple[int, str]], seconds: float) -> tuple[dict[int, float], dict[int, datetime]]:
        """One worker's claim, so many seconds after NOW: when each mail leaves, and until when others are held."""
        now = NOW + timedelta(seconds=seconds)
        roads = {name: self._road(name, now, seconds) for name in dict.fromkeys(name for _, name in mails)}
        shares = share([Asking(number, (roads[name],)) for number, name in mails])
        for name, road in roads.items():
            for span in (Span.HOUR, Span.DAY):
                self.counts[name, span, bucket(span, now)] += road.taken
            self.next_at[name], self.waits_to[name] = seconds + road.next_in, road.waits_to
        leaves = {number: seconds + starts_in for number, starts_in in shares.leaves_in.items()}
        return leaves, {number: wait.until for number, wait in shares.held.items()}

    def _road(self, name: str, now: datetime, seconds: float) -> Road:
        road = Road(Lane(name, self.limit, name), now, waits_to=self.waits_to.get(name))
        road.next_in = max(0.0, self.next_at.get(name, 0.0) - seconds) if self.limit.per_second else 0.0
        for span in (Span.HOUR, Span.DAY):
            counting = {at: n for (lane, of, at), n in self.counts.items()
                        if (lane, of) == (name, span) and n and at > counted_after(span, now)}  # fmt: skip
            most = self.limit.most_in(span)
            if most and most - sum(counting.values()) < road.room:
                road.room = most - sum(counting.values())
                road.opens_at = free_at(span, min(counting, default=now))
        return road


limits = st.builds(
    Limit, per_second=st.sampled_from([0, 0.5, 3, 20]), per_hour=st.integers(0, 12), per_day=st.integers(0, 30)
)


#: Most of what can go wrong goes wrong where a bucket, an hour or a day ends.
gaps = st.one_of(st.sampled_from([0.5, 59, 61, 299, 3541, 3605, 3661, 3701, 86_341, 86_461]), st.floats(0, 3000))


@given(
    limits,
    st.lists(
        st.tuples(st.integers(1, 15), gaps, st.sampled_from([0, 1, 60, 119]), st.booleans()), min_size=2, max_size=60
    ),
)
@settings(max_examples=300, deadline=None)
def test_no_window_ever_sees_more_than_its_limit_whichever_worker_asks_and_dies(
    limit: Limit, claims: list[tuple[int, float, float, bool]]
) -> None:
    """STANDARDS 51: never above plan in any window; the plan survives restart.

    Each claim is another worker's, comes at any time after the one before, and may die with all it was granted. What is
    granted leaves up to two minutes later, in any order.
    """
    shared, seconds, left, number = Lanes(limit), 0.0, [], 0
    for count, gap, late, is_killed in claims:
        seconds += gap
        leaves, _ = shared.claim([(number + i, "a") for i in range(count)], seconds)
        number += count
        if not is_killed:
            left += [(at, min(seconds + 120, at + late)) for at in leaves.values()]
    for length, most in ((3600, limit.per_hour), (86400, limit.per_day)):
        gone = sorted(at for _, at in left)
        assert not most or all(sum(start - length < at <= start for at in gone) <= most for start in gone)
    if limit.per_second:
        planned = sorted(at for at, _ in left)
        assert all(b - a >= 1 / limit.per_second - 1e-6 for a, b in pairwise(planned))


@given(limits, st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(1, 9))
@settings(max_examples=150, deadline=None)
def test_everybody_leaves_sooner_or_later(limit: Limit, names: list[str], claim: int) -> None:
    """Mails that wait come back when they are told to, and go behind nobody for ever."""
    shared, gone = Lanes(limit), dict[int, float]()
    due = dict.fromkeys(range(len(names)), 0.0)
    for _ in range(3000):
        if not due:
            break
        seconds = min(due.values())
        mine = [number for number, at in sorted(due.items()) if at <= seconds][:claim]
        leaves, held = shared.claim([(number, names[number]) for number in mine], seconds)
        gone |= leaves
        for number in mine:
            if number in leaves:
                del due[number]
            elif number in held:
                due[number] = max(seconds, (held[number] - NOW).total_seconds())
            # Whoever went back into the queue is claimed again at once.
    assert not due


def test_whoever_waits_for_one_domain_is_passed_by_those_for_another() -> None:
    shared = Lanes(Limit(per_hour=2))
    leaves, held = shared.claim([(n, "a") for n in range(10)] + [(n, "b") for n in range(10, 12)], 0.0)
    assert set(leaves) == {0, 1, 10, 11}
    assert set(held) == set(range(2, 10))


def test_those_who_wait_come_back_one_by_one_and_not_all_at_once() -> None:
    _, held = Lanes(Limit(per_hour=4)).claim([(n, "a") for n in range(10)], 0.0)
    assert all(b - a == timedelta(minutes=15) for a, b in pairwise(sorted(held.values())))


def test_in_the_lane_of_the_house_nobody_is_held_and_what_would_wait_too_long_goes_back() -> None:
    road = Road(Lane("house", Limit(per_second=1), "", is_shared=True), NOW)
    shares = share([Asking(n, (road,)) for n in range(10)])
    assert not shares.held
    assert list(shares.leaves_in.values()) == [0, 1, MOMENT]
    assert shares.back == list(range(3, 10))
    assert road.taken == 3


def test_one_leaves_at_a_time_even_where_a_second_is_too_short_for_one() -> None:
    road = Road(Lane("house", Limit(per_second=0.01), "", is_shared=True), NOW, next_in=70)
    shares = share([Asking(n, (road,)) for n in range(3)])
    assert shares.leaves_in == {0: 70}


def test_what_people_asked_for_is_counted_and_waits_for_no_hour() -> None:
    road = Road(Lane("a", Limit(per_hour=1), ""), NOW, room=0, opens_at=NOW + HOUR)
    shares = share([Asking(1, (road,)), Asking(2, (road,), is_patient=False)])
    assert set(shares.held) == {1}
    assert road.taken == 1


def test_so_many_are_in_hand_at_once_and_the_others_pass() -> None:
    road = Road(Lane("a", Limit(at_once=3), ""), NOW, hands=3)
    shares = share([Asking(n, (road,)) for n in range(5)])
    assert set(shares.leaves_in) == {0, 1, 2}
    assert {wait.until for wait in shares.held.values()} == {NOW}


def road(at_once: int, per_second: float, room: int, next_in: float, *, is_shared: bool) -> Road:
    """A lane in any state, beside others."""
    lane = Lane("lane", Limit(at_once=at_once, per_second=per_second, per_hour=1), "", is_shared=is_shared)
    return Road(lane, NOW, room=room, hands=at_once or float("inf"), next_in=next_in, opens_at=NOW + HOUR)


some = st.sampled_from([0, 0, 2, 7])
roads = st.builds(
    road, some, some, st.sampled_from([1, 2, 4, 0]), st.sampled_from([0.0, 0.0, 0.0, 3.0]), is_shared=st.booleans()
)


@given(
    st.lists(roads, min_size=1, max_size=3),
    st.lists(st.tuples(st.sets(st.integers(0, 2), min_size=1), st.booleans()), min_size=1, max_size=6),
)
@settings(max_examples=300)
def test_where_all_have_room_at_once_it_is_as_if_each_had_asked(
    found: list[Road], mails: list[tuple[set[int], bool]]
) -> None:
    taken = [[place for place in sorted(places) if place < len(found)] for places, _ in mails]
    needs = Counter(place for places in taken for place in places)
    if not all(found[place].has_room_for(need) for place, need in needs.items()):
        return
    asked = [replace(one) for one in found]
    shares = share([Asking(n, tuple(asked[place] for place in places), mails[n][1]) for n, places in enumerate(taken)])
    assert shares == (dict.fromkeys(range(len(mails)), 0.0), {}, [])
    for place, need in needs.items():
        found[place].take_all(need)
    assert asked == found


@given(st.integers(1, 200), st.floats(1.1, 3), st.integers(1, 20_000))
def test_a_warm_up_grows_by_no_more_than_its_factor_and_ends(first: int, growth: float, target: int) -> None:
    plan, busiest = WarmUp(frozenset({"*"}), first, growth, target), 0
    while (allowance := plan.allowance(busiest)) is not None:
        assert allowance <= max(first, growth * busiest, busiest + 1)
        assert allowance > busiest
        busiest = allowance
    assert busiest == target


def test_a_day_that_was_not_used_lets_the_next_one_grow_no_further() -> None:
    plan = WarmUp(frozenset({"acme.example"}), 50, 1.5, 5000)
    assert [plan.allowance(busiest) for busiest in (0, 10, 50, 75, 4000, 5000)] == [50, 50, 75, 112, 5000, None]


def test_a_warm_up_says_how_many_days_a_campaign_takes() -> None:
    plan = WarmUp(frozenset({"*"}), 50, 2, 400)
    assert plan.days_for(50, 0, 0) == 1
    assert plan.days_for(51, 0, 0) == 2
    assert plan.days_for(50 + 100 + 200 + 400 + 9000, 0, 0) == 5
    assert plan.days_for(60, 0, today=50) == 2


def test_a_warm_up_counts_a_sender_domain_and_each_provider() -> None:
    plan = WarmUp(frozenset({"acme.example"}))
    assert lanes_of(plan, "acme.example", "gmail.com") == ("warm-up:acme.example", "warm-up:acme.example google")
    assert lanes_of(plan, "acme.example", "one.example") == ("warm-up:acme.example",)
    assert lanes_of(plan, "known.example", "gmail.com") == ()


@pytest.mark.parametrize(("domain", "group"), [("googlemail.com", "google"), ("acme.example", "acme.example")])
def test_a_provider_is_one_group_and_a_company_its_own(domain: str, group: str) -> None:
    assert group_of(domain) == group


@given(st.floats(0.1, 1e6), st.integers(0, 10**7), st.integers(0, 10**8))
def test_what_all_workers_took_in_advance_fits_into_a_second_with_what_is_given_out(
    per_second: float, per_hour: int, per_day: int
) -> None:
    """Who took places in advance may use them all in the second in which as many as ever are given out."""
    limit = Limit(per_second=per_second, per_hour=per_hour, per_day=per_day)
    assert limit.rate + MOST_WORKERS * limit.ahead <= per_second + 1e-6
    assert not per_hour or limit.ahead * 50 <= per_hour


@given(
    st.sampled_from([Span.HOUR, Span.DAY]), st.timedeltas(timedelta(0), DAY), st.timedeltas(timedelta(0), LEASE + LATE)
)
def test_a_mail_counts_until_its_departure_lies_back_whole(span: Span, after: timedelta, late: timedelta) -> None:
    """However late in its bucket it was granted, and however late it then left."""
    granted_at = NOW + after
    counts_from = bucket(span, granted_at)
    still_counts_at = granted_at + late + {Span.HOUR: HOUR, Span.DAY: DAY}[span] - timedelta(microseconds=1)
    assert counts_from > counted_after(span, still_counts_at)
    assert not counts_from > counted_after(span, free_at(span, counts_from))
