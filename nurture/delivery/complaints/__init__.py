"""How many readers call our mail spam, by provider: counted where providers report it, entered where only their tools do."""
