"""Every setting, its default and what it means: one place that is read, documented and tested.

`settings.toml` in the workspace is read first; `NURTURE_SECTION__KEY` in the environment wins. Secrets never stand in
the file: they come from `.nurture/secrets` (written by `nurture init`, readable by its owner only) or the environment.
Only `app` reads settings; every other room is handed small frozen values.
"""

from nurture.settings.places import SECRETS_FILE, SETTINGS_FILE, STATE_FOLDER
from nurture.settings.reading import ensure_secrets, read_settings
from nurture.settings.sections import Settings

__all__ = ["SECRETS_FILE", "SETTINGS_FILE", "STATE_FOLDER", "Settings", "ensure_secrets", "read_settings"]
