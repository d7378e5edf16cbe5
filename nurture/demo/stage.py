"""Where the demo plays: the real house with its server, listener and sender on one stepped clock, and an inbox.

The clock stands still while anything is in progress, and jumps to the next due instant when nothing is: a job's, a
mail's, a reader's. What runs are the jobs of `engines.jobs` and the sender, as in production.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

from starlette.routing import BaseRoute

from nurture.app import open_app
from nurture.app.house import App
from nurture.clock import SteppedClock
from nurture.demo.agenda import Agenda
from nurture.demo.inbox import Inbox
from nurture.demo.pages import inbox_routes
from nurture.engines.rounds import next_mail_at, run_due
from nurture.engines.sending import Heart
from nurture.inbound.listener import Listener
from nurture.inbound.server import SmtpServer
from nurture.settings import read_settings
from nurture.tracking.recorder import Recorder
from nurture.web.server import WebServer, make_asgi


class Stage:
    """The house and its surroundings; use as a context."""

    def __init__(self, workspace: Path, clock: SteppedClock, inbox: Inbox, environment: Mapping[str, str]) -> None:
        self.clock = clock
        self.inbox = inbox
        self.agenda = Agenda()
        self.house: App = open_app(workspace, clock=clock, settings=read_settings(workspace, environment))
        settings = self.house.settings
        self._smtp = SmtpServer(inbox, settings.smtp.host, settings.smtp.port)
        self._listener = Listener("127.0.0.1", settings.inbound.port, settings.inbound.domain, self.house.take_mail)
        self._recorder = Recorder(self.house.database, clock)
        routes: list[BaseRoute] = inbox_routes(inbox)
        asgi = make_asgi(self.house, self._recorder, extra=routes, shows_overview=True)
        self._web = WebServer(asgi, host=settings.web.host, port=settings.web.port)
        self._runner = asyncio.Runner()
        self._heart = Heart(self.house.database)

    def __enter__(self) -> Self:
        self._smtp.start()
        self._listener.start()
        self._recorder.start()
        self._web.start()
        self._heart.__enter__()
        self._bench = self.house.bench(self._heart.worker)
        self._sender = self.house.sender(self._heart.worker)
        self._caller = self.house.caller(self._heart.worker)
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._sender.close())
        self._runner.close()
        self._heart.__exit__()
        self._web.stop()
        self._recorder.stop()
        self._listener.stop()
        self._smtp.stop()
        self.house.close()

    def settle(self) -> datetime | None:
        """Do everything that is due now, until nothing is; when the house has something to do again."""
        now = self.clock.now()
        while True:
            self._recorder.flush()
            rest = run_due(self._bench, now)
            mail_at = next_mail_at(self._bench)
            if mail_at is None or mail_at > now:
                call_at = self._caller.next_due_at()
                if call_at is None or call_at > now:
                    return min((at for at in (rest.next_due_at, mail_at, call_at) if at is not None), default=None)
                self._caller.drain(now)
                continue
            counts, relay_down = self._runner.run(self._sender.drain(now))
            if relay_down or not sum(counts.values()):
                raise ConnectionError(relay_down or f"mail is due at {mail_at} and cannot be sent")

    def live_until(self, end: datetime, notice: Callable[[], None]) -> None:
        """Step from due instant to due instant up to `end`; `notice` is called whenever the house has come to rest."""
        while True:
            # The people first: what they do at this instant is then settled together with what the house does.
            self.agenda.act_until(self.clock.now())
            next_at = self.settle()
            notice()
            upcoming = [at for at in (self.agenda.next_at(), next_at) if at is not None]
            if not upcoming or min(upcoming) > end:
                self.clock.step_to(end)
                self.settle()
                notice()
                return
            self.clock.step_to(max(min(upcoming), self.clock.now()))
