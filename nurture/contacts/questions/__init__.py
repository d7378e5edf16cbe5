"""Questions that a mail asks with one press: what they are, which one somebody gets, and what an answer sets."""
