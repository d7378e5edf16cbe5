"""Cells of somebody's file: what is read in one way only is read, the rest is nobody's to guess."""

from datetime import date
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.conditions import FieldType
from nurture.contacts.cells import clean, fold, guard, read_date, read_number, read_text, read_yes_or_no, unguard
from nurture.contacts.columns import read_tags, split_name, write_tags
from nurture.contacts.countries import CODES, find_country
from nurture.contacts.fields import DeclaredField, read_value
from nurture.contacts.languages import find_language
from nurture.contacts.sources import find_source, get_source
from nurture.errors import BadInput


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1200", 1200),
        ("1,200", 1200),
        ("1.200,50", 1200.5),
        ("1,200.50", 1200.5),
        ("12,5", 12.5),
        ("12.5", 12.5),
        ("1.234.567", 1234567),
        ("1 200", 1200),
        ("1\u202f200", 1200),
        ("1'200", 1200),
        ("-7", -7),
        ("1.2E+05", 120000),
        ("1,20,0", None),
        ("12 people", None),
        ("1_000", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("", None),
    ],
)
def test_a_number_may_have_either_separator(text: str, number: float | None) -> None:
    assert read_number(text) == number


@given(st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_that_is_written_is_read_back(number: float) -> None:
    assert read_number(str(number)) == number


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-01-31", date(2026, 1, 31)),
        ("2026-01-31 10:11:12", date(2026, 1, 31)),
        ("2026-01-31T10:11:12Z", date(2026, 1, 31)),
        ("2026/1/3", date(2026, 1, 3)),
        ("31.12.2025", date(2025, 12, 31)),
        ("01.02.2025", date(2025, 2, 1)),
        ("31/12/2025", date(2025, 12, 31)),
        ("12/31/2025", date(2025, 12, 31)),
        ("03/03/2025", date(2025, 3, 3)),
        ("01/02/2025", None),
        ("2026-02-30", None),
        ("2026-01-31abc", None),
        ("01.02.25", None),
        ("yesterday", None),
    ],
)
def test_a_day_is_read_only_if_it_can_be_no_other(text: str, day: date | None) -> None:
    assert read_date(text) == day


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *((word, True) for word in ("Yes", "JA", "1", "x", "✓", "sí", "1.0")),
        *((word, False) for word in ("no", "Nein", "0", "FALSE", "✗")),
        *((word, None) for word in ("maybe", "pending", "yes please", "", "10")),
    ],
)
def test_yes_and_no_are_closed_lists(text: str, answer: bool | None) -> None:
    assert read_yes_or_no(text) is answer


def test_a_declared_field_takes_only_its_type() -> None:
    size = DeclaredField("size", FieldType.NUMBER, "Size")
    assert read_value("1,200", size) == 1200
    assert read_value("ja", DeclaredField("vip", FieldType.FLAG, "VIP")) is True
    assert read_value("31.01.2026", DeclaredField("since", FieldType.DATE, "Since")) == "2026-01-31"
    with pytest.raises(BadInput, match='size is a number, and "many" is not'):
        read_value("many", size)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("  Ana \t Ruiz ", "Ana Ruiz"),
        ("Ana\r\nBcc: evil@reader.example", "Ana Bcc: evil@reader.example"),
        ("A\x00na", "Ana"),
        ("B\x07ell", "Bell"),
        ("\ufeffAna\u200b", "Ana"),
        ("Ana\u202eziuR", "AnaziuR"),
        ("Jose\u0301", "José"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("-", ""),
        ("n/a", ""),
        ("Na", "Na"),
        ("Null", "Null"),
    ],
)
def test_a_cell_is_one_clean_line(cell: str, text: str) -> None:
    assert read_text(cell) == text


@given(st.text(max_size=60))
def test_cleaning_leaves_nothing_that_breaks_a_line_and_is_done_once(text: str) -> None:
    cleaned = clean(text)
    assert not set(cleaned) & set("\r\n\x00\x0b\x0c\x85\u2028\u2029")
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    "cell", ["=1+1", "+49 30 1", "-5", "@SUM(1)", "\t=1", "\r=1", "＝1+1", "'=1", "''@x", "=cmd|' /C calc'!A0"]
)
def test_a_formula_is_written_with_an_apostrophe(cell: str) -> None:
    assert guard(cell) == f"'{cell}"


@given(st.text(alphabet="'=+-@\t\rab1＝", max_size=8))
def test_guarding_is_undone_exactly_and_leaves_no_formula(text: str) -> None:
    assert unguard(guard(text)) == text
    assert guard(text)[:1] not in {"=", "+", "-", "@", "\t", "\r", "＝"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((text, "DE") for text in ("DE", "de", "DEU", "Germany", "Deutschland")),
        ("UK", "GB"), ("U.S.A.", "US"), ("Österreich", "AT"), ("España", "ES"), ("日本", "JP"), ("Ελλάδα", "GR"),
        ("Côte d’Ivoire", "CI"), ("NA", "NA"),
        *((text, None) for text in ("Congo", "Korea", "Europe", "Neverland", "")),
    ],
)  # fmt: skip
def test_a_country_is_known_by_code_and_name_and_never_guessed(text: str, code: str | None) -> None:
    assert find_country(text) == code


def test_every_country_of_the_time_zone_tables_is_known_by_code_and_name() -> None:
    table = (files("tzdata") / "zoneinfo" / "iso3166.tab").read_text(encoding="utf-8")
    entries = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    assert len(entries) == len(CODES)
    assert [(code, name) for code, name in entries if not find_country(code) == find_country(name) == code] == []


@pytest.mark.parametrize(
    ("text", "code"),
    [("de", "de"), ("DE-at", "de-AT"), ("en_US.UTF-8", "en-US"), ("German", "de"), ("español", "es"), ("xx", None)],
)
def test_a_language_is_known_by_code_and_name(text: str, code: str | None) -> None:
    assert find_language(text) == code


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("trade show booth", "trade show"),
        ("newsletter sign-up", "newsletter"),
        ("Sponsored Event", "event"),
        ("WEBSITE_FORM", "website form"),
        ("Messe", "trade show"),
        ("bought list", "purchased"),
        ("crm", "crm"),
        ("heard of you", None),
    ],
)
def test_lead_sources_are_a_closed_list_with_synonyms(text: str, source: str | None) -> None:
    assert find_source(text) == source


def test_an_unknown_lead_source_on_the_command_line_is_an_error() -> None:
    with pytest.raises(BadInput, match='Did you mean "referral"'):
        get_source("referal")


@pytest.mark.parametrize(
    ("name", "known", "split"),
    [
        ("Ana Ruiz", {}, {"first_name": "Ana", "last_name": "Ruiz"}),
        ("Ana María Ruiz", {}, {"first_name": "Ana María", "last_name": "Ruiz"}),
        ("Ana", {}, {"first_name": "Ana"}),
        ("Ruiz", {"first_name": "Ana"}, {"last_name": "Ruiz"}),
        ("Ana Ruiz", {"first_name": "Ana"}, {"last_name": "Ruiz"}),
        ("Ana Ruiz", {"first_name": "Ana", "last_name": "R."}, {}),
    ],
)
def test_a_full_name_is_split_at_its_last_blank(name: str, known: dict[str, str], split: dict[str, str]) -> None:
    assert split_name(name, known) == split


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("vip", ("vip",)),
        ("vip, pilot , vip", ("vip", "pilot")),
        ("vip; pilot", ("vip", "pilot")),
        ('"VIP","Webinar, May"', ("VIP", "Webinar, May")),
        (" , ", ()),
    ],
)
def test_tags_stand_between_commas(cell: str, tags: tuple[str, ...]) -> None:
    assert read_tags(cell) == tags


@given(
    st.lists(st.text(alphabet='ab ,;"=-', min_size=1, max_size=6).map(str.strip).filter(bool), unique=True, max_size=4)
)
def test_tags_that_are_written_are_read_back(tags: list[str]) -> None:
    assert list(read_tags(write_tags(tags))) == tags


def test_headers_are_folded_to_letters_and_digits() -> None:
    assert fold("E-Mail-Adresse") == fold("e_mail adresse") == "emailadresse"
    assert fold("Prénom") == "prenom"
    assert fold("Straße") == "strasse"
