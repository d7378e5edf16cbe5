"""What happens when somebody has confirmed: they become a contact, what they agreed to is written down, and the rest.

Confirming is the person's own new double opt-in: it lifts their opt-out, as nothing else of what stands here would. It
lifts no bounce, no complaint and no erasure; whoever is held back by one of those gets no mail to confirm.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from nurture.campaigns.declared import find_declared
from nurture.consent import actions as consent
from nurture.consent.actions import Said
from nurture.consent.definition import get_table
from nurture.consent.rules import Basis, Proof
from nurture.consent.silence.actions import say_yes
from nurture.consent.store import consents_of
from nurture.consent.suppressions.actions import come_back
from nurture.contacts import actions, store
from nurture.contacts.assignment.actions import assign_owners
from nurture.contacts.history import actions as history
from nurture.contacts.history.rules import Author
from nurture.contacts.newcomers.store import Newcomer
from nurture.contacts.segments import Language
from nurture.contacts.sources import find_source
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.errors import NotAllowed, NotFound
from nurture.forms.rules import Form, Wording
from nurture.forms.store import SignUp
from nurture.handoff import tasks
from nurture.sequences import entries
from nurture.timing import parse_duration
from nurture.tokens import AddressHasher
from nurture.tracking.actions import record_told, record_words
from nurture.tracking.rules import ActivityKind

#: What stands in the history of somebody who would like to be called.
CALL = "a call"
_CALL_WITHIN = parse_duration("1 working day")


@dataclass(frozen=True)
class Request:
    """What a sign-up asked for, as it stood before it was settled."""

    id: int
    form: str
    said: Mapping[str, Any]
    language: str
    label: str
    operator_id: int | None
    page: str
    ip: str
    submitted_at: datetime
    is_confirmed_by_mail: bool

    @classmethod
    def of(cls, row: SignUp, *, is_confirmed_by_mail: bool) -> "Request":
        return cls(
            row.id, row.form, dict(row.said), row.language, row.label, row.operator_id, row.page, row.ip,
            row.submitted_at, is_confirmed_by_mail,
        )  # fmt: skip

    @property
    def author(self) -> Author:
        """Who changes the contact, for their history."""
        return Author("form", self.page or self.form)

    def proof(self, wording: Wording | None) -> Proof:
        """How we know: which words, on which page, sent when and from where."""
        how = f"form {self.form}: sent {self.submitted_at:%Y-%m-%d %H:%M:%S} UTC"
        return Proof(
            how=f"{how}, confirmed by mail" if self.is_confirmed_by_mail else f"{how}, by their personal link",
            wording=wording.text if wording else "",
            wording_version=wording.version if wording else "",
            page=self.page,
            ip=self.ip,
        )


def find_or_make(
    session: Session, hasher: AddressHasher, request: Request, newcomer: Newcomer, now: datetime
) -> Contact:
    """The contact with that address, made if need be."""
    known = store.find_contact(session, newcomer.address_key)
    if known is not None:
        return known
    row = actions.new_contact(newcomer.address, hasher, now)
    store.insert_contacts(session, [row])
    history.note(session, history.created(row["id"], request.author, now))
    return session.get_one(Contact, row["id"])


def carry_out(
    session: Session, language: Language, form: Form, request: Request, contact: Contact, now: datetime
) -> None:
    """Everything a form does, in the order in which one rests on the other."""
    _fill_in(session, form, request, contact, now)
    # Whose they are decides who is told of a call, so nobody waits for the next round of jobs.
    assign_owners(session, language, [contact.id], now)
    _agree(session, form, request, contact, now)
    content = form.content
    for tag in content["tags"]:
        actions.tag_contact(session, contact.id, tag, now, request.author)
    if content["list"]:
        actions.join_list(session, content["list"], [contact.id], now, request.author)
    record_told(session, contact.id, "submitted", form.name, now, now)
    if request.said.get("call"):
        _wish_for_a_call(session, form, request, contact, now)
    if content["enroll"]:
        # The sequence's own rules decide; where they say no there is nothing left to do.
        with contextlib.suppress(NotAllowed, NotFound):
            entries.enroll(session, language, content["enroll"], contact, because=f"form {form.name}", now=now)


def _fill_in(session: Session, form: Form, request: Request, contact: Contact, now: datetime) -> None:
    """What they typed; and what only holds where nothing was known: language, source, owner."""
    values: dict[str, Any] = dict(request.said["values"])
    if contact.language is None:
        values.setdefault("language", request.language)
    if contact.source is None:
        values["source"] = _source_of(request.label) or form.content["source"]
    if contact.owner_id is None and contact.owner_text is None:
        values["owner_id"] = request.operator_id or _owner_of(session, form.content["owner"])
    actions.change_contact(session, contact, values, now, request.author)


def _source_of(label: str) -> str | None:
    """What a label such as "booth" or "webinar" says about where they come from."""
    found = find_source(label.replace("-", " ")) if label else None
    return None if found == "purchased" else found


def _owner_of(session: Session, email: str) -> int | None:
    owner = store.find_operator(session, email) if email else None
    return owner.id if owner is not None and owner.is_declared else None


def _agree(session: Session, form: Form, request: Request, contact: Contact, now: datetime) -> None:
    wording = form.wording("consent", request.language)
    if request.is_confirmed_by_mail:
        proof = request.proof(wording)
        if come_back(session, contact.address_hash, how=proof, now=now):
            _stay_away(session, request, contact, proof, now)
        said = [
            Said(
                contact.id,
                contact.address_hash,
                contact.country,
                topic,
                "given",
                Basis.DOUBLE_OPT_IN,
                now.date(),
                proof,
                contact.domain,
            )
            for topic in request.said["topics"]
        ]
        consent.record(session, get_table(session), said, now)
        say_yes(session, [contact.id], now.date())
    if request.said.get("tracking"):
        proof = request.proof(form.wording("tracking", request.language))
        consent.choose_tracking(session, contact, wanted=True, how=proof, now=now)


def _stay_away(session: Session, request: Request, contact: Contact, proof: Proof, now: datetime) -> None:
    """Whoever had left everything comes back for what they asked for: their no to the other topics stands."""
    declared = find_declared(session)
    held = {topic for _, topic in consents_of(session, [contact.id])}
    for topic in sorted({*held, *(declared.topics if declared else ())} - set(request.said["topics"])):
        how = replace(
            proof, how=f"left everything before; {proof.how}, not for this topic", wording="", wording_version=""
        )
        consent.choose_topic(session, contact, topic, wanted=False, how=how, now=now)


def _wish_for_a_call(session: Session, form: Form, request: Request, contact: Contact, now: datetime) -> None:
    """A wish for contact, which somebody here answers and asks further: it is no wish for a demonstration yet."""
    title, words = form.text("title", request.language), form.text("call", request.language)
    if contact.interest is None:
        actions.record_interest(session, contact, "information", f"Ticked “{words}” in the form “{title}”", now)
    record_words(session, contact.id, ActivityKind.WISHED, what=CALL, delivery=None, now=now)
    key = f"form:{request.id}:call"
    tasks.add_task(
        session, key=key, contact=contact, due_after=_CALL_WITHIN, now=now,
        what="Call them: they asked for it. Find out what it is about, who decides, and whether a demonstration would help",
        because=f"form {form.name}: “{words}”",
    )  # fmt: skip
    tasks.notify(
        session, key=key, contact=contact, now=now,
        subject="{{ contact.first_name | fallback('Somebody') }} would like a call",
        text=f"They ticked “{words}” in the form “{title}”. It waits for you in `nurture tasks`, due in one working day. "
        "They asked for a call, not for a demonstration: find out what it is about first.",
    )  # fmt: skip
