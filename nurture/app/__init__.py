"""Settings become a running house here: the one place that chooses implementations and hands everybody small values.

`house` is all of it and is not imported here: a sender process opens the smaller half (`carrying`).
"""

from nurture.app.opening import database_of, make_secrets, open_app, open_to_send

__all__ = ["database_of", "make_secrets", "open_app", "open_to_send"]
