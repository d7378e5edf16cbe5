"""One mail for a great many people, queued by statements about all of them."""
