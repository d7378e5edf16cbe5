"""Reads settings: the file, the secrets beside it, and the environment, which wins."""

import os
import secrets as randomness
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nurture.errors import BadSettings, MissingSecrets, did_you_mean
from nurture.settings.complaints import nearest, sentence
from nurture.settings.places import (
    PREFIX,
    SECRETS_FILE,
    SETTINGS_FILE,
    spelled,
    variable_of,
    variable_of_relay,
)
from nurture.settings.sections import Settings
from nurture.toml import Place, fault_of, line_of

_SECRET_KEYS = ("secret", "suppression_key", "smtp.password")
_SECRETS_OF_RELAYS = frozenset({"password", "client_secret", "refresh_token"})


def read_settings(workspace: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings of a workspace; a workspace without the file runs on defaults."""
    return understand(_text_of(workspace / SETTINGS_FILE), _text_of(workspace / SECRETS_FILE), environment)


def understand(text: str, secrets: str, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings as these two files would say, whether they are written yet or not."""
    tree = _parsed(text, SETTINGS_FILE)
    for key in _SECRET_KEYS:
        section, _, name = key.rpartition(".")
        if name in (tree.get(section, {}) if section else tree):
            raise BadSettings(
                f"{SETTINGS_FILE}:{line_of(text, (section, name))}: {key} is a secret; "
                f"move it to {SECRETS_FILE} or set {variable_of(key)}."
            )
    for turn, relay in enumerate(_relays_in(tree)):
        for key in _SECRETS_OF_RELAYS & relay.keys():
            name = str(relay.get("name", "NAME"))
            raise BadSettings(
                f"{SETTINGS_FILE}:{line_of(text, ('relays', turn, key))}: relays.{key} is a secret; "
                f"move it to [relays.{name}] in {SECRETS_FILE} or set {variable_of_relay(name, key)}."
            )
    origins: dict[Place, str] = {}
    for given, value, origin in (*_secrets_in(secrets), *_overrides(environment)):
        place = _found_by_name(tree, given, origin)
        _put(tree, place, value, origin)
        origins[place] = origin
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        sentences = (sentence(text, origins, problem) for problem in error.errors())
        raise BadSettings("\n".join(dict.fromkeys(sentences))) from None


def ensure_secrets(workspace: Path, settings: Settings, is_in_use: Callable[[], bool]) -> Settings:
    """The settings with both secrets; what is missing is made and written to `.nurture/secrets` (0600).

    A database that `is_in_use` has secrets somewhere, and new ones would only take the place of the right ones.
    """
    missing = {
        "secret": None if settings.secret else randomness.token_urlsafe(32),
        "suppression_key": None if settings.suppression_key else randomness.token_urlsafe(32),
    }
    lines = [f'{key} = "{value}"\n' for key, value in missing.items() if value]
    if not lines:
        return settings
    if is_in_use():
        raise MissingSecrets
    path = workspace / SECRETS_FILE
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.writelines(lines)
    return settings.model_copy(
        update={
            "secret": settings.secret or (str(missing["secret"]),),
            "suppression_key": settings.suppression_key or str(missing["suppression_key"]),
        }
    )


def _parsed(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{file}: {fault_of(text, error)}") from None


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig") if path.exists() else ""


def _secrets_in(text: str) -> Iterator[tuple[Place, object, str]]:
    for place, value in _leaves(_parsed(text, SECRETS_FILE)):
        yield place, value, SECRETS_FILE


def _leaves(tree: Mapping[str, Any], above: Place = ()) -> Iterator[tuple[Place, object]]:
    """Every value with its place, whether it was written as `[smtp] password`, `smtp.password` or `"smtp.password"`."""
    for key, value in tree.items():
        place = (*above, *key.split("."))
        if isinstance(value, dict):
            yield from _leaves(value, place)
        else:
            yield place, value


def _overrides(environment: Mapping[str, str]) -> Iterator[tuple[Place, object, str]]:
    for variable, value in sorted(environment.items()):
        # NURTURE_WORKSPACE says which settings.toml to read, so it cannot stand in one.
        if not variable.startswith(PREFIX) or variable == "NURTURE_WORKSPACE":
            continue
        place = tuple(variable.removeprefix(PREFIX).lower().split("__"))
        if place[0] not in Settings.model_fields:
            raise BadSettings(f"{variable}: there is no such setting.{nearest(variable)}")
        yield place, value, variable


def _relays_in(tree: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The relays of settings.toml, as far as they are written as sections."""
    relays = tree.get("relays")
    return [one for one in relays if isinstance(one, dict)] if isinstance(relays, list) else []


def _found_by_name(tree: Mapping[str, Any], place: Place, origin: str) -> Place:
    """`relays.NAME.…` is a place in the relay of that name; every other place is what it says."""
    if place[0] != "relays" or len(place) < 2:
        return place
    names = [spelled(str(one.get("name"))) for one in _relays_in(tree)]
    wanted = spelled(str(place[1]))
    if wanted not in names:
        raise BadSettings(
            f"{origin}: {SETTINGS_FILE} has no relay {place[1]}; add it below [[relays]].{did_you_mean(wanted, names)}"
        )
    return ("relays", names.index(wanted), *place[2:])


def _put(tree: Any, place: Place, value: object, origin: str) -> None:
    for step in place[:-1]:
        tree = tree[step] if isinstance(step, int) else tree.setdefault(step, {})
        if not isinstance(tree, dict | list):
            raise BadSettings(f"{origin}: {step} is no section, so there is no {'.'.join(map(str, place))}.")
    tree[place[-1]] = value
