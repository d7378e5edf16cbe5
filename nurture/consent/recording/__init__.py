"""Recording: whether what somebody does with our mails may be written down, and how much of it. `rules` says what counts."""
