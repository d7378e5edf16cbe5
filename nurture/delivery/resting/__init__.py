"""A domain that refuses us by its policy rests for a while; nobody is suppressed for it, and the mails wait."""
