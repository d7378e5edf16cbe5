"""Domains of mail addresses: whether anybody takes mail there, and whether one was mistyped."""
