"""`nurture suppression`, `contacts erase` and `audit`: lists come and go, entries are lifted with a reason, all of it logged."""

import hashlib
import json

import pytest

from tests.support.terminals import Terminal


def test_an_address_and_a_domain_are_put_on_the_list_and_lifted_again_with_a_reason(house: Terminal) -> None:
    assert house.json("suppression", "add", "ben@reader.example", "@firm.example", "--because", "their lawyer wrote") == {
        "new": 1, "known": 0, "domains": 1, "unrecognized": 0, "refused": [],
    }  # fmt: skip
    listed = house.json("suppression", "list")
    assert [(one["domain"] or one["email"], one["reason"]) for one in listed] == [
        ("firm.example", "domain"), ("ben@reader.example", "manual"),
    ]  # fmt: skip
    assert "ben@reader.example is not on the suppression list as complaint" in house.refused(
        "suppression", "lift", "ben@reader.example", "--reason", "complaint", "--because", "a mistake"
    )
    assert "say why" in house.refused("suppression", "lift", "ben@reader.example")
    assert house.json("suppression", "lift", "ben@reader.example", "--because", "a mistake") == {"lifted": ["manual"]}
    assert house.json("suppression", "lift", "firm.example", "--because", "a mistake") == {"lifted": ["domain"]}
    assert house.json("suppression", "list") == []
    assert [(one["what"], one["because"]) for one in house.json("audit", "--what", "lifted")] == [
        ("lifted", "a mistake")
    ] * 2


def test_nobody_at_a_domain_on_the_list_is_mailed_nor_below_it(house: Terminal) -> None:
    house.type("suppression", "add", "reader.example", "--because", "a test")
    house.type("contacts", "add", "dora@mail.reader.example", "--consent", "double-opt-in", "--country", "US")
    for email in ("ben@reader.example", "dora@mail.reader.example"):
        known = house.json("contacts", "show", email)
        assert {one["reason"] for one in known["refused_because"]} == {"domain"}


def test_a_foreign_list_is_taken_in_line_by_line(house: Terminal) -> None:
    md5 = hashlib.md5(b"ben@reader.example", usedforsecurity=False).hexdigest()
    sha = hashlib.sha256(b"nobody@reader.example").hexdigest()
    file = house.write(f"email\nxaver@reader.example\n{md5}\n{sha}\nfirm.example\nno address\n", "list.txt")
    assert house.json("suppression", "import", file) == {
        "new": 2, "known": 0, "domains": 1, "unrecognized": 1,
        "refused": [{"line": 6, "reason": "names neither an address, a domain nor a hash"}],
    }  # fmt: skip
    assert not house.json("contacts", "show", "ben@reader.example")["mailable"]
    assert "suppression list" in house.refused("contacts", "add", "xaver@reader.example", "--consent", "opt-in")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_list_is_read_in_the_characters_it_was_written_in(house: Terminal, encoding: str) -> None:
    house.type("contacts", "add", "jörg@müller.example", "--consent", "double-opt-in", "--country", "US")
    (house.here / "list.csv").write_bytes("E-Mail;Grund\r\njörg@müller.example;gekündigt\r\n".encode(encoding))
    told = house.json("suppression", "import", "list.csv")
    assert (told["new"], told["refused"]) == (1, [])
    assert not house.json("contacts", "show", "jörg@müller.example")["mailable"]


def test_a_workbook_is_no_list_of_lines(house: Terminal) -> None:
    (house.here / "list.xlsx").write_bytes(b"PK\x03\x04reader.example\n")
    assert "save the list as CSV" in house.refused("suppression", "import", "list.xlsx")


def test_a_list_that_went_out_comes_back_with_its_reasons(house: Terminal) -> None:
    house.type("opt-out", "ben@reader.example")
    house.type("suppression", "add", "firm.example", "--because", "a test")
    listed = house.json("suppression", "list")
    assert house.json("suppression", "export", "out.csv")["entries"] == 2
    text = (house.here / "out.csv").read_text()
    assert "ben" not in text
    house.type("suppression", "lift", "ben@reader.example", "--because", "a test")
    house.type("suppression", "lift", "firm.example", "--because", "a test")
    house.type("suppression", "import", "out.csv")
    again = house.json("suppression", "list")
    assert [(one["address_hash"], one["domain"], one["reason"]) for one in again] == [
        (one["address_hash"], one["domain"], one["reason"]) for one in listed
    ]
    (house.here / "out.csv").write_text(text.replace("key ", "key 0"))
    assert "another suppression key" in house.refused("suppression", "import", "out.csv")


def test_erasing_takes_lines_out_of_refused_csv_and_names_the_files_that_are_yours(house: Terminal) -> None:
    for name in ("refused.csv", "people.csv"):
        (house.workspace / name).write_text("email\nben@reader.example\ncal@reader.example\n", encoding="utf-8")
    told = house.json("contacts", "erase", "Ben@reader.example", "--because", "by phone")
    assert told == {"known": True, "erased": True, "cleaned": ["refused.csv"], "files": ["people.csv"]}
    assert (house.workspace / "refused.csv").read_text() == "email\ncal@reader.example\n"
    assert "no such contact" in house.refused("contacts", "show", "ben@reader.example")
    assert house.json("audit", "--what", "erased")[0]["because"] == "by phone"
    assert "names an address" in house.refused("contacts", "erase", "cal@reader.example", "--because", "cal@x.example")


def test_everything_about_one_person_is_one_document_and_logged(house: Terminal) -> None:
    told = json.loads(house.type("contacts", "export", "ben@reader.example", "--all")[0])
    assert told["email"] == "ben@reader.example"
    assert {"contact", "consent", "consent_event"} <= {one["table"] for one in told["kept"]}
    assert house.json("audit")[0]["what"] == "exported"
    assert "say whose" in house.refused("contacts", "export", "--all")


def test_imports_exports_and_publishes_are_written_down(house: Terminal) -> None:
    file = house.write("email\nnina@reader.example\n", "people.csv")
    house.type("contacts", "import", file)
    house.type("contacts", "export", "out.csv")
    whats = [one["what"] for one in house.json("audit")]
    assert whats[:2] == ["exported", "imported"]
    entry = house.json("audit", "--what", "imported")[0]
    assert (entry["about"], entry["created"]) == ("people.csv", 1)
