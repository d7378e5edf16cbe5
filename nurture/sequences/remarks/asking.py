"""Questions about mails: sent before they are asked about, with the links that somebody is to click, by a mail that offers.

A question about a mail looks at this enrollment alone, so what the file does not send and link cannot be answered yes;
`ever=True` looks further, and is left alone.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from nurture.conditions import Asks, walk
from nurture.errors import did_you_mean
from nurture.rendering.links import Link, is_web
from nurture.sequences.program import Send
from nurture.sequences.remarks.judged import Judged, Question
from nurture.tracking.rules import OUTSIDE_MAILS, is_link

#: Questions that only a mail of this enrollment answers.
_OF_MAILS = frozenset({"opened", "clicked", "visited", "replied", "booked"}) - OUTSIDE_MAILS
_SHOWN = 5  # links that a hint lists


def questions_about_mails(judged: Judged) -> None:
    """Every question about a mail that was not sent by then, or has no such link; the winner of a test asks at its end."""
    for one in judged.branches:
        assert one.step is not None
        _check(judged, one, judged.ways.mails_before(one.step), "before this step")
    for one in judged.exits:
        _check(judged, one, judged.ways.mails_after(judged.program.first), "in this sequence")


def _check(judged: Judged, question: Question, sent: set[str], when: str) -> None:
    for part in walk(question.when):
        if isinstance(part, Asks) and part.predicate in _OF_MAILS and not dict(part.arguments).get("ever"):
            mail = dict(part.arguments).get("mail")
            if not isinstance(mail, str) or "/" not in mail:
                _check_one(judged, question, part, mail if isinstance(mail, str) else None, sent, when)


def _check_one(judged: Judged, question: Question, asked: Asks, mail: str | None, sent: set[str], when: str) -> None:
    given = dict(asked.arguments)
    mails = sent & {mail} if mail else sent
    offers = {one for one in mails if isinstance(step := judged.program.steps[one], Send) and step.slots}
    wanted = given.get("link") or given.get("path")
    if not mails:
        message = f'"{mail}" is not sent {when}' if mail else f"no mail is sent {when}"
        hint = "Ask after the mail was sent; ever=True asks about all time."
    elif asked.predicate == "booked" and not offers:
        message = f"no mail with times for a meeting is sent {when}" if mail is None else f'"{mail}" offers no times'
        hint = (
            "Send it by `offer_meeting`; booked(ever=True) also knows of meetings that were told or offered elsewhere."
        )
    elif isinstance(wanted, str) and not any(may_be(link, wanted) for one in mails for link in judged.links[one]):
        _remark_link(judged, question, asked, mail, wanted, mails)
        return
    else:
        return
    judged.remark("NS254", question.place, f"{message}, so {_told(asked)} can never hold.", hint, severity="error")


def _remark_link(
    judged: Judged, question: Question, asked: Asks, mail: str | None, wanted: str, mails: Iterable[str]
) -> None:
    links = [link for one in sorted(mails) for link in judged.links[one] if is_web(link.destination)]
    names = list(dict.fromkeys(_path(link) if wanted.startswith("/") else link.label for link in links))
    who = f'the mail "{mail}" has' if mail else "no mail that is sent before this has"
    message = f"{who} {'no' if mail else 'a'} link to {wanted}, so this can never happen."
    shown = [name for name in names if name][:_SHOWN]
    if not shown:
        hint = "It has no links." if mail else "They have no links."
    else:
        near = did_you_mean(wanted, shown).strip()
        listed = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
        hint = f"{'It links' if mail else 'They link'} to {listed}. {near and _meant(asked, near)}".strip()
    judged.remark("NS214", question.place, message, hint, severity="error")


def _meant(asked: Asks, near: str) -> str:
    """The question as it may have been meant, out of `Did you mean "/roi"?`."""
    name = near.split('"')[1]
    key = "link" if asked.predicate == "clicked" else "path"
    given = {**dict(asked.arguments), key: name}
    return f"Did you mean {_told(Asks(asked.predicate, tuple(given.items())))}?"


def _told(asked: Asks) -> str:
    """The question as a file writes it, but for how long ago."""
    given = dict(asked.arguments)
    first = [f'"{given[key]}"' for key in ("mail", "path") if key in given]
    further = [f'link="{given["link"]}"'] if "link" in given else []
    return f"{asked.predicate}({', '.join([*first, *further])})"


def may_be(link: Link, wanted: str) -> bool:
    """Whether a click on it may be a click on what is wanted; of what depends on the contact only the fixed part counts."""
    if not wanted.startswith("/"):
        return "{" in link.label or is_link(wanted, link.label, "")
    fixed = link.destination.partition("{")[0]
    if not link.is_dynamic or "?" in fixed or "#" in fixed:
        return is_link(wanted, "", _path(link))
    return wanted.startswith(urlsplit(fixed).path) if "://" in fixed else True


def _path(link: Link) -> str:
    return urlsplit(link.destination.partition("{")[0]).path or "/"
