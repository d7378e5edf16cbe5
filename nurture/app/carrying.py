"""What carries the mail of a house: its relays, the keys that sign, where mails come back to, whom they may go to."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from nurture.adapters.dkim_folder import DkimFolder
from nurture.adapters.smtp import Relay, SmtpMailer
from nurture.app.relaying import relays_of
from nurture.clock import Clock
from nurture.delivery.boundary import Boundary
from nurture.delivery.house import House
from nurture.relays.hosts import rewritten_by
from nurture.settings import STATE_FOLDER, Settings
from nurture.tokens import TokenKeys


class Carrying:
    """The half of `App` that knows the way out of the house."""

    folder: Path
    settings: Settings
    clock: Clock
    keys: TokenKeys

    @cached_property
    def relays(self) -> Sequence[Relay]:
        """Every relay that mail may go to."""
        return relays_of(self.settings, self.folder, self.clock.elapsed)

    @cached_property
    def mailer(self) -> SmtpMailer:
        """What knows them, who is in reach, and what to do about who is not; one for all senders of this process."""
        return SmtpMailer(*self.relays, elapsed=self.clock.elapsed)

    @cached_property
    def house(self) -> House:
        return House(
            self.keys,
            self.settings.web.base_url,
            self.settings.inbound.domain,
            self.is_by_mail_alone,
            return_path_domain=self.return_path_domain,
            only_as_sender=frozenset(one.name for one in self.settings.relays if one.mail_from == "sender"),
            signers=self.dkim_folder.signers(rewritten_by(self._connected_as)),
        )

    @property
    def return_path_domain(self) -> str:
        """Where mails come back to; empty: to whoever wrote them."""
        return self.settings.senders.return_path_domain or self.settings.inbound.domain

    @property
    def relay_hosts(self) -> tuple[str, ...]:
        """Every relay that mail may go to."""
        return tuple(one.host for one in self.relays)

    @property
    def _connected_as(self) -> list[tuple[str, str]]:
        """As which known relay each was connected, and its host."""
        return [(one.provider, one.host) for one in self.settings.relays] or [("", self.settings.smtp.host)]

    @cached_property
    def dkim_folder(self) -> DkimFolder:
        """The keys that sign our mails."""
        named = self.settings.dkim.folder
        return DkimFolder(self.folder / named if named else self.folder / STATE_FOLDER / "dkim")

    @cached_property
    def boundary(self) -> Boundary:
        return Boundary(
            # One that is not is enough: mail may have to take another way than it was meant to.
            relay_is_loopback=all(relay.is_loopback for relay in self.relays),
            base_url=self.settings.web.base_url,
            only_to=frozenset(domain.lower() for domain in self.settings.sending.only_to),
            test_domains=frozenset(domain.lower() for domain in self.settings.senders.test_domains),
            is_by_mail_alone=self.is_by_mail_alone,
            inbound_domain=self.settings.inbound.domain,
            accepts={one.name: frozenset(one.accepts) for one in self.settings.relays if one.accepts},
        )

    @property
    def is_by_mail_alone(self) -> bool:
        """Whether readers leave by mail, because nobody outside can reach a page of ours."""
        return self.settings.web.way_out == "mailto"
