"""Relays that put a Message-ID of their own: it is in their answer, it is kept, and what quotes it finds its mail."""
