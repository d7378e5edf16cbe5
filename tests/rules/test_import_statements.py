"""What a row says about permission: closed lists, and a no beats everything."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nurture.consent.rules import Basis
from nurture.consent.statements import Statement, get_basis, read_statement
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts.addresses import read_address
from nurture.contacts.headers import PERMISSION
from nurture.contacts.imports import ImportRow
from nurture.errors import BadInput

TODAY = date(2026, 3, 10)
ADDRESS = read_address("ana@reader.example")


def said(*rows: dict[str, str], is_shifted: bool = False) -> Statement:
    permission = tuple(tuple(row.items()) for row in rows)
    return read_statement(ImportRow(2, ADDRESS, permission=permission, is_shifted=is_shifted), TODAY)


def bases(statement: Statement) -> list[Basis]:
    return [basis for basis, _ in statement.bases]


@pytest.mark.parametrize("word", ["yes", "Ja", "1", "TRUE", "x", "opt-in", "subscribed"])
def test_a_yes_is_an_opt_in(word: str) -> None:
    assert bases(said({"opted_in": word})) == [Basis.OPT_IN]


@pytest.mark.parametrize("word", ["no", "Nein", "0", "FALSE"])
def test_a_no_is_a_no(word: str) -> None:
    statement = said({"opted_in": word, "basis": "customer"})
    assert statement.is_no
    assert not statement.bases
    assert not statement.is_silent


@pytest.mark.parametrize("word", ["", "n/a", "unknown", "none"])
def test_an_empty_cell_says_nothing(word: str) -> None:
    assert said({"opted_in": word} if word and word != "n/a" else {}) == Statement()


@pytest.mark.parametrize("word", ["maybe", "pending", "yes, I think", "2"])
def test_a_word_nobody_knows_is_no_yes_and_lets_no_flag_decide(word: str) -> None:
    statement = said({"opted_in": word})
    assert not statement.bases
    assert not statement.is_no
    assert not statement.is_silent


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("unsubscribed", SuppressionReason.OPT_OUT),
        ("Opted Out", SuppressionReason.OPT_OUT),
        ("abgemeldet", SuppressionReason.OPT_OUT),
        ("complained", SuppressionReason.COMPLAINT),
        ("Spam complaint", SuppressionReason.COMPLAINT),
        ("cleaned", SuppressionReason.HARD_BOUNCE),
        ("Hard-Bounced", SuppressionReason.HARD_BOUNCE),
        ("blocklisted", SuppressionReason.MANUAL),
    ],
)
def test_a_status_that_ends_it_is_a_suppression(status: str, reason: SuppressionReason) -> None:
    statement = said({"status": status, "opted_in": "yes", "basis": "customer"})
    assert statement.suppressions == {reason}
    assert not statement.bases
    assert not statement.is_silent


@pytest.mark.parametrize("status", ["inactive", "Pending", "non-subscribed", "unconfirmed", "soft bounced", "VIP gold"])
def test_inactive_is_not_active(status: str) -> None:
    statement = said({"status": status})
    assert not statement.bases
    assert not statement.suppressions
    assert not statement.is_silent


def test_subscribed_is_a_yes_and_active_only_no_no() -> None:
    assert bases(said({"status": "subscribed"})) == [Basis.OPT_IN]
    assert said({"status": "Active"}) == Statement()


@pytest.mark.parametrize("cell", ["yes", "true", "2025-11-03", "2025-11-03 08:00", "unsubscribed"])
def test_a_column_of_opt_outs_takes_a_yes_or_the_day_it_happened(cell: str) -> None:
    assert said({"opted_out": cell}).suppressions == {SuppressionReason.OPT_OUT}


def test_a_column_of_opt_outs_that_nobody_understands_is_no_yes() -> None:
    assert not said({"opted_out": "Newsletter B", "opted_in": "yes"}).bases


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("opted_out", "Do Not Allow", SuppressionReason.OPT_OUT),
        ("bounced", "yes", SuppressionReason.HARD_BOUNCE),
        ("bounced", "2025-11-03", SuppressionReason.HARD_BOUNCE),
        ("bounced", "3", SuppressionReason.HARD_BOUNCE),
        ("bounced", "hard", SuppressionReason.HARD_BOUNCE),
        ("complained", "yes", SuppressionReason.COMPLAINT),
        ("blocked", "yes", SuppressionReason.MANUAL),
    ],
)
def test_a_column_of_those_who_can_no_longer_be_written_to_ends_it_for_its_own_reason(
    column: str, cell: str, reason: SuppressionReason
) -> None:
    assert said({column: cell, "opted_in": "yes"}).suppressions == {reason}
    assert said({column: "no"}) == Statement()


def test_a_word_nobody_knows_in_such_a_column_lets_no_flag_decide() -> None:
    for column, cell in (
        ("bounced", "soft"),
        ("bounced", "mailbox full"),
        ("blocked", "perhaps"),
        ("allowed", "weekly"),
    ):
        statement = said({column: cell})
        assert not statement.is_silent, column
        assert not statement.bases, column


def test_being_allowed_to_mail_is_no_consent_and_not_being_allowed_is_a_no() -> None:
    assert said({"allowed": "yes"}) == said({"allowed": "subscribed"}) == said({"allowed": "Allow"}) == Statement()
    assert said({"allowed": "no", "basis": "customer"}).is_no


@pytest.mark.parametrize("cell", ["no", "false", "subscribed", "active"])
def test_not_having_left_is_no_consent(cell: str) -> None:
    assert said({"opted_out": cell}) == Statement()


@pytest.mark.parametrize(
    ("cell", "basis"),
    [
        ("double opt-in", Basis.DOUBLE_OPT_IN),
        ("Bestandskunde", Basis.CUSTOMER),
        ("Legitimate interest", Basis.LEGITIMATE_INTEREST),
        ("business card", Basis.MET),
        ("published", Basis.PUBLISHED),
        ("enquiry", Basis.INQUIRY),
    ],
)
def test_a_basis_has_many_names(cell: str, basis: Basis) -> None:
    assert bases(said({"basis": cell})) == [basis]
    assert bases(said({"basis": cell, "opted_in": "yes"})) == [basis]


def test_a_bought_address_has_no_basis() -> None:
    assert said({"basis": "purchased"}) == Statement(is_silent=False)
    with pytest.raises(BadInput, match="Import with --source purchased"):
        get_basis("purchased")
    with pytest.raises(BadInput, match='Did you mean "customer"'):
        get_basis("custommer")


def test_the_day_of_a_consent_is_the_last_one_given_and_never_to_come() -> None:
    statement = said({"opted_in": "yes", "consent_on": "2025-01-31"})
    assert statement.bases == ((Basis.OPT_IN, date(2025, 1, 31)),)
    for unusable in ("2027-01-01", "01/02/2025", "last week"):
        statement = said({"opted_in": "yes", "consent_on": unusable})
        assert statement.bases == ((Basis.OPT_IN, None),)
        assert [note.column for note in statement.notes] == ["consent_on"]


def test_a_day_without_a_basis_is_kept_for_the_basis_of_the_flag() -> None:
    assert said({"consent_on": "2025-01-31"}) == Statement(given_on=date(2025, 1, 31))


def test_a_shifted_row_proves_nothing_and_still_may_say_no() -> None:
    assert not said({"opted_in": "yes"}, is_shifted=True).bases
    assert not said({}, is_shifted=True).is_silent
    assert said({"opted_in": "no"}, is_shifted=True).is_no


CELLS = st.fixed_dictionaries(
    {},
    optional={
        "opted_in": st.sampled_from(["yes", "no", "", "maybe"]),
        "opted_out": st.sampled_from(["yes", "no", ""]),
        "status": st.sampled_from(["subscribed", "unsubscribed", "cleaned", "inactive", ""]),
        "basis": st.sampled_from(["customer", "opt-in", "purchased", ""]),
    },
)


@given(st.lists(CELLS, min_size=1, max_size=4))
@example([{"basis": "customer"}, {"opted_in": "no"}])
@example([{"basis": "customer"}, {"status": "cleaned"}])
def test_a_no_in_any_row_wins_and_the_order_of_rows_does_not_matter(rows: list[dict[str, str]]) -> None:
    statement, backwards = said(*rows), said(*reversed(rows))
    has_no = any(row.get("opted_in") == "no" for row in rows)
    has_left = any(row.get("opted_out") == "yes" or row.get("status") in {"unsubscribed", "cleaned"} for row in rows)
    assert statement.is_no is has_no
    assert bool(statement.suppressions) is has_left
    assert not (statement.bases and (has_no or has_left))
    assert set(statement.bases) == set(backwards.bases)
    assert (statement.is_no, statement.is_silent, statement.suppressions) == (
        backwards.is_no,
        backwards.is_silent,
        backwards.suppressions,
    )


@pytest.mark.parametrize("column", ["opted_out_because", "bounced_because"])
@pytest.mark.parametrize(
    ("reason", "is_out"),
    [("Too many mails", True), ("550 no such user", True), ("x", True), ("0", False), ("none", False), ("no", False)],
)
def test_whoever_has_a_reason_to_be_gone_is_gone(column: str, reason: str, *, is_out: bool) -> None:
    assert bool(said({column: reason}).suppressions) is is_out


@pytest.mark.parametrize("reason", ["Soft bounce", "temporary failure", "transient"])
def test_an_address_that_bounced_for_now_is_neither_dead_nor_a_yes(reason: str) -> None:
    statement = said({"bounced_because": reason, "opted_in": "yes"})
    assert not statement.suppressions
    assert not statement.bases


@pytest.mark.parametrize(("cell", "is_no"), [("true", True), ("2024-05-05", True), ("false", False), ("", False)])
def test_one_kind_of_mail_that_somebody_declined_is_a_no_and_no_way_out_of_everything(
    cell: str, *, is_no: bool
) -> None:
    statement = said({"declined": cell} if cell else {}, {"opted_in": "yes"})
    assert statement.is_no is is_no
    assert bool(statement.bases) is not is_no
    assert not statement.suppressions


def test_of_several_legal_bases_the_first_known_one_counts() -> None:
    assert bases(said({"basis": "Legitimate interest – existing customer"})) == [Basis.LEGITIMATE_INTEREST]
    assert bases(said({"basis": "Not applicable;Performance of a contract"})) == [Basis.CUSTOMER]


def test_the_ip_of_a_consent_is_kept_if_it_is_one() -> None:
    assert said({"opted_in": "yes", "consent_ip": "2001:db8::1"}).ip == "2001:db8::1"
    assert said({"opted_in": "yes", "consent_ip": "ana@reader.example"}).ip == ""


@pytest.mark.parametrize(
    "word", ["subscribed", "confirmed", "opted in", "opt-in", "active", "enabled", "allowed", "yes"]
)
@given(
    column=st.sampled_from(PERMISSION),
    before=st.sampled_from(["in", "un", "non-", "not ", "no longer ", "never ", "dis", "de", "pre", "auto-", "?"]),
)
def test_a_yes_with_anything_before_it_is_none(word: str, column: str, before: str) -> None:
    """listmonk#2008, and keila's /active/i: "inactive" is not "active"."""
    for spelled in (f"{before}{word}", f"{before}{word}".upper(), f"{before.upper()}{word}"):
        assert not said({column: spelled}).bases


@pytest.mark.parametrize("day", ["0000-00-00", "0000-00-00 00:00:00", "00.00.0000"])
@pytest.mark.parametrize("column", ["opted_out", "bounced", "complained", "blocked"])
def test_a_day_that_is_none_is_nobodys_way_out(column: str, day: str) -> None:
    """MySQL writes it where there is no day."""
    assert not said({column: day}).suppressions
    assert bases(said({column: day, "opted_in": "yes"})) == [Basis.OPT_IN]
    assert said({"opted_in": day}).is_silent is False, "never confirmed is no silence"
