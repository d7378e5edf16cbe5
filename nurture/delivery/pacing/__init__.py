"""How fast mail may leave, and how much of it: by the house, by relay, by sender, by recipient domain."""
