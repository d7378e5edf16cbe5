"""`nurture contacts`, as somebody types it: what it prints, what it writes, how it ends."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.imports import what_is_known
from tests.support.terminals import Terminal
from tests.support.workspaces import SETTINGS

PEOPLE = """\
Email Address,First Name,Last Name,Country,Opted In,Owner,Shoe Size
ana@reader.example,Ana,Ruiz,US,yes,luis@acme.example,38
bea@reader.example,Bea,,US,,bob@old.example,
cal at reader.example,=1+1,,US,yes,,
ANA@reader.example,Anna,,,,,
dan@reader.example,Dan,,US,no,,
"""


def known_to(terminal: Terminal) -> dict[str, Any]:
    database = terminal.open_database()
    try:
        return what_is_known(database)
    finally:
        database.close()


def test_an_import_tells_what_became_of_every_row_and_what_to_do_next(terminal: Terminal) -> None:
    out, err = terminal.type("contacts", "import", terminal.write(PEOPLE))
    said = " ".join(out.split())
    assert "people.csv: 5 rows in" in said
    assert "3 new" in said
    assert "1 merged further rows of an address" in said
    assert "1 refused refused.csv says why, line by line" in said
    assert "refused 1: the address has no @ (line 4)" in said
    assert '"Shoe Size"' in said
    assert (
        "1 may get your announcement, 0 must be asked first, 2 never. Why: `nurture contacts list --announce`" in said
    )
    assert "owner: once, first on line 3: nobody who works here" in " ".join(err.split())


def test_the_json_of_an_import_is_what_scripts_rely_on(terminal: Terminal) -> None:
    file = terminal.write(PEOPLE)
    first = terminal.json("contacts", "import", file)
    assert {name: first[name] for name in ("read", "created", "updated", "unchanged", "merged", "opted_out")} == {
        "read": 5, "created": 3, "updated": 0, "unchanged": 0, "merged": 1, "opted_out": 0,
    }  # fmt: skip
    assert (first["may_announce"], first["must_ask"], first["never"]) == (1, 0, 2)
    assert first["refused"] == [{"line": 4, "reason": "the address has no @"}]
    assert first["left_out"] == ["Shoe Size"]
    again = terminal.json("contacts", "import", file)
    assert (again["read"], again["unchanged"], again["merged"], len(again["refused"])) == (5, 3, 1, 1)
    assert (again["created"], again["updated"]) == (0, 0)


def test_refused_rows_are_written_beside_their_reason_and_no_formula_wakes_up(terminal: Terminal) -> None:
    terminal.type("contacts", "import", terminal.write(PEOPLE))
    with (terminal.here / "refused.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["line", "reason", *PEOPLE.splitlines()[0].split(",")]
    assert rows[1][:4] == ["4", "the address has no @", "cal at reader.example", "'=1+1"]


def test_refused_csv_is_written_only_if_something_was_refused_and_never_over_the_file_itself(
    terminal: Terminal,
) -> None:
    terminal.type("contacts", "import", terminal.write("email\nana@reader.example\n"))
    assert not (terminal.here / "refused.csv").exists()
    mended = terminal.write("line,reason,email\n2,no @,ana@reader.example\n3,no @,still wrong\n", "refused.csv")
    before = Path(mended).read_text(encoding="utf-8")
    terminal.type("contacts", "import", mended)
    assert Path(mended).read_text(encoding="utf-8") == before
    assert "still wrong" in (terminal.here / "still-refused.csv").read_text(encoding="utf-8")


def test_a_dry_run_says_the_same_and_writes_nothing(terminal: Terminal) -> None:
    file = terminal.write(PEOPLE)
    rehearsed = terminal.json("contacts", "import", file, "--dry-run", "--list", "spring")
    assert known_to(terminal)["people"] == []
    assert not (terminal.here / "refused.csv").exists()
    done = terminal.json("contacts", "import", file, "--list", "spring")
    for name in ("read", "created", "merged", "refused", "opted_out", "may_announce", "must_ask", "never", "notes"):
        assert rehearsed[name] == done[name]


@pytest.mark.parametrize(
    ("content", "words", "sentence"),
    [
        ("", (), "people.csv: the file is empty"),
        ("town\nBonn\n", (), 'Its columns: "town"'),
        ('email,note\nana@reader.example,"open\n', (), "people.csv:2: a quote opens in this row"),
        (PEOPLE, ("--consent", "purchased"), "Import with --source purchased"),
        (PEOPLE, ("--consent", "optin-ish"), '"optin-ish" is not a basis; take one of: double-opt-in'),
        (PEOPLE, ("--consent-on", "2999-01-01"), "is still to come"),
        (PEOPLE, ("--consent-on", "01/02/2025"), "write it as 2026-01-31"),
        (PEOPLE, ("--topic", "insihgts"), 'Did you mean "insights"'),
        (PEOPLE, ("--source", "a dream"), "is no lead source; take one of: website form"),
        (PEOPLE, ("--map", "Shoe Size"), 'write it as "Column=field"'),
        (PEOPLE, ("--map", "Shoe Size=shoe_size"), 'there is no field "shoe_size"'),
    ],
)
def test_what_cannot_be_imported_ends_with_one_sentence_and_nothing_else(
    terminal: Terminal, content: str, words: tuple[str, ...], sentence: str
) -> None:
    out, err = terminal.type("contacts", "import", terminal.write(content), *words, "--json", code=1)
    assert out == ""
    assert sentence in err
    assert known_to(terminal)["people"] == []


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("Do not contact", "yes"), ("Do not allow Bulk Emails", "Do Not Allow"), ("Blacklist", "yes"),
        ("Email bounced", "2025-11-03"), ("Spam complaint", "yes"), ("Keine Werbung", "ja"), ("GDPR erased", "yes"),
        ("Newsletter", "no"),
    ],
)  # fmt: skip
def test_a_row_that_says_no_under_any_name_beats_the_flag(terminal: Terminal, header: str, cell: str) -> None:
    file = terminal.write(f"email,country,{header}\nana@reader.example,US,{cell}\nben@reader.example,US,\n")
    done = terminal.json("contacts", "import", file, "--consent", "customer", "--consent-on", "2026-01-31")
    assert (done["may_announce"], done["never"], done["left_out"]) == (1, 1, [])


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_a_file_with_a_column_that_may_say_no_is_refused_until_somebody_says_what_it_is(
    terminal: Terminal, words: tuple[str, ...]
) -> None:
    file = terminal.write("email,country,Mail ban,Newsletter B\nana@reader.example,US,yes,no\n")
    refusal = terminal.refused("contacts", "import", file, "--consent", "customer", *words)
    assert refusal.startswith('people.csv: "Mail ban", "Newsletter B" may say who must not be mailed')
    assert '--map "Mail ban=-"' in refusal
    assert known_to(terminal)["people"] == []
    mapped = ("--map", "Mail ban=blocked", "--map", "Newsletter B=-")
    done = terminal.json("contacts", "import", file, "--consent", "customer", *mapped, *words)
    assert done["opted_out"] == 1


def test_a_file_that_is_not_there_is_named(terminal: Terminal) -> None:
    assert "nowhere.csv: there is no such file" in terminal.type("contacts", "import", "nowhere.csv", code=1)[1]


def test_a_file_all_of_whose_rows_are_refused_was_read(terminal: Terminal) -> None:
    done = terminal.json("contacts", "import", terminal.write("email\nnobody\nno one\n"))
    assert (done["read"], len(done["refused"])) == (2, 2)


def test_with_several_topics_one_must_be_named(make_terminal: Callable[..., Terminal]) -> None:
    settings = SETTINGS + '\n[[topics]]\nname = "events"\nlabel = "Events"\n'
    terminal = make_terminal(**{"settings.toml": settings})
    file = terminal.write(PEOPLE)
    assert "--topic: insights, events" in terminal.type("contacts", "import", file, code=1)[1]
    assert terminal.json("contacts", "import", file, "--topic", "events")["topic"] == "events"


def test_columns_may_be_mapped_and_left_out(terminal: Terminal) -> None:
    file = terminal.write("Reach,Status,Heads\nana@reader.example,unsubscribed,12\n")
    words = ("--map", "reach=email", "--map", "Status=-", "--map", "Heads=company_size")
    done = terminal.json("contacts", "import", file, *words)
    assert done["columns"] == {"Reach": "email", "Heads": "company_size"}
    assert done["opted_out"] == 0


def test_before_the_first_publish_owners_and_piles_follow_the_files(terminal: Terminal) -> None:
    terminal.type("contacts", "import", terminal.write(PEOPLE))
    ana = terminal.json("contacts", "show", "ana@reader.example")
    assert ana["owner"] == "luis@acme.example"
    assert ana["consents"][0]["law"] == "consent"
    bea = terminal.json("contacts", "show", "bea@reader.example")
    assert (bea["owner"], bea["owner_text"]) == (None, "bob@old.example")


def test_after_a_publish_the_published_table_counts_and_no_edited_file(terminal: Terminal) -> None:
    terminal.type("publish")
    table = terminal.workspace / "campaigns" / "consent.yaml"
    table.write_text(table.read_text(encoding="utf-8").replace("then: announce", "then: ask"), encoding="utf-8")
    assert terminal.json("contacts", "import", terminal.write(PEOPLE))["may_announce"] == 1


def test_show_says_whether_somebody_may_be_mailed_and_why_not(terminal: Terminal) -> None:
    terminal.type("contacts", "import", terminal.write(PEOPLE), "--list", "spring")
    ana = terminal.json("contacts", "show", "Ana@Reader.example")
    assert (ana["email"], ana["mailable"], ana["refused_because"]) == ("ana@reader.example", True, [])
    assert (ana["stage"], ana["interest"], ana["score"], ana["topics"]) == ("subscriber", None, 0, ["insights"])
    assert (ana["lists"], ana["tags"], ana["first_name"]) == (["spring"], [], "Ana")
    assert [entry["what"] for entry in ana["ledger"]] == ["given"]
    terminal.type("opt-out", "ana@reader.example")
    ana = terminal.json("contacts", "show", "ana@reader.example")
    assert (ana["mailable"], ana["topics"]) == (False, [])
    assert [(one["topic"], one["reason"]) for one in ana["refused_because"]] == [("insights", "opt_out")]
    out, _ = terminal.type("contacts", "show", "ana@reader.example")
    assert "Gets no mail about insights: opted out on" in out
    assert "import of people.csv, line 2" in out


def test_somebody_nobody_knows_is_said_to_be_so(terminal: Terminal) -> None:
    _, err = terminal.type("contacts", "show", "eve@reader.example", code=1)
    assert "there is no such contact; type `nurture contacts add eve@reader.example`" in err


def test_one_contact_may_be_added_with_everything(terminal: Terminal) -> None:
    added = terminal.json(
        "contacts", "add", "Eve@Reader.example", "--first-name", "Eve", "--country", "Deutschland", "--field",
        "company_size=1,200", "--tag", "vip", "--tag", "a, b", "--list", "spring", "--owner", "luis@acme.example",
        "--source", "referral", "--consent", "opt-in", "--consent-on", "2026-01-05",
    )  # fmt: skip
    assert (added["email"], added["outcome"], added["mailable"]) == ("Eve@reader.example", "created", True)
    assert (added["country"], added["fields"], added["tags"]) == ("DE", {"company_size": 1200}, ["a, b", "vip"])
    assert (added["lists"], added["owner"], added["source"]) == (["spring"], "luis@acme.example", "referral")
    assert added["ledger"][0]["how"] == "the command line"
    assert terminal.json("contacts", "add", "eve@reader.example")["outcome"] == "unchanged"
    assert terminal.json("contacts", "add", "eve@reader.example", "--company", "Acme")["outcome"] == "updated"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--country", "Neverland"), 'country: "Neverland" is no country we know'),
        (("--field", "company_size=many"), 'company_size: "many" is no number'),
        (("--field", "shoe_size=38"), 'there is no contact field "shoe_size"'),
        (("--field", "38"), "write it as NAME=VALUE"),
        (("--tag", "t" * 101), "A tag is a word or a few"),
    ],
)
def test_adding_refuses_what_it_cannot_read(terminal: Terminal, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in terminal.type("contacts", "add", "eve@reader.example", *words, code=1)[1]
    assert known_to(terminal)["people"] == []


def test_somebody_who_opted_out_cannot_be_added_back(terminal: Terminal) -> None:
    terminal.type("opt-out", "eve@reader.example")
    _, err = terminal.type("contacts", "add", "eve@reader.example", "--consent", "opt-in", code=1)
    assert "suppression list" in err
    assert known_to(terminal)["people"] == []


def test_the_three_piles_can_be_looked_into(terminal: Terminal) -> None:
    terminal.type("contacts", "import", terminal.write(PEOPLE))
    assert [one["email"] for one in terminal.json("contacts", "list", "--announce")] == ["ana@reader.example"]
    never = {one["email"]: one["because"] for one in terminal.json("contacts", "list", "--never")}
    assert never["dan@reader.example"] == "said no"
    assert "without a basis" in never["bea@reader.example"]
    assert terminal.json("contacts", "list", "--ask") == []
    out, err = terminal.type("contacts", "list", "--limit", "2")
    assert "ana@reader.example" in out
    assert "first 2" in err
    assert "choose one" in terminal.type("contacts", "list", "--ask", "--never", code=1)[1]


def test_a_list_may_be_narrowed_by_a_condition(terminal: Terminal) -> None:
    terminal.type("contacts", "import", terminal.write(PEOPLE))
    terminal.type("contacts", "tag", "bea@reader.example", "vip")
    found = terminal.json("contacts", "list", "--where", 'country == "US" and has_tag("vip")')
    assert [one["email"] for one in found] == ["bea@reader.example"]
    _, err = terminal.type("contacts", "list", "--where", 'countr == "US"', code=1)
    assert '--where: column 1: there is no field "countr". Did you mean "country"' in err


def test_a_tag_goes_on_and_comes_off(terminal: Terminal) -> None:
    terminal.type("contacts", "import", terminal.write(PEOPLE))
    assert terminal.json("contacts", "tag", "ana@reader.example", " vip ")["tags"] == ["vip"]
    assert terminal.json("contacts", "tag", "ana@reader.example", "vip", "--remove")["tags"] == []


FULL = """\
email,first_name,last_name,company,country,company_size,owner,tags,source,status,opted_in,basis,consent_on
ana@reader.example,Ana,"Ruiz, Dr.","=HYPERLINK(""http://x.example"")",US,-12.5,luis@acme.example,"vip, ""a, b"", pilot",crm,,yes,opt-in,2025-05-05
+bea@reader.example,'-Bea,@home,Büro,DE,,Bob,,,unsubscribed,,,
cal@reader.example,,,,US,1200,,,,,,customer,2026-01-05
dan@reader.example,,,,US,,,,,complained,,,
eve@reader.example,,,,,,,,,cleaned,,,
fay@reader.example,,,,,,,,,,no,,
gus@reader.example,,,,,,,,,blocklisted,,,
"""


def test_an_export_is_safe_to_open_and_comes_back_without_change(
    terminal: Terminal, make_terminal: Callable[..., Terminal]
) -> None:
    terminal.type("contacts", "import", terminal.write(FULL))
    out, _ = terminal.type("contacts", "export")
    cells = [cell for row in csv.reader(out.splitlines()) for cell in row]
    assert len(cells) > 100
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}]
    exported = str(terminal.here / "all.csv")
    _, err = terminal.type("contacts", "export", exported)
    assert "all.csv: 7 contacts" in err
    assert Path(exported).read_text(encoding="utf-8") == out

    before = known_to(terminal)
    again = terminal.json("contacts", "import", exported)
    assert (again["unchanged"], again["left_out"], again["notes"][1:]) == (7, [], [])
    assert known_to(terminal) == before

    elsewhere = make_terminal("elsewhere")
    elsewhere.type("contacts", "import", exported)
    there, here = known_to(elsewhere), before
    assert [row[1:10] for row in there["people"]] == [row[1:10] for row in here["people"]]
    assert there["tags"] == here["tags"]
    assert there["consents"] == here["consents"]
    assert sorted(row[1] for row in there["suppressions"]) == sorted(row[1] for row in here["suppressions"])
    assert elsewhere.type("contacts", "export")[0] == out


def test_an_export_may_be_narrowed_and_says_who_opted_out_here(terminal: Terminal) -> None:
    terminal.type("contacts", "import", terminal.write(PEOPLE))
    terminal.type("opt-out", "ana@reader.example")
    out, _ = terminal.type("contacts", "export", "--where", 'first_name == "Ana"')
    (row,) = csv.DictReader(out.splitlines())
    assert (row["email"], row["status"], row["opted_in"], row["basis"]) == (
        "ana@reader.example",
        "unsubscribed",
        "yes",
        "opt-in",
    )


@pytest.mark.parametrize("command", ["import", "add", "show", "list", "tag", "export"])
def test_every_command_has_an_example(terminal: Terminal, command: str) -> None:
    assert f"Example: nurture contacts {command}" in " ".join(terminal.type("contacts", command, "--help")[0].split())
