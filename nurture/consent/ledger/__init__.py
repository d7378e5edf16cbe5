"""The ledger as it is asked: what was said since, and by whom who is not here. It is written in `consent.store`."""
