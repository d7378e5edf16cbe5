"""An import in small transactions: it may be cut off, repeated, run twice at once, and others get their turn."""

import threading
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nurture.clock import SystemClock
from nurture.consent import fresh
from nurture.consent.echoes import SAID, is_no
from nurture.consent.imports import Pace, import_rows
from nurture.consent.rules import Basis, Pile
from nurture.consent.summaries import Listener, Told
from nurture.consent.suppressions.actions import opt_out, suppress_domain
from nurture.contacts.addresses import read_address
from nurture.database.engine import Database
from nurture.database.journal import Journal, Place
from nurture.tokens import AddressHasher
from tests.support.imports import Importer, everything, forget, what_is_known

MANY = "email,first_name,country,opted_in,tags\n" + "".join(
    f"person{n}@reader.example,Person {n},{'US' if n % 3 else 'DE'},{'yes' if n % 5 else 'no'},{'vip' if n % 7 else ''}\n"
    for n in range(300)
)


@pytest.fixture
def importer(database: Database, hasher: AddressHasher, tmp_path: Path, now: datetime) -> Importer:
    return Importer(database, hasher, tmp_path, now)


class CountedClock:
    """Real time as a test counts it; business time does not matter here."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        raise AssertionError("the pace of an import is real time")

    def elapsed(self) -> float:
        return self.seconds


def test_an_import_that_was_cut_off_is_completed_by_running_it_again(importer: Importer, now: datetime) -> None:
    importer.take(MANY, list_name="all")
    whole = what_is_known(importer.database)
    forget(importer.database)

    rows, terms = importer.rows(MANY), importer.terms(list_name="all")
    cut_off = import_rows(importer.database, rows, terms, SystemClock(), now)
    (first,) = islice(cut_off, 1)
    done = first.created
    del cut_off
    assert 0 < done < 300
    assert len(what_is_known(importer.database)["people"]) == done

    summary = importer.take(MANY, list_name="all")
    assert (summary.created, summary.unchanged) == (300 - done, done)
    assert what_is_known(importer.database) == whole


def test_a_chunk_that_fails_leaves_nothing_of_itself(importer: Importer, now: datetime) -> None:
    def failing() -> object:
        yield from islice(importer.rows(MANY), 60)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(import_rows(importer.database, failing(), importer.terms(), SystemClock(), now))  # type: ignore[arg-type]  # an iterator that raises
    known = what_is_known(importer.database)
    assert len(known["people"]) == len(known["consents"]) == 40


def test_somebody_who_opts_out_while_the_file_comes_in_stays_out(importer: Importer, now: datetime) -> None:
    rows, terms = importer.rows(MANY), importer.terms(basis=Basis.OPT_IN)
    chunks = import_rows(importer.database, rows, terms, SystemClock(), now)
    next(chunks)
    address_hash = importer.hasher.hash(read_address("person299@reader.example").key)
    with importer.database.writing(durable=True) as session:
        opt_out(session, address_hash, how="a test", now=now)
    *_, summary = chunks
    assert summary.opted_out == 1
    assert not [row for row in what_is_known(importer.database)["people"] if row[0] == "person299@reader.example"]


def test_two_imports_of_one_file_at_once_make_everybody_once(importer: Importer, now: datetime) -> None:
    rows, terms = importer.rows(MANY), importer.terms(list_name="all")
    results: list[int] = []
    failures: list[BaseException] = []
    start = threading.Barrier(2)

    def take() -> None:
        try:
            start.wait()
            *_, summary = import_rows(importer.database, rows, terms, SystemClock(), now)
            results.append(summary.created)
        except BaseException as error:  # noqa: BLE001 — whatever it was, the test shows it
            failures.append(error)

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(results) == 300
    known = what_is_known(importer.database)
    assert {name: len(known[name]) for name in ("people", "consents", "ledger", "lists")} == {
        "people": 300,
        "consents": 300,
        "ledger": 300,
        "lists": 300,
    }


def test_chunks_shrink_by_half_and_grow_by_twice_until_they_fit() -> None:
    clock = CountedClock()
    pace = Pace(clock)
    sizes = []
    for seconds_per_row in [0.0001] * 5 + [0.001] * 4 + [0.0002] * 3:
        pace.begin()
        clock.seconds += pace.rows * seconds_per_row
        pace.end(pace.rows)
        sizes.append(pace.rows)
    assert sizes == [80, 160, 250, 250, 250, 125, 62, 40, 40, 80, 125, 125]


ADDRESSES = st.sampled_from(["ana@reader.example", "Ana@READER.example", "bea@reader.example", "bücher@büro.example"])
LINES = st.tuples(
    ADDRESSES,
    st.sampled_from(["", "Ana", "Bea"]),
    st.sampled_from(["", "US", "DE", "Atlantis"]),
    st.sampled_from(["", "yes", "no", "maybe"]),
    st.sampled_from(["", "", "", "unsubscribed", "cleaned", "subscribed", "inactive"]),
    st.sampled_from(["", "customer", "opt-in", "purchased"]),
    st.sampled_from(["", "2025-01-05", "2020-01-05"]),
    st.sampled_from(["", "vip", "vip; pilot"]),
)
FILES = st.lists(LINES, max_size=8)
ON_ONE_DATABASE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def as_text(lines: list[tuple[str, ...]]) -> str:
    return "\n".join(["email,first_name,country,opted_in,status,basis,consent_on,tags", *map(",".join, lines)])


@ON_ONE_DATABASE
@given(FILES, st.sampled_from([None, *Basis]))
def test_any_file_imported_twice_is_the_file_imported_once(
    importer: Importer, lines: list[tuple[str, ...]], basis: Basis | None
) -> None:
    forget(importer.database)
    first = importer.take(as_text(lines), basis=basis)
    before = everything(importer.database)
    second = importer.take(as_text(lines), basis=basis)
    assert everything(importer.database) == before
    assert (second.created, second.updated) == (0, 0)
    assert (second.read, second.merged, second.piles) == (first.read, first.merged, first.piles)
    assert second.opted_out == first.opted_out


@ON_ONE_DATABASE
@given(FILES, st.data())
@example([("ana@reader.example", "", "", answer, "", "", "", "") for answer in ("yes", "no")], None)
def test_a_yes_and_a_no_may_come_in_any_order_and_in_any_number_of_files(
    importer: Importer, lines: list[tuple[str, ...]], data: st.DataObject | None
) -> None:
    """Who said no comes out the same, however the rows are ordered and cut into files."""
    shuffled = data.draw(st.permutations(lines)) if data else list(reversed(lines))
    outcomes = []
    for files in ([lines], [shuffled], [[line] for line in shuffled]):
        forget(importer.database)
        for file in files:
            importer.take(as_text(file))
        outcomes.append(permissions(importer))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@ON_ONE_DATABASE
@given(FILES, FILES, st.sampled_from([None, *Basis]))
@example([], [("ana@reader.example", "Ana", "", answer, "", "", "", "") for answer in ("yes", "no")], None)
@example([], [(f"{who}@reader.example", "", "", "no", "", "", "", "") for who in ("ana", "bea")], None)
@example(
    [], [(one, "", "Atlantis", "yes", "", "", "", "vip") for one in ("ana@reader.example", "bücher@büro.example")], None
)
def test_who_is_taken_in_with_many_comes_in_as_if_alone(
    importer: Importer, before: list[tuple[str, ...]], lines: list[tuple[str, ...]], basis: Basis | None
) -> None:
    """Who is new is counted and written with everybody of their batch, unless somebody of it is known or leaves."""
    importer.database.journal = Journal(importer.folder / "journal")
    outcomes = []
    for size in (1, 40):
        forget(importer.database)
        place = max((place for _, place in importer.database.journal.entries(Place())), default=Place())
        with importer.database.writing() as session:
            suppress_domain(session, read_address("a@büro.example").domain, how="a test", now=importer.now)
        importer.take(as_text(before), basis=basis)
        told: list[Told] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fresh, "BATCH", size)
            *_, summary = import_rows(
                importer.database, importer.rows(as_text(lines)), importer.terms(basis=basis, list_name="all"),
                SystemClock(), importer.now, listener=Listener(told=told.append),
            )  # fmt: skip
        counts = {name: value for name, value in asdict(summary).items() if name not in {"refused", "notes"}}
        known = what_is_known(importer.database)
        outcomes.append((counts, summary.notes.keys(), sorted(told, key=repr), known))
        kept = [entry for entry, _ in importer.database.journal.entries(place) if entry["what"] == SAID]
        assert sorted((one["hash"], one["said"]) for one in kept if is_no(one["said"])) == sorted(
            (row[0], row[2]) for row in known["ledger"] if is_no(row[2])
        )
        assert summary.read == len(lines)
        # Whoever is looked up comes into the pile that those were counted in who were new.
        assert importer.take(as_text(lines), basis=basis).piles == summary.piles
    assert outcomes[0] == outcomes[1]


def permissions(importer: Importer) -> dict[str, str]:
    """Who said no in whatever way, and who did not."""
    known = what_is_known(importer.database)
    suppressed = {row[0] for row in known["suppressions"]}
    refused = {row[0] for row in known["consents"] if row[2] == "refused"}
    return {
        row[0]: "no" if row[0] in refused or importer.hasher.hash(row[0]) in suppressed else "not no"
        for row in known["people"]
    }


@ON_ONE_DATABASE
@given(FILES, st.sampled_from(list(Basis)))
def test_nobody_who_said_no_lies_on_the_pile_of_those_who_may_get_it(
    importer: Importer, lines: list[tuple[str, ...]], basis: Basis
) -> None:
    forget(importer.database)
    summary = importer.take(as_text(lines), basis=basis)
    no = {read_address(line[0]).key for line in lines if line[3] == "no" or line[4] in {"unsubscribed", "cleaned"}}
    everybody = {read_address(line[0]).key for line in lines}
    assert summary.piles[Pile.NEVER] >= len(no)
    assert sum(summary.piles.values()) == len(everybody)
    assert {who for who, may in permissions(importer).items() if may == "no"} == no
