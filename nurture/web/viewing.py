"""`/view/{token}`: the mail as it was sent, in a browser. The same words, the same links.

A mail is somebody's HTML, so it gets a policy of its own: no scripts, no forms, no frames, and a sandbox around it.
"""

import logging

from starlette.responses import HTMLResponse, Response

from nurture.delivery import composing
from nurture.delivery.store import find_delivery
from nurture.delivery.urls import read_delivery
from nurture.errors import NurtureError
from nurture.tokens import TokenPurpose
from nurture.web.plain import cut_short, gone
from nurture.web.site import Site
from nurture.web.visits import Visit

log = logging.getLogger(__name__)

#: Mails style themselves inline and take pictures from where their authors keep them; links may open a window of their
#: own, and what opens there is out of the sandbox.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src {own} 'self' https: data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; sandbox allow-popups allow-popups-to-escape-sandbox"
)


def show(site: Site, visit: Visit) -> Response:
    """GET: the mail."""
    delivery_id = read_delivery(site.app.keys, TokenPurpose.VIEW, visit.names["token"])
    if delivery_id is None:
        return cut_short(site, visit)
    with site.app.database.reading() as session:
        delivery = find_delivery(session, delivery_id)
        # What a mail took from its reader is deleted with them.
        if delivery is None or "rendered_at" not in (delivery.facts or {}):
            return gone(site, visit, "plain.gone_mail")
        recipient = composing.find_recipient(session, delivery)
        if recipient is None:
            return gone(site, visit, "plain.gone_mail")
        try:
            mail = composing.get_mail(session, delivery)
            email = composing.email_of_contact(session, delivery)
            rendered = composing.render(mail, delivery, site.app.house, recipient, email)
        except NurtureError:
            log.exception("the mail cannot be shown", extra={"delivery": delivery_id})
            return gone(site, visit, "plain.gone_view")
    return HTMLResponse(rendered.html, headers={"Content-Security-Policy": _POLICY.format(own=site.origin)})
