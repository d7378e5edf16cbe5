"""Hands off: colleagues who keep sequences away from somebody for a while. `actions` says the rules."""
