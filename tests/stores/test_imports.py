"""Importing a file: who comes in, who changes, and that a second time nothing happens."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from nurture.consent import store as consents
from nurture.consent.actions import choose_topic
from nurture.consent.definition import table_of
from nurture.consent.ledger.store import list_events
from nurture.consent.rules import Basis, Pile, Purpose, may_send
from nurture.consent.summaries import Summary
from nurture.consent.suppressions.actions import lift, opt_out, suppress, undo_opt_out
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts import store as contacts
from nurture.contacts.actions import change_address, change_contact, mirror_operators
from nurture.contacts.addresses import read_address
from nurture.contacts.history.rules import Author
from nurture.contacts.intake import operators_by_word
from nurture.contacts.store import Contact
from nurture.database.engine import Database
from nurture.tokens import AddressHasher
from tests.support.imports import Importer, everything, what_is_known
from tests.support.people import add_contact

PEOPLE = """\
email,first_name,last_name,company,country,Company size,opted_in,tags
Ana@Reader.example,Ana,Ruiz,Acme,US,120,yes,"vip, pilot"
bea@reader.example,Bea,,,DE,,,
nobody,Cal,,,,,,
ana@reader.example,Anna,,Other,,,,late
dan@reader.example,Dan,Dee,,US,many,no,
"""


@pytest.fixture
def importer(database: Database, hasher: AddressHasher, tmp_path: Path, now: datetime) -> Importer:
    return Importer(database, hasher, tmp_path, now)


def contact_of(importer: Importer, email: str) -> Contact | None:
    with importer.database.reading() as session:
        return contacts.find_contact(session, read_address(email).key)


def known(importer: Importer, email: str) -> Contact:
    contact = contact_of(importer, email)
    assert contact is not None
    return contact


def consent_of(importer: Importer, email: str, topic: str = "insights") -> tuple[str, str | None, date | None] | None:
    contact = known(importer, email)
    with importer.database.reading() as session:
        found = consents.consents_of(session, [contact.id]).get((contact.id, topic))
    return (found.state, found.basis, found.given_on) if found else None


def is_mailable(importer: Importer, email: str) -> bool:
    contact = known(importer, email)
    with importer.database.reading() as session:
        standing = consents.standings(session, [contact.id], "insights")[contact.id]
    return may_send(Purpose.CAMPAIGN, standing, importer.now).is_allowed


def counts(summary: Summary) -> tuple[int, int, int, int, int]:
    refused = len(summary.refused)
    assert summary.read == summary.created + summary.updated + summary.unchanged + summary.merged + refused
    assert sum(summary.piles.values()) == summary.created + summary.updated + summary.unchanged
    return summary.created, summary.updated, summary.unchanged, summary.merged, refused


def test_a_file_comes_in_with_every_row_accounted_for(importer: Importer) -> None:
    summary = importer.take(PEOPLE)
    assert counts(summary) == (3, 0, 0, 1, 1)
    assert [(row.line, row.reason) for row in summary.refused] == [(4, "the address has no @")]
    assert summary.piles == {Pile.ANNOUNCE: 1, Pile.ASK: 0, Pile.NEVER: 2}
    ana = known(importer, "ana@reader.example")
    assert (ana.email, ana.first_name, ana.company, ana.country) == ("Ana@reader.example", "Ana", "Acme", "US")
    assert ana.fields == {"company_size": 120}
    with importer.database.reading() as session:
        assert contacts.tags_of(session, [ana.id])[ana.id] == {"vip", "pilot", "late"}
    noticed = summary.notes["Company size", "no number; left empty"]
    assert (noticed.count, noticed.first_line, noticed.examples) == (1, 6, ("many",))


def test_importing_a_file_again_changes_nothing_at_all(importer: Importer) -> None:
    importer.take(PEOPLE, list_name="spring", basis=Basis.CUSTOMER, given_on=date(2026, 1, 5), source="crm")
    before = everything(importer.database)
    again = importer.take(PEOPLE, list_name="spring", basis=Basis.CUSTOMER, given_on=date(2026, 1, 5), source="crm")
    assert counts(again) == (0, 0, 3, 1, 1)
    assert everything(importer.database) == before


def test_a_rehearsal_reports_the_same_and_writes_nothing(importer: Importer) -> None:
    importer.take("email\nbea@reader.example\n")
    before = everything(importer.database)
    rehearsed = importer.take(PEOPLE, list_name="spring", basis=Basis.OPT_IN, is_rehearsal=True)
    assert everything(importer.database) == before
    assert rehearsed.piles[Pile.ANNOUNCE] == 2
    assert importer.take(PEOPLE, list_name="spring", basis=Basis.OPT_IN) == rehearsed


def test_two_spellings_are_one_contact(importer: Importer) -> None:
    """STANDARDS 2 and 11: case, and an IDN domain as U-label and A-label."""
    importer.take("email\nJohn@EX.example\ninfo@bücher.example\n")
    summary = importer.take("email\njohn@ex.example\nINFO@xn--bcher-kva.example\n")
    assert counts(summary) == (0, 0, 2, 0, 0)
    assert known(importer, "john@ex.example").email == "John@ex.example"
    assert known(importer, "info@bücher.example").email == "info@xn--bcher-kva.example"


def test_limits_and_odd_addresses_are_refused_with_their_line(importer: Importer) -> None:
    """STANDARDS 1, 3 and 4."""
    summary = importer.take(
        "email\n"
        f"{'a' * 64}@reader.example\n{'a' * 65}@reader.example\n"
        '"""quoted one""@reader.example"\nana@[192.0.2.1]\n'
        '"a@b.example\r\nRCPT TO:<x@y.example>"\n-a@b.example\n'
    )
    assert counts(summary) == (1, 0, 0, 0, 5)
    assert [row.line for row in summary.refused] == [3, 4, 5, 6, 8]
    assert all(row.reason for row in summary.refused)


def test_no_cell_can_carry_a_header_a_formula_or_markup_further_than_its_text(importer: Importer) -> None:
    """STANDARDS 7: what is stored has no line break, so that no merge field can begin a header."""
    importer.take(
        "email,first_name,company,industry\n"
        'ana@reader.example,"A\r\nBcc: evil@x.example","=HYPERLINK(""http://evil.example"")",<script>alert(1)</script>\n'
    )
    ana = known(importer, "ana@reader.example")
    assert ana.first_name == "A Bcc: evil@x.example"
    assert ana.company == '=HYPERLINK("http://evil.example")'
    assert ana.fields == {"industry": "<script>alert(1)</script>"}


def test_a_cell_with_something_in_it_replaces_and_an_empty_one_does_not(importer: Importer) -> None:
    importer.take("email,first_name,company,country\nana@reader.example,Ana,Acme,US\n")
    summary = importer.take("email,first_name,company,Company size\nana@reader.example,,Acme GmbH,5\n")
    assert counts(summary) == (0, 1, 0, 0, 0)
    ana = known(importer, "ana@reader.example")
    assert (ana.first_name, ana.company, ana.country, ana.fields) == ("Ana", "Acme GmbH", "US", {"company_size": 5})


def test_a_text_on_several_lines_is_the_same_when_it_comes_back_on_one(importer: Importer) -> None:
    importer.take("email\nana@reader.example\n")
    with importer.database.writing() as session:
        ana = contacts.find_contact(session, "ana@reader.example")
        assert ana is not None
        change_contact(session, ana, {"industry": "steel\nand glass"}, importer.now)
    assert importer.take("email,industry\nana@reader.example,steel and glass\n").unchanged == 1
    assert known(importer, "ana@reader.example").fields == {"industry": "steel\nand glass"}


def test_a_lead_source_of_the_flag_only_fills_a_gap_and_a_column_replaces(importer: Importer) -> None:
    importer.take("email,source\nana@reader.example,webinar\nbea@reader.example,\n")
    importer.take("email\nana@reader.example\nbea@reader.example\n", source="trade show")
    assert known(importer, "ana@reader.example").source == "event"
    assert known(importer, "bea@reader.example").source == "trade show"
    importer.take("email,source\nana@reader.example,referral\n", source="crm")
    assert known(importer, "ana@reader.example").source == "referral"


def test_an_owner_is_found_by_address_or_name_and_else_kept_as_text(importer: Importer) -> None:
    with importer.database.writing() as session:
        mirror_operators(session, [{"email": "Mei@acme.example", "name": "Mei Tan"}])
        importer.operators = dict(operators_by_word(contacts.list_operators(session)))
        (mei,) = contacts.list_operators(session)
    summary = importer.take(
        "email,owner\na@reader.example,mei@ACME.example\nb@reader.example,mei tan\nc@reader.example,Bob\n"
    )
    assert [known(importer, f"{name}@reader.example").owner_id for name in "abc"] == [mei, mei, None]
    assert known(importer, "c@reader.example").owner_text == "Bob"
    (noticed,) = summary.notes.values()
    assert (noticed.count, noticed.examples) == (1, ("Bob",))
    importer.take("email,owner\nc@reader.example,mei@acme.example\n")
    assert (known(importer, "c@reader.example").owner_id, known(importer, "c@reader.example").owner_text) == (mei, None)


def test_everybody_joins_the_list_once(importer: Importer) -> None:
    importer.take("email\nana@reader.example\n", list_name="spring")
    summary = importer.take("email\nana@reader.example\nbea@reader.example\n", list_name="spring")
    assert counts(summary) == (1, 0, 1, 0, 0)
    assert counts(importer.take("email\nana@reader.example\n", list_name="autumn")) == (0, 1, 0, 0, 0)
    with importer.database.reading() as session:
        assert contacts.list_names(session) == ["autumn", "spring"]
    assert what_is_known(importer.database)["lists"] == [
        ("ana@reader.example", "autumn"),
        ("ana@reader.example", "spring"),
        ("bea@reader.example", "spring"),
    ]


def test_what_conditions_read_is_marked_only_when_it_changed(importer: Importer) -> None:
    importer.take(PEOPLE)
    with importer.database.writing() as session:
        waiting = contacts.list_changed(session, "sequences", 100)
        assert len(waiting) == 3
        contacts.drop_changed(session, "sequences", waiting)
    importer.take(PEOPLE.replace("Bea,", "Beate,"))
    with importer.database.reading() as session:
        assert list(contacts.list_changed(session, "sequences", 100)) == [known(importer, "bea@reader.example").id]


def test_an_address_that_opted_out_stays_out_and_nothing_about_it_changes(importer: Importer) -> None:
    importer.take("email,first_name,opted_in\nana@reader.example,Ana,yes\n")
    ana = known(importer, "ana@reader.example")
    with importer.database.writing() as session:
        opt_out(session, ana.address_hash, how="a test", now=importer.now)
    before = everything(importer.database)
    summary = importer.take(
        "email,first_name,opted_in,status\nana@reader.example,Changed,yes,subscribed\n",
        basis=Basis.DOUBLE_OPT_IN,
        list_name="spring",
    )
    assert counts(summary) == (0, 0, 1, 0, 0)
    assert (summary.opted_out, summary.piles[Pile.NEVER]) == (1, 1)
    assert everything(importer.database) == before


def test_a_suppressed_stranger_becomes_no_contact(importer: Importer) -> None:
    with importer.database.writing() as session:
        stranger = importer.hasher.hash(read_address("gone@reader.example").key)
        opt_out(session, stranger, how="a test", now=importer.now)
    summary = importer.take("email,opted_in\nGone@reader.example,yes\n")
    assert counts(summary) == (0, 0, 1, 0, 0)
    assert summary.opted_out == 1
    assert contact_of(importer, "gone@reader.example") is None


def test_somebody_who_was_erased_is_refused_and_their_cells_are_not_kept(importer: Importer) -> None:
    with importer.database.writing() as session:
        stranger = importer.hasher.hash(read_address("gone@reader.example").key)
        suppress(session, stranger, SuppressionReason.ERASED, how="a test", now=importer.now)
    summary = importer.take("email\ngone@reader.example\nana@reader.example\ngone@reader.example\n")
    assert counts(summary) == (1, 0, 0, 1, 1)
    assert [(row.line, row.cells) for row in summary.refused] == [(2, ())]
    assert "erased" in summary.refused[0].reason


def test_a_no_comes_in_without_consent_and_beats_every_flag(importer: Importer) -> None:
    importer.take("email,country,opted_in\nana@reader.example,US,no\n", basis=Basis.OPT_IN)
    assert consent_of(importer, "ana@reader.example") == ("refused", None, None)
    assert not is_mailable(importer, "ana@reader.example")


def test_a_no_takes_back_what_was_given_and_a_yes_never_takes_back_a_no(importer: Importer) -> None:
    for answer in ("yes", "no", "yes"):
        importer.take(f"email,opted_in\nana@reader.example,{answer}\n", basis=Basis.DOUBLE_OPT_IN)
    assert consent_of(importer, "ana@reader.example") == ("refused", None, None)
    with importer.database.reading() as session:
        ledger = list_events(session, known(importer, "ana@reader.example").address_hash)
    assert [event.what for event in ledger] == ["given", "refused"]
    assert ledger[0].how == "import of people.csv, line 2"


def test_a_topic_that_was_left_stays_left(importer: Importer) -> None:
    importer.take("email,opted_in\nana@reader.example,yes\n")
    with importer.database.writing() as session:
        ana = contacts.find_contact(session, "ana@reader.example")
        assert ana is not None
        choose_topic(session, ana, "insights", wanted=False, how="a page", now=importer.now)
    importer.take("email,opted_in\nana@reader.example,yes\n", basis=Basis.DOUBLE_OPT_IN)
    assert consent_of(importer, "ana@reader.example") == ("withdrawn", "opt-in", None)


@pytest.mark.parametrize(
    ("status", "reason", "what"),
    [
        ("unsubscribed", "opt_out", "opted_out"),
        ("complained", "complaint", "suppressed"),
        ("cleaned", "hard_bounce", "suppressed"),
    ],
)
def test_a_status_that_ends_it_becomes_a_suppression_for_known_and_new(
    importer: Importer, status: str, reason: str, what: str
) -> None:
    importer.take("email,first_name,opted_in\nana@reader.example,Ana,yes\n")
    text = f"email,first_name,status\nana@reader.example,Changed,{status}\nbea@reader.example,Bea,{status}\n"
    summary = importer.take(text, basis=Basis.OPT_IN, list_name="spring")
    assert counts(summary) == (1, 1, 0, 0, 0)
    assert (summary.opted_out, summary.piles[Pile.NEVER]) == (2, 2)
    assert consent_of(importer, "ana@reader.example") == ("given", "opt-in", None)  # an undo restores what there was
    assert consent_of(importer, "bea@reader.example") == ("none", None, None)
    assert known(importer, "ana@reader.example").first_name == "Ana"
    stored = what_is_known(importer.database)
    assert {row[1] for row in stored["suppressions"]} == {reason}
    assert [row[2] for row in stored["ledger"]].count(what) == 2
    assert stored["lists"] == []
    before = everything(importer.database)
    again = importer.take(text, basis=Basis.OPT_IN, list_name="spring")
    assert counts(again) == (0, 0, 2, 0, 0)
    assert everything(importer.database) == before


def test_a_worse_no_is_added_to_a_no(importer: Importer) -> None:
    importer.take("email,status\nana@reader.example,unsubscribed\n")
    summary = importer.take("email,status\nana@reader.example,complained\n")
    assert counts(summary) == (0, 1, 0, 0, 0)
    assert [row[1] for row in what_is_known(importer.database)["suppressions"]] == ["complaint", "opt_out"]


def moved(importer: Importer, before: str, after: str) -> None:
    with importer.database.writing() as session:
        contact = add_contact(session, importer.hasher, before, importer.now)
        change_address(session, contact, read_address(after), importer.hasher, importer.now, Author("a test"))


def test_a_no_for_an_address_somebody_had_before_is_theirs(importer: Importer) -> None:
    for name in ("ana", "bea", "cal"):
        moved(importer, f"{name}@old.example", f"{name}@new.example")
        assert is_mailable(importer, f"{name}@new.example")
    summary = importer.take(
        "email,status,opted_in\nana@old.example,unsubscribed,\nbea@old.example,,no\ncal@old.example,bounced,\n"
    )
    assert counts(summary) == (0, 3, 0, 0, 0)
    assert not is_mailable(importer, "ana@new.example")
    assert not is_mailable(importer, "bea@new.example")
    assert is_mailable(importer, "cal@new.example"), "a bounce is about one address"
    assert contact_of(importer, "ana@old.example") is None
    assert not importer.take("email,status\nana@old.example,unsubscribed\n").updated


def test_a_no_in_a_file_holds_for_every_address_of_theirs(importer: Importer) -> None:
    moved(importer, "ana@old.example", "ana@new.example")
    importer.take("email,status\nana@new.example,unsubscribed\n")
    with importer.database.writing() as session:
        add_contact(session, importer.hasher, "ana@old.example", importer.now)
    assert not is_mailable(importer, "ana@old.example")


def test_no_old_list_outdoes_what_somebody_said_about_a_topic_since(importer: Importer) -> None:
    moved(importer, "ana@old.example", "ana@new.example")
    with importer.database.writing() as session:
        ana = contacts.find_contact(session, read_address("ana@new.example").key)
        assert ana is not None
        choose_topic(session, ana, "insights", wanted=False, how="a test", now=importer.now)
    before = what_is_known(importer.database)
    summary = importer.take("email,status\nana@old.example,subscribed\n", basis=Basis.OPT_IN)
    assert counts(summary) == (0, 0, 1, 0, 0)
    assert any("an earlier address" in what for _, what in summary.notes)
    assert contact_of(importer, "ana@old.example") is None
    assert what_is_known(importer.database) == before


def test_a_suppression_that_was_lifted_comes_back_only_with_a_no(importer: Importer) -> None:
    importer.take("email,status\nana@reader.example,unsubscribed\n")
    ana = known(importer, "ana@reader.example")
    with importer.database.writing() as session:
        undo_opt_out(session, ana.address_hash, how="a page", now=importer.now)
    assert importer.take("email,status\nana@reader.example,subscribed\n").opted_out == 0
    assert importer.take("email,status\nana@reader.example,unsubscribed\n").opted_out == 1


def test_a_no_to_the_topic_beside_a_suppression_outlasts_it(importer: Importer) -> None:
    importer.take("email,opted_in\nana@reader.example,yes\nbea@reader.example,yes\n")
    ana, bea = known(importer, "ana@reader.example"), known(importer, "bea@reader.example")
    with importer.database.writing() as session:
        suppress(session, ana.address_hash, SuppressionReason.HARD_BOUNCE, how="a test", now=importer.now)
    no = "email,opted_in,status\nana@reader.example,no,\nbea@reader.example,no,bounced\n"
    assert counts(importer.take(no)) == (0, 2, 0, 0, 0)
    assert counts(importer.take(no)) == (0, 0, 2, 0, 0)
    with importer.database.writing() as session:
        for one in (ana, bea):
            lift(session, one.address_hash, {SuppressionReason.HARD_BOUNCE}, how="a new mailbox", now=importer.now)
    assert not is_mailable(importer, "ana@reader.example")
    assert not is_mailable(importer, "bea@reader.example")


def test_the_flag_speaks_for_rows_that_state_no_basis_and_a_column_wins(importer: Importer) -> None:
    importer.take(
        "email,country,basis,consent_on,status\n"
        "ana@reader.example,US,,,\n"
        "bea@reader.example,US,opt-in,2025-05-05,\n"
        "cal@reader.example,US,,2024-12-24,\n"
        "dan@reader.example,US,purchased,,\n"
        "eve@reader.example,US,,,inactive\n",
        basis=Basis.CUSTOMER,
        given_on=date(2026, 1, 5),
    )
    assert [consent_of(importer, f"{name}@reader.example") for name in ("ana", "bea", "cal", "dan", "eve")] == [
        ("given", "customer", date(2026, 1, 5)),
        ("given", "opt-in", date(2025, 5, 5)),
        ("given", "customer", date(2024, 12, 24)),
        ("none", None, None),
        ("none", None, None),
    ]


def test_without_a_basis_people_come_in_and_get_no_mail(importer: Importer) -> None:
    summary = importer.take("email,country\nana@reader.example,US\n")
    assert consent_of(importer, "ana@reader.example") == ("none", None, None)
    assert summary.piles == {Pile.ANNOUNCE: 0, Pile.ASK: 0, Pile.NEVER: 1}
    assert what_is_known(importer.database)["ledger"] == []


@pytest.mark.parametrize(
    ("stored", "offered", "kept"),
    [
        (("opt-in", "2025-01-01"), ("customer", "2026-01-01"), ("opt-in", date(2025, 1, 1))),
        (("customer", "2025-01-01"), ("opt-in", ""), ("opt-in", None)),
        (("customer", "2025-01-01"), ("customer", "2026-01-01"), ("customer", date(2026, 1, 1))),
        (("customer", "2026-01-01"), ("customer", "2025-01-01"), ("customer", date(2026, 1, 1))),
        (("opt-in", ""), ("opt-in", "2025-01-01"), ("opt-in", date(2025, 1, 1))),
        (("opt-in", "2025-01-01"), ("opt-in", ""), ("opt-in", date(2025, 1, 1))),
        # Two years are over, and the law makes as little of a business card: the better proof stays.
        (("customer", "2020-01-01"), ("met", "2026-01-01"), ("customer", date(2020, 1, 1))),
        (("met", "2026-01-01"), ("customer", "2026-02-01"), ("customer", date(2026, 2, 1))),
    ],
)
def test_a_basis_gives_way_only_to_a_better_or_newer_one(
    importer: Importer, stored: tuple[str, str], offered: tuple[str, str], kept: tuple[str, date | None]
) -> None:
    for basis, given_on in (stored, offered):
        importer.take(f"email,country,basis,consent_on\nana@reader.example,US,{basis},{given_on}\n")
    assert consent_of(importer, "ana@reader.example") == ("given", *kept)


def test_a_basis_that_ended_gives_way_to_a_weaker_one_that_still_holds(importer: Importer) -> None:
    row = {"country": ["CA"], "law": "rule", "checked_on": date(2026, 1, 1)}
    importer.table = table_of(
        {
            "format": 1,
            "rows": [
                {**row, "basis": ["customer"], "then": "announce", "within": 24, "otherwise": "never"},
                {**row, "basis": ["inquiry"], "then": "announce", "within": 6, "otherwise": "never"},
            ],
        }
    )
    importer.take("email,country,basis,consent_on\nana@reader.example,CA,customer,2020-01-01\n")
    importer.take("email,basis,consent_on\nana@reader.example,inquiry,2026-01-05\n")
    assert consent_of(importer, "ana@reader.example") == ("given", "inquiry", date(2026, 1, 5))
    importer.take("email,basis,consent_on\nana@reader.example,customer,2026-01-01\n")
    assert consent_of(importer, "ana@reader.example") == ("given", "customer", date(2026, 1, 1))


def test_another_country_is_judged_by_its_own_law_for_every_topic(importer: Importer) -> None:
    with importer.database.writing() as session:
        add_contact(session, importer.hasher, "ana@reader.example", importer.now, topic="other", basis=Basis.CUSTOMER)
    importer.take("email,basis,consent_on\nana@reader.example,customer,2026-01-05\n")
    assert is_mailable(importer, "ana@reader.example")
    importer.take("email,country\nana@reader.example,Germany\n")
    assert not is_mailable(importer, "ana@reader.example")
    piles = {row[1]: row[5] for row in what_is_known(importer.database)["consents"]}
    assert piles == {"insights": "never", "other": "never"}


def test_the_piles_are_those_of_the_consent_table_at_this_instant(importer: Importer) -> None:
    text = "email,country,basis,consent_on\nana@reader.example,US,customer,2024-04-01\n"
    assert importer.take(text).piles == {Pile.ANNOUNCE: 1, Pile.ASK: 0, Pile.NEVER: 0}
    importer.now += timedelta(days=60)
    assert importer.take(text).piles == {Pile.ANNOUNCE: 0, Pile.ASK: 1, Pile.NEVER: 0}


def test_a_file_of_headers_only_is_no_news(importer: Importer) -> None:
    assert counts(importer.take("email,company\n")) == (0, 0, 0, 0, 0)
