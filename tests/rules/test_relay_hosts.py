"""Which relay stands behind a host, and what of a mail it writes anew, so that no signature of ours may cover it."""

import pytest

from nurture.relays.hosts import find_profile_at, rewritten_by


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("smtp.gmail.com", "google-workspace"),
        ("SMTP-relay.gmail.com.", "google-workspace"),
        ("smtp-relay.brevo.com", "brevo"),
        ("mail.acme.example", None),
        ("", None),
    ],
)
def test_a_relay_is_known_by_its_host(host: str, name: str | None) -> None:
    found = find_profile_at(host)
    assert (found.name if found else None) == name


def test_what_a_relay_writes_anew_is_left_out_of_the_signature() -> None:
    """STANDARDS 40, 43: everything is covered but what the relay is known to replace."""
    anew = frozenset({b"message-id", b"date"})
    assert rewritten_by([("", "smtp-relay.brevo.com")]) == anew
    assert rewritten_by([("ses", "vpce-1.email-smtp.example"), ("", "smtp.gmail.com")]) == anew
    assert rewritten_by([("", "smtp.gmail.com"), ("own", "mail.acme.example")]) == frozenset()
