"""Where settings stand: files of the workspace, and variables of the environment."""

SETTINGS_FILE = "settings.toml"
STATE_FOLDER = ".nurture"
SECRETS_FILE = f"{STATE_FOLDER}/secrets"
PREFIX = "NURTURE_"
#: What the environment says of relays, each by its name, begins so.
OF_RELAYS = f"{PREFIX}RELAYS__"


def variable_of(key: str) -> str:
    return PREFIX + key.replace(".", "__").upper()


def variable_of_relay(name: str, key: str) -> str:
    """A variable has no hyphens."""
    return variable_of(f"relays.{spelled(name)}.{key}")


def spelled(name: str) -> str:
    """The name of a relay as the environment spells it."""
    return name.lower().replace("-", "_")
