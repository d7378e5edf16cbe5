"""`nurture contacts import` and `export` with files of other systems, saved mappings, dry runs and workbooks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from tests.cli.test_contacts import FULL, known_to
from tests.support.terminals import Terminal

PEOPLE = """\
email,first_name,country,company,tags,Opted In
ana@reader.example,Ana,US,Acme,vip,yes
bea@reader.example,Bea,US,Acme,,yes
cal@reader.example,Cal,US,Acme,,yes
info@gmial.com,,US,,,
dan@mailinator.com,,US,,,
"""
NEWS = """\
email,first_name,country,company,tags,Opted In
ana@reader.example,Anna,US,Acme,"vip, pilot",yes
bea@reader.example,Bea,US,Other,,yes
cal@reader.example,Cal,US,Acme,,yes
new@reader.example,New,US,,,yes
nobody,,,,,
eve@reader.example,,,,,unsubscribed
"""


def words_of(text: str) -> str:
    return " ".join(text.split())


def test_a_dry_run_is_a_diff_of_what_would_change_field_by_field(terminal: Terminal) -> None:
    terminal.type("contacts", "import", terminal.write(PEOPLE))
    terminal.type("opt-out", "cal@reader.example")
    before = known_to(terminal)
    out, _ = terminal.type("contacts", "import", terminal.write(NEWS, "news.csv"), "--dry-run")
    said = words_of(out)
    assert "What would change (+ new, ~ changed):" in said
    assert "5 + new@reader.example" in said
    assert "2 ~ ana@reader.example first_name Ana → Anna" in said
    assert "2 ~ ana@reader.example tag – → pilot" in said
    assert "3 ~ bea@reader.example company Acme → Other" in said
    assert "7 ~ eve@reader.example suppressed no → yes" in said
    assert "refused 1: the address has no @ (line 6)" in said
    assert "1 row would change nothing: opted out" in said
    assert "Nothing was written: this was a dry run." in said
    assert known_to(terminal) == before


def test_the_json_of_a_dry_run_has_all_of_the_diff(terminal: Terminal) -> None:
    terminal.type("contacts", "import", terminal.write(PEOPLE))
    terminal.type("opt-out", "cal@reader.example")
    many = "".join(f"p{n}@reader.example,,US,,,\n" for n in range(40))
    diff = terminal.json("contacts", "import", terminal.write(NEWS + many, "news.csv"), "--dry-run")["diff"]
    assert len(diff["new"]) == 41
    assert diff["new"][0] == {"line": 5, "email": "new@reader.example"}
    ana = next(one for one in diff["changed"] if one["email"] == "ana@reader.example")
    assert {"field": "first_name", "before": "Ana", "after": "Anna"} in ana["changes"]
    assert not ana["opted_out"]
    assert [one["email"] for one in diff["changed"] if one["opted_out"]] == ["eve@reader.example"]
    assert diff["would_change_nothing"] == 1
    done = terminal.json("contacts", "import", terminal.write(NEWS, "news.csv"))
    assert "diff" not in done


def test_a_long_diff_is_cut_for_people_and_says_where_the_rest_is(terminal: Terminal) -> None:
    many = "email\n" + "".join(f"p{n}@reader.example\n" for n in range(40))
    out, _ = terminal.type("contacts", "import", terminal.write(many), "--dry-run")
    assert out.count("@reader.example") == 10
    assert "and 30 more new, 0 more changed; --json has them all" in out


def test_an_import_ends_with_the_health_of_the_list(terminal: Terminal) -> None:
    """STANDARDS 93."""
    file = terminal.write(PEOPLE + "eva@reader.example,,,,,\n")
    health = terminal.json("contacts", "import", file)["health"]
    assert health == {
        "people": 6,
        "role_accounts": 1,
        "disposable": [{"domain": "mailinator.com", "people": 1}],
        "misspelt": [{"domain": "gmial.com", "meant": "gmail.com", "people": 1}],
        "age": {"within_a_year": 0, "one_to_two_years": 0, "over_two_years": 0, "undated": 6},
    }
    said = words_of(terminal.type("contacts", "import", file)[0])
    assert "1 role accounts" in said
    assert "1 at disposable domains mailinator.com 1" in said
    assert "1 at mistyped domains, held gmial.com (did you mean gmail.com?) 1" in said
    assert "nurture domains correct gmial.com gmail.com" in said
    assert "6 without any date the file tells of nobody when you last heard of them" in said


def test_health_tells_how_old_what_we_know_is(terminal: Terminal) -> None:
    file = terminal.write(
        "email,Last opened,Last contacted\nana@reader.example,2001-01-01,\nbea@reader.example,,2001-05-05\ncal@reader.example,,\n"
    )
    age = terminal.json("contacts", "import", file)["health"]["age"]
    assert (age["over_two_years"], age["undated"]) == (2, 1)


def test_an_export_of_another_system_is_named_with_what_it_cannot_know(terminal: Terminal) -> None:
    file = terminal.write(
        "uuid,email,name,attributes,status,created_at,updated_at\n1,ana@reader.example,Ana,{},enabled,2024-01-01,\n"
    )
    out, err = terminal.type("contacts", "import", file)
    assert "Read as a listmonk export." in out
    assert "Mind that it tells who is blocklisted and not who unsubscribed from a list" in words_of(err)
    assert terminal.json("contacts", "import", file)["export"] == "listmonk"


def test_a_mapping_is_kept_and_used_again(terminal: Terminal) -> None:
    file = terminal.write('Reach,"Mail ban",Heads,"Say ""hi"""\nana@reader.example,no,12,x\n')
    told = ("--map", "Reach=email", "--map", "Mail ban=blocked", "--map", "Heads=company_size")
    kept = str(terminal.here / "crm.toml")
    first = terminal.json("contacts", "import", file, *told, "--save-mapping", kept)
    assert '"Say \\"hi\\"" = "-"' in Path(kept).read_text(encoding="utf-8")
    again = terminal.json("contacts", "import", file, "--mapping", kept)
    assert (again["columns"], again["unchanged"]) == (first["columns"], 1)
    assert again["left_out"] == []
    other = terminal.json("contacts", "import", file, "--mapping", kept, "--map", "Heads=-", "--dry-run")
    assert other["columns"] == {"Reach": "email", "Mail ban": "blocked"}
    assert "there is such a file already" in terminal.refused(
        "contacts", "import", file, "--mapping", kept, "--save-mapping", kept
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('[columns]\nReach = "emial"\n', 'crm.toml: "Reach=emial": there is no field "emial". Did you mean "email"'),
        ('[columns]\nRaech = "email"\n', 'crm.toml: "Raech=email": the file has no such column. Did you mean "Reach"'),
        ('[colums]\nReach = "email"\n', 'crm.toml: "colums" is not known here; put the columns below [columns]'),
        ("[columns]\nReach = 3\n", "crm.toml: below [columns] stand lines such as"),
        ("[columns\n", "crm.toml: this is no TOML"),
        (None, "crm.toml: there is no such file; --save-mapping writes one"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why(terminal: Terminal, content: str | None, sentence: str) -> None:
    file = terminal.write("Reach\nana@reader.example\n")
    kept = terminal.here / "crm.toml"
    if content is not None:
        kept.write_text(content, encoding="utf-8")
    assert sentence in terminal.refused("contacts", "import", file, "--mapping", str(kept))


def test_a_workbook_comes_in_as_a_csv_would(terminal: Terminal, make_terminal: Callable[..., Terminal]) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for line in PEOPLE.splitlines()[:4]:
        sheet.append([cell or None for cell in line.split(",")])
    book.create_sheet("Notes").append(["nothing"])
    file = terminal.here / "people.xlsx"
    book.save(file)
    out, _ = terminal.type("contacts", "import", str(file))
    assert 'worksheet "Sheet", not read: "Notes"' in out
    elsewhere = make_terminal("elsewhere")
    elsewhere.type("contacts", "import", elsewhere.write("\n".join(PEOPLE.splitlines()[:4]) + "\n", "people.xlsx"))
    assert known_to(elsewhere)["people"] == known_to(terminal)["people"]


@pytest.mark.parametrize(("name", "words"), [("all.tsv", ()), ("all.xlsx", ()), ("all.txt", ("--format", "tsv"))])
def test_an_export_in_any_format_is_formula_safe_and_changes_nobody_when_it_comes_back(
    terminal: Terminal, name: str, words: tuple[str, ...]
) -> None:
    terminal.type("contacts", "import", terminal.write(FULL))
    before: Any = known_to(terminal)
    exported = str(terminal.here / name)
    _, err = terminal.type("contacts", "export", exported, *words)
    assert f"{name}: 7 contacts" in err
    if name.endswith("xlsx"):
        cells = [cell for row in load_workbook(exported).worksheets[0].iter_rows() for cell in row]
        assert "f" not in {cell.data_type for cell in cells}
        texts = [cell.value for cell in cells if isinstance(cell.value, str)]
    else:
        texts = [cell for line in Path(exported).read_text(encoding="utf-8").splitlines() for cell in line.split("\t")]
    assert not [text for text in texts if text[:1] in {"=", "+", "-", "@", "\t", "\r"}]
    again = terminal.json("contacts", "import", exported)
    assert (again["unchanged"], again["left_out"]) == (7, [])
    assert again["format"] == name.removeprefix("all.").replace("txt", "tsv")
    assert known_to(terminal) == before


def test_a_format_that_there_is_not_is_said_to_be_none(terminal: Terminal) -> None:
    assert '"xls" is none of csv, tsv, xlsx. Did you mean "xlsx"?' in terminal.refused(
        "contacts", "export", "all.csv", "--format", "xls"
    )
    assert "A workbook goes into a file" in terminal.refused("contacts", "export", "--format", "xlsx")


def test_what_another_system_knew_of_the_past_goes_out_and_comes_back(
    terminal: Terminal, make_terminal: Callable[..., Terminal]
) -> None:
    file = terminal.write("email,Last opened,Last contacted,Bounce count\nana@reader.example,2025-01-01,2025-05-05,2\n")
    terminal.type("contacts", "import", file)
    exported = str(terminal.here / "all.xlsx")
    terminal.type("contacts", "export", exported)
    assert terminal.json("contacts", "import", exported)["unchanged"] == 1
    elsewhere = make_terminal("elsewhere")
    elsewhere.type("contacts", "import", exported)
    assert elsewhere.type("contacts", "export")[0] == terminal.type("contacts", "export")[0]
    assert "2025-01-01,,,2025-05-05,2" in elsewhere.type("contacts", "export")[0]


def test_a_file_named_after_somebody_leaves_no_address_in_the_ledger_that_outlives_them(terminal: Terminal) -> None:
    terminal.write("email,opted_in,country\nana@reader.example,yes,US\n", "ana@reader.example.csv")
    terminal.type("contacts", "import", "ana@reader.example.csv")
    [given] = terminal.json("consent", "show", "ana@reader.example")["ledger"]
    assert given["how"] == "import of ana at reader.example.csv, line 2"
