"""The data files of relays: whole, sourced, and refused with a sentence where they are not."""

import re
from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from nurture.consent.rules import Basis
from nurture.delivery.boundary import Boundary
from nurture.errors import BadInput, NotFound
from nurture.relays import profiles
from nurture.relays.profiles import Profile, get_profile, list_profiles, read_profile
from nurture.settings import sections

KNOWN = Path(profiles.__file__).parent / "known"
NAMES = ["brevo", "google-workspace", "mailgun", "microsoft-365", "postmark", "ses", "own"]


def test_there_is_one_file_for_each_relay_and_one_for_all_others() -> None:
    assert [one.name for one in list_profiles()] == NAMES


@pytest.mark.parametrize("profile", list_profiles(), ids=lambda one: one.name)
def test_every_fact_has_its_source_and_its_day(profile: Profile) -> None:
    if profile.name == "own":
        assert not profile.sources
        return
    assert profile.checked_on is not None
    assert profile.checked_on >= date(2026, 1, 1)
    assert len(profile.sources) >= 3
    for text in (profile.about, profile.bounces, profile.limits.says, profile.terms.says, *profile.steps):
        assert text.endswith("."), text


@pytest.mark.parametrize("profile", list_profiles(), ids=lambda one: one.name)
def test_every_region_has_a_host_and_every_address_one_of_the_providers_hosts(profile: Profile) -> None:
    for region in profile.server.regions or [""]:
        assert re.fullmatch(r"[a-z0-9.-]*", profile.host_in(region))
    if profile.oauth:
        assert profile.oauth_hosts


def test_the_bases_a_relay_accepts_are_those_of_consent() -> None:
    assert set(get_args(profiles.BasisName)) == set(get_args(sections.BasisName)) == {one.value for one in Basis}


@pytest.mark.parametrize(
    ("relay", "answer", "own"),
    [
        ("ses", "250 Ok 010201953e66541f-a46c5c6a-d68b-4771-96f9-70063b13684a-000000", "010201953e66541f-a46c5c6a-d68b-4771-96f9-70063b13684a-000000"),
        ("microsoft-365", "250 2.0.0 OK <AM0PR01MB1@AM0PR01MB1.eurprd01.prod.outlook.com> [Hostname=AM0PR01MB1.eurprd01.prod.outlook.com]", "AM0PR01MB1"),
        ("brevo", "250 2.0.0 OK: queued as <202611221000.12345678@smtp-relay.mailin.fr>", "202611221000.12345678"),
    ],
)  # fmt: skip
def test_where_a_relay_writes_its_own_message_id_its_answer_tells_it(relay: str, answer: str, own: str) -> None:
    found = re.search(get_profile(relay).changes.answer, answer)
    assert found is not None
    assert found["id"] == own


def test_an_unknown_relay_and_an_unknown_region_are_said_with_the_nearest_one() -> None:
    with pytest.raises(
        NotFound, match=r'there is no relay "postmrk". Did you mean "postmark"\? .* any other one is "own"'
    ):
        get_profile("postmrk")
    with pytest.raises(BadInput, match=r'Amazon SES has no region "eu-west1". Did you mean "eu-west-'):
        get_profile("ses").host_in("eu-west1")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('title = "Amazon SES"', "", "ses.toml: title is missing; add it."),
        ("per_day = ", "per_dya = ", 'ses.toml: limits.per_dya: there is no such key. Did you mean "per_day"?'),
        ("port = 587", "port = 0", "ses.toml: server.port: input should be greater than or equal to 1."),
        ("https://aws.amazon.com/aup/", "http://aws.amazon.com/aup/", "is no https address"),
        ("(?P<id>", "(", "ses.toml: changes.answer: names no group (?P<id>…)."),
        ("accepts = [", "accepts = []#", "terms that demand an opt-in name the bases they accept"),
        ("[server]", "[server", "ses.toml: this is not TOML"),
    ],
)
def test_a_mistake_in_a_data_file_is_a_sentence(old: str, new: str, sentence: str) -> None:
    text = (KNOWN / "ses.toml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(BadInput) as wrong:
        read_profile("ses.toml", text.replace(old, new, 1))
    assert sentence in str(wrong.value)


TERMS = Boundary(
    True, "", frozenset(), frozenset(), accepts={"ses": frozenset({"opt-in", "customer"}), "own": frozenset()}
)


def test_a_relay_whose_terms_want_an_opt_in_carries_nobody_else_and_says_what_to_change() -> None:
    assert TERMS.find_terms("ses", "opt-in") is None
    assert TERMS.find_terms("ses", "met") == (
        "the terms of the relay ses leave room for customer, opt-in, and this is met; change relays.accepts in "
        "settings.toml if they allow it, or let another relay carry it"
    )
    assert "nobody we have a basis for" in str(TERMS.find_terms("ses", None))


def test_a_relay_that_says_nothing_of_it_carries_everybody() -> None:
    assert TERMS.find_terms("own", "legitimate-interest") is None
    assert TERMS.find_terms("default", None) is None
