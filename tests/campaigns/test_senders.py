"""Whom mail may be from: a free-mail address only through its own provider, a newsletter better not from people's domain."""

from pathlib import Path

import pytest

from nurture.database.engine import Database
from tests.support.workspaces import SETTINGS, open_house, small_workspace

FROM_GMAIL = SETTINGS.replace('email = "dana@acme.example"', 'email = "dana.acme@gmail.com"', 1).replace(
    'domains = ["acme.example"]', 'domains = ["acme.example", "gmail.com"]', 1
)
NEWSLETTER = {
    "campaigns/newsletters/weekly/newsletter.yaml": (
        "format: 1\nnewsletter: weekly\ntopic: insights\nowner: dana@acme.example\nlayout: plain\naudience: company_size > 0\n"
        'schedule: {every: week, on: tue, at: "09:00"}\n'
    ),
    "campaigns/newsletters/weekly/announcement.md": "---\nsubject: A letter\nlayout: plain\n---\nWe begin a letter.\n",
    "templates/layouts/plain.mjml": (
        "<mjml><mj-body><mj-section><mj-column>{% block content %}{% endblock %}"
        '<mj-text>{{ sender.postal_address }} <a href="{{ leave_url }}">Leave</a></mj-text>'
        "</mj-column></mj-section></mj-body></mjml>"
    ),
}


def said(folder: Path, database: Database, settings: str, host: str) -> list[tuple[str, str]]:
    """What `check` says of the senders of these settings."""
    small_workspace(folder, **{**NEWSLETTER, "settings.toml": settings})
    house = open_house(folder, database.url, relay_port=25, NURTURE_SMTP__HOST=host)
    problems = house.read_files().problems
    house.close()
    return [(one.code, one.severity) for one in problems if one.code in {"NS013", "NS016", "NS017", "NS019"}]


@pytest.mark.parametrize(
    ("host", "is_refused"), [("127.0.0.1", True), ("smtp.relay.example", True), ("smtp.gmail.com", False)]
)
def test_a_free_mail_sender_is_refused_unless_its_own_provider_relays(
    tmp_path: Path, sqlite: Database, host: str, is_refused: bool
) -> None:
    found = said(tmp_path / "house", sqlite, FROM_GMAIL, host)
    assert (("NS016", "error") in found) is is_refused


def test_nobody_is_told_to_add_a_domain_to_ours_that_may_not_be_there(tmp_path: Path, sqlite: Database) -> None:
    settings = FROM_GMAIL.replace(', "gmail.com"]', "]", 1)
    assert said(tmp_path / "house", sqlite, settings, "smtp.relay.example") == [("NS016", "error")]
    lent = said(tmp_path / "lent", sqlite, settings, "smtp.gmail.com")
    assert lent == [("NS013", "error")], "through its own provider it may be added"


APART = SETTINGS.replace('email = "dana@acme.example"', 'email = "dana@news.acme.example"', 1).replace(
    'domains = ["acme.example"]', 'domains = ["acme.example", "news.acme.example"]', 1
)


@pytest.mark.parametrize(
    ("settings", "host", "remarks"),
    [
        (SETTINGS, "127.0.0.1", []),
        (SETTINGS, "smtp.relay.example", [("NS017", "warning")]),
        (APART, "smtp.relay.example", []),
    ],
)
def test_a_newsletter_is_advised_to_leave_peoples_domain_once_mail_is_real(
    tmp_path: Path, sqlite: Database, settings: str, host: str, remarks: list[tuple[str, str]]
) -> None:
    assert said(tmp_path / "house", sqlite, settings, host) == remarks


@pytest.mark.parametrize("address", ["dana@acme.example", "jörg@acme.example", "dana@bücher.example"])
def test_a_sender_whom_many_servers_cannot_spell_is_warned_of(tmp_path: Path, sqlite: Database, address: str) -> None:
    """A domain has a spelling that every server knows, and mail is from that one."""
    settings = SETTINGS.replace("dana@acme.example", address, 1).replace(
        '"acme.example"]', '"acme.example", "bücher.example"]'
    )
    expected = [("NS019", "warning")] if "ö" in address else []
    assert said(tmp_path / "house", sqlite, settings, "127.0.0.1") == expected


def test_so_is_an_operator_for_mails_are_from_owners_too(tmp_path: Path, sqlite: Database) -> None:
    settings = SETTINGS + '\n[[operators]]\nname = "Jörg"\nemail = "jörg@acme.example"\n'
    assert said(tmp_path / "house", sqlite, settings, "127.0.0.1") == [("NS019", "warning")]
