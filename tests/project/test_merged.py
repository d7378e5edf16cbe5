"""Whatever names a contact is in the one list of what a merge moves: nothing about anybody is left behind or lost."""

from nurture.merging.store import MERGED, columns_naming_a_contact
from tests.support.schema import METADATA


def test_every_table_that_names_a_contact_says_what_a_merge_does_with_it() -> None:
    naming = {table.name for table in METADATA.sorted_tables if columns_naming_a_contact(table)}
    assert naming == MERGED.keys(), "add it to nurture/merging/store.py: is it moved, united, dropped or decided about?"
