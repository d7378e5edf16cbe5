"""`/answer/{token}/{number}`: the question of a mail, with the answer chosen whose link was followed.

GET shows one button and changes nothing, because scanners follow every answer; only POST says anything. An answer is
somebody's own word, tracked or not: it stands in their history and sets what the question is about. Another answer takes
the place of the first. Mails get forwarded: the page says whose answer it takes, masked, and never what they said before.
"""

from dataclasses import dataclass

from starlette.responses import Response

from nurture.campaigns.declared import Sender
from nurture.consent.rules import Purpose
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts import store as contacts
from nurture.contacts.addresses import mask
from nurture.contacts.questions.rules import Answer, answer_key
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.asking import Asked, read_asked
from nurture.delivery.store import Delivery, find_delivery
from nurture.delivery.urls import read_delivery
from nurture.tokens import TokenPurpose
from nurture.tracking.actions import record_answer
from nurture.tracking.rules import ActivityKind
from nurture.tracking.store import last_answers, words_said_in
from nurture.web.plain import cut_short, gone, not_there
from nurture.web.site import Site, sender_of
from nurture.web.visits import Visit
from nurture.web.wording import Wording, wording_for

#: Whoever changes their mind more often is better served by an answer to the mail.
_MOST_ANSWERS = 10


@dataclass(frozen=True)
class Choice:
    """An answer as its page shows it."""

    number: int
    label: str


@dataclass(frozen=True)
class Call:
    """What the page knows about the mail it came from."""

    delivery: Delivery
    contact: Contact | None
    asked: Asked
    number: int
    said: str  # the key of what they answered last
    answers_given: int  # by this mail
    sender: Sender | None

    @property
    def is_test(self) -> bool:
        return self.delivery.purpose == Purpose.TEST

    @property
    def answer(self) -> Answer:
        return self.asked.question.answers[self.number - 1]

    def choices(self, language: str) -> list[Choice]:
        """All answers, in the language of the page where they are translated."""
        labels = self.asked.question.shown_in(language).answers
        return [Choice(number, label) for number, label in enumerate(labels, start=1)]


def ask(site: Site, visit: Visit) -> Response:
    """GET: the answer whose link was followed, and one button. Changes nothing."""
    with site.app.database.reading() as session:
        found = _find(site, session, visit)
    return found if isinstance(found, Response) else _show(site, found, visit)


def take_down(site: Site, visit: Visit) -> Response:
    """POST: record the answer, and thank them."""
    with site.app.database.writing() as session:
        found = _find(site, session, visit, is_writing=True)
        if isinstance(found, Response):
            return found
        wording = _wording(visit, found)
        if found.is_test:
            return site.message(wording, wording.say("question.test_title"), wording.say("question.test_line"))
        if found.contact is None:
            return gone(site, visit, "plain.gone_person")
        is_new = answer_key(found.answer.label) != found.said
        if is_new and found.answers_given >= _MOST_ANSWERS:
            return site.message(
                wording,
                wording.say("question.often_title"),
                wording.say("question.often_line"),
                status=409,
                sender=found.sender,
            )
        record_answer(
            session, found.contact, found.asked.question, found.answer, delivery=found.delivery,
            now=site.app.clock.now(),
        )  # fmt: skip
        has_left = bool(suppressions_of(session, [found.contact.address_hash]))
        found = _find(site, session, visit)
    if isinstance(found, Response):
        return found
    return _show(site, found, visit, has_just_answered=True, has_left=has_left)


def _show(
    site: Site, found: Call, visit: Visit, *, has_just_answered: bool = False, has_left: bool = False
) -> Response:
    wording = _wording(visit, found)
    choices = found.choices(wording.language)
    chosen = choices[found.number - 1]
    return site.page(
        "question.html",
        wording,
        question=found.asked.question.shown_in(wording.language).text,
        chosen=chosen,
        is_answered=bool(found.said),
        who=mask(found.contact.email) if found.contact else "",
        others=[one for one in choices if one is not chosen],
        query=f"?language={wording.language}" if "language" in visit.asked else "",
        has_just_answered=has_just_answered,
        has_left=has_left,
        is_test=found.is_test,
        sender=found.sender,
    )


def _wording(visit: Visit, found: Call) -> Wording:
    """The page speaks as the mail did."""
    return wording_for(visit, found.asked.language)


def _find(site: Site, session: Session, visit: Visit, *, is_writing: bool = False) -> Call | Response:
    """The question behind the token, or the page that says what is wrong with the link."""
    delivery_id = read_delivery(site.app.keys, TokenPurpose.ANSWER, visit.names["token"])
    if delivery_id is None:
        return cut_short(site, visit)
    delivery = find_delivery(session, delivery_id)
    asked = read_asked(delivery.facts) if delivery else None
    if delivery is None or asked is None:
        return gone(site, visit, "plain.gone_mail")
    numbers = {str(number): number for number in range(1, len(asked.question.answers) + 1)}
    if visit.names["number"] not in numbers:
        return not_there(site, visit)
    is_theirs = delivery.purpose == Purpose.CAMPAIGN and delivery.contact_id is not None
    if is_theirs and is_writing:
        # Two presses at once are counted one after the other.
        contacts.lock_contacts(session, [delivery.contact_id or 0], exclusively=True)
    contact = session.get(Contact, delivery.contact_id) if is_theirs else None
    if contact is None and delivery.purpose != Purpose.TEST:
        return gone(site, visit, "plain.gone_person")
    said = last_answers(session, contact.id).get(asked.question.name, "") if contact else ""
    given = words_said_in(session, delivery.id, ActivityKind.ANSWERED)
    number = numbers[visit.names["number"]]
    return Call(delivery, contact, asked, number, said, len(given), sender_of(session, delivery))
