"""Assignment: whose somebody is who belongs to nobody yet, by the rules of settings.toml."""
