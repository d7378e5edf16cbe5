"""Puts back every "no" that the journal knows and a restored database has forgotten.

The ledger's entries have identifiers that are never given out twice, so one that is in the journal and not in the ledger
is news. Only what takes permission away is put back: a yes that got lost leaves us stricter than we need be, and whoever
gave it can give it again. Called by `engines.catching_up`, with a few hundred entries at a time.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nurture.consent import store
from nurture.consent.echoes import SAID, is_no
from nurture.consent.holds.store import Hold
from nurture.consent.ledger import store as ledger
from nurture.consent.rhythms.rules import AtMost
from nurture.consent.rhythms.store import save_rhythm
from nurture.consent.rules import ConsentPurpose, Pile, Proof
from nurture.consent.suppressions import store as suppressions
from nurture.consent.suppressions.actions import DOMAIN_CLOSED, DOMAIN_OPENED
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts import store as contacts
from nurture.contacts.actions import mark_changed
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.database.journal import at_of

_DOMAINS = frozenset({DOMAIN_CLOSED, DOMAIN_OPENED})
_PAUSED = re.compile(r"paused until (\d{4}-\d\d-\d\d)")
_AT_MOST = re.compile(r"at most one a (\w+)")


def list_news(session: Session, entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The entries of the journal that the database does not know."""
    said = [one for one in entries if one["what"] == SAID]
    known = ledger.known_events(session, [one["event"] for one in said])
    domains = [one for one in entries if one["what"] in _DOMAINS]
    closed = {one.domain for one in suppressions.standing_domains(session)} if domains else set()
    changed = [one for one in domains if (one["what"] == DOMAIN_CLOSED) is not (one["domain"] in closed)]
    return [one for one in said if one["event"] not in known] + changed


def put_back(session: Session, news: Sequence[Mapping[str, Any]]) -> int:
    """Put back what these entries say; how many no's that were. Said again differently later, only the last counts."""
    last = {about(one): one for one in news if one["what"] == SAID}
    count = 0
    for entry in last.values():
        if is_no(entry["said"]):
            _put_back(session, entry)
            count += 1
    return count + _close_domains(session, news)


def about(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """What an entry is about: a later one about the same takes its place; nothing for one that is no word of anybody."""
    if entry["what"] in _DOMAINS:
        return "domain", entry["domain"]
    if entry["what"] != SAID:
        return ()
    return (
        entry["hash"],
        entry.get("topic") or store.EVERY_TOPIC,
        entry.get("purpose") or ConsentPurpose.MAIL,
        _kind(entry),
    )


def takes_back(entry: Mapping[str, Any]) -> bool:
    """Whether an entry ends an earlier no about the same."""
    return entry["what"] == DOMAIN_OPENED or (entry["what"] == SAID and not is_no(entry["said"]))


def _kind(entry: Mapping[str, Any]) -> str:
    said = entry["said"]
    if said in {"opted_out", "undone"}:
        return SuppressionReason.OPT_OUT
    if said in {"suppressed", "lifted"}:
        return str(entry.get("basis"))
    if _PAUSED.fullmatch(said) or said == "pause ended":
        return "pause"
    return "rhythm" if _AT_MOST.fullmatch(said) or said == "as it comes" else "topic"


def _put_back(session: Session, entry: Mapping[str, Any]) -> None:
    at = at_of(entry)
    contact = _whose(session, entry)
    if contact is not None:
        contacts.lock_contacts(session, [contact.id], exclusively=True)
    match _kind(entry):
        case "topic":
            _refuse(session, contact, entry, at)
        case "pause":
            _pause(session, contact, entry["said"], at)
        case "rhythm":
            _slow_down(session, contact, entry["said"], at)
        case reason:
            how = entry.get("how") or "the journal"
            row = {"address_hash": entry["hash"], "reason": reason, "created_at": at, "how": how}
            suppressions.suppress(session, [row])
    store.add_event(
        session,
        Proof(f"{entry.get('how') or 'unknown'}, put back from the journal"),
        id=entry["event"],
        contact_id=contact.id if contact else None,
        address_hash=entry["hash"],
        topic=entry.get("topic") or store.EVERY_TOPIC,
        purpose=entry.get("purpose") or ConsentPurpose.MAIL,
        what=entry["said"],
        basis=entry.get("basis"),
        delivery_id=entry.get("delivery"),
        recorded_at=at,
    )
    if contact is not None:
        mark_changed(session, [contact.id], at)


def _whose(session: Session, entry: Mapping[str, Any]) -> Contact | None:
    """Who said it: also somebody who had another address then than the restored database knows."""
    contact = contacts.find_by_any_hash(session, entry["hash"])
    if contact is None and "contact" in entry:
        contact = session.get(Contact, entry["contact"])
        if contact is not None:
            contacts.save_former_addresses(session, contact.id, [entry["hash"]], at_of(entry))
    return contact


def _refuse(session: Session, contact: Contact | None, entry: Mapping[str, Any], at: datetime) -> None:
    """They refused a topic, left it, or do not want to be tracked; unless the database knows a newer word of theirs."""
    if contact is None:
        return
    purpose = ConsentPurpose(entry.get("purpose") or ConsentPurpose.MAIL)
    topic = entry.get("topic") or store.EVERY_TOPIC
    held = store.consents_of(session, [contact.id], purpose).get((contact.id, topic))
    if held is not None and _is_outdated(session, held, at):
        return
    kept = {"basis": held.basis, "given_on": held.given_on, "law": held.law} if held else {}
    row = {
        "contact_id": contact.id, "topic": topic, "purpose": purpose, "state": entry["said"], "basis": None,
        "given_on": None, "pile": Pile.NEVER, "expires_at": None, "afterwards": Pile.NEVER, "law": "", "changed_at": at,
    }  # fmt: skip
    store.save_consents(session, [{**row, **kept}])


def _is_outdated(session: Session, held: store.Consent, at: datetime) -> bool:
    """Whether what holds came after a no of that instant, and from them: a table or a file looked at since is no word."""
    if held.purpose == ConsentPurpose.TRACKING or held.state not in {"given", "none"}:
        return held.changed_at > at
    return ledger.has_said_yes_since(session, held.contact_id, held.topic, at)


def _pause(session: Session, contact: Contact | None, said: str, at: datetime) -> None:
    match = _PAUSED.fullmatch(said)
    if contact is not None and match:
        until = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
        session.add(Hold(contact_id=contact.id, until=until, because="they asked for a pause", placed_at=at))


def _slow_down(session: Session, contact: Contact | None, said: str, at: datetime) -> None:
    match = _AT_MOST.fullmatch(said)
    if contact is not None and match:
        save_rhythm(session, contact.id, AtMost(match[1]), at)


def _close_domains(session: Session, news: Sequence[Mapping[str, Any]]) -> int:
    last = {one["domain"]: one for one in news if one["what"] in _DOMAINS}
    count = 0
    for domain, entry in last.items():
        held = suppressions.find_domain(session, domain)
        is_newer = held is None or (held.lifted_at is not None and held.lifted_at < at_of(entry))
        if entry["what"] == DOMAIN_CLOSED and is_newer:
            count += suppressions.suppress_domain(session, domain, entry["how"], at_of(entry))
    return count
