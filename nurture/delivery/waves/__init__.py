"""A campaign meets people who never had mail from here a few at a time, and stops by itself if they do not want it."""
