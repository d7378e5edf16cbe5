"""Who somebody is when they have several addresses: a new address, and two contacts who are one person."""
