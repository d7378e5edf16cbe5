"""Suppression: addresses that are never mailed, for which reasons, and who may take that back. `actions` says the rules."""
