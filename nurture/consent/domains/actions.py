"""What may be done about domains: meet them, keep what the name servers said, accept or correct a spelling."""

from collections.abc import Collection, Mapping
from datetime import datetime

from nurture.consent.domains import store
from nurture.consent.domains.rules import Mailbox, Spelling
from nurture.contacts.health import misspelt
from nurture.database.engine import Session


def meet_domains(session: Session, domains: Collection[str], now: datetime) -> Mapping[str, Mailbox]:
    """Somebody has an address there: remember the domains that are new, to be asked about; those mail is kept from."""
    known = store.known_domains(session, domains)
    fresh = []
    for domain in sorted(set(domains) - set(known)):
        meant = misspelt(domain)
        spelling = Spelling.HELD if meant else Spelling.FINE
        fresh.append({"domain": domain, "meant": meant, "spelling": spelling, "because": "", "tries": 0, "ask_at": now})
        known[domain] = Mailbox(domain, None, spelling, meant)
    store.insert_domains(session, fresh)
    return {domain: one for domain, one in known.items() if one.reason}
