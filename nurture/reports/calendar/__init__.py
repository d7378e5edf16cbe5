"""All planned mail by day: `store` reads what is planned, `planned` puts it onto days, `page` shows them."""
