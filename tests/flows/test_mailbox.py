"""A mailbox read over IMAP: only what came since, from the inbox and the spam folder. A small real server answers."""

import re
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from nurture.adapters.mailbox import ImapMailbox
from nurture.errors import NotAllowed

OLD = b"Subject: old\r\n\r\nlong ago\r\n"
NEW = b"Subject: new\r\n\r\n)\r\n* with brackets\r\n"
SPAM = b"Subject: spam\r\n\r\nours all the same\r\n"


@dataclass
class Account:
    """Folders with their mails, whose numbers begin at 7."""

    folders: dict[str, list[bytes]] = field(default_factory=lambda: {"INBOX": [OLD], "[Mail]/Spam": []})
    port: int = 0


class _Conversation(socketserver.StreamRequestHandler):
    """As much of RFC 9051 as is asked for."""

    account: Account
    folder = ""

    def handle(self) -> None:
        self._say("* OK ready")
        while line := self.rfile.readline().decode().strip():
            tag, _, command = line.partition(" ")
            answer = self._answer(command)
            self._say(f"{tag} {answer}")
            if command == "LOGOUT":
                return

    def _answer(self, command: str) -> str:
        match command.split(" ", maxsplit=1)[0]:
            case "CAPABILITY":
                self._say("* CAPABILITY IMAP4rev1")
            case "LOGIN" if "right" not in command:
                return "NO [AUTHENTICATIONFAILED] Invalid credentials"
            case "LIST":
                self._say('* LIST (\\HasNoChildren) "/" "INBOX"')
                self._say('* LIST (\\HasNoChildren \\Junk) "/" "[Mail]/Spam"')
            case "STATUS":
                self._say(f"* STATUS x (UIDNEXT {7 + len(self._mails(command))})")
            case "EXAMINE":
                self.folder = next(one for one in self.account.folders if one in command)
                self._say(f"* {len(self.account.folders[self.folder])} EXISTS")
            case "UID":
                self._uid(command)
        return "OK done"

    def _mails(self, command: str) -> list[bytes]:
        return next(mails for name, mails in self.account.folders.items() if name in command)

    def _uid(self, command: str) -> None:
        mails = self.account.folders[self.folder]
        if found := re.search(r"SEARCH UID (\d+):\*", command):
            last = 6 + len(mails)
            numbers = [*range(int(found[1]), last + 1)] or ([last] if mails else [])
            self._say(f"* SEARCH {' '.join(map(str, numbers))}".strip())
        elif found := re.search(r"FETCH (\d+)", command):
            content = mails[int(found[1]) - 7]
            self.wfile.write(f"* 1 FETCH (UID {found[1]} BODY[] {{{len(content)}}}\r\n".encode() + content + b")\r\n")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def account() -> Iterator[Account]:
    account = Account()
    handler = type("Conversation", (_Conversation,), {"account": account})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        account.port = server.server_address[1]
        yield account
        server.shutdown()
        thread.join()


def test_what_came_since_the_mailbox_was_opened_is_taken_once_from_the_spam_folder_too(account: Account) -> None:
    mailbox = ImapMailbox("127.0.0.1", "dana", "right", port=account.port, encrypted=False)
    assert mailbox.take() == []
    account.folders["INBOX"].append(NEW)
    account.folders["[Mail]/Spam"].append(SPAM)
    assert mailbox.take() == [NEW, SPAM]
    assert mailbox.take() == []
    mailbox.close()


def test_a_wrong_password_is_said_in_the_servers_words(account: Account) -> None:
    with pytest.raises(NotAllowed, match=r"the mailbox of dana cannot be opened: .*Invalid credentials"):
        ImapMailbox("127.0.0.1", "dana", "wrong", port=account.port, encrypted=False)


def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(NotAllowed, match="cannot be opened"):
        ImapMailbox("127.0.0.1", "dana", "right", port=1)
