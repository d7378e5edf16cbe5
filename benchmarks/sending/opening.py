"""The benchmark's keys and settings, and a house of which only what sends is opened, as a sender process opens it."""

from pathlib import Path

from nurture.app import open_to_send
from nurture.app.carrying import Carrying
from nurture.settings import Settings, read_settings

#: Keys of nobody; what they sign is read by a sink that keeps nothing.
KEYS = {"NURTURE_SECRET": "a benchmark's secret", "NURTURE_SUPPRESSION_KEY": "a benchmark's suppression key"}


def settings_of(folder: Path, url: str, **environment: str) -> Settings:
    """The settings in that folder, with that database."""
    return read_settings(folder, {**KEYS, "NURTURE_DATABASE__URL": url, **environment})


def open_sending_half(folder: Path, url: str, **environment: str) -> Carrying:
    """What `nurture run --workers` has in a sender process."""
    return open_to_send(folder, settings=settings_of(folder, url, **environment))
