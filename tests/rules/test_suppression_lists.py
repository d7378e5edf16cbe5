"""What a line of somebody else's suppression list names, and which domains an entry is about."""

import hashlib

import pytest

from nurture.consent.suppressions.lists import HEADER, Entry, RefusedLine, because_of, checksums_of, read_lines
from nurture.consent.suppressions.rules import SuppressionReason, domains_above
from nurture.contacts.addresses import read_address
from nurture.errors import BadInput

KEY = "f59e06f0d4896aa8"
OURS = "75c508020a6f59dbc2cb620793fd80ef"


def read(text: str) -> list[Entry | RefusedLine]:
    return list(read_lines(text.splitlines(keepends=True), KEY))


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        ("Ana@Reader.example", Entry(1, address_key="ana@reader.example")),
        ("ana@reader.example;2024-01-31;bounced", Entry(1, address_key="ana@reader.example")),
        ('"ana@reader.example","x"', Entry(1, address_key="ana@reader.example")),
        ("reader.example", Entry(1, domain="reader.example")),
        ("@Reader.Example", Entry(1, domain="reader.example")),
        ("*.reader.example", Entry(1, domain="reader.example")),
        ("müller.example", Entry(1, domain="xn--mller-kva.example")),
        ("Straße.example", Entry(1, domain="xn--strae-oqa.example")),
        ("Ana Ruiz <ana@reader.example>", Entry(1, address_key="ana@reader.example")),
        (OURS, Entry(1, checksum=OURS)),
        ("A" * 64, Entry(1, checksum="a" * 64)),
    ],
)
def test_a_line_names_an_address_a_domain_or_a_sum(line: str, entry: Entry) -> None:
    assert read(line) == [entry]


@pytest.mark.parametrize(
    "line",
    ["ana at reader", "example", "ana@", "not;a;thing", "a" * 33, "j\ufffdrg@reader.example", ";ana@reader.example",
     "Dr.Meier;ana@reader.example"],
)  # fmt: skip
def test_a_line_that_names_nobody_is_refused_with_its_number(line: str) -> None:
    (found,) = read(f"\n{line}")
    assert isinstance(found, RefusedLine)
    assert found.line == 2


def test_blank_lines_comments_and_a_header_are_no_entries() -> None:
    assert read("\ufeffEmail,Date\n\n# kept by hand\nana@reader.example\n") == [
        Entry(4, address_key="ana@reader.example")
    ]


def test_a_list_of_ours_carries_hashes_with_their_reasons() -> None:
    text = (
        f"# {HEADER} {KEY}\naddress_hash,reason,since\n@reader.example,domain,2026-01-01\n{OURS},complaint,2026-01-01\n"
    )
    assert read(text) == [
        Entry(3, domain="reader.example"),
        Entry(4, address_hash=OURS, reason=SuppressionReason.COMPLAINT),
    ]


def test_a_list_of_ours_under_another_key_is_refused_whole() -> None:
    with pytest.raises(BadInput, match="another suppression key"):
        read(f"# {HEADER} 0123456789abcdef\n{OURS},complaint,2026-01-01\n")


def test_sums_are_those_that_other_systems_make() -> None:
    assert list(checksums_of("ana@reader.example")) == [
        hashlib.new(kind, b"ana@reader.example").hexdigest() for kind in ("md5", "sha1", "sha256")
    ]


def test_an_entry_is_about_its_domain_and_everything_below_it() -> None:
    assert domains_above("mail.reader.example") == ["mail.reader.example", "reader.example", "example"]


@pytest.mark.parametrize("text", ["", "  ", "asked by ana@reader.example"])
def test_a_reason_is_given_and_names_no_address(text: str) -> None:
    with pytest.raises(BadInput):
        because_of(text)


@pytest.mark.parametrize(
    "domain", ["straße.example", "FAẞ.example", "βόλος.example", "müller.example", "reader。example"]
)
def test_a_domain_is_the_one_that_addresses_there_have(domain: str) -> None:
    assert read(domain) == [Entry(1, domain=read_address(f"ana@{domain}").domain)]


def test_a_line_of_nothing_but_separators_is_blank() -> None:
    assert read(";;;\n,,\nana@reader.example\n") == [Entry(3, address_key="ana@reader.example")]
