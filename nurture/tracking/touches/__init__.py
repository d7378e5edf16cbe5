"""Touches: what *we* did outside the mails of campaigns. A call, a visit, a message on LinkedIn, an own mail of a rep's."""
