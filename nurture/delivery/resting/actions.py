"""What follows when a domain refuses us by its policy: it rests, and whoever looks after sending is told once."""

from collections.abc import Iterable
from datetime import datetime

from nurture.database.claiming import wait_for_lock
from nurture.database.engine import Session
from nurture.delivery.claimed import Row
from nurture.delivery.notices import tell_caretakers
from nurture.delivery.pacing.providers import group_of
from nurture.delivery.resting import store
from nurture.delivery.resting.codes import policy_code
from nurture.delivery.resting.rules import Rest, refuse
from nurture.delivery.rules import Heard, Outcome

_LOCK = "resting domains"


def note(session: Session, tries: Iterable[tuple[Row, Outcome]], now: datetime) -> dict[str, Rest]:
    """Let domains rest whose policy refused one of these mails; their rests as they are now, by name.

    Also those that rest already: whoever else has mails for them in hand hears of it by a refusal of their own.
    """
    refusals = {
        group_of(row.domain): (code, outcome.reply)
        for row, outcome in tries
        if outcome.heard in {Heard.DEFERRED, Heard.REJECTED}
        and not outcome.is_of_sender
        and (code := policy_code(outcome.reply))
    }
    return {
        name: rest
        for name, (code, reply) in sorted(refusals.items())
        if (rest := rest_now(session, name, code, reply, now)) is not None
    }


def rest_now(session: Session, name: str, code: str, reply: str, now: datetime) -> Rest | None:
    """One domain, or a provider by its name, refused us: the rest it has from here on, or had already."""
    # Two workers may hear the same at once: only the first begins a rest, and tells of it.
    wait_for_lock(session, _LOCK)
    known = store.list_rests(session, now).get(name)
    rest = refuse(known, name, code, reply[:500], now)
    if rest is None:
        return known
    store.save(session, rest)
    tell_caretakers(
        session,
        "rest",
        key=f"rest:{name}:{now:%Y%m%d%H%M%S}",
        facts={"domain": name, "reply": reply[:500], "code": code, "until": f"{rest.until:%Y-%m-%d %H:%M} UTC",
               "times": str(rest.times), "is_again": rest.times > 1},
        now=now,
    )  # fmt: skip
    return rest
