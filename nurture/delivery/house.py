"""What every mail of this installation shares: its keys, where it can be reached, and in whose name it signs.

`app` makes it from the settings; `composing` and the pages for readers ask it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nurture.consent.rules import Purpose
from nurture.delivery.urls import complaint_local_part, leave_local_part, reply_local_part, return_path
from nurture.rendering.dkim import Signer
from nurture.tokens import TokenKeys

_TO_READERS = frozenset({Purpose.CAMPAIGN, Purpose.SERVICE})


@dataclass(frozen=True)
class House:
    """The installation, as its mails know it."""

    keys: TokenKeys
    base_url: str
    inbound_domain: str = ""
    is_by_mail_alone: bool = False  # readers leave by mail: no link leads to a page of ours
    return_path_domain: str = ""  # where mails come back to; empty: to whoever wrote them
    only_as_sender: frozenset[str] = frozenset()  # relays that take no mail that comes back elsewhere
    signers: Mapping[str, tuple[Signer, ...]] = field(default_factory=dict)  # by domain, in small letters

    def signers_for(self, domain: str) -> tuple[Signer, ...]:
        """Who signs mail from a domain: its own keys, else those of the nearest domain above it (RFC 7489, 3.1.1)."""
        while domain and self.signers:
            if domain in self.signers:
                return self.signers[domain]
            domain = domain.partition(".")[2]
        return ()

    def mail_from(self, purpose: str, delivery_id: int, sender: str, relay: str = "") -> str:
        """Where a mail comes back to: a reader's to an address that names it, a colleague's to whoever wrote it."""
        if not self.return_path_domain or purpose not in _TO_READERS:
            return sender
        if relay in self.only_as_sender:
            return sender
        return return_path(self.keys, delivery_id, self.return_path_domain)

    def reply_to(self, purpose: str, delivery_id: int) -> str | None:
        """Where an answer goes, if not to whoever wrote: to us, who pass it on, from a reader of a campaign."""
        if not self.inbound_domain or purpose != Purpose.CAMPAIGN:
            return None
        return f"{reply_local_part(self.keys, delivery_id)}@{self.inbound_domain}"

    def leave_mail(self, delivery_id: int, address_hash: str) -> str | None:
        """The address whose mail takes a reader off."""
        if not self.inbound_domain:
            return None
        return f"{leave_local_part(self.keys, delivery_id, address_hash)}@{self.inbound_domain}"

    def complain_to(self, purpose: str, delivery_id: int) -> str | None:
        """The address that takes a mailbox provider's word that a reader called this mail spam."""
        if not self.inbound_domain or purpose == Purpose.INTERNAL:
            return None
        return f"{complaint_local_part(self.keys, delivery_id)}@{self.inbound_domain}"
