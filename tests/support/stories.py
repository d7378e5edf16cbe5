"""A whole house on a stepped clock: real files, a real database, real SMTP both ways, real HTTP.

The clock stands still while anything is in progress and jumps to the next due instant when nothing is, so that weeks
pass in the time it takes to do what they ask for.
"""

import asyncio
import re
import smtplib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession

from nurture.app.house import App
from nurture.campaigns.publishing import Reading, publish
from nurture.clock import SteppedClock
from nurture.contacts import store as contacts
from nurture.contacts.actions import mirror_operators
from nurture.contacts.store import Contact
from nurture.database.engine import Database
from nurture.delivery.store import Delivery
from nurture.engines.jobs import Bench
from nurture.engines.rounds import next_mail_at, run_due
from nurture.engines.sending import Heart
from nurture.inbound.listener import Listener
from nurture.inbound.server import SmtpServer
from nurture.outgoing.calling import Caller
from nurture.reports.outbox import Wanted, walk_deliveries
from nurture.tracking.recorder import Recorder
from nurture.web.server import WebServer, make_asgi
from tests.support.people import add_contact
from tests.support.relays import Arrived, SmtpRelay
from tests.support.schema import METADATA
from tests.support.workspaces import open_house, small_workspace

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
REPLY_DOMAIN = "reply.acme.example"

_BASE_URL = "http://127.0.0.1:8000"
#: How soon a sender that found no relay tries again.
_RELAY_REST = timedelta(hours=1)


@dataclass(frozen=True)
class Letter:
    """A mail as its reader has it: what it says and where its links lead, as paths."""

    at: datetime
    arrived: Arrived

    @property
    def subject(self) -> str:
        return str(self.arrived.message["Subject"])

    @property
    def text(self) -> str:
        return self.arrived.part("plain")

    @property
    def html(self) -> str:
        return self.arrived.part("html")

    @property
    def links(self) -> list[str]:
        """Every address of ours in the HTML, in order."""
        found = (unescape(one) for one in re.findall(r'(?:href|src)="([^"]+)"', self.html))
        return [one.removeprefix(_BASE_URL) for one in found if one.startswith(_BASE_URL)]

    @property
    def clicks(self) -> list[str]:
        return [one for one in self.links if one.startswith("/c/")]

    @property
    def pixel(self) -> str:
        return next(one for one in self.links if one.startswith("/o/"))

    @property
    def view(self) -> str:
        return next(one for one in self.links if one.startswith("/view/"))

    @property
    def one_click(self) -> str:
        doors = [one.strip(" <>") for one in str(self.arrived.message["List-Unsubscribe"]).split(",")]
        return urlsplit(next(one for one in doors if one.startswith("http"))).path

    @property
    def leave_by_mail(self) -> str:
        doors = [one.strip(" <>") for one in str(self.arrived.message["List-Unsubscribe"]).split(",")]
        return next(one for one in doors if one.startswith("mailto:")).removeprefix("mailto:").partition("?")[0]

    @property
    def reply_to(self) -> str:
        return str(self.arrived.message["Reply-To"]).strip("<>")


@dataclass(repr=False)
class Post(SmtpRelay):
    """A relay that keeps what it took with the story's time, and everything it was ever handed."""

    clock: SteppedClock | None = None
    letters: list[Letter] = field(default_factory=list)
    tries: list[Letter] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: SmtpSession, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd names its hooks after the commands
        assert self.clock is not None
        assert isinstance(envelope.content, bytes)
        mail_from, rcpt_to = envelope.mail_from or "", envelope.rcpt_tos[0]
        handed = Letter(self.clock.now(), Arrived(mail_from, rcpt_to, envelope.content, envelope.smtp_utf8))
        self.tries.append(handed)
        answer = await super().handle_DATA(server, session, envelope)
        if answer.startswith("250"):
            self.letters.append(handed)
        return answer


@dataclass(repr=False)
class Story:
    """One house and everybody around it."""

    app: App
    clock: SteppedClock
    post: Post
    recorder: Recorder
    http: httpx2.Client
    inbound_port: int
    bench: Bench
    caller: Caller
    _runner: asyncio.Runner
    _sender: Any
    _relay: SmtpServer | None = None

    def _repr_pretty_(self, printer: Any, _is_cycle: bool) -> None:
        """How Hypothesis shows it when a property fails: not with everything in it."""
        printer.text(f"<a story at {self.now:%Y-%m-%d %H:%M}>")

    @property
    def database(self) -> Database:
        return self.app.database

    @property
    def now(self) -> datetime:
        return self.clock.now()

    # What the house does.

    def settle(self) -> datetime | None:
        """Do everything that is due now, until nothing is; when there is something to do again."""
        now = self.clock.now()
        while True:
            self.recorder.flush()
            rest = run_due(self.bench, now)
            mail_at = next_mail_at(self.bench)
            if mail_at is not None and mail_at <= now:
                counts, relay_down = self._runner.run(self._sender.drain(now))
                if not relay_down:
                    assert sum(counts.values()), f"mail is due at {mail_at} and cannot be sent"
                    continue
                mail_at = now + _RELAY_REST
            call_at = self.caller.next_due_at()
            if call_at is not None and call_at <= now:
                self.caller.drain(now)
                continue
            return min((at for at in (rest.next_due_at, mail_at, call_at) if at is not None), default=None)

    def send(self, as_of: datetime) -> dict[str, int]:
        """One pass of a sender that began at that instant."""
        counts, _ = self._runner.run(self._sender.drain(as_of))
        return dict(counts)

    def live_until(self, end: datetime) -> None:
        """Step from due instant to due instant, up to and including `end`."""
        while (next_at := self.settle()) is not None and next_at <= end:
            self.clock.step_to(next_at)
        self.clock.step_to(end)
        self.settle()

    def live(self, **length: float) -> None:
        self.live_until(self.now + timedelta(**length))

    def sleep(self, **length: float) -> None:
        """Time passes and the house is not running."""
        self.clock.step_to(self.now + timedelta(**length))

    def stop_relay(self) -> None:
        if self._relay is not None:
            self._relay.stop()
        self._relay = None

    def start_relay(self) -> None:
        self._relay = SmtpServer(self.post, "127.0.0.1", self.post.port)
        self._relay.start()
        self.post.port = self._relay.port

    # What people do.

    def add_contact(self, email: str, **values: Any) -> Contact:
        """Somebody who opted in."""
        with self.database.writing() as session:
            return add_contact(session, self.app.hasher, email, self.now, **values)

    def ask(self, path: str, *, method: str = "GET", agent: str = CHROME) -> httpx2.Response:
        """What a browser, or something that calls itself one, asks our server for."""
        return self.http.request(method, path, headers={"User-Agent": agent})

    def leave(self, letter: Letter) -> None:
        """Press the button of the mail client."""
        answer = self.http.post(letter.one_click, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200

    def write_to_us(self, to: str, text: str, **headers: str) -> None:
        """A mail to our listener; raises what smtplib makes of a refusal."""
        message = EmailMessage()
        message["From"] = headers.pop("From", "ana@reader.example")
        message["To"] = to
        message["Subject"] = headers.pop("Subject", "Re: your mail")
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        self.hand_in(to, message.as_bytes())

    def hand_in(self, to: str, content: bytes) -> None:
        """Any bytes to our listener."""
        with smtplib.SMTP("127.0.0.1", self.inbound_port, timeout=30) as client:
            client.sendmail("ana@reader.example", [to], content)

    # What can be seen afterwards.

    def letters_to(self, email: str) -> list[Letter]:
        return [one for one in self.post.letters if one.arrived.rcpt_to == email]

    def contact(self, email: str) -> Contact:
        with self.database.reading() as session:
            found = contacts.find_contact(session, email)
            assert found is not None
            return found

    def deliveries_to(self, email: str) -> list[Delivery]:
        """What was asked for, oldest first."""
        with self.database.reading() as session:
            found = list(walk_deliveries(session, Wanted(contact_id=self.contact(email).id)))
        return [one for one, _ in reversed(found) if one.operator_id is None]

    def rows(self, table: str) -> list[dict[str, Any]]:
        with self.database.reading() as session:
            return [dict(row) for row in session.execute(sa.select(METADATA.tables[table])).mappings()]

    def everything(self, *, but: tuple[str, ...] = ()) -> dict[str, list[str]]:
        """The whole database, to see what changed."""
        return {name: sorted(map(str, self.rows(name))) for name in METADATA.tables if name not in but}

    # What marketing does.

    def publish(self, files: Mapping[str, str] | None = None) -> None:
        """Edit files and publish them."""
        for name, text in (files or {}).items():
            path = self.app.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        reading = _read(self.app)
        assert not reading.errors, reading.problems
        with self.database.writing() as session:
            publish(session, self.app.kinds(), reading, published_by="a test", now=self.now)
            mirror_operators(session, self.app.declared.operators)


_readings: dict[tuple[str, tuple[tuple[str, str], ...]], Reading] = {}


def _read(app: App) -> Reading:
    """The same files under the same settings read the same: compiling takes most of a story's time, so it is done once.

    Settings may come from the environment of one test, which is none of the next one's business.
    """
    places = [path for path in sorted(app.folder.rglob("*")) if path.is_file() and ".nurture" not in path.parts]
    files = tuple((str(path.relative_to(app.folder)), path.read_text(encoding="utf-8")) for path in places)
    key = (repr(app.declared), files)
    reading = _readings[key] = _readings.get(key) or app.read_files()
    return reading


@contextmanager
def running_story(
    folder: Path, url: str, start: datetime, files: Mapping[str, str], **environment: str
) -> Iterator[Story]:
    """A house with everything published, its servers on free ports."""
    with ExitStack() as ends:
        clock = SteppedClock(start)
        post = Post(clock=clock)
        first = SmtpServer(post, "127.0.0.1", 0)
        first.start()
        post.port = first.port
        app = open_house(
            small_workspace(folder, **files),
            url,
            relay_port=post.port,
            clock=clock,
            **{"NURTURE_INBOUND__DOMAIN": REPLY_DOMAIN, **environment},
        )
        ends.callback(app.close)
        recorder = Recorder(app.database, clock)
        web = WebServer(make_asgi(app, recorder))
        web.start()
        ends.callback(web.stop)
        http = ends.enter_context(httpx2.Client(base_url=web.url, follow_redirects=False, timeout=30))
        listener = Listener("127.0.0.1", 0, REPLY_DOMAIN, app.take_mail)
        listener.start()
        ends.callback(listener.stop)
        runner = ends.enter_context(asyncio.Runner())
        heart = ends.enter_context(Heart(app.database))
        sender = app.sender(heart.worker)
        ends.callback(lambda: runner.run(sender.close()))
        bench, caller = app.bench(heart.worker), app.caller(heart.worker)
        story = Story(app, clock, post, recorder, http, listener.port, bench, caller, runner, sender, first)
        ends.callback(story.stop_relay)
        story.publish()
        yield story
