"""The folder in which the keys for DKIM lie: one file each, called as the name servers call it, and what it is for now.

`n20261122r._domainkey.acme.example.pem` signs for acme.example. With `.waiting` behind it, a key waits until the name
servers show its record; with `.retired` it signs no more, and its record has to stay for what is still on its way. A
change of state is a change of the name, in one step. Only the owner of the folder may read what is in it.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from nurture.errors import BadInput, BadSettings
from nurture.rendering.dkim import Signer
from nurture.rendering.dkim_keys import KeyKind, SigningKey, read_key

_PLACE = "._domainkey."


class State(StrEnum):
    """What a key is for."""

    SIGNING = "signing"
    WAITING = "waiting"
    RETIRED = "retired"


_SUFFIXES = {State.SIGNING: ".pem", State.WAITING: ".pem.waiting", State.RETIRED: ".pem.retired"}


@dataclass(frozen=True)
class StoredKey:
    """A key in the folder."""

    domain: str
    selector: str
    state: State
    path: Path

    @property
    def name(self) -> str:
        """Where the name servers have its record."""
        return f"{self.selector}{_PLACE}{self.domain}"

    def load(self) -> SigningKey:
        """The key itself; raises BadSettings with the file in which none is."""
        try:
            return read_key(self.path.read_bytes())
        except BadInput as error:
            raise BadSettings(f"{self.path}: {error}") from None
        except OSError as error:
            raise BadSettings(
                f"{self.path}: it cannot be read ({error.strerror}); let its owner run nurture."
            ) from None


class DkimFolder:
    """All keys of an installation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list_keys(self, domain: str = "") -> list[StoredKey]:
        """Every key, or those of a domain; by domain and by age, as far as selectors tell it."""
        if not self._folder.is_dir():
            return []
        found = [key for path in self._folder.iterdir() if (key := _key_in(path)) is not None]
        return sorted((key for key in found if domain in {"", key.domain}), key=lambda key: (key.domain, key.selector))

    def signers(self, except_for: frozenset[bytes] = frozenset()) -> dict[str, tuple[Signer, ...]]:
        """Who signs for which domain: RSA first, for who reads only one signature reads the first."""
        found: dict[str, list[Signer]] = {}
        for one in self.list_keys():
            if one.state is State.SIGNING:
                signer = Signer(one.domain, one.selector, one.load(), except_for)
                found.setdefault(one.domain, []).append(signer)
        return {
            domain: tuple(sorted(signers, key=lambda signer: signer.key.kind is not KeyKind.RSA))
            for domain, signers in found.items()
        }

    def add(self, domain: str, key: SigningKey, today: date) -> StoredKey:
        """Keep a new key, which waits; its selector says when it was made."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        selector = _new_selector(key.kind, today, {one.selector for one in self.list_keys(domain)})
        path = self._folder / f"{selector}{_PLACE}{domain}{_SUFFIXES[State.WAITING]}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.to_pem())
        return StoredKey(domain, selector, State.WAITING, path)

    def move(self, key: StoredKey, state: State) -> StoredKey:
        """Let a key wait, sign or retire."""
        path = self._folder / f"{key.name}{_SUFFIXES[state]}"
        key.path.rename(path)
        return StoredKey(key.domain, key.selector, state, path)

    def remove(self, key: StoredKey) -> None:
        """Forget a key whose record is gone."""
        key.path.unlink()


def _key_in(path: Path) -> StoredKey | None:
    for state, suffix in _SUFFIXES.items():
        selector, place, domain = path.name.removesuffix(suffix).partition(_PLACE)
        if path.name.endswith(suffix) and place:
            return StoredKey(domain.lower(), selector, state, path)
    return None


def _new_selector(kind: KeyKind, today: date, taken: Iterable[str]) -> str:
    first = f"n{today:%Y%m%d}{kind[0]}"
    candidates = (first if turn == 1 else f"{first}{turn}" for turn in range(1, 1000))
    return next(one for one in candidates if one not in set(taken))
