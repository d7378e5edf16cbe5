"""Mails that the journal remembers and a restored database does not, so that nobody gets one twice."""
