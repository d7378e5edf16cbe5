"""`/request/{token}`: the page behind the mail that confirms a wish for one's data, erasure, a new address or tracking.

GET shows one button and changes nothing; the press does it. A link is good for an hour and for one press. The page
shows masked addresses only, since it may be opened by whoever holds the mail.
"""

import json
from datetime import datetime

from starlette.responses import Response

from nurture.consent.actions import choose_tracking
from nurture.consent.rules import Proof
from nurture.contacts import store as contacts
from nurture.contacts.addresses import mask
from nurture.contacts.newcomers.store import find_newcomer
from nurture.contacts.store import Contact
from nurture.database import audit
from nurture.database.engine import Session
from nurture.errors import NotAllowed
from nurture.privacy import erasing
from nurture.privacy.knowing import everything_about
from nurture.privacy.requests.actions import confirm, move_to_new_address, read_request
from nurture.privacy.requests.rules import Kind, Side, Standing
from nurture.privacy.requests.store import PersonalRequest, find_request
from nurture.web.plain import cut_short, gone
from nurture.web.site import Site, sender_of
from nurture.web.visits import Visit
from nurture.web.wording import Wording, wording_for

_HOW = "the preferences page, confirmed by mail"


def show(site: Site, visit: Visit) -> Response:
    """GET: what will be done, and one button. Changes nothing."""
    read = read_request(site.app.keys, visit.names["token"])
    if read is None:
        return cut_short(site, visit)
    request_id, side = read
    with site.app.database.reading() as session:
        request = find_request(session, request_id)
        contact = session.get(Contact, request.contact_id) if request else None
        if request is None or contact is None:
            return gone(site, visit, "plain.gone_person")
        wording = wording_for(visit, contact.language)
        over = _why_over(site, wording, request, side, site.app.clock.now())
        if over is not None:
            return over
        return site.page(
            "request.html",
            wording,
            kind=request.kind,
            who=mask(contact.email),
            address=_new_address(session, request),
            sender=sender_of(session, None),
        )


def act(site: Site, visit: Visit) -> Response:
    """POST: take the yes of this side, and do it once nobody else's is missing."""
    read = read_request(site.app.keys, visit.names["token"])
    if read is None:
        return cut_short(site, visit)
    request_id, side = read
    now = site.app.clock.now()
    with site.app.database.writing(durable=True) as session:
        request = find_request(session, request_id)
        if request is None:
            return gone(site, visit, "plain.gone_person")
        # Two presses at once are counted one after the other.
        contacts.lock_contacts(session, [request.contact_id], exclusively=True)
        session.refresh(request)
        contact = session.get_one(Contact, request.contact_id)
        wording = wording_for(visit, contact.language)
        over = _why_over(site, wording, request, side, now)
        if over is not None:
            return over
        if not confirm(session, request, side, now):
            return _say(site, wording, "request.address_half", "request.address_half_line")
        kind, contact_id = Kind(request.kind), contact.id
        if kind is Kind.ADDRESS:
            return _change_address(site, session, wording, contact, request, now)
        _do(session, contact, kind, _proof(visit, wording, kind), now)
    match kind:
        case Kind.ERASE:
            erasing.finish(site.app.database, now)
            return _say(site, wording, "request.erase_done", "request.erase_done_line")
        case Kind.TRACKING:
            return _say(site, wording, "request.tracking_done", "request.tracking_done_line")
    return _hand_out(site, visit, contact_id, now)


def _do(session: Session, contact: Contact, kind: Kind, proof: Proof, now: datetime) -> None:
    """What was confirmed; the data themselves are handed out afterwards."""
    match kind:
        case Kind.ERASE:
            erasing.begin(session, contact.address_hash, proof=proof, now=now)
        case Kind.TRACKING:
            choose_tracking(session, contact, wanted=True, how=proof, now=now)
        case Kind.DOWNLOAD:
            audit.log(session, audit.EXPORTED, who="the person", at=now, about=contact.address_hash, because=_HOW)


def _hand_out(site: Site, visit: Visit, contact_id: int, now: datetime) -> Response:
    with site.app.database.reading() as session:
        contact = session.get(Contact, contact_id)
        if contact is None:
            return gone(site, visit, "plain.gone_person")
        found = everything_about(session, contact, site.app.language, now)
    return Response(
        json.dumps(found, ensure_ascii=False, indent=2),
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="your-data.json"'},
    )


def _proof(visit: Visit, wording: Wording, kind: Kind) -> Proof:
    return Proof(_HOW, wording=str(wording.say(f"request.{kind}_button")), page="/request", ip=visit.ip)


def _change_address(
    site: Site, session: Session, wording: Wording, contact: Contact, request: PersonalRequest, now: datetime
) -> Response:
    address = _new_address(session, request)
    try:
        move_to_new_address(session, site.app.hasher, contact, request, now)
    except NotAllowed:
        return _say(site, wording, "request.address_taken", "request.address_taken_line", status=409)
    return site.message(
        wording, wording.say("request.address_done", address=address), wording.say("request.address_line")
    )


def _new_address(session: Session, request: PersonalRequest) -> str:
    """The address that was typed, masked; empty when the request is about something else."""
    newcomer = find_newcomer(session, request.newcomer_id) if request.newcomer_id is not None else None
    return mask(newcomer.email) if newcomer else ""


def _why_over(site: Site, wording: Wording, request: PersonalRequest, side: Side, now: datetime) -> Response | None:
    match request.asked.standing(side, now):
        case Standing.USED:
            return _say(site, wording, "request.used_title", "request.again_line", status=410)
        case Standing.LATE:
            return _say(site, wording, "request.late_title", "request.again_line", status=410)
        case Standing.OPEN:
            return None


def _say(site: Site, wording: Wording, title: str, line: str, *, status: int = 200) -> Response:
    return site.message(wording, wording.say(title), wording.say(line), status=status)
