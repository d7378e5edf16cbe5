"""Somebody's mailbox, read over IMAP (RFC 9051): only what arrived since it was opened, and nothing is marked or moved."""

import imaplib
import re
import ssl

from nurture.errors import NotAllowed

_SECONDS = 30.0
_MOST = 50
_FOLDER = re.compile(rb'\((?P<flags>[^)]*)\) (?:"[^"]*"|NIL) (?P<name>"(?:[^"\\]|\\.)*"|\S+)\s*$')


class ImapMailbox:
    """The inbox and the spam folder of one account; use as a context."""

    def __init__(self, host: str, username: str, password: str, *, port: int = 993, encrypted: bool = True) -> None:
        try:
            self._client: imaplib.IMAP4 = (
                imaplib.IMAP4_SSL(host, port, ssl_context=ssl.create_default_context(), timeout=_SECONDS)
                if encrypted
                else imaplib.IMAP4(host, port, timeout=_SECONDS)
            )
        except (imaplib.IMAP4.error, OSError) as error:
            raise NotAllowed(f"{host}: the mailbox of {username} cannot be opened: {error}.") from None
        try:
            self._client.login(username, password)
        except imaplib.IMAP4.error as error:
            self._client.shutdown()
            words = str(error).removeprefix("b'").removesuffix("'")
            raise NotAllowed(f"{host}: the mailbox of {username} cannot be opened: {words}.") from None
        self._next = {folder: self._uid_next(folder) for folder in ("INBOX", *self._spam_folders())}

    def take(self) -> list[bytes]:
        """What has arrived since the last time, in any of the folders."""
        found: list[bytes] = []
        for folder, first in self._next.items():
            self._client.select(folder, readonly=True)
            _, answer = self._client.uid("SEARCH", "UID", f"{first}:*")
            # `n:*` always names the last one too, however old.
            new = [int(uid) for uid in (answer[0] or b"").split() if int(uid) >= first][:_MOST]
            for uid in new:
                _, parts = self._client.uid("FETCH", str(uid), "(BODY.PEEK[])")
                found += [part[1] for part in parts if isinstance(part, tuple)]
            self._next[folder] = max([first, *(uid + 1 for uid in new)])
        return found

    def close(self) -> None:
        self._client.logout()

    def _uid_next(self, folder: str) -> int:
        _, answer = self._client.status(folder, "(UIDNEXT)")
        found = re.search(rb"UIDNEXT (\d+)", answer[0] or b"")
        return int(found[1]) if found else 1

    def _spam_folders(self) -> list[str]:
        """Those that the server marks as such (RFC 6154)."""
        _, lines = self._client.list()
        found = [_FOLDER.search(line) for line in lines if isinstance(line, bytes)]
        return [one["name"].decode() for one in found if one and b"\\junk" in one["flags"].lower()]
