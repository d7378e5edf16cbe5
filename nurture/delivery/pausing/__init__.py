"""One campaign stands still while the rest of the house goes on, or what waits of it is taken back for good."""
