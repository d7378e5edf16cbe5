"""In whose name mail is signed, and where it comes back to."""

from functools import cache

import pytest

from nurture.consent.rules import Purpose
from nurture.delivery.house import House
from nurture.delivery.urls import CameBack, Complaint, read_local_part
from nurture.rendering.dkim import Signer
from nurture.rendering.dkim_keys import KeyKind, make_key
from nurture.tokens import TokenKeys

KEYS = TokenKeys(["a secret for tests"])


@cache
def signer(domain: str) -> Signer:
    return Signer(domain, "s1", make_key(KeyKind.ED25519))


def house(**given: object) -> House:
    signers = {one: (signer(one),) for one in ("acme.example", "news.acme.example")}
    known: dict[str, object] = {
        "inbound_domain": "reply.acme.example", "return_path_domain": "bounces.acme.example", "signers": signers,
        "only_as_sender": frozenset({"gmail"}),
    }  # fmt: skip
    return House(KEYS, "https://news.acme.example", **{**known, **given})  # type: ignore[arg-type]  # of any field


@pytest.mark.parametrize(
    ("domain", "signs"),
    [
        ("acme.example", "acme.example"), ("news.acme.example", "news.acme.example"),
        ("a.b.news.acme.example", "news.acme.example"), ("sales.acme.example", "acme.example"),
        ("notacme.example", None), ("example", None), ("", None),
    ],
)  # fmt: skip
def test_the_nearest_domain_above_signs_and_never_another(domain: str, signs: str | None) -> None:
    """STANDARDS 41: what signs is aligned with From, or nothing does."""
    assert [one.domain for one in house().signers_for(domain)] == ([signs] if signs else [])


@pytest.mark.parametrize(
    ("purpose", "is_named"),
    [(Purpose.CAMPAIGN, True), (Purpose.SERVICE, True), (Purpose.INTERNAL, False), (Purpose.TEST, False)],
)
def test_a_readers_mail_comes_back_to_an_address_that_names_it(purpose: Purpose, is_named: bool) -> None:
    """STANDARDS 23."""
    found = house().mail_from(purpose, 7, "dana@acme.example")
    local_part, _, domain = found.partition("@")
    if is_named:
        assert (domain, read_local_part(KEYS, local_part)) == ("bounces.acme.example", CameBack(7))
        assert read_local_part(KEYS, local_part.upper()) == CameBack(7), "some servers write it large"
    else:
        assert found == "dana@acme.example"


def test_without_a_domain_and_where_the_relay_forbids_it_mail_comes_back_to_whoever_wrote() -> None:
    assert house(return_path_domain="").mail_from(Purpose.CAMPAIGN, 7, "dana@acme.example") == "dana@acme.example"
    assert house().mail_from(Purpose.CAMPAIGN, 7, "dana@acme.example", "gmail") == "dana@acme.example"


def test_a_token_of_one_purpose_never_serves_as_another() -> None:
    came_back = house().mail_from(Purpose.CAMPAIGN, 7, "").partition("@")[0]
    complain = (house().complain_to(Purpose.CAMPAIGN, 7) or "").partition("@")[0]
    assert read_local_part(KEYS, complain) == Complaint(7)
    assert read_local_part(KEYS, came_back.replace("b-", "complaint+")) is None
    assert read_local_part(KEYS, complain.replace("complaint+", "b-")) is None
    assert read_local_part(KEYS, complain.replace("complaint+", "reply+")) is None
