"""Where settings stand: files of the workspace, and variables of the environment."""

SETTINGS_FILE = "settings.toml"
STATE_FOLDER = ".nurture"
SECRETS_FILE = f"{STATE_FOLDER}/secrets"
PREFIX = "NURTURE_"


def variable_of(key: str) -> str:
    return PREFIX + key.replace(".", "__").upper()
