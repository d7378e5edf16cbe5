"""What a file says of somebody's past becomes what is kept of it. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from nurture.consent.silence.rules import BOUGHT, KeptBack, keep_back, last_sign
from nurture.contacts.imports import NO_PAST, Past

_DAYS = ("last_open_on", "last_click_on", "last_reply_on", "last_contact_on")
NOTHING_KEPT: Mapping[str, Any] = dict.fromkeys((*_DAYS, "bounce_count", "last_sign_on", "told_on", "kept_back"))


def past_of_new(past: Past, basis_on: date | None, source: str | None, today: date) -> dict[str, Any] | None:
    """What is kept of somebody who was not known before; None when there is nothing to keep."""
    if past is NO_PAST and source != BOUGHT:
        return None
    kept = past_of_known(NOTHING_KEPT, past, basis_on, today) or {**NOTHING_KEPT, "last_sign_on": basis_on}
    if source == BOUGHT:
        kept |= {"kept_back": KeptBack.PURCHASED, "told_on": today}
    return kept


def past_of_known(stored: Mapping[str, Any], past: Past, basis_on: date | None, today: date) -> dict[str, Any] | None:
    """What is kept from now on of somebody who is known; None when the file says nothing new about their past."""
    past = past if past is NO_PAST else past.until(today)  # a day to come is a slip of the pen
    told: dict[str, Any] = {name: last_sign((stored[name], getattr(past, name))) for name in _DAYS}
    count = past.bounces if past.bounces is not None else stored["bounce_count"]
    told |= {"bounce_count": max(count, stored["bounce_count"] or 0) if count is not None else None}
    if all(stored[name] == value for name, value in told.items()):
        return None
    last_seen_on = last_sign(told[name] for name in _DAYS)
    last_sign_on = last_sign((last_seen_on, basis_on, stored["last_sign_on"]))
    is_bought = stored["kept_back"] == KeptBack.PURCHASED
    kept = KeptBack.PURCHASED if is_bought else keep_back(last_seen_on, last_sign_on, today)
    return {**told, "last_sign_on": last_sign_on, "told_on": today, "kept_back": kept}
