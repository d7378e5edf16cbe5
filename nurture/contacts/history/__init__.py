"""The history of every contact: what changed, from what to what, who changed it, and how they came to."""
