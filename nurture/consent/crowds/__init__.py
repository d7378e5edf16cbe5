"""Permission of a great many people at once."""
