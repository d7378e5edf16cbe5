"""Until when somebody is away, as auto-replies say it."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.inbound.absence import FURTHEST, find_return

#: A Sunday before Christmas.
TODAY = date(2026, 12, 20)


@pytest.mark.parametrize(
    ("text", "back_on"),
    [
        ("Thank you for your message. I am out of the office until 5 January.", date(2027, 1, 6)),
        ("I am on vacation through January 5th, 2027 with limited access to e-mail.", date(2027, 1, 6)),
        ("I will be back on Monday, 4 January 2027.", date(2027, 1, 4)),
        ("I'm away from Dec. 22 to Jan. 5 and will answer then.", date(2027, 1, 6)),
        ("Out of office. Returning 01/05/2027. For urgent matters call Sam on 030/123456.", date(2027, 1, 5)),
        ("I'm away until 5th of Jan", date(2027, 1, 6)),
        ("Away until 2027-01-05.", date(2027, 1, 6)),
        ("I will not be back in the office until January 4.", date(2027, 1, 5)),
        ("On 6 January I will be back at my desk.", date(2027, 1, 6)),
        ("I am out today and will be back on Tuesday.", date(2026, 12, 22)),
        ("I am out of the office from 22\nDecember until 4\nJanuary.", date(2027, 1, 5)),
        ("Until 28 December Sam answers. I am out until 8 January, back on 11 January.", date(2027, 1, 11)),
        ("Ich bin bis einschließlich 5.1.2027 nicht im Büro.", date(2027, 1, 6)),
        ("Ich bin vom 22.12.2026 bis 06.01.2027 abwesend.", date(2027, 1, 7)),
        ("Ab dem 7. Januar bin ich wieder für Sie erreichbar.", date(2027, 1, 7)),
        ("Am Montag, den 11.01. bin ich wieder zurück.", date(2027, 1, 11)),
        ("Ich bin zwischen dem 22. und dem 26. Dezember nicht da.", date(2026, 12, 27)),
        ("Je suis absente, de retour le 5 janvier.", date(2027, 1, 5)),
        ("Je serai absent du 22 décembre au 5 janvier inclus.", date(2027, 1, 6)),
        ("Absent jusqu'au 1er février 2027.", date(2027, 2, 2)),
        ("Estaré fuera hasta el 5 de enero de 2027.", date(2027, 1, 6)),
        ("Vuelvo el lunes 4 de enero.", date(2027, 1, 4)),
        ("Estaré ausente del 23 de diciembre al 7 de enero.", date(2027, 1, 8)),
    ],
)
def test_the_day_is_found(text: str, back_on: date) -> None:
    assert find_return(text, TODAY) == back_on


@pytest.mark.parametrize(
    "text",
    [
        "I am out of the office with limited access to e-mail.",
        "Our office hours are Monday to Friday, 9-17.",
        "We received your message and will answer within 2 days.",
        "I left the company; until 1 September 2027 write to Sam.",  # further than anybody's holiday
        "I was away until 5 December.",  # over
        "Bis 17.30 Uhr erreichen Sie die Zentrale.",
        "I am out until 31 February.",
        "Call +49 30 5.1.27 or 030 / 12 34 56.",
        "Invoice of 5 January 2027 received.",
        "Ab dem 23. Dezember bin ich im Urlaub.",
        "",
    ],
)
def test_without_such_a_day_nobody_is_away(text: str) -> None:
    assert find_return(text, TODAY) is None


def test_a_day_that_can_be_read_in_two_ways_is_the_later_one_within_reach() -> None:
    assert find_return("Back on 02/01/2027", TODAY) == date(2027, 2, 1)
    assert find_return("Back on 05/01/2027", TODAY) == date(2027, 1, 5), "1 May is no holiday from December on"


WORDS = st.sampled_from(
    [
        "until",
        "back",
        "bis",
        "zum",
        "zurück",
        "ab",
        "dem",
        "le",
        "5",
        "janvier",
        "hasta",
        "el",
        "de",
        "enero",
        "January",
        "5th",
        "01/02",
        "1.2.",
        "2027",
        "27",
        "-",
        "to",
        "from",
        "/",
        ".",
        "on",
    ]
)


@given(st.lists(WORDS | st.text(max_size=6), max_size=60).map(" ".join), st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_whatever_stands_there_nobody_is_away_for_longer_than_a_long_holiday(text: str, today: date) -> None:
    found = find_return(text, today)
    assert found is None or today < found <= today + FURTHEST


@pytest.mark.parametrize(
    "piece", ["until ", "5 january ", "1.1.", "back on 5 ", "monday ", "a", "9" * 10, "ab dem ", "5. "]
)
def test_a_hostile_text_is_read_to_its_limit_and_no_further(piece: str) -> None:
    long = piece * (200_000 // len(piece))
    assert find_return(long, TODAY) == find_return(long[:5_000], TODAY)


def test_who_is_away_until_today_is_back_tomorrow() -> None:
    today = date(2027, 1, 5)
    assert find_return("until 5 January", today) == today + timedelta(days=1)
