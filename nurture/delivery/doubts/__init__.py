"""Mails of which nobody knows whether they arrived, and how they are settled: by evidence, or by a person."""
