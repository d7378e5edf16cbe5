"""What may be done about domains: meet them, keep what the name servers said, accept or correct a spelling."""

from collections.abc import Collection, Mapping
from datetime import datetime

from nurture.consent.domains import store
from nurture.consent.domains.rules import DEAD, Answer, Mailbox, Spelling, ask_next_at, judge
from nurture.consent.domains.store import MailDomain
from nurture.contacts.actions import mark_changed
from nurture.contacts.health import misspelt
from nurture.database.engine import Session
from nurture.errors import NotFound, did_you_mean


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


def record_answer(session: Session, domain: str, answer: Answer, now: datetime) -> None:
    """Keep what the name servers said. Where nobody could be asked, what was known stays."""
    found = store.find_domain(session, domain)
    if found is None:
        return
    verdict = judge(answer)
    was_dead = found.verdict in DEAD
    found.tries = 0 if verdict else found.tries + 1
    found.because, found.asked_at, found.ask_at = answer.failed, now, ask_next_at(verdict, found.tries, now)
    found.verdict = verdict or found.verdict
    session.add(found)
    if was_dead != (found.verdict in DEAD):
        mark_changed(session, store.ids_at(session, domain), now)


def accept(session: Session, domain: str, now: datetime) -> int:
    """A domain is spelled right, whatever it looks like; how many people have an address there."""
    found = get_held(session, domain)
    found.spelling = Spelling.ACCEPTED
    session.add(found)
    ids = store.ids_at(session, found.domain)
    mark_changed(session, ids, now)
    return len(ids)


def get_held(session: Session, domain: str) -> MailDomain:
    """The domain mail is kept from because of its spelling."""
    wanted = domain.strip().lower().rstrip(".")
    found = store.find_domain(session, wanted)
    if found is None:
        known = [one.domain for one, _ in store.list_domains(session)]
        raise NotFound(f"{domain}: nobody has an address there.{did_you_mean(wanted, known)}")
    if found.spelling != Spelling.HELD:
        raise NotFound(f"{found.domain} is not held for its spelling; `nurture domains` lists those that are.")
    return found
