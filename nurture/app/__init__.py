"""Settings become a running house here: the one place that chooses implementations and hands everybody small values."""

from nurture.app.declaring import declared_of
from nurture.app.house import App, language
from nurture.app.opening import database_of, make_secrets, open_app

__all__ = ["App", "database_of", "declared_of", "language", "make_secrets", "open_app"]
