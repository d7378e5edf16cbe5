"""Retention: nothing about people is kept for ever. `rules` says what goes when, and the daily job does it."""
