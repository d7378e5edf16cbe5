"""Merging: two contacts turn out to be one person, and nothing that either said, got or did is lost or said twice."""
