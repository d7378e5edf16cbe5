"""Whatever names a contact is in the one list of what a merge moves: nothing about anybody is left behind or lost."""

from nurture.merging.store import MERGED, Merging
from tests.support.schema import METADATA


def test_every_column_that_names_a_contact_says_what_a_merge_does_with_it() -> None:
    naming = {
        (table.name, column.name)
        for table in METADATA.sorted_tables
        for column in table.columns
        if any(key.column.table.name == "contact" for key in column.foreign_keys)
    }
    listed = {(one.table, name) for one in MERGED for name in one.columns}
    assert naming == listed, "add it to nurture/merging/store.py: is it moved, united, dropped or decided about?"


def test_rows_whose_key_names_the_contact_are_never_simply_moved() -> None:
    """The contact that stays may have the same row already."""
    for one in MERGED:
        table = METADATA.tables[one.table]
        key = set(table.primary_key.columns.keys())
        if "contact_id" in key and one.how is Merging.MOVE:
            assert "id" in key, one.table
        if one.how is Merging.UNITE:
            assert key == {"contact_id", *one.rest}, one.table
