"""Was it a person? Verdicts on hits, pure.

A hit is one request for a tracked link or pixel. It is stored with what is known about its actor and judged a minute
later, together with the other hits of its mail: scanners fetch every link within seconds, proxies fetch pictures nobody
looked at. What cannot be told from a person counts as one; later evidence may revise that, and scores follow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from nurture.conditions import Argument, Predicate
from nurture.contacts.questions.rules import answer_key
from nurture.errors import BadInput
from nurture.timing import parse_duration


class ActivityKind(StrEnum):
    """What a contact did."""

    OPENED = "open"
    CLICKED = "click"
    REPLIED = "reply"
    WISHED = "wish"  # chose what they want on a page: an interest
    BOOKED = "booking"  # chose a time on the page behind an offered meeting, or said when else
    SUBMITTED = "form"  # sent a form; its place is the form's name
    ANSWERED = "answer"  # answered the question of a mail; its place is the question's name, its label the answer


#: Predicates that read opens and clicks: true of nobody of whom they may not be recorded.
RECORDED = frozenset({"opened", "clicked", "visited"})


class Actor(StrEnum):
    """Who did it, as far as anybody can tell."""

    PERSON = "person"
    PROXY = "proxy"  # fetched for a person by their mail provider, seen or not
    SCANNER = "scanner"
    UNSETTLED = "unsettled"


@dataclass(frozen=True)
class Hit:
    """One request for a link or pixel of one mail; `link` is None for the pixel."""

    id: int
    kind: ActivityKind
    link: int | None
    occurred_at: datetime
    method: str
    user_agent: str
    ip: str


@dataclass(frozen=True)
class Verdict:
    """Who it was, and what gave them away."""

    actor: Actor
    because: str


#: Distinct links of one mail within this time are not read but fetched: 66 % of the bursts in a public log of 836 took
#: at most a second, and nobody reads three links in two.
BURST = timedelta(seconds=2)
BURST_LINKS = 3

#: Mail is not opened, read and clicked this soon after the relay took it.
TOO_SOON = timedelta(seconds=2)

_PERSON = Verdict(Actor.PERSON, "")

#: Fetched when a person looks at the mail: an open whose device and place stay unknown.
_SHOWN_BY = ("googleimageproxy", "yahoomailproxy", "fastmailua", "seznamemailproxy", "shortwave image fetcher")
#: Gmail's prefetch and Apple's Mail Privacy Protection load pictures whether or not anybody looks.
_GMAIL_PREFETCH = (
    "mozilla/5.0 (windows nt 10.0; win64; x64) applewebkit/537.36 (khtml, like gecko) "
    "chrome/42.0.2311.135 safari/537.36 edge/12.246 mozilla/5.0"
)
_APPLE_PRIVACY = "mozilla/5.0"
_MACHINES = (
    "bot", "crawl", "spider", "scan", "python", "curl", "wget", "go-http-client", "java/", "okhttp", "libwww", "axios",
    "node-fetch", "headless", "preview", "monitor", "barracuda", "mimecast", "proofpoint", "safelinks", "urldefense",
)  # fmt: skip


def judge_alone(hit: Hit) -> Verdict | None:
    """What one request gives away by itself, before any others are seen."""
    agent = hit.user_agent.strip().lower()
    if hit.method not in {"GET", "POST"}:
        return Verdict(Actor.SCANNER, f"a {hit.method} request")
    if not agent:
        return Verdict(Actor.SCANNER, "names no browser")
    if any(name in agent for name in _SHOWN_BY):
        return None
    if agent == _GMAIL_PREFETCH:
        return Verdict(Actor.PROXY, "Gmail's prefetch")
    if agent == _APPLE_PRIVACY:
        return Verdict(Actor.PROXY, "Apple's Mail Privacy Protection")
    for name in _MACHINES:
        if name in agent:
            return Verdict(Actor.SCANNER, f"its browser names itself {name.rstrip('/')}")
    return None


def judge(hits: Sequence[Hit], *, links: int, sent_at: datetime | None) -> dict[int, Verdict]:
    """The verdicts on all hits of one mail that has `links` links and was handed over at `sent_at`."""
    bursts = _bursts(hits, min(BURST_LINKS, max(links, 2)))
    return {hit.id: _verdict(hit, bursts, sent_at) for hit in hits}


def _verdict(hit: Hit, bursts: Sequence[tuple[datetime, datetime]], sent_at: datetime | None) -> Verdict:
    alone = judge_alone(hit)
    if alone is not None:
        return alone
    for start, end in bursts:
        if start - BURST <= hit.occurred_at <= end + BURST:
            return Verdict(Actor.SCANNER, "every link within seconds")
    if hit.kind is ActivityKind.CLICKED and sent_at is not None and hit.occurred_at - sent_at < TOO_SOON:
        return Verdict(Actor.SCANNER, "clicked before anybody could have read it")
    return _PERSON


def _bursts(hits: Sequence[Hit], enough: int) -> list[tuple[datetime, datetime]]:
    """Stretches in which so many distinct links were fetched that nobody was reading."""
    clicks = sorted((hit for hit in hits if hit.kind is ActivityKind.CLICKED), key=lambda hit: hit.occurred_at)
    found = []
    for first, start in enumerate(clicks):
        within = [hit for hit in clicks[first:] if hit.occurred_at - start.occurred_at <= BURST]
        if len({hit.link for hit in within}) >= enough:
            found.append((start.occurred_at, within[-1].occurred_at))
    return found


def _read_within(text: str) -> timedelta:
    duration = parse_duration(text)
    if duration.working_days:
        raise BadInput('`within` counts real days; write "7 days".')
    return duration.exact


def _read_link(text: str) -> str:
    if not text.strip():
        raise BadInput("a link is named by its text or by the path of its address")
    return text.strip()


_STEP = Argument("mail")
_WITHIN = Argument("within", _read_within)
_LINK = Argument("link", _read_link)
_FORM = Argument("form", is_required=True)

#: The words about what a contact did. In a sequence's file the first argument names a step of it and only this
#: enrollment counts, unless `ever=True`; elsewhere it names "campaign/mail" and all time counts.
PREDICATES: Mapping[str, Predicate] = {
    "opened": Predicate((_STEP,), (_WITHIN,), ("ever",)),
    "clicked": Predicate((_STEP,), (_LINK, _WITHIN), ("ever",)),
    "replied": Predicate((_STEP,), (_WITHIN,), ("ever",)),
    "visited": Predicate((Argument("path", _read_link, is_required=True),), (_WITHIN,), ("ever",)),
    "booked": Predicate((_STEP,), (_WITHIN,), ("ever",)),
    "submitted": Predicate((_FORM,), (_WITHIN,), ("ever",)),
    "answered": Predicate((Argument("question", is_required=True), Argument("answer", answer_key)), (_WITHIN,)),
}

#: Which kinds of activity answer which word; we know of a visit when it began with a click of ours.
ANSWERED_BY: Mapping[str, ActivityKind] = {
    "opened": ActivityKind.OPENED,
    "clicked": ActivityKind.CLICKED,
    "replied": ActivityKind.REPLIED,
    "visited": ActivityKind.CLICKED,
    "booked": ActivityKind.BOOKED,
    "submitted": ActivityKind.SUBMITTED,
    "answered": ActivityKind.ANSWERED,
}

#: What happens outside our mails, and so belongs to no enrollment.
OUTSIDE_MAILS = frozenset({"submitted"})

#: What nobody is asked twice, and so counts whichever mail asked it and whenever.
ONCE_FOR_ALL = frozenset({"answered"})


@dataclass(frozen=True)
class Deed:
    """One settled activity of a person, as conditions see it; `place` is "campaign/mail", or the name of a form."""

    kind: ActivityKind
    occurred_at: datetime
    place: str = ""
    enrollment_id: int | None = None
    link_label: str = ""
    link_path: str = ""


def matches(deed: Deed, predicate: str, given: Mapping[str, object], now: datetime) -> bool:
    """Whether a deed answers a question; `tracking.store.vocabulary` is the same in SQL."""
    if deed.kind != ANSWERED_BY[predicate]:
        return False
    if not given:
        return True
    checks: dict[str, Callable[[object], bool]] = {
        "mail": lambda mail: deed.place == mail,
        "form": lambda form: deed.place == form,
        "question": lambda question: deed.place == question,
        "answer": lambda answer: deed.link_label == answer,
        "link": lambda link: is_link(str(link), deed.link_label, deed.link_path),
        "path": lambda path: is_link(str(path), "", deed.link_path),
        "within": lambda length: isinstance(length, timedelta) and deed.occurred_at > now - length,
        "ever": lambda _: True,
    }
    return all(checks[name](value) for name, value in given.items())


def standing(deeds: Sequence[Deed], predicate: str) -> list[Deed]:
    """The deeds that count for a question: of answers only the last to each, because people may change their minds.

    `deeds` are in the order in which they were done.
    """
    if predicate not in ONCE_FOR_ALL:
        return list(deeds)
    last = {deed.place: deed for deed in deeds if deed.kind == ANSWERED_BY[predicate]}
    return list(last.values())


def is_link(wanted: str, label: str, path: str) -> bool:
    """A link is named by its text, or by the path of its address when the name begins with a slash."""
    return path == wanted if wanted.startswith("/") else label != "" and label.lower() == wanted.lower()
