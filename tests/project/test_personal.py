"""Whatever names a contact is in the one list of personal tables: nothing about anybody is forgotten when they are erased."""

import subprocess
import sys

from nurture.privacy.personal import KEPT, PERSONAL, Erasing
from tests.support.schema import METADATA

#: Columns that lead to a person.
_LEADS_TO_SOMEBODY = {"contact_id", "address_hash", "delivery_id", "enrollment_id", "hand_off_id", "newcomer_id"}


def test_every_table_that_names_a_contact_says_what_erasure_does_with_it() -> None:
    naming = {
        table.name
        for table in METADATA.sorted_tables
        if _LEADS_TO_SOMEBODY & set(table.columns.keys())
        or any(key.column.table.name == "contact" for key in table.foreign_keys)
    }
    named = {trace.table for trace in PERSONAL} | KEPT.keys()
    assert naming <= named, "add it to nurture/privacy/personal.py: is it deleted, or emptied?"


def test_the_list_speaks_of_tables_and_columns_that_there_are() -> None:
    for trace in PERSONAL:
        columns = METADATA.tables[trace.table].columns.keys()
        assert {trace.column, *trace.emptied} <= set(columns), trace.table
        assert bool(trace.emptied) is (trace.erasing is Erasing.EMPTY), trace.table
        assert not trace.via or trace.via in {other.table for other in PERSONAL}, trace.table


def test_whoever_erases_knows_every_table_of_the_list() -> None:
    """A process that imports no more than this: a table is known once its store is."""
    said = "from nurture.privacy.store import _TABLES; from nurture.privacy.personal import PERSONAL;"
    said += "print({one.table for one in PERSONAL} - _TABLES.keys())"
    told = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()", "import its store in nurture/privacy/store.py"


def test_what_points_at_a_row_goes_before_it() -> None:
    """Each row that is deleted is free of references by then, on a database that insists on it."""
    places = {trace.table: place for place, trace in enumerate(PERSONAL)}
    for trace in PERSONAL:
        for key in METADATA.tables[trace.table].foreign_keys:
            target = key.column.table.name
            is_cut = key.parent.name in trace.emptied
            if target in places and PERSONAL[places[target]].erasing is Erasing.DELETE and not is_cut:
                assert places[trace.table] < places[target], f"{trace.table} points at {target}"
