"""Files as they come: encodings, delimiters, quoted line breaks, duplicates. Every row is a contact or is refused."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.conditions import FieldType
from nurture.contacts.fields import DeclaredField
from nurture.contacts.headers import recognize
from nurture.contacts.imports import ImportRow, RefusedRow, Survey, read_cell_address, read_rows, survey
from nurture.contacts.reading import RowReader
from nurture.errors import BadInput, NotFound

DECLARED = {"company_size": DeclaredField("company_size", FieldType.NUMBER, "Company size")}


def read(path: Path, content: str | bytes) -> tuple[Survey, list[ImportRow], list[RefusedRow]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = survey(path, DECLARED)
    rows = list(read_rows(found, DECLARED))
    return (
        found,
        [row for row in rows if isinstance(row, ImportRow)],
        [row for row in rows if isinstance(row, RefusedRow)],
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


@pytest.mark.parametrize(
    ("prefix", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (b"", "cp1252"),
    ],
)
def test_every_usual_encoding_is_read(file: Path, prefix: bytes, encoding: str) -> None:
    _, people, _ = read(file, prefix + "email,Vorname\nana@reader.example,Jürgen Weiß\n".encode(encoding))
    assert people[0].values == {"first_name": "Jürgen Weiß"}


def test_an_encoding_that_nothing_in_the_file_tells_can_be_named(file: Path) -> None:
    file.write_bytes("email,company\nana@reader.example,Ростов\n".encode("cp1251"))
    found = survey(file, DECLARED, encoding="windows-1251")
    assert [row.values for row in read_rows(found, DECLARED) if isinstance(row, ImportRow)] == [{"company": "Ростов"}]
    with pytest.raises(BadInput, match='--encoding: there is none called "klingon"'):
        survey(file, DECLARED, encoding="klingon")
    with pytest.raises(BadInput, match='--encoding: there is none called "base64"'):
        survey(file, DECLARED, encoding="base64")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_usual_delimiter_and_line_ending_is_read(file: Path, delimiter: str, ending: str) -> None:
    lines = [["email", "First, last; or | name", "company"], ["ana@reader.example", "x", "Acme"]]
    content = ending.join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    found, people, refused = read(file, content)
    assert found.sheet.delimiter == delimiter
    assert people[0].values == {"company": "Acme"}
    assert not refused


def test_excels_own_hint_of_the_delimiter_is_taken(file: Path) -> None:
    _, people, refused = read(file, "sep=;\nemail;company\nana@reader.example;Acme, Inc.\nnobody;x\n")
    assert people[0].values == {"company": "Acme, Inc."}
    assert [row.line for row in refused] == [4]


def test_the_line_of_a_row_is_the_one_an_editor_shows(file: Path) -> None:
    _, people, refused = read(
        file,
        'email,note\r\nana@reader.example,"two\r\nlines"\r\nnobody,"three\r\n\r\nlines"\r\n\r\nbea@reader.example,\r\n',
    )
    assert [row.line for row in people] == [2, 8]
    assert [row.line for row in refused] == [4]


def test_blank_lines_are_no_rows_and_empty_ones_are_refused(file: Path) -> None:
    found, people, refused = read(file, "\n\nemail,company\n\nana@reader.example,Acme\n,\n")
    assert (found.rows, len(people)) == (2, 1)
    assert [(row.line, row.reason) for row in refused] == [(6, "the row is empty")]


def test_a_quote_that_is_never_closed_stops_everything_and_names_its_line(file: Path) -> None:
    with pytest.raises(BadInput, match=r"people.csv:3: a quote opens in this row and is never closed"):
        read(file, 'email,company\nana@reader.example,Acme\nbea@reader.example,"Acme\ncal@reader.example,x\n')


def test_a_cell_without_end_stops_everything_too(file: Path) -> None:
    with pytest.raises(BadInput, match=r"people.csv:2: a quote opens"):
        read(file, 'email,company\nana@reader.example,"' + "x" * 200_000)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"", "the file is empty"),
        (b"\n \n\n", "the file is empty"),
        (b"PK\x03\x04rest", "this is no workbook that can be read; save it as"),
        (b"\xd0\xcf\x11\xe0rest", "this is a workbook of an old kind, or behind a password; save it as"),
        (b"town,street\nBonn,Main\n", "no column is known to hold e-mail addresses"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told_why(file: Path, content: bytes, advice: str) -> None:
    with pytest.raises(BadInput, match=advice):
        read(file, content)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no such file"):
        survey(tmp_path / "nowhere.csv", {})
    with pytest.raises(BadInput, match="this is a folder"):
        survey(tmp_path, {})


def test_further_rows_of_an_address_are_merged_however_it_is_spelled(file: Path) -> None:
    _, people, refused = read(
        file,
        "email,first_name,company,country,tags\n"
        "Ana@Bücher.example,Ana,,DE,vip\n"
        "bea@reader.example,Bea,,,\n"
        "ana@xn--bcher-kva.example,Anna,Acme,US,pilot\n"
        "Ana Ruiz <ANA@BÜCHER.example>,,Other,,\n",
    )
    assert not refused
    ana = next(row for row in people if row.address.email.lower().startswith("ana"))
    assert (ana.line, ana.further_lines) == (2, (4, 5))
    assert ana.values == {"first_name": "Ana", "company": "Acme", "country": "DE"}
    assert ana.tags == ("vip", "pilot")
    assert ana.address.email == "Ana@xn--bcher-kva.example"


def test_a_cell_that_does_not_fit_is_left_empty_and_noted(file: Path) -> None:
    _, people, refused = read(
        file,
        "email,country,timezone,Lead Source,Company size,language,tags\n"
        f"ana@reader.example,Neverland,Mars/Olympus,a dream,many,Klingon,{'t' * 101}\n"
        "bea@reader.example,France,Europe/Paris,Messe,48,fr,vip\n",
    )
    assert not refused
    assert people[0].values == {}
    assert [note.column for note in people[0].notes] == [
        "country",
        "timezone",
        "Lead Source",
        "Company size",
        "language",
        "tags",
    ]
    assert people[0].notes[0].value == "Neverland"
    assert people[1].values == {
        "country": "FR",
        "timezone": "Europe/Paris",
        "source": "trade show",
        "company_size": 48,
        "language": "fr",
    }


def test_a_row_with_too_many_cells_proves_no_consent(file: Path) -> None:
    _, people, _ = read(
        file, "email,company,opted_in\nana@reader.example,Acme, Inc.,yes\nbea@reader.example,Acme,yes,,\n"
    )
    assert [row.is_shifted for row in people] == [True, False]


def test_formulas_and_markup_come_in_as_the_text_they_are(file: Path) -> None:
    _, people, _ = read(file, "email,first_name,company\nana@reader.example,<b>Ana</b>,'=1+1\n")
    assert people[0].values == {"first_name": "<b>Ana</b>", "company": "=1+1"}


CELLS = st.text(alphabet="ab@.,;\"\n\r\t\x00 é'=", max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=8), st.sampled_from(["utf-8", "utf-16"]))
def test_no_row_is_lost_whatever_the_cells(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], encoding: str
) -> None:
    quoted = ['"{}","{}"'.format(*(cell.replace('"', '""') for cell in row)) for row in cells]
    content = "\n".join(["email,company", *quoted, '"last@reader.example",""']).encode(encoding)
    file = tmp_path_factory.getbasetemp() / "any.csv"
    found, people, refused = read(file, content)
    assert found.rows == len(cells) + 1
    assert sum(1 + len(row.further_lines) for row in people) + len(refused) == found.rows
    assert people[-1].address.email == "last@reader.example"


@given(
    st.tuples(
        st.sampled_from(["", "'", "+", "'+", " ", "Ana <", "-", "=", "\u200b", "mailto:"]),
        st.sampled_from(["ana", "O'Neill", "INFO", "a.b+c", "ü"]),
        st.sampled_from(["@reader.example", "@Reader.EXAMPLE", "@xn--bcher-kva.example", "@x", "@a@b.example", ""]),
        st.sampled_from(["", " ", ">", ".", "'", "; eva@reader.example"]),
    ).map("".join)
)
def test_the_address_of_a_row_is_that_of_its_cell(cell: str) -> None:
    _, row = RowReader(recognize(["email"], {}), {}).read(2, [cell])
    try:
        expected: str | None = read_cell_address(cell).email
    except BadInput:
        expected = None
    assert (row.address.email if isinstance(row, ImportRow) else None) == expected
