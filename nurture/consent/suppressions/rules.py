"""Why an address is never mailed, and which of these reasons stop even what a person just asked for."""

from enum import StrEnum


class SuppressionReason(StrEnum):
    """Why an address is never mailed."""

    OPT_OUT = "opt_out"
    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    MANUAL = "manual"
    ERASED = "erased"
    DOMAIN = "domain"  # nobody at this domain, or below it


#: What stops even the mail that a person just asked for (a confirmation, their own data).
STOPS_SERVICE = frozenset({SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT, SuppressionReason.ERASED})

#: What a person, or one of us about a person, said: it holds for every address of theirs. A bounce is about one address.
SAID_BY_A_PERSON = frozenset(
    {SuppressionReason.OPT_OUT, SuppressionReason.COMPLAINT, SuppressionReason.MANUAL, SuppressionReason.ERASED}
)

#: What the person's own new double opt-in lifts: their earlier no, and one of us who put them on the list.
LIFTED_BY_OPT_IN = frozenset({SuppressionReason.OPT_OUT, SuppressionReason.MANUAL})

#: Each as `may_send` tells people.
WORDS = {
    SuppressionReason.OPT_OUT: "opted out",
    SuppressionReason.HARD_BOUNCE: "the address bounced",
    SuppressionReason.COMPLAINT: "complained",
    SuppressionReason.MANUAL: "put on the suppression list",
    SuppressionReason.ERASED: "asked to be erased",
    SuppressionReason.DOMAIN: "nobody at this domain is mailed,",
}


def domains_above(domain: str) -> list[str]:
    """A domain and everything it is below: an entry for any of them is about everybody there."""
    labels = domain.split(".")
    return [".".join(labels[nth:]) for nth in range(len(labels))]
