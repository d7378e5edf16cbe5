"""`nurture doctor --round-trip`: which mails go on the trip, and whose mailbox is read."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from nurture.errors import BadInput, NotFound

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.app.round_trip import Letterbox, Mail
    from nurture.cli.trying import Wanted
    from nurture.doctor.findings import Finding

#: Not a setting: it is asked for when it is needed, and stands nowhere.
PASSWORD = "IMAP_PASSWORD"  # noqa: S105 — the name of the variable


def make_round_trip(house: "App", *, to: str, imap: str, user: str, wait: float) -> "list[Finding]":
    """Send one mail of each kind and judge what arrives."""
    from nurture.app.round_trip import make_trips

    with _opened(house, to, imap, user) as (letterbox, address):
        return make_trips(house, letterbox, list(_mails(house, address)), wait)


@contextmanager
def _opened(house: "App", to: str, imap: str, user: str) -> "Iterator[tuple[Letterbox, str]]":
    """The mailbox to send to, open: whoever can read it may have our mail sent there."""
    from nurture.adapters.mailbox import ImapMailbox
    from nurture.app.round_trip import OwnLetterbox
    from nurture.contacts.addresses import get_address

    if bool(to) != bool(imap):
        raise BadInput("--to and --imap belong together: the address of a mailbox, and the server where it is read.")
    if not to:
        own = OwnLetterbox(house)
        try:
            yield own, own.address
        finally:
            own.close()
        return
    address = get_address(to).email
    host, _, port = imap.partition(":")
    if not host or not (port or "993").isdigit():
        raise BadInput(
            f"--imap: {imap} is no server; write its name, or its name and port, such as imap.example.com:993."
        )
    password = os.environ.get(PASSWORD) or getpass.getpass(f"Password of {user or address} at {imap}: ")
    mailbox = ImapMailbox(host, user or address, password, port=int(port or "993"))
    try:
        yield mailbox, address
    finally:
        mailbox.close()


def _mails(house: "App", to: str) -> "Iterator[Mail]":
    """One of each kind, as far as the files have any."""
    from nurture.app.round_trip import Mail
    from nurture.cli.trying import draft_for, person_of
    from nurture.consent.rules import Purpose
    from nurture.delivery.composing import Recipient, compose

    wanted = _wanted(house)
    if not wanted:
        raise NotFound("there is no mail in the files that could be sent; `nurture check` says what cannot be read.")
    with house.database.reading() as session:
        person = person_of(session, house, "")
        for kind, one in wanted.items():
            drafted = draft_for(session, house, one, person)
            purposes = {"service": Purpose.SERVICE, "internal": Purpose.INTERNAL, "test": Purpose.TEST}
            drafted.delivery.purpose = purposes.get(kind, Purpose.CAMPAIGN)
            recipient = Recipient(to, "", "0" * 32)
            sender = (drafted.delivery.facts or {})["sender"]["email"].lower()
            relay = house.mailer.choose(sender, to.rpartition("@")[2].lower(), 0) or ""
            composed = compose(drafted.mail, drafted.delivery, house.house, recipient, to, relay)
            yield Mail(kind, relay, composed)


def _wanted(house: "App") -> "dict[str, Wanted]":
    from nurture.cli.trying import Wanted, units_of
    from nurture.delivery.kind import LETTERS, NOTICES
    from nurture.delivery.notices import KIND

    units = units_of(house, "issue", "newsletter", "sequence", KIND)
    found: dict[str, Wanted] = {}
    for kind, kinds, names in (
        ("newsletter", {"issue", "newsletter"}, None),
        ("sequence", {"sequence"}, None),
        ("service", {KIND}, LETTERS),
        ("internal", {KIND}, NOTICES),
    ):
        of_kind = (unit for unit in units if unit.kind in kinds and (names is None or unit.name in names))
        first = next((Wanted(unit, mail) for unit in of_kind for mail in unit.content["mails"]), None)
        if first is not None:
            found[kind] = first
    campaign = found.get("newsletter") or found.get("sequence")
    return {**found, "test": replace(campaign)} if campaign else found
