"""Settings become a running house here: the one place that chooses implementations and hands everybody small values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.message import EmailMessage
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nurture.app.carrying import Carrying
from nurture.app.declaring import borrowed_domains, personal_domains, strained_relays
from nurture.app.language import language
from nurture.campaigns.declared import find_declared
from nurture.campaigns.declaring import DeclaredKind
from nurture.campaigns.memory import Memory
from nurture.campaigns.planning import FILES_ONLY, Change, Order
from nurture.campaigns.publications import undoing
from nurture.campaigns.publications.undoing import Undoing
from nurture.campaigns.publishing import Reading, publish, read_workspace
from nurture.campaigns.reading import Kind, Workspace
from nurture.clock import SystemClock
from nurture.conditions import Field as Word
from nurture.conditions import FieldType, Predicate, Words
from nurture.consent import store as consents
from nurture.consent.domains.asking import Asker
from nurture.consent.kind import ConsentKind
from nurture.contacts import fields as contact_fields
from nurture.contacts.actions import mirror_operators
from nurture.contacts.fields import DeclaredField
from nurture.contacts.questions.kind import QuestionsKind, questions_in
from nurture.contacts.questions.rules import Question, check_of
from nurture.contacts.segments import Language, SegmentsKind, segment_texts
from nurture.database import audit
from nurture.database.claiming import register_worker
from nurture.database.engine import Session
from nurture.delivery.kind import ServiceKind
from nurture.delivery.owners import ask_owners
from nurture.engines.jobs import Bench
from nurture.engines.local import Workshop
from nurture.forms.actions import Desk
from nurture.forms.kind import FormsKind, Surroundings
from nurture.forms.rules import Terms
from nurture.handoff.definition import HandoffKind
from nurture.inbound.actions import receive
from nurture.newsletters.kind import IssueKind, NewsletterKind
from nurture.outgoing.calling import Caller, Exchange
from nurture.outgoing.rules import Outskirts
from nurture.privacy.retention.rules import Retention
from nurture.scoring.definition import ScoringKind
from nurture.sequences.kind import SequenceKind
from nurture.settings import STATE_FOLDER
from nurture.timing import parse_day_span, parse_length

if TYPE_CHECKING:
    from nurture.adapters.dns import Dns
    from nurture.inbound.listener import Listener


@dataclass
class App(Carrying):
    """One workspace with its database, clock and keys."""

    language: Language = field(default_factory=language)

    @cached_property
    def fields(self) -> dict[str, DeclaredField]:
        """The declared contact fields."""
        return {
            name: DeclaredField(name, FieldType(one.type), one.label or name, one.headers)
            for name, one in self.settings.fields.items()
        }

    @cached_property
    def settle_after(self) -> timedelta:
        return timedelta(seconds=self.settings.tracking.settle_seconds)

    def kinds(self) -> Sequence[Kind]:
        """Everything that can be published, in the order in which it is."""
        operators = frozenset(one["email"].lower() for one in self.declared.operators)
        return (
            DeclaredKind(
                self.declared,
                frozenset(contact_fields.BUILT_IN),
                [one.name for one in self.settings.topics],
                borrowed_domains(self.declared, self.relay_hosts),
                strained_relays(self.settings),
            ),
            ConsentKind(),
            SegmentsKind(),
            QuestionsKind(),
            ScoringKind(),
            HandoffKind(operators),
            ServiceKind(),
            SequenceKind(),
            NewsletterKind(self.declared, personal_domains(self.declared, self.relay_hosts)),
            IssueKind(),
            FormsKind(Surroundings(self.declared.topics, self.fields, operators, self._own_domains)),
        )

    @cached_property
    def _own_domains(self) -> frozenset[str]:
        """Where our pages are and where our mail comes from."""
        here = urlsplit(self.settings.web.base_url).hostname or ""
        named = (*self.settings.senders.domains, *self.settings.company.domains, here)
        return frozenset(domain.lower() for domain in named if domain and "." in domain.strip("0123456789."))

    @cached_property
    def desk(self) -> Desk:
        """What taking sign-ups in works with."""
        forms = self.settings.forms
        terms = Terms(
            per_ip=forms.per_ip,
            per_address=forms.per_address,
            confirm_within=parse_length(forms.confirm_within),
            remind_after=parse_length(forms.remind_after),
        )
        return Desk(self.keys, self.hasher, self.language, self.settings.web.base_url, terms)

    def workspace(self) -> Workspace:
        """What the files of this workspace may refer to."""
        questions = questions_in(self.folder)
        return Workspace(
            folder=self.folder,
            words=Words(self._field_words(), self._predicates(questions), segment_texts(self.folder)),
            topics={name: topic.label for name, topic in self.declared.topics.items()},
            senders=frozenset(self.declared.senders),
            operators=frozenset(one["email"].lower() for one in self.declared.operators),
            today=self.clock.now().date(),
            values_per_ask=self.declared.values_per_ask,
            blackout=tuple(parse_day_span(text) for text in self.declared.blackout),
            questions={name: one.to_json() for name, one in questions.items()},
        )

    def _predicates(self, questions: Mapping[str, Question]) -> dict[str, Predicate]:
        """What conditions of this workspace may ask; `answered` knows the questions there are."""
        answered = replace(self.language.predicates["answered"], check=check_of(questions))
        return {**self.language.predicates, "answered": answered}

    def read_files(self, *, with_people: bool = False, from_memory: bool = False) -> Reading:
        """Read and check every file of the workspace.

        `with_people`: remarks may say how many contacts they are about. `from_memory`: what was found about a file that
        has not changed since need not be found again; for what is published, it is.
        """
        workspace = self.workspace()
        if with_people:
            with self.database.reading() as session:
                share = consents.share_not_recorded(session, self.clock.now())
            workspace = replace(workspace, not_recorded=share)
        if not from_memory:
            return read_workspace(workspace, self.kinds())
        memory = Memory(self.folder / STATE_FOLDER / "checked", self.folder)
        reading = read_workspace(replace(workspace, memory=memory), self.kinds())
        memory.prune()
        return reading

    def _field_words(self) -> dict[str, Word]:
        return contact_fields.field_words(self.fields)

    def register(self) -> int:
        """A worker incarnation for this process."""
        with self.database.writing() as session:
            return register_worker(session)

    def bench(self, worker: int) -> Bench:
        """What the recurring jobs work with."""
        return Bench(
            self.database,
            worker,
            self.language,
            self.settle_after,
            self.resends_uncertain,
            self.retention,
            desk=self.desk,
        )

    @cached_property
    def retention(self) -> Retention:
        """How long what is known about people is kept."""
        kept = self.settings.privacy
        return Retention(**{name: parse_length(text) for name, text in kept.model_dump().items()})

    def caller(self, worker: int) -> Caller:
        """The calling half of a worker."""
        from nurture.adapters.webhook import HttpLine

        webhooks = self.settings.webhooks
        line = HttpLine(self.outskirts, webhooks.timeout_seconds)
        give_up_after = parse_length(webhooks.give_up_after)
        return Caller(self.database, Exchange(line, self.keys, give_up_after), worker, self.clock)

    @cached_property
    def outskirts(self) -> Outskirts:
        """How far calls may go: in a rehearsal and in the demo not off this machine."""
        return Outskirts(
            allow=frozenset(host.lower() for host in self.settings.webhooks.allow),
            only_loopback=not (isinstance(self.clock, SystemClock) and not self.clock.offset),
        )

    def asker(self) -> Asker:
        """What asks the name servers where mail may go; while nothing leaves this machine it asks nobody."""
        return Asker(self.database, None if self.boundary.relay_is_loopback else self.resolver, self.clock)

    @cached_property
    def resolver(self) -> "Dns":
        """What asks the name servers."""
        from nurture.adapters.dns import Dns

        return Dns(self.settings.dns.servers)

    def workshop(self) -> Workshop:
        """What an engine runs."""
        return Workshop(self.database, self.clock, self.bench, self.sender, self.caller, self.asker)

    def listener(self) -> "Listener | None":
        """What takes in the mail that comes back; None where none does."""
        from nurture.inbound.listener import Listener

        inbound, returned = self.settings.inbound, self.settings.senders.return_path_domain
        if not inbound.domain and not returned:
            return None
        return Listener(inbound.host, inbound.port, inbound.domain, self.take_mail, return_path_domain=returned)

    def take_mail(self, recipients: list[str], message: EmailMessage, content: bytes) -> None:
        """Take in one mail that came back; called by the listener, whose 250 follows the commit."""
        with self.database.writing(durable=True) as session:
            receive(session, self.keys, recipients, message, content, self.clock.now())

    def publish(self, reading: Reading, *, published_by: str, order: Order = FILES_ONLY) -> list[Change]:
        """Publish the files, mirror the operators they rest on, and ask those whose name new mails would carry."""
        reading.write_down()
        with self.database.writing(durable=True) as session:
            changes = publish(
                session, self.kinds(), reading, published_by=published_by, now=self.clock.now(), order=order
            )
            mirror_operators(session, [dict(one) for one in self.declared.operators])
            ask_owners(session, self.clock.now())
            self._log_changes(session, changes, published_by)
        return changes

    def _log_changes(self, session: Session, changes: Sequence[Change], who: str) -> None:
        """Write down who published what; a change of who may be mailed has a line of its own, with its reasons."""
        now = self.clock.now()
        changed = [one for one in changes if one.old != one.new]
        if changed:
            about = ", ".join(f"{one.kind}:{one.name}" for one in changed)
            audit.log(session, audit.PUBLISHED, who=who, at=now, about=about)
        for one in changed:
            if one.kind == ConsentKind.name:
                audit.log(session, audit.CONSENT_TABLE, who=who, at=now, about=one.name, because="; ".join(one.changes))

    def roll_back(self, plan: Callable[[Session], Undoing], *, published_by: str, order: Order = FILES_ONLY) -> Undoing:
        """Take back what `plan` finds, and mirror the operators as they were declared then."""
        with self.database.writing(durable=True) as session:
            undoing.take_turn(session)
            found = plan(session)
            undoing.roll_back(session, self.kinds(), found, order, published_by=published_by, now=self.clock.now())
            declared = find_declared(session)
            mirror_operators(session, [dict(one) for one in declared.operators] if declared else [])
        return found
