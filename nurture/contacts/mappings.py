"""A mapping of columns kept in a file, for exports that come again: `nurture contacts import --mapping FILE`.

TOML with one table: `[columns]`, each header with the field it fills, or "-" to leave it out.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from nurture.contacts.headers import Columns
from nurture.contacts.providers import LEAVE_OUT
from nurture.errors import BadInput, NotFound, did_you_mean

_SECTION = "columns"


def read_mapping(path: Path) -> dict[str, str]:
    """Headers with their fields."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file; --save-mapping writes one.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise BadInput(f"{path}: this file cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f'{path.name}: this is no TOML: {error}; write lines such as "Work mail" = "email".') from None
    for section in given:
        if section != _SECTION:
            raise BadInput(
                f'{path.name}: "{section}" is not known here; put the columns below [columns].'
                f"{did_you_mean(section, [_SECTION])}"
            )
    columns = given.get(_SECTION, {})
    if not isinstance(columns, dict) or not all(isinstance(field, str) for field in columns.values()):
        raise BadInput(f'{path.name}: below [columns] stand lines such as "Work mail" = "email".')
    return {header.strip(): field.strip() for header, field in columns.items()}


def write_mapping(path: Path, columns: Columns, told: Mapping[str, str]) -> None:
    """Keep how a file was read: every column with its field, and those left out with "-"."""
    if path.exists():
        raise BadInput(f"{path}: there is such a file already; name another one, or use it with --mapping.")
    read_as = columns.read_as()
    lines = ['# Which field each column fills; "-" leaves it out.', f"[{_SECTION}]"]
    lines += [
        f"{_quoted(header)} = {_quoted(read_as.get(header, told.get(header, LEAVE_OUT)))}"
        for header in dict.fromkeys(columns.headers)
        if header
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _quoted(text: str) -> str:
    """A basic string of TOML, which is one of JSON but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
