"""Addresses: what is one, which spellings are the same one, and that nothing dangerous passes as one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nurture.contacts.addresses import Address, _look_closely, mask, read_address, read_plain_address
from nurture.contacts.imports import read_cell_address
from nurture.errors import BadInput

LOCAL_PARTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+]{0,20}[A-Za-z0-9]", fullmatch=True).filter(
    lambda s: ".." not in s
)
DOMAINS = st.sampled_from(["reader.example", "Mail.Reader.EXAMPLE", "bücher.example", "xn--bcher-kva.example"])


def test_a_local_part_of_64_octets_is_the_longest() -> None:
    """STANDARDS 1, RFC 5321 4.5.3.1.1."""
    assert read_address(f"{'a' * 64}@reader.example").email == f"{'a' * 64}@reader.example"
    with pytest.raises(BadInput):
        read_address(f"{'a' * 65}@reader.example")


def test_the_64_octets_are_counted_in_utf_8() -> None:
    """STANDARDS 1: 40 letters that take two bytes each are 80 octets."""
    with pytest.raises(BadInput):
        read_address(f"{'ü' * 40}@reader.example")


def test_a_domain_of_more_than_255_octets_is_refused() -> None:
    """STANDARDS 1, RFC 5321 4.5.3.1.2; labels have 63 octets at most."""
    label = "d" * 60
    assert read_address(f"a@{'.'.join([label] * 4)}.example").domain.endswith(".example")
    with pytest.raises(BadInput):
        read_address(f"a@{'.'.join([label] * 4)}.{'e' * 12}.example")
    with pytest.raises(BadInput):
        read_address(f"a@{'d' * 64}.example")


def test_the_case_of_the_local_part_is_kept_and_does_not_make_two_people() -> None:
    """STANDARDS 2, RFC 5321 2.4."""
    shouted, quiet = read_address("John@EX.Example"), read_address("john@ex.example")
    assert (shouted.email, quiet.email) == ("John@ex.example", "john@ex.example")
    assert shouted.key == quiet.key


@pytest.mark.parametrize(
    "text",
    [
        '"ana ruiz"@reader.example',
        "ana@[192.0.2.1]",
        "ana@[IPv6:2001:db8::1]",
        "ana(comment)@reader.example",
        "ana@reader",
        "ana@@reader.example",
        "ana@reader..example",
        ".ana@reader.example",
        "ana.@reader.example",
        "ana reader.example",
        "",
        "@",
    ],
)
def test_what_is_no_plain_address_is_refused_with_a_reason(text: str) -> None:
    """STANDARDS 3: quoted local parts, literals and comments are refused, never dropped silently."""
    with pytest.raises(BadInput) as refused:
        read_address(text)
    assert len(str(refused.value)) > 10


@pytest.mark.parametrize(
    "text",
    [
        "a@b.example\r\nRCPT TO:<x@y.example>",
        "a@b.example\nBcc: x@y.example",
        "a@b.example\r\n",
        "\r\na@b.example",
        "a@b.example\n",
        "a\x00b@b.example",
        "a@b.example\x00",
        "a\x1b@b.example",
        "<a@b.example>x",
        "a<b@b.example",
        "a>b@b.example",
        "-a@b.example",
        "--output=x@b.example",
        "a@b.example\r\nRCPT TO:<x@y.example>\r\n",
        "Ana\r\nBcc: <x@y.example>",
        "first@b.example <second@b.example>",
    ],
)
def test_nothing_that_could_forge_a_header_or_an_option_passes(text: str) -> None:
    """STANDARDS 4: neither as an address nor as a cell that holds one."""
    with pytest.raises(BadInput):
        read_address(text)
    with pytest.raises(BadInput):
        read_cell_address(text)


def test_an_international_domain_travels_as_its_a_label_and_both_spellings_are_one() -> None:
    """STANDARDS 11, RFC 5891."""
    unicode, ascii_ = read_address("info@bücher.example"), read_address("info@xn--bcher-kva.example")
    assert unicode == ascii_
    assert unicode.email == "info@xn--bcher-kva.example"
    assert unicode.is_ascii


def test_an_international_local_part_is_an_address_that_not_every_relay_takes() -> None:
    """RFC 6531."""
    composed, decomposed = read_address("ünï@reader.example"), read_address("u\u0308ni\u0308@reader.example")
    assert composed == decomposed
    assert not composed.is_ascii


@pytest.mark.parametrize(
    "cell",
    [
        "  ana@reader.example ",
        "\u00a0ana@reader.example\u200b",
        "\ufeffana@reader.example",
        "Ana Ruiz <ana@reader.example>",
        '"Ruiz, Ana" <ana@reader.example>',
        "<ana@reader.example>",
    ],
)
def test_a_cell_may_hold_what_copying_leaves_around_an_address(cell: str) -> None:
    assert read_cell_address(cell).email == "ana@reader.example"


@pytest.mark.parametrize("cell", ["a@b.example; c@d.example", "a@b.example, c@d.example", "a@b.example c@d.example"])
def test_two_addresses_in_one_cell_are_nobody(cell: str) -> None:
    with pytest.raises(BadInput, match="more than one address"):
        read_cell_address(cell)


def test_a_reason_says_what_is_missing() -> None:
    for text, reason in (
        ("", "the address is empty"),
        ("ana at reader.example", "the address has no @"),
        ("ana@", "after the @"),
        ("a@b.example\r\nBcc: x@y.example", "line break"),
    ):
        with pytest.raises(BadInput, match=reason):
            read_address(text)


@given(LOCAL_PARTS, DOMAINS)
def test_an_address_reads_back_as_itself(local: str, domain: str) -> None:
    address = read_address(f"{local}@{domain}")
    assert read_address(address.email) == address
    assert read_address(address.email.upper()).key == address.key


_PIECES = st.sampled_from(
    [
        "a", "B", "ana", "INFO", "sales", "-", "--", ".", "..", "xn--", "xn--bcher-kva", "@", "+", "_", "'", "9", "ü", "test",
        "example", "com", "arpa", "local", "c1", "C", " ", '"', "<", ">", "\n", "a" * 31, "b" * 32, "q" * 62, "w" * 64,
    ]
)  # fmt: skip


@given(
    st.lists(_PIECES, max_size=12).map("".join)
    | st.tuples(st.lists(_PIECES, min_size=1, max_size=4), st.lists(_PIECES, min_size=1, max_size=6)).map(
        lambda parts: f"{''.join(parts[0])}@{'.'.join(parts[1])}"
    )
    | st.emails()
)
@example("Postmaster@Reader.Example")
@example("ana@localhost.LOCAL")
@example("-ana@reader.example")
def test_what_is_an_address_at_first_sight_is_the_same_on_a_closer_look(text: str) -> None:
    try:
        closer: Address | None = _look_closely(text)
    except BadInput:
        closer = None
    assert read_plain_address(text) in {closer, None}


def test_most_addresses_need_no_closer_look() -> None:
    for text in (
        "ana.ruiz+news@reader.example",
        "Ana_Ruiz@Mail.Reader.example",
        "o'neill@company-9.co.uk",
        "9@4u.example",
    ):
        assert read_plain_address(text) is not None


@given(st.text(max_size=60) | st.text(alphabet="a@.<> \r\n\x00\"'-;,+ü\u200b", max_size=40))
def test_any_text_is_an_address_or_is_refused_and_what_passes_is_safe_on_the_wire(text: str) -> None:
    for read in (read_address, read_cell_address):
        try:
            address = read(text)
        except BadInput:
            continue
        assert not set(address.email) & set("\r\n\x00<> ;,")
        assert not address.email.startswith("-")
        assert address.email.count("@") == 1


def test_a_masked_address_tells_its_owner_and_nobody_else() -> None:
    assert mask("ana.ruiz@reader.example") == "a…@reader.example"
