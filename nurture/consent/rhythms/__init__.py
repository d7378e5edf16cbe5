"""Less often: how many mails somebody wants at most, by their own word. `rules` says what that means."""
