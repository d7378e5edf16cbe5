"""The readers: they get mail, open it, click, answer, leave, or do nothing; and the machines in front of them.

They know what a recipient knows: the bytes that arrived. They act through HTTP and SMTP only. When somebody leaves, the
moment their own client saw the server say yes is written down, and every later arrival is held against it.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from nurture.clock import Clock
from nurture.demo import browser
from nurture.demo.agenda import Agenda
from nurture.demo.browser import Browser
from nurture.demo.chance import chance, pick
from nurture.demo.inbox import Arrival, Inbox
from nurture.demo.letterbox import Letter, open_letter, read_form


@dataclass(frozen=True)
class Left:
    """Somebody left: by which door, and when their client saw that it worked."""

    door: str
    at: datetime
    elapsed: float


DOORS = ("one-click", "page", "reply")

_SCANNED_DOMAINS = 0.3
_QUIET = 0.4
_WRITTEN = (
    "Thank you, that was useful. Do you have the same figures for plants under a hundred people?",
    "We are rebuilding our planning this spring. Could you send me what the best quarter does differently?",
    "Good letter. Who else in food have you worked with?",
)
_GOODBYES = ("please remove me", "Please take me off your list, thanks.", "STOP")


class Readers:
    """Everybody who gets mail and does not work here."""

    def __init__(self, inbox: Inbox, clock: Clock, base_url: str, reply_port: int, agenda: Agenda) -> None:
        self._inbox = inbox
        self._clock = clock
        self._base_url = base_url
        self._reply_port = reply_port
        self._agenda = agenda
        self._browser = Browser(base_url)
        self._seen = 0
        self._marketing: list[Arrival] = []
        self._may_wish: dict[str, Letter] = {}
        self.left: dict[str, Left] = {}
        self.machine_requests = 0
        self.replies = 0
        self.troubles: Counter[str] = Counter()

    def look(self) -> int:
        """Take notice of what has arrived since the last look; how many mails that was."""
        fresh = self._inbox.arrivals[self._seen :]
        self._seen += len(fresh)
        for arrival in fresh:
            letter = open_letter(arrival, self._base_url)
            if letter.is_marketing:
                self._marketing.append(arrival)
                if letter.wishes:
                    self._may_wish[letter.to] = letter
                self._plan(letter)
        return len(fresh)

    def mailed_after_they_left(self) -> int:
        """Mails that reached somebody after their own client saw that they had left."""
        return sum(
            arrival.rcpt_to in self.left and arrival.elapsed > self.left[arrival.rcpt_to].elapsed
            for arrival in self._marketing
        )

    def ask_at_last(self) -> None:
        """Somebody who has only read now and then goes back to an old mail and asks for a demonstration."""
        quiet = [person for person in self._may_wish if person not in self.left and _keenness(person) < _QUIET]
        if quiet:
            letter = self._may_wish[max(quiet, key=_keenness)]
            self._press(letter, letter.wishes[0])

    def close(self) -> None:
        self._browser.close()

    def _plan(self, letter: Letter) -> None:
        """Decide what will happen to one mail."""
        person, mail, arrived_at = letter.to, letter.arrival.subject, letter.arrival.arrived_at
        domain = person.rpartition("@")[2]
        if chance("scanned", domain) < _SCANNED_DOMAINS:
            self._agenda.note(arrived_at + timedelta(seconds=40), lambda: self._scan(letter, domain))
        if chance("apple", person) < 0.2:
            self._agenda.note(arrived_at + timedelta(minutes=10), lambda: self._prefetch(letter))
        keenness = _keenness(person)
        if chance("leave", person, mail) < (0.06 if "every Tuesday" in mail else 0.007):
            self._agenda.note(_later(arrived_at, "leave", person, mail), lambda: self._leave(letter))
            return
        # Whoever asked for something looks at it.
        eagerness = 0.45 if "you asked for" in mail else 0.0
        if chance("open", person, mail) >= 0.25 + 0.65 * keenness + eagerness:
            return
        opens_at = _later(arrived_at, "open", person, mail)
        self._agenda.note(opens_at, lambda: self._open(letter))
        if chance("click", person, mail) < 0.55 * keenness**2 + eagerness and letter.clicks:
            self._agenda.note(opens_at + timedelta(minutes=20), lambda: self._click(letter, keenness))
        if letter.wishes and chance("wish", person) < 0.09 * keenness:
            self._agenda.note(opens_at + timedelta(minutes=40), lambda: self._press(letter, letter.wishes[0]))
        if letter.times and chance("meet", person) < 0.8 * keenness:
            self._agenda.note(opens_at + timedelta(minutes=40), lambda: self._press(letter, letter.times[0]))
        if chance("answer", person, mail) < 0.012 * keenness:
            self._agenda.note(opens_at + timedelta(hours=1), lambda: self._answer(letter))

    def _scan(self, letter: Letter, domain: str) -> None:
        """A scanner at the company's door fetches everything there is, within the second."""
        agent = browser.NAMED_SCANNER if chance("named", domain) < 0.3 else browser.CHROME
        method = "HEAD" if chance("head", domain) < 0.2 else "GET"
        pixel = [letter.pixel] if letter.pixel else []
        for path in (*letter.clicks, *letter.pages, *letter.wishes, *pixel):
            self._browser.get(path, agent, method=method)
            self.machine_requests += 1

    def _prefetch(self, letter: Letter) -> None:
        if letter.pixel:
            self._browser.get(letter.pixel, browser.APPLE_PRIVACY)
            self.machine_requests += 1

    def _open(self, letter: Letter) -> None:
        if letter.pixel and letter.to not in self.left:
            self._browser.get(letter.pixel, _agent(letter.to))

    def _click(self, letter: Letter, keenness: float) -> None:
        if letter.to in self.left:
            return
        path = (
            letter.clicks[-1] if chance("last", letter.to) < keenness - 0.5 else pick(letter.clicks, "link", letter.to)
        )
        self._browser.get(path, _agent(letter.to))

    def _press(self, letter: Letter, page: str) -> None:
        """Follow a link to a page with a button, and press it: a wish, or a time to meet."""
        self._may_wish.pop(letter.to, None)
        form = read_form(self._browser.get(page, _agent(letter.to)).body)
        if form is None:
            self.troubles["a page without its button"] += 1
            return
        self._browser.post_form(page, form.action, form.fields, _agent(letter.to))

    def _answer(self, letter: Letter) -> None:
        if letter.reply_to and letter.to not in self.left:
            self._write_back(letter, pick(_WRITTEN, "words", letter.to))
            self.replies += 1

    def _leave(self, letter: Letter) -> None:
        """Leave through one of the three doors, and note when it was done."""
        if letter.to in self.left:
            return
        draw = chance("door", letter.to)
        door = DOORS[0] if draw < 0.6 else DOORS[1] if draw < 0.85 else DOORS[2]
        is_done = {"one-click": self._leave_by_header, "page": self._leave_by_page, "reply": self._leave_by_reply}[
            door
        ](letter)
        if is_done:
            self.left[letter.to] = Left(door, self._clock.now(), self._clock.elapsed())
        else:
            self.troubles[f"the door {door} did not open"] += 1

    def _leave_by_header(self, letter: Letter) -> bool:
        """What a mail client's own button does (RFC 8058)."""
        answer = self._browser.post(letter.one_click or "", {"List-Unsubscribe": "One-Click"}, browser.GMAIL)
        return 200 <= answer.status < 300

    def _leave_by_page(self, letter: Letter) -> bool:
        page = self._browser.get(letter.leave_page or "", _agent(letter.to))
        form = read_form(page.body)
        if form is None:
            return False
        answer = self._browser.post_form(letter.leave_page or "", form.action, form.fields, _agent(letter.to))
        return 200 <= answer.status < 300

    def _leave_by_reply(self, letter: Letter) -> bool:
        if not letter.reply_to:
            return False
        self._write_back(letter, pick(_GOODBYES, "goodbye", letter.to))
        return True

    def _write_back(self, letter: Letter, words: str) -> None:
        """Answer above the quoted mail, as most people do; the quoted footer has the word "unsubscribe" in it."""
        quoted = "\n".join(f"> {line}" for line in letter.arrival.text("plain").splitlines())
        text = f"{words}\n\nOn {letter.arrival.arrived_at:%a, %b %d, %Y at %H:%M} {letter.arrival.mail_from} wrote:\n{quoted}\n"
        browser.send_mail(
            self._reply_port,
            letter.to,
            letter.reply_to or "",
            f"Re: {letter.arrival.subject}",
            text,
            letter.arrival.header("Message-ID"),
        )


def _keenness(person: str) -> float:
    """How much somebody cares, from 0 to 1; most a little, a few a lot."""
    keenness: float = chance("keen", person) ** 1.6
    return keenness


def _agent(person: str) -> str:
    return pick((browser.CHROME, browser.CHROME, browser.SAFARI, browser.GMAIL), "agent", person)


def _later(at: datetime, *about: object) -> datetime:
    """Some time after a mail arrived: a third within two hours, most within a day; on a round half or full hour."""
    draw = chance("later", *about)
    if draw < 0.35:
        after, grid = timedelta(minutes=5 + 330 * draw), timedelta(minutes=30)
    else:
        after, grid = timedelta(hours=2 + 60 * (draw - 0.35) ** 2), timedelta(hours=2)
    moment = at + after
    return moment + grid - timedelta(seconds=moment.timestamp() % grid.total_seconds())
