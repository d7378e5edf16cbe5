"""Walks over contacts with the pile they lie on for a topic, and why."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.consent.rules import Pile, Standing
    from nurture.database.conditions import Clause

_PAGE = 500


def walk(house: "App", topic: str, where: "Clause | None", wanted: "Pile | None") -> Iterator[dict[str, Any]]:
    """Contacts that fit, in the order in which they came."""
    from nurture.consent import store as consents
    from nurture.consent.rules import Purpose, may_send, pile_of
    from nurture.contacts import store as contacts

    now, after = house.clock.now(), 0
    with house.database.reading() as session:
        owners = {i: operator.email for i, operator in contacts.list_operators(session).items()}
        while page := contacts.page_of_contacts(session, after, _PAGE, where):
            standings = consents.standings(session, [contact.id for contact in page], topic)
            for contact in page:
                standing = standings[contact.id]
                pile = pile_of(standing, now)
                if wanted is not None and pile is not wanted:
                    continue
                permission = may_send(Purpose.CAMPAIGN, standing, now)
                yield {
                    "email": contact.email,
                    "name": " ".join(part for part in (contact.first_name, contact.last_name) if part) or None,
                    "company": contact.company,
                    "country": contact.country,
                    "owner": owners.get(contact.owner_id or 0) or contact.owner_text,
                    "stage": contact.stage,
                    "score": contact.score,
                    "fit": contact.fit,
                    "pile": pile,
                    "because": _yes(standing) if permission.is_allowed else permission.because,
                }
            after = page[-1].id
            session.expunge_all()


def _yes(standing: "Standing") -> str:
    return f"{standing.basis} ({standing.law})"
