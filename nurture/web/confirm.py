"""`/confirm/{token}`: the link in the mail that asks whether it was them. GET shows one button; only POST confirms."""

from starlette.responses import Response

from nurture.consent.rules import is_subscribed
from nurture.consent.store import all_standings
from nurture.contacts.addresses import mask
from nurture.contacts.newcomers.store import find_newcomer
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.forms import actions
from nurture.forms.rules import Form, State
from nurture.forms.stamps import read_confirm_token
from nurture.forms.store import SignUp, find_sign_up
from nurture.web.plain import cut_short
from nurture.web.site import Site, sender_of
from nurture.web.subscribe import thank
from nurture.web.visits import Visit
from nurture.web.wording import Wording, wording_for


def show(site: Site, visit: Visit) -> Response:
    """GET: what would be confirmed, and one button. Changes nothing."""
    sign_up_id = read_confirm_token(site.app.keys, visit.names["token"])
    if sign_up_id is None:
        return cut_short(site, visit)
    with site.app.database.reading() as session:
        row = find_sign_up(session, sign_up_id)
        sender = sender_of(session, None)
        if row is None or (
            row.state != State.CONFIRMED and not actions.is_open(site.app.desk, row, site.app.clock.now())
        ):
            return _too_late(site, wording_for(visit, row.language if row else None))
        wording = wording_for(visit, row.language)
        form = actions.get_version(session, row.form, row.version_id)
        if row.state == State.CONFIRMED:
            return _used_before(site, session, row, form, wording)
        topics = form.topics
        return site.page(
            "confirm.html",
            wording,
            title=form.text("title", _spoken(wording, form).language),
            topics=[topics[name]["label"] for name in row.said["topics"]],
            ticked=_ticked(form, row),
            spoken=row.language,
            who=_whom(session, row),
            sender=sender,
        )


def agree(site: Site, visit: Visit) -> Response:
    """POST: the owner of the address says yes."""
    sign_up_id = read_confirm_token(site.app.keys, visit.names["token"])
    if sign_up_id is None:
        return cut_short(site, visit)
    with site.app.database.writing(durable=True) as session:
        before = find_sign_up(session, sign_up_id)
        was_confirmed = before is not None and before.state == State.CONFIRMED
        row = actions.confirm(session, site.app.desk, sign_up_id, site.app.clock.now())
        if row is None:
            return _too_late(site, wording_for(visit))
        form = actions.get_version(session, row.form, row.version_id)
        if was_confirmed:
            return _used_before(site, session, row, form, wording_for(visit, row.language))
        return thank(site, _spoken(wording_for(visit, row.language), form), form, sender_of(session, None))


def _used_before(site: Site, session: Session, row: SignUp, form: Form, wording: Wording) -> Response:
    """The same thanks once more, unless they left since: an old link brings nobody back, and must not say so."""
    topics = list(form.topics)
    known = all_standings(session, [row.contact_id] if row.contact_id else [], topics).get(row.contact_id or 0, {})
    now = site.app.clock.now()
    if topics and not any(topic in known and is_subscribed(known[topic], now) for topic in topics):
        return _too_late(site, wording)
    return thank(site, _spoken(wording, form), form, sender_of(session, None))


def _ticked(form: Form, row: SignUp) -> list[str]:
    """The words beside each box that was ticked: a stranger may have done it, and whoever presses here agrees to them."""
    boxes = ["consent", *(name for name in ("tracking", "call") if row.said.get(name))]
    return [form.text(name, row.language) for name in boxes]


def _too_late(site: Site, wording: Wording) -> Response:
    return site.message(wording, wording.say("confirm.late_title"), wording.say("confirm.late_line"), status=410)


def _spoken(wording: Wording, form: Form) -> Wording:
    """A language of the page in which the form has texts of its own."""
    return wording if wording.language in form.languages else Wording(form.languages[0])


def _whom(session: Session, row: SignUp) -> str:
    contact = session.get(Contact, row.contact_id) if row.contact_id is not None else None
    newcomer = find_newcomer(session, row.newcomer_id) if row.newcomer_id is not None else None
    known = contact or newcomer
    return mask(known.email) if known else ""
