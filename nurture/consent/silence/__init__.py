"""Silence: how long ago somebody last showed that they are there, and what follows from it before we write to them."""
