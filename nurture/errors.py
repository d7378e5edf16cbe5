"""What can go wrong, in words a user can act on.

An error reads *where: what is wrong; what to do.* The class docstring is the default message, so each kind of error is
written once, in prose. Everything below `NurtureError` is shown as one sentence on stderr; anything else is a bug and
keeps its traceback.
"""

import difflib
import inspect
from collections.abc import Iterable


class NurtureError(Exception):
    """The command stopped before it changed anything."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.cleandoc(type(self).__doc__ or ""))


class BadInput(NurtureError):
    """What was given cannot be read; nothing was changed."""


class NotFound(NurtureError):
    """There is nothing of that name."""


class NotAllowed(NurtureError):
    """That may not be done; nothing was changed."""


class BadSettings(NurtureError):
    """settings.toml or an environment variable cannot be used as it is."""


class SchemaMismatch(NurtureError):
    """The database was made by another version of nurture; type `nurture database upgrade`."""


class DatabaseFailed(NurtureError):
    """The database cannot be used as it is."""


class WrongKey(NurtureError):
    """The suppression key is not the one this database was made with, so opt-outs could not be recognized.

    Put the right one back into .nurture/secrets (or NURTURE_SUPPRESSION_KEY) before anything else.
    """


class MissingSecrets(NurtureError):
    """.nurture/secrets: this database was used with secrets that are not here; restore .nurture/secrets from your backup.

    With new ones no opt-out would be recognized and no link in a mail would work, so none were made.
    """


class Paused(NurtureError):
    """Sending is paused; type `nurture resume` to go on."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean "x"?` for the nearest known word, or nothing when none is near."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{nearest[0]}"?' if nearest else ""
