"""Which basis is worth what in which country: the consent table, its rows and how it changed. This is not legal advice."""
