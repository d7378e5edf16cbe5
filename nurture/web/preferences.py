"""`/preferences/{token}`: less than leaving. Topics, less often, a pause, no tracking; and what the law gives people.

What is chosen acts at once, on mail already sent too. A topic can be left by anybody who gets it and taken up again by
whoever left it; nobody can be signed up here for something they never agreed to. Their data, erasure, a new address and
a yes to tracking are only asked for here, and done once a mail to the address on file confirms them: newsletters get
forwarded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup
from starlette.responses import Response

from nurture.consent.actions import choose_frequency, choose_pause, choose_topic, choose_tracking
from nurture.consent.rhythms.rules import AtMost
from nurture.consent.rules import Proof
from nurture.contacts.addresses import Address, read_address
from nurture.contacts.store import Contact
from nurture.database.engine import Session
from nurture.delivery.urls import read_delivery
from nurture.errors import BadInput
from nurture.privacy.requests import actions as requests
from nurture.privacy.requests.rules import Kind
from nurture.tokens import TokenPurpose
from nurture.web.choices import Choices, find_choices
from nurture.web.plain import cut_short, gone
from nurture.web.site import Site
from nurture.web.visits import Visit
from nurture.web.wording import Wording, wording_for

_PAUSE = timedelta(days=30)
_LONGEST_ADDRESS = 320
#: What has a button of its own; the rest is a box of the form.
_BY_BUTTON = frozenset({Kind.DOWNLOAD, Kind.ERASE, Kind.ADDRESS})


@dataclass(frozen=True)
class News:
    """What a press of a button did, as the page says it above everything else."""

    lines: Sequence[Markup] = ()
    has_changed: bool = False
    is_wrong: bool = False


def show(site: Site, visit: Visit) -> Response:
    """GET: what is chosen now. Changes nothing."""
    delivery_id = read_delivery(site.app.keys, TokenPurpose.PREFERENCES, visit.names["token"])
    if delivery_id is None:
        return cut_short(site, visit)
    with site.app.database.reading() as session:
        choices = find_choices(site, session, delivery_id)
    return _show(site, visit, choices)


def choose(site: Site, visit: Visit) -> Response:
    """POST: make it so, and say what changed."""
    delivery_id = read_delivery(site.app.keys, TokenPurpose.PREFERENCES, visit.names["token"])
    if delivery_id is None:
        return cut_short(site, visit)
    with site.app.database.reading() as session:
        choices = find_choices(site, session, delivery_id)
    if choices is None or choices.is_test:
        return _show(site, visit, choices, News([wording_for(visit).say("preferences.test_unchanged")]))
    wording = wording_for(visit, choices.language)
    address: Address | None = None
    kind = visit.said("ask")
    if kind == Kind.ADDRESS:
        try:
            address = read_address(visit.said("address")[:_LONGEST_ADDRESS])
        except BadInput:
            return _show(site, visit, choices, News([wording.say("preferences.new_address_wrong")], is_wrong=True))
    with site.app.database.writing(durable=True) as session:
        contact = session.get(Contact, choices.contact_id)
        if contact is None:
            news = News()
        elif kind in _BY_BUTTON:
            news = _ask(site, session, contact, Kind(kind), address, choices, wording)
        else:
            news = _make_it_so(site, session, contact, choices, visit, wording)
    with site.app.database.reading() as session:
        choices = find_choices(site, session, delivery_id)
    return _show(site, visit, choices, news)


def _ask(
    site: Site,
    session: Session,
    contact: Contact,
    kind: Kind,
    address: Address | None,
    choices: Choices,
    wording: Wording,
) -> News:
    """Write the mails that must confirm it."""
    app = site.app
    is_written = requests.ask(
        session, app.keys, app.hasher, contact, kind,
        base_url=app.house.base_url, language=wording.language, now=app.clock.now(), new_address=address,
    )  # fmt: skip
    if not is_written:
        return News([wording.say("preferences.asked_often")])
    return News([wording.say("preferences.asked_both" if address else "preferences.asked", who=choices.who)])


def _make_it_so(
    site: Site, session: Session, contact: Contact, choices: Choices, visit: Visit, wording: Wording
) -> News:
    """Change what differs from the form; what the form did not show is left alone. One sentence for each change."""
    now = site.app.clock.now()
    changed = [
        *_topics(session, contact, choices, visit, wording, now),
        *_frequency(session, contact, visit, wording, now),
        *_pause(session, contact, visit, wording, now),
        *_no_tracking(session, contact, choices, visit, wording, now),
    ]
    # A yes to tracking may come from whoever the mail was passed on to, so a mail has to confirm it.
    agrees = _says_of_tracking(choices, visit) is True
    asked = _ask(site, session, contact, Kind.TRACKING, None, choices, wording).lines if agrees else ()
    return News([*changed, *asked] or [wording.say("preferences.nothing_changed")], has_changed=bool(changed))


def _topics(
    session: Session, contact: Contact, choices: Choices, visit: Visit, wording: Wording, now: datetime
) -> list[Markup]:
    shown, wanted = set(visit.form.get("shown", ())), set(visit.form.get("topic", ()))
    news = []
    for topic in choices.topics:
        is_wanted = topic.name in wanted
        how = _proof(visit, topic.label)
        if topic.name in shown and choose_topic(session, contact, topic.name, wanted=is_wanted, how=how, now=now):
            key = "preferences.topic_on" if is_wanted else "preferences.topic_off"
            news.append(wording.say(key, topic=topic.label))
    return news


def _frequency(session: Session, contact: Contact, visit: Visit, wording: Wording, now: datetime) -> list[Markup]:
    said = visit.said("frequency")
    if said not in {"any", *AtMost}:
        return []
    at_most = AtMost(said) if said != "any" else None
    how = _proof(visit, wording.say(f"preferences.frequency_{said}"))
    if not choose_frequency(session, contact, at_most, how=how, now=now):
        return []
    return [wording.say(f"preferences.frequency_changed_{said}")]


def _pause(session: Session, contact: Contact, visit: Visit, wording: Wording, now: datetime) -> list[Markup]:
    said = visit.said("pause")
    if said not in {"month", "end"}:
        return []
    until = now + _PAUSE if said == "month" else None
    how = _proof(visit, wording.say("preferences.pause_button" if until else "preferences.pause_end"))
    if not choose_pause(session, contact, until, how=how, now=now):
        return []
    if until is None:
        return [wording.say("preferences.pause_over")]
    return [wording.say("preferences.paused_line", day=wording.day(until))]


def _says_of_tracking(choices: Choices, visit: Visit) -> bool | None:
    """What the box says, if that is news."""
    wanted = visit.said("tracking") == "yes"
    is_news = visit.said("shown_tracking") and choices.may_be_tracked and wanted != choices.is_tracked
    return wanted if is_news else None


def _no_tracking(
    session: Session, contact: Contact, choices: Choices, visit: Visit, wording: Wording, now: datetime
) -> list[Markup]:
    if _says_of_tracking(choices, visit) is not False:
        return []
    how = _proof(visit, wording.say("preferences.tracking_choice"))
    choose_tracking(session, contact, wanted=False, how=how, now=now)
    return [wording.say("preferences.tracking_off")]


def _proof(visit: Visit, wording: str) -> Proof:
    """What the ledger keeps: the words beside the box or on the button, as they were shown."""
    return Proof("preferences page", wording=str(wording), page="/preferences", ip=visit.ip)


def _show(site: Site, visit: Visit, choices: Choices | None, news: News | None = None) -> Response:
    if choices is None:
        return gone(site, visit, "plain.gone_person")
    news = news or News()
    now = site.app.clock.now()
    return site.page(
        "preferences.html",
        wording_for(visit, choices.language),
        status=422 if news.is_wrong else 200,
        choices=choices,
        news=news.lines,
        has_changed=news.has_changed,
        is_wrong=news.is_wrong,
        may_undo=choices.undo_until is not None and now <= choices.undo_until,
    )
