"""Newcomers: addresses that somebody typed into one of our forms, until their owners confirm it or are forgotten."""
