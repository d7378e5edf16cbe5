"""What the prompt says about how fast mail leaves: warm-ups, waves, complaints, domains that rest, campaigns that stopped."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta

from nurture.clock import SystemClock
from nurture.database.audit import LET_GO_ON, list_entries
from nurture.database.engine import Session
from nurture.delivery.pacing import store
from nurture.delivery.pacing.lanes import Span
from nurture.delivery.pacing.rules import bucket
from nurture.delivery.pausing.store import find_pause, pause
from nurture.delivery.resting.actions import rest_now
from nurture.delivery.waves.actions import BY_ITSELF
from nurture.delivery.waves.store import lock_waves, save
from tests.support.terminals import Terminal


@contextmanager
def writing(house: Terminal) -> Iterator[Session]:
    database = house.open_database()
    with closing(database), database.writing() as session:
        yield session


def test_a_warm_up_says_where_it_stands_and_how_long_a_mailing_takes(house: Terminal) -> None:
    house.set(NURTURE_WARM_UP__SENDERS="acme.example", NURTURE_WARM_UP__GROWTH="2", NURTURE_WARM_UP__TARGET="1000")
    now = SystemClock().now()
    with writing(house) as session:
        yesterday = bucket(Span.DATE, now) - timedelta(days=1)
        store.add(session, {("warm-up:acme.example", Span.DATE, yesterday): 60})
        wave = lock_waves(session, ["sequence:evaluators"])["sequence:evaluators"]
        save(session, [replace(wave.now(50, now), people=30)])
    told = house.json("warm-up", "--people", "300")
    [lane], [known] = told["warm_up"], told["first_waves"]
    assert (lane["sender"], lane["today"], lane["allowance"], lane["busiest"]) == ("acme.example", 0, 120, 60)
    assert (known["campaign"], known["number"], known["people"], known["size"]) == ("sequence:evaluators", 1, 30, 50)
    # Waves of 50, 100 and 200 take longer than days of 120 and 240.
    assert told["days"] == 3
    assert "acme.example" in house.type("warm-up")[0]


def test_what_google_does_not_tell_is_shown_once_somebody_entered_it(house: Terminal) -> None:
    yesterday = SystemClock().now().date() - timedelta(days=1)
    house.type("complaints", "set", "gmail.com", "0.31", "--on", str(yesterday))
    [google] = [one for one in house.json("complaints") if one["provider"] == "google"]
    assert (google["percent"], google["measured"], google["too_high"]) == (
        0.31,
        f"0.31 % on {yesterday}, as entered",
        True,
    )
    for unmeasured in ("yahoo.com", "gmial.com"):
        # A figure that nobody would ever look at.
        assert "is not google" in house.refused("complaints", "set", unmeasured, "0.4", "--on", "2026-03-09")
    assert house.refused("complaints", "set", "no domain", "0.4", "--on", "2026-03-09") == (
        '"no domain" is no domain; write it as in an address, such as gmail.com.'
    )
    assert house.refused("complaints", "set", "gmail.com", "0.1", "--on", "monday").startswith(
        '--on "monday" is no day'
    )
    assert "has not come yet" in house.refused("complaints", "set", "gmail.com", "0.1", "--on", "2126-03-09")


def test_a_figure_that_nobody_will_use_any_more_is_taken_with_a_word_about_it(house: Terminal) -> None:
    today = SystemClock().now().date()
    for days, is_said in ((29, False), (40, True)):
        told = house.type("complaints", "set", "gmail.com", "0.1", "--on", str(today - timedelta(days=days)))[1]
        assert ("After 30 days" in told) == is_said


def test_a_domain_that_rests_is_told_by_domains(house: Terminal) -> None:
    with writing(house) as session:
        rest_now(session, "google", "4.7.28", "4.7.28 an unusual rate", SystemClock().now())
    assert "google rests until" in house.type("domains")[1]


def test_a_campaign_that_stopped_by_itself_goes_on_only_for_a_reason(house: Terminal) -> None:
    with writing(house) as session:
        pause(session, "sequence:evaluators", "2 readers complained", BY_ITSELF, SystemClock().now())
    sentence = house.refused("resume", "evaluators")
    assert sentence.startswith("sequence:evaluators stopped by itself, because 2 readers complained; say why")
    assert '`nurture resume sequence:evaluators --because "…"` goes on' in " ".join(house.type("resume"))
    house.type("resume", "evaluators", "--because", "both were tests of ours")
    with writing(house) as session:
        assert find_pause(session, "sequence:evaluators") is None
        [entry] = list_entries(session, what=LET_GO_ON)
    assert (entry.about, entry.because) == ("sequence:evaluators", "both were tests of ours")
