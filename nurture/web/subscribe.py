"""`/subscribe/{form}`: sign up; `/subscribe/{form}/{rep}` on the page of a colleague of ours, `/for/{token}` by a mail.

GET shows the form and changes nothing. What is sent is answered with the same page whoever's address it is: a mail asks
its owner, and only that link and a button there act. The link of a mail knows who its reader is: it asks only what we do
not know yet, and shows of them no more than the masked address, since mails get forwarded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import Response

from nurture.campaigns.declared import Sender
from nurture.consent.rules import Purpose
from nurture.contacts import store as contacts
from nurture.contacts.addresses import mask
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.store import Delivery, find_delivery
from nurture.delivery.urls import read_delivery
from nurture.forms.actions import Came, Outcome, find_form, find_worded, known_fields, sign_up
from nurture.forms.rules import LABEL, MOST_TEXT, TRAP, Faults, Form, is_machine, read_entry, rep_names
from nurture.forms.stamps import read_stamp, stamp
from nurture.tokens import TokenPurpose
from nurture.web.plain import cut_short, not_there
from nurture.web.site import Site, sender_of
from nurture.web.visits import Visit
from nurture.web.wording import Wording, wording_for

#: How browsers know what to offer (HTML, autofill); WCAG 1.3.5 asks for it.
AUTOCOMPLETE = {
    "first_name": "given-name", "last_name": "family-name", "company": "organization",
    "job_title": "organization-title", "country": "country-name", "language": "language",
}  # fmt: skip


@dataclass(frozen=True)
class Opened:
    """A form as one visitor sees it."""

    form: Form
    wording: Wording
    sender: Sender | None
    label: str = ""
    operator_id: int | None = None
    contact: Contact | None = None
    delivery: Delivery | None = None

    @property
    def is_test(self) -> bool:
        return self.delivery is not None and self.delivery.purpose == Purpose.TEST

    @property
    def known(self) -> list[str]:
        return known_fields(self.form, self.contact) if self.contact is not None else []


def show(site: Site, visit: Visit) -> Response:
    """GET: the form. Changes nothing."""
    with site.app.database.reading() as session:
        found = _open(site, session, visit)
        return found if isinstance(found, Response) else _show(site, visit, found)


def send(site: Site, visit: Visit) -> Response:
    """POST: take the form in, or say what is missing."""
    now = site.app.clock.now()
    said = {name: values[0] for name, values in visit.form.items() if values}
    with site.app.database.writing() as session:
        found = _open(site, session, visit, is_writing=True)
        if isinstance(found, Response):
            return found
        if found.is_test:
            say = found.wording.say
            return site.message(found.wording, say("wish.test_title"), sender=found.sender)
        is_ours, stamped_at = read_stamp(site.app.keys, found.form.name, said.get("stamp", ""))
        if is_machine(said, stamped_at, now):
            return _sent(site, found)
        shown = find_worded(session, found.form, said.get("wording", ""), found.wording.language)
        if not is_ours or shown is None:
            # Left open for too long, put together by hand, or with words nobody was ever shown here.
            return _show(site, visit, found, said, again=True)
        found = replace(found, form=shown)
        entry = read_entry(
            shown,
            said,
            visit.form.get("topic", ()),
            found.wording.language,
            asks_address=found.contact is None,
            known=found.known,
        )
        if isinstance(entry, Faults):
            return _show(site, visit, found, said, entry)
        came = Came(
            page=_page(site, visit, found),
            ip=visit.ip,
            label=found.label,
            operator_id=found.operator_id,
            contact=found.contact,
            delivery_id=found.delivery.id if found.delivery else None,
        )
        outcome = sign_up(session, site.app.desk, shown, entry, came, now)
    match outcome:
        case Outcome.TOO_MANY:
            return _too_many(site, found)
        case Outcome.DONE:
            return thank(site, found.wording, shown, found.sender)
    return _sent(site, found)


def _page(site: Site, visit: Visit, found: Opened) -> str:
    """Where they signed up, for the ledger; of a personal link only that it was one."""
    base = f"{site.app.settings.web.base_url.rstrip('/')}/subscribe/{found.form.name}"
    if found.delivery is not None:
        return f"{base}/for/…"
    rep = f"/{visit.names['rep'].lower()}" if found.operator_id is not None else ""
    return f"{base}{rep}{f'?from={found.label}' if found.label else ''}"


def _open(site: Site, session: Session, visit: Visit, *, is_writing: bool = False) -> Opened | Response:
    """The form of an address, as this visitor gets it; or the page that says what is wrong with the link."""
    form = find_form(session, visit.names["form"])
    if form is None:
        return not_there(site, visit)
    if "token" in visit.names:
        return _open_by_mail(site, session, visit, form, is_writing=is_writing)
    operator_id = None
    if "rep" in visit.names:
        here = [one for one in contacts.list_operators(session).values() if one.is_declared]
        names = rep_names([one.email for one in here])
        operator_id = next((one.id for one in here if names.get(visit.names["rep"].lower()) == one.email), None)
        if operator_id is None:
            return not_there(site, visit)
    label = visit.asked.get("from", "").lower()
    return Opened(
        form,
        _wording(visit, form),
        sender_of(session, None),
        label=label if LABEL.fullmatch(label) else "",
        operator_id=operator_id,
    )


def _open_by_mail(site: Site, session: Session, visit: Visit, form: Form, *, is_writing: bool) -> Opened | Response:
    delivery_id = read_delivery(site.app.keys, TokenPurpose.FORM, visit.names["token"])
    if delivery_id is None:
        return cut_short(site, visit)
    delivery = find_delivery(session, delivery_id)
    # A note to an operator is about a contact, but it is not the contact who reads it.
    is_theirs = delivery is not None and delivery.purpose == Purpose.CAMPAIGN and delivery.contact_id is not None
    if delivery is not None and is_theirs and is_writing:
        contacts.lock_contacts(session, [delivery.contact_id or 0], exclusively=True)
    contact = session.get(Contact, delivery.contact_id) if delivery and is_theirs else None
    wording = _wording(visit, form, contact.language if contact else None)
    # Of somebody who was erased nothing is known: the form is an empty one, as for everybody.
    return Opened(form, wording, sender_of(session, delivery), contact=contact, delivery=delivery)


def _wording(visit: Visit, form: Form, language: str | None = None) -> Wording:
    """The words of the page, in a language that the form speaks as well."""
    asked = {"language": visit.said("language")} if visit.said("language") in form.languages else {}
    found = wording_for(replace(visit, asked={**visit.asked, **asked}), language)
    offered = tuple(one for one in found.offered if one.code in form.languages)
    code = found.language if found.language in form.languages else form.languages[0]
    spoken = tuple(replace(one, is_spoken=one.code == code) for one in offered)
    return Wording(code, spoken if len(spoken) > 1 else ())


def fields_of(form: Form, wording: Wording, known: list[str], said: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the page asks beside the address, as its template shows it."""
    return [
        {
            "name": one.name,
            "label": one.label.get(wording.language) or (
                wording.say(f"subscribe.field_{one.name}") if one.name in AUTOCOMPLETE or one.name == "timezone"
                else next(iter(one.label.values()), "") or one.name.replace("_", " ").capitalize()
            ),
            "type": one.type,
            "is_required": one.is_required,
            "value": said.get(f"field_{one.name}", ""),
            "autocomplete": AUTOCOMPLETE.get(one.name, "off"),
        }
        for one in form.questions
        if one.name not in known
    ]  # fmt: skip


def _show(
    site: Site,
    visit: Visit,
    found: Opened,
    said: Mapping[str, str] | None = None,
    faults: Faults | None = None,
    *,
    again: bool = False,
) -> Response:
    form, wording, typed = found.form, found.wording, said or {}
    language = wording.language
    return site.page(
        "subscribe.html",
        wording,
        title=form.text("title", language),
        intro=form.text("intro", language),
        button=form.text("button", language) or wording.say("subscribe.button"),
        questions=fields_of(form, wording, found.known, typed),
        topics=list(form.topics.items()) if len(form.topics) > 1 else [],
        chosen=visit.form.get("topic", ()),
        consent=form.wording("consent", language),
        shown=form.shown(language),
        tracking=form.text("tracking", language),
        call=form.text("call", language),
        typed=typed,
        faults=faults.by_field if faults else {},
        meant=faults.meant if faults else "",
        sure=typed.get("email", "").rpartition("@")[2].strip().lower() if faults and faults.meant else "",
        is_again=again,
        trap=TRAP,
        most_text=MOST_TEXT,
        # Whoever corrects one letter is quick: what was read once is no machine's.
        stamp=stamp(site.app.keys, form.name, None if faults is not None or again else site.app.clock.now()),
        who=mask(found.contact.email) if found.contact else "",
        other=f"{site.root}/subscribe/{form.name}",
        is_test=found.is_test,
        sender=found.sender,
        status=422 if faults or again else 200,
    )


def _sent(site: Site, found: Opened) -> Response:
    """The one answer to everybody whose form could be read."""
    # What a form is answered with offers no other language: behind those links the form would be empty again.
    wording = Wording(found.wording.language)
    lines = (wording.say("subscribe.sent_line"), wording.say("subscribe.sent_nothing", address=_address(found.sender)))
    return site.message(wording, wording.say("subscribe.sent_title"), *lines, sender=found.sender)


def _too_many(site: Site, found: Opened) -> Response:
    say = found.wording.say
    line = say("subscribe.many_line", address=_address(found.sender))
    return site.message(
        found.wording,
        say("subscribe.many_title"),
        line,
        status=429,
        headers={"Retry-After": "3600"},
        sender=found.sender,
    )


def _address(sender: Sender | None) -> str:
    return f" ({sender.email})" if sender and sender.email else ""


def thank(site: Site, wording: Wording, form: Form, sender: Sender | None) -> Response:
    """What somebody sees when it worked."""
    thanks = form.content["thanks"]
    url = thanks["url"]
    link = (thanks["link"] or {}).get(wording.language) or wording.say(
        "confirm.go_on", place=url.partition("://")[2].partition("/")[0]
    )
    return site.page(
        "thanks.html",
        wording,
        text=(thanks["text"] or {}).get(wording.language, ""),
        url=url,
        link=link,
        sender=sender,
    )
