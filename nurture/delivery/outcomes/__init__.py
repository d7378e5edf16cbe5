"""How tries ended: what the relay said, or failed to say, as it is kept."""
