"""Companies, touches, merges, owners and history from the command line."""

from tests.support.terminals import Terminal


def test_a_rehearsed_merge_says_what_would_happen_and_changes_nothing(house: Terminal) -> None:
    before = house.type("contacts", "list", "--json")
    out, _ = house.type("contacts", "merge", "ben@reader.example", "cal@reader.example", "--dry-run")
    assert out.startswith("cal@reader.example would become part of ben@reader.example.")
    assert house.type("contacts", "list", "--json") == before


def test_after_a_merge_there_is_one_contact_with_a_history(house: Terminal) -> None:
    done = house.json("contacts", "merge", "ben@reader.example", "cal@reader.example")
    assert (done["keep"], done["other"], done["dry_run"]) == ("ben@reader.example", "cal@reader.example", False)
    assert "there is no such contact" in house.refused("contacts", "show", "cal@reader.example")
    out, _ = house.type("contacts", "history", "ben@reader.example")
    assert "merged" in out
    assert "cal@reader.example" in out


def test_the_history_tells_what_changed_who_did_it_and_from_where(house: Terminal) -> None:
    house.type("contacts", "link", "ana@reader.example", "linkedin", "https://www.linkedin.com/in/ana")
    house.type("contacts", "tag", "ana@reader.example", "vip")
    out = house.json("contacts", "history", "ana@reader.example")
    newest = [(one["field"], one["after"], one["by"]) for one in out[:2]]
    assert newest == [
        ("tag", "vip", "command line"),
        ("link:linkedin", "https://www.linkedin.com/in/ana", "command line"),
    ]


def test_show_tells_company_links_touches_and_what_stands_still(house: Terminal) -> None:
    house.type("contacts", "link", "ana@reader.example", "linkedin", "https://www.linkedin.com/in/ana")
    house.type("touch", "ana@reader.example", "introduction", "--through", "ben@reader.example")
    house.type("touch", "ana@reader.example", "call", "spoke about prices")
    known = house.json("contacts", "show", "ana@reader.example")
    assert known["company_domain"] == "reader.example"
    assert known["links"] == {"linkedin": "https://www.linkedin.com/in/ana"}
    assert known["introduced_by"] == "ben@reader.example"
    assert known["quiet_because"] == "Luis Ortega called them"
    out, _ = house.type("contacts", "show", "ana@reader.example")
    assert "sequences stand still until" in out
    assert "linkedin: https://www.linkedin.com/in/ana" in out
    assert "spoke about prices" in out


def test_a_company_shows_whom_we_know_who_helps_and_what_to_do(house: Terminal) -> None:
    house.type("accounts", "target", "add", "reader.example", "--owner", "dana@acme.example", "--because", "new line")
    account = house.json("accounts", "show", "Reader & Sons")
    assert {one["email"]: one["mailable"] for one in account["people"]} == {
        "ana@reader.example": True,
        "ben@reader.example": True,
        "cal@reader.example": False,
    }
    assert account["introducers"] == [{"name": "Luis Ortega", "because": "owns Ana Ruiz"}]
    assert account["target_of"] == "dana@acme.example"
    whats = [one["what"] for one in account["tasks"]]
    assert "Talk to Ana Ruiz at reader.example, introduced by Luis Ortega" in whats
    out, _ = house.type("accounts", "show", "wanted.example")
    assert "Nobody is known there yet." in out
    assert "Not known: anybody who works there." in out


def test_companies_are_listed_with_whose_targets_they_are(house: Terminal) -> None:
    out = house.json("accounts")
    assert [(one["company"], one["people"], one["target_of"]) for one in out] == [("reader.example", 3, None)]
    out = house.json("accounts", "target", "list")
    assert [(one["company"], one["people"], one["target_of"]) for one in out] == [
        ("wanted.example", 0, "mei@acme.example")
    ]


def test_owners_are_given_by_the_rules_and_a_rehearsal_gives_none(house: Terminal) -> None:
    out, _ = house.type("contacts", "assign")
    assert out.startswith("No rule is published")
    house.edit(
        "settings.toml",
        "# What contacts get mail about.",
        '[[assignment]]\nname = "all"\nto = ["mei@acme.example", "luis@acme.example"]\n\n# What contacts get mail about.',
    )
    house.type("publish")
    for name in ("deb", "eve"):
        house.type("contacts", "add", f"{name}@reader.example")
    rehearsed = house.json("contacts", "assign", "--dry-run")
    owners = [one["owner"] for one in rehearsed["assigned"]]
    assert owners == ["mei@acme.example", "luis@acme.example", "mei@acme.example"]
    assert house.json("contacts", "show", "cal@reader.example")["owner"] is None
    assert house.json("contacts", "assign")["assigned"] == rehearsed["assigned"]
    known = house.json("contacts", "show", "cal@reader.example")
    assert (known["owner"], known["owner_because"]) == (
        "mei@acme.example",
        'assignment rule "all": everybody else, in turn with 1 other',
    )


def test_an_operators_own_address_is_shown_once_mail_reaches_us(house: Terminal) -> None:
    assert "set inbound.domain" in house.refused("touch", "--bcc-of", "luis@acme.example")
    house.set(NURTURE_INBOUND__DOMAIN="reply.acme.example")
    bcc = str(house.json("touch", "--bcc-of", "luis@acme.example")["bcc"])
    assert bcc.startswith("bcc+")
    assert bcc.endswith("@reply.acme.example")
    assert len(bcc.partition("@")[0]) <= 64
