"""`/u/{token}`: the way out. GET shows one button; only POST acts, at once and for good.

RFC 8058: the address alone says who leaves, the POST needs no cookie, login or JavaScript, is answered with 200 and never
with a redirect, and may be repeated. It works for an address nobody knows any more, because the token carries the hash
under which the suppression list knows it. What a mail client's one-click POST is answered with does not depend on
whether the address is known.
"""

from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from nurture.campaigns.declared import Sender
from nurture.consent.rules import Proof, Purpose
from nurture.consent.suppressions.actions import opt_out, undo_opt_out, undo_until
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.consent.suppressions.store import suppressions_of
from nurture.contacts import store as contacts
from nurture.contacts.addresses import mask
from nurture.database.engine import Session
from nurture.delivery.doubts.actions import take_evidence
from nurture.delivery.store import find_delivery
from nurture.delivery.urls import Via, WayOut, read_way_out, sign_delivery
from nurture.errors import NotAllowed
from nurture.tokens import TokenPurpose
from nurture.web.plain import cut_short
from nurture.web.site import Site, sender_of
from nurture.web.visits import Visit
from nurture.web.wording import wording_for

NOBODY = "0" * 32  # the hash in mails to operators and in test mails


@dataclass(frozen=True)
class Standing:
    """What the page may say about the address of a token."""

    who: str  # the masked address; empty when nobody is known under it
    is_test: bool
    left_at: datetime | None
    is_silent_anyway: bool  # something beside an opt-out keeps us from writing
    sender: Sender | None
    preferences: str  # path of the page where less than everything is chosen
    undo_until: datetime | None
    language: str | None = None  # of the contact


def show(site: Site, visit: Visit) -> Response:
    """GET: the button, or, for somebody who has left, the way back. Changes nothing."""
    way_out = read_way_out(site.app.keys, visit.names["token"])
    if way_out is None:
        return cut_short(site, visit)
    with site.app.database.reading() as session:
        standing = _look_up(site, session, way_out)
    return _show(site, visit, standing)


def leave(site: Site, visit: Visit) -> Response:
    """POST: out, whatever the body says; only `undo=yes` takes it back."""
    way_out = read_way_out(site.app.keys, visit.names["token"])
    if way_out is None:
        return cut_short(site, visit)
    is_button = "leave" in visit.form or "undo" in visit.form
    is_one_click = visit.said("List-Unsubscribe") == "One-Click" or (way_out.via is Via.HEADER and not is_button)
    with site.app.database.reading() as session:
        is_test = _is_test(session, way_out)
    if is_test:
        return _nobody_was_changed(site, visit)
    if visit.said("undo") == "yes":
        return _undo(site, visit, way_out)
    with site.app.database.writing(durable=True) as session:
        opt_out(
            session,
            way_out.address_hash,
            how=_proof(visit, "one-click header" if is_one_click else "page"),
            now=site.app.clock.now(),
            delivery_id=way_out.delivery_id,
        )
        take_evidence(session, [way_out.delivery_id], "somebody left by its link", site.app.clock.now())
    with site.app.database.reading() as session:
        standing = _look_up(site, session, way_out)
    if is_one_click:
        # Nobody reads this answer; it is the same whether or not the address is known, or had left before.
        # Not even its language, which is the client's and never the contact's.
        wording = wording_for(visit)
        return site.message(wording, wording.say("leave.left_title_unknown"), wording.say("leave.one_click_line"))
    return _show(site, visit, standing, has_just_left=True)


def _proof(visit: Visit, how: str) -> Proof:
    return Proof(how, page="/u", ip=visit.ip)


def _undo(site: Site, visit: Visit, way_out: WayOut) -> Response:
    """Take the opt-out back within 30 days: a new event in the ledger, never lifting a bounce or a complaint."""
    try:
        with site.app.database.writing(durable=True) as session:
            undo_opt_out(
                session,
                _whose(session, way_out),
                how=_proof(visit, "undo on the page"),
                now=site.app.clock.now(),
                delivery_id=way_out.delivery_id,
            )
    except NotAllowed:
        wording = wording_for(visit)
        return site.message(wording, wording.say("leave.late_title"), wording.say("leave.late_line"), status=409)
    with site.app.database.reading() as session:
        standing = _look_up(site, session, way_out)
    return site.page("back.html", wording_for(visit, standing.language), standing=standing)


def _show(site: Site, visit: Visit, standing: Standing, *, has_just_left: bool = False) -> Response:
    wording = wording_for(visit, standing.language)
    if standing.left_at is None:
        return site.page("leave.html", wording, standing=standing)
    may_undo = standing.undo_until is not None and site.app.clock.now() <= standing.undo_until
    return site.page("left.html", wording, standing=standing, may_undo=may_undo, has_just_left=has_just_left)


def _nobody_was_changed(site: Site, visit: Visit) -> Response:
    wording = wording_for(visit)
    return site.message(wording, wording.say("leave.test_title"), wording.say("leave.test_line"))


def _look_up(site: Site, session: Session, way_out: WayOut) -> Standing:
    contact = contacts.find_by_hash(session, way_out.address_hash)
    delivery = find_delivery(session, way_out.delivery_id)
    address_hash = _whose(session, way_out)
    reasons = suppressions_of(session, [address_hash]).get(address_hash, {})
    token = sign_delivery(site.app.keys, TokenPurpose.PREFERENCES, way_out.delivery_id)
    return Standing(
        who=mask(contact.email) if contact else "",
        is_test=_is_test(session, way_out),
        left_at=reasons.get(SuppressionReason.OPT_OUT),
        is_silent_anyway=bool(reasons.keys() - {SuppressionReason.OPT_OUT}),
        sender=sender_of(session, delivery),
        preferences=f"{site.root}/preferences/{token}" if contact and delivery else "",
        undo_until=undo_until(session, address_hash, way_out.delivery_id),
        language=contact.language if contact else None,
    )


def _whose(session: Session, way_out: WayOut) -> str:
    """The address that whoever had that of the token has now: it may have come back since, and is the one we write to."""
    contact = contacts.find_by_any_hash(session, way_out.address_hash)
    return contact.address_hash if contact else way_out.address_hash


def _is_test(session: Session, way_out: WayOut) -> bool:
    delivery = find_delivery(session, way_out.delivery_id)
    return way_out.address_hash == NOBODY or (delivery is not None and delivery.purpose == Purpose.TEST)
