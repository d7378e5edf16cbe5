"""What carries the mail of a house: its relays, the keys that sign, where mails come back to, whom they may go to.

A sender process opens this half alone: what decides (sequences, newsletters, forms, reports …) would be twelve megabytes
more in each of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from nurture.adapters.dkim_folder import DkimFolder
from nurture.adapters.smtp import Relay, SmtpMailer
from nurture.app.declaring import declared_of
from nurture.app.pacing import pacing_of
from nurture.app.relaying import own_ids_of, relays_of
from nurture.campaigns.declared import Declared, find_declared
from nurture.clock import Clock
from nurture.database.engine import Database, Session
from nurture.delivery.actions import Limits
from nurture.delivery.boundary import Boundary
from nurture.delivery.house import House
from nurture.delivery.rules import MOST_BY_MAIL_ALONE
from nurture.delivery.sender import Sender as MailSender
from nurture.relays.hosts import rewritten_by
from nurture.settings import STATE_FOLDER, Settings
from nurture.timing import parse_day_span
from nurture.tokens import AddressHasher, TokenKeys
from nurture.tracking import store as activities


@dataclass
class Carrying:
    """The half of `App` that knows the way out of the house."""

    folder: Path
    settings: Settings
    database: Database
    clock: Clock
    keys: TokenKeys
    hasher: AddressHasher
    home: str
    give_up_after: timedelta

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

    @cached_property
    def declared(self) -> Declared:
        """What settings.toml declares, as files rest on it."""
        return declared_of(self.settings)

    @property
    def resends_uncertain(self) -> bool:
        return self.settings.sending.on_uncertain == "resend"

    def sender(self, worker: int) -> MailSender:
        """The sending half of a worker."""
        return MailSender(
            self.database,
            self.mailer,
            worker=worker,
            clock=self.clock,
            house=self.house,
            boundary=self.boundary,
            limits=self._limits,
            limits_of_pace=pacing_of(self.settings),
            # Before the first publish only a test of what the files say can be in the outbox.
            declared=lambda session: find_declared(session) or self.declared,
            answered=activities.answers_of,
            coming=self._coming_issues,
            own_ids=own_ids_of(self.settings),
        )

    def _limits(self, declared: Declared) -> Limits:
        """What sending is held to, as it is published."""
        return Limits(
            cap_per_day=declared.cap_per_day,
            cap_per_week=declared.cap_per_week,
            give_up_after=self.give_up_after,
            resend_uncertain=self.resends_uncertain,
            values_per_ask=declared.values_per_ask,
            blackout=tuple(parse_day_span(text) for text in declared.blackout),
            blast_guard=declared.blast_guard,
            most_per_day=MOST_BY_MAIL_ALONE if self.is_by_mail_alone else 0,
        )

    def _coming_issues(self, session: Session, ids: Sequence[int], now: datetime) -> Mapping[int, datetime]:
        """Which of these contacts an issue goes to before any step of a sequence."""
        # Late: what newsletters and conditions are made of is three megabytes, and only steps of sequences ask for it.
        from nurture.app.language import language
        from nurture.newsletters.actions import list_coming_issues

        return list_coming_issues(session, language(), ids, now)

    def close(self) -> None:
        self.database.close()
