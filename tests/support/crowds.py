"""People with whatever can be known about their permission, drawn by Hypothesis and written into a database."""

from datetime import timedelta

from hypothesis import strategies as st

from nurture.consent import store
from nurture.consent.domains import store as domains
from nurture.consent.domains.rules import Spelling, Verdict
from nurture.consent.holds.store import Hold
from nurture.consent.rules import ConsentPurpose, Pile
from nurture.consent.silence import store as silence
from nurture.consent.silence.rules import KeptBack
from nurture.consent.suppressions import store as suppressions
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts import store as contacts
from nurture.contacts.store import Operator
from nurture.database.engine import Session
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.people import add_contact

people = st.fixed_dictionaries(
    {
        "state": st.sampled_from([None, "given", "refused", "withdrawn", "none"]),
        "pile": st.sampled_from(list(Pile)),
        "afterwards": st.sampled_from(list(Pile)),
        "expires_at": st.sampled_from([None, NOW - timedelta(seconds=1), NOW, NOW + timedelta(seconds=1)]),
        "reasons": st.lists(st.sampled_from(list(SuppressionReason)), max_size=2, unique=True),
        "is_lifted": st.booleans(),
        "holds": st.lists(
            st.tuples(
                st.sampled_from(["contact", "domain"]),
                st.sampled_from([NOW - timedelta(seconds=1), NOW, NOW + timedelta(seconds=1), NOW + timedelta(days=9)]),
                st.booleans(),  # lifted
            ),
            max_size=3,
        ),
        "kept_back": st.sampled_from([None, None, *KeptBack]),
        "verdict": st.sampled_from([None, *Verdict]),
        "spelling": st.sampled_from(list(Spelling)),
    }
)


def add_person(session: Session, hasher: AddressHasher, number: int, known: dict[str, object]) -> int:
    below = "mail." if number % 3 == 0 else ""
    contact = add_contact(session, hasher, f"p{number}@{below}reader{number % 2}.example", NOW, topic=None)
    if known["state"] is not None:
        row = {
            "contact_id": contact.id, "topic": "insights", "purpose": ConsentPurpose.MAIL, "state": known["state"],
            "basis": "opt-in", "given_on": None, "pile": known["pile"], "expires_at": known["expires_at"],
            "afterwards": known["afterwards"], "law": "", "changed_at": NOW,
        }  # fmt: skip
        store.save_consents(session, [row])
    reasons = known["reasons"]
    assert isinstance(reasons, list)
    for reason in reasons:
        if reason is SuppressionReason.DOMAIN:
            closed = contact.domain.removeprefix("mail.")  # below it, too
            suppressions.suppress_domain(session, closed, "a test", NOW)
            if known["is_lifted"]:
                suppressions.lift_domain(session, closed, NOW)
            continue
        suppressions.suppress(
            session, [{"address_hash": contact.address_hash, "reason": reason, "created_at": NOW, "how": "a test"}]
        )
        if known["is_lifted"]:
            suppressions.lift_suppression(session, contact.address_hash, reason, NOW)
    if known["kept_back"]:
        past = {
            **dict.fromkeys(silence.ContactPast.model_fields),
            "contact_id": contact.id,
            "kept_back": known["kept_back"],
        }
        silence.save_pasts(session, [past])
    domain = {
        "domain": contact.domain,
        "verdict": known["verdict"],
        "spelling": known["spelling"],
        "meant": "gmail.com",
    }
    domains.insert_domains(session, [{**domain, "because": "", "tries": 0, "ask_at": NOW}])
    holds = known["holds"]
    assert isinstance(holds, list)
    for whom, until, is_lifted in holds:
        session.add(
            Hold(
                contact_id=contact.id if whom == "contact" else None,
                domain=contact.domain if whom == "domain" else None,
                until=until,
                because="a deal",
                operator_id=_luis(session).id,
                placed_at=NOW - timedelta(days=1),
                lifted_at=NOW if is_lifted else None,
            )
        )
    session.flush()
    return contact.id


def _luis(session: Session) -> Operator:
    found = contacts.find_operator(session, "luis@acme.example")
    if found is None:
        found = Operator(email="luis@acme.example", name="Luis Ortega")
        session.add(found)
        session.flush()
    return found
