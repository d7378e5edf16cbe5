"""Accounts: companies by their domain, and those that a rep chose to win. Never a reason to mail anybody."""
