"""The words and clauses of all rooms, together: what conditions may say."""

from nurture.consent import rules as consent_rules
from nurture.consent import store as consents
from nurture.contacts import fields as contact_fields
from nurture.contacts.segments import Language
from nurture.delivery.mailed import rules as mailed_rules
from nurture.delivery.mailed import store as mailed
from nurture.sequences import facts as sequence_facts
from nurture.sequences import store as enrollments
from nurture.tracking import rules as tracking_rules
from nurture.tracking import store as activities


def language() -> Language:
    """The words and clauses of all rooms, together."""
    return Language(
        predicates={
            **contact_fields.PREDICATES,
            **consent_rules.PREDICATES,
            **mailed_rules.PREDICATES,
            **tracking_rules.PREDICATES,
            **sequence_facts.PREDICATES,
        },
        lenders=(consents.vocabulary, mailed.vocabulary, activities.vocabulary, enrollments.vocabulary),
    )
