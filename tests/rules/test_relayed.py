"""Which id a relay gave to a mail: from its answer, and from whatever quotes it."""

import pytest

from nurture.delivery.relayed.rules import OwnIds, id_in
from nurture.delivery.rules import Heard, Outcome
from nurture.relays.profiles import get_profile

SES = OwnIds({"news": get_profile("ses").changes.answer, "own": ""})
ID = "010201953e66541f-a46c5c6a-d68b-4771-96f9-70063b13684a-000000"


def test_the_id_of_a_mail_that_was_taken_is_read_from_the_answer_of_its_relay() -> None:
    assert SES.read(Outcome(Heard.ACCEPTED, 250, f"250 Ok {ID}", "news")) == ID


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Heard.DEFERRED, 454, f"454 Ok {ID}", "news"),
        Outcome(Heard.UNANSWERED, None, f"250 Ok {ID}", "news"),
        Outcome(Heard.ACCEPTED, 250, f"250 Ok {ID}", "own"),
        Outcome(Heard.ACCEPTED, 250, f"250 Ok {ID}", "another"),
        Outcome(Heard.ACCEPTED, 250, "250 Ok", "news"),
        Outcome(Heard.ACCEPTED, 250, f"250 Ok {'0' * 300}", "news"),
    ],
)
def test_any_other_answer_names_none(outcome: Outcome) -> None:
    assert SES.read(outcome) is None


def test_relays_that_keep_ours_cost_nothing() -> None:
    assert not OwnIds({"own": ""})
    assert SES


def test_what_quotes_a_mail_names_it_whatever_stands_around_the_id() -> None:
    assert id_in(f" <{ID}@eu-west-1.amazonses.com> ") == ID
    assert id_in("0" * 300) == ""
