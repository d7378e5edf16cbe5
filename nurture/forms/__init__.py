"""Forms: pages on which people sign up by themselves, and what happens once they have confirmed it by a mail."""
