"""`nurture demo`: weeks of nurture in about a minute. Nothing is told that did not happen and was not counted.

The house starts weeks before the present and arrives in it. A rep launches a newsletter with a CRM export, marketing
writes an issue a week, readers read, scanners scan, some leave, a few become sales-ready.
"""

import re
import socket
import tempfile
from collections import Counter
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nurture.clock import SteppedClock, SystemClock
from nurture.demo import cast
from nurture.demo.colleagues import Marketing, Reps
from nurture.demo.commands import CommandLine
from nurture.demo.inbox import Arrival, Inbox
from nurture.demo.readers import DOORS, Readers
from nurture.demo.stage import Stage
from nurture.demo.telling import Telling, bar
from nurture.engines.local import LocalEngine
from nurture.engines.stopping import Stopping
from nurture.figures import counted
from nurture.reports.results import result_of, totals

_POSTAL_ADDRESS = "Acme, 12 Example Street, 10115 Berlin, Germany"
_REPLY_DOMAIN = "reply.acme.example"
_HOME = ZoneInfo("Europe/Berlin")
_OPERATORS = {"dana@acme.example": "Dana", "luis@acme.example": "Luis", "mei@acme.example": "Mei"}
_NEWSLETTER = "newsletter:weekly"
_LIST = "benchmark-report"

_STANDING = re.compile(r"([\d.]+) points(, fit [A-D])?")
_DUE = re.compile(r"yes or no by \*{0,2}(\w+ \d+ \w+, \d\d:\d\d)")

#: Thursdays on which marketing writes nothing, counted from the first: the readers get nothing the Tuesday after.
_FORGOTTEN_THURSDAY = 3


def play(*, weeks: int, port: int, serve: bool, quiet: bool) -> dict[str, Any]:
    """Play the demo in a folder of its own; returns the summary that `--json` prints."""
    with tempfile.TemporaryDirectory(prefix="nurture-demo-") as folder:
        return Play(Path(folder) / "workspace", weeks, port, Telling(is_quiet=quiet)).play(serve=serve)


class Play:
    """One performance."""

    def __init__(self, workspace: Path, weeks: int, port: int, telling: Telling) -> None:
        self.workspace = workspace
        self.weeks = weeks
        self.telling = telling
        self.began = SystemClock().elapsed()
        self.end = SystemClock().now().replace(second=0, microsecond=0)
        self.start = _working_morning(self.end - timedelta(weeks=weeks))
        self.clock = SteppedClock(self.start)
        # Two demos that begin at the same moment do not take each other's: these are held until the servers are there.
        self.held = [_hold_port(wanted) for wanted in (port, 2525, 2526)]
        web, smtp, inbound = (one.getsockname()[1] for one in self.held)
        self.base_url = f"http://127.0.0.1:{web}"
        self.smtp_port = smtp
        self.environment = {
            "NURTURE_WEB__BASE_URL": self.base_url,
            "NURTURE_WEB__PORT": str(web),
            "NURTURE_SMTP__PORT": str(smtp),
            "NURTURE_INBOUND__DOMAIN": _REPLY_DOMAIN,
            "NURTURE_INBOUND__PORT": str(inbound),
        }
        self.command_line = CommandLine(workspace, self.environment, self.clock)
        self.verdicts_told = 0
        self.arrivals_told = 0
        self.left_told = 0

    def play(self, *, serve: bool) -> dict[str, Any]:
        """Prepare, live through the weeks, sum up, and stay if asked."""
        inbox = Inbox(self.clock)
        self.telling.line(
            f"nurture demo · {self.weeks} weeks in about a minute · SQLite, built-in inbox on 127.0.0.1:{self.smtp_port}"
            f" · overview {self.base_url}"
        )
        self.telling.line()
        with self.telling:
            self.imported = self._prepare()
            stage = Stage(self.workspace, self.clock, inbox, self.environment)
            self._let_go_of_ports()
            with stage:
                self.stage = stage
                port = stage.house.settings.inbound.port
                self.readers = Readers(inbox, self.clock, self.base_url, port, stage.agenda)
                self.reps = Reps(inbox, self.command_line, stage.agenda, frozenset(_OPERATORS))
                self._plan()
                stage.live_until(self.end, self._notice)
                summary = self._summary()
                self.telling.__exit__()
                self._tell_end(summary)
                self.readers.close()
                if serve:
                    self._stay()
        return summary

    def _let_go_of_ports(self) -> None:
        while self.held:
            self.held.pop().close()

    def _prepare(self) -> dict[str, Any]:
        """What a rep does first: a workspace, an import, a publish."""
        self.command_line.run("init", "--postal-address", _POSTAL_ADDRESS)
        export = self.workspace / "crm-export.csv"
        cast.write_crm_export(export, self.start.date())
        imported: dict[str, Any] = self.command_line.run("contacts", "import", str(export), "--json")
        self.command_line.run("publish", "--json")
        return imported

    def _plan(self) -> None:
        """What people who work here will do, and when the story is told."""
        agenda = self.stage.agenda
        first_slot = self._tuesday_after(self.start + timedelta(days=7))
        marketing = Marketing(self.command_line, self.workspace, agenda)
        marketing.plan(first_slot + timedelta(days=2, hours=6), self.weeks - 2, forgets=_FORGOTTEN_THURSDAY)
        for batch in range(cast.EVALUATOR_BATCHES):
            at = first_slot + timedelta(weeks=batch, days=1, hours=1)
            agenda.note(at, partial(self._import_evaluators, batch))
        agenda.note(min(self.start + timedelta(days=4), self.end), self._tell_announcement)
        agenda.note(min(first_slot, self.end) - timedelta(minutes=1), partial(self._tell_left, first_slot))
        agenda.note(self.end - timedelta(minutes=50), self.readers.ask_at_last)
        issues = ["five-questions", *(name.partition("-")[2].removesuffix(".md") for name in marketing.upcoming)]
        for number, issue in enumerate(issues, 1):
            # Once most have read it; the one for a forgotten Thursday comes a week later than it would have.
            slot_at = first_slot + timedelta(weeks=number - 1 + (number > _FORGOTTEN_THURSDAY + 1))
            at = min(slot_at + timedelta(days=2, hours=20), self.end)
            agenda.note(at, partial(self._tell_issue, issue, number, slot_at))

    def _tuesday_after(self, at: datetime) -> datetime:
        local = at.astimezone(_HOME).replace(hour=9, minute=0, second=0, microsecond=0)
        while local.weekday() != 1 or local < at:
            local += timedelta(days=1)
        return local

    def _import_evaluators(self, batch: int) -> None:
        file = self.workspace / f"asked-for-the-report-{batch + 1}.csv"
        cast.write_evaluators(file, self.clock.now().date(), batch)
        found = self.command_line.run("contacts", "import", str(file), "--list", _LIST, "--json")
        self._tell(
            f"{counted(found['read'], 'person', 'people')} asked for the benchmark report and start the sequence"
        )

    def _notice(self) -> None:
        """Whenever the house has come to rest: readers look into their inboxes, and the story goes on."""
        self.readers.look()
        for lead in self.reps.look():
            who, _, reason = lead.subject.partition(": ")
            standing = _STANDING.search(lead.text("plain"))
            due = _due(lead)
            self._tell(
                f"{who} became sales-ready: {_shown(standing)}{reason} "
                f"→ {_OPERATORS[lead.rcpt_to]}{', by ' + due if due else ''}"
            )
        for verdict in self.reps.verdicts[self.verdicts_told :]:
            self.verdicts_told += 1
            who = verdict.lead.subject.partition(",")[0]
            back = f": no budget this year → back into nurture until {verdict.until:%-d %B}" if verdict.until else ""
            self._tell(f"{_OPERATORS[verdict.lead.rcpt_to]} {verdict.verdict} {who}{back}")
        for arrival in self.stage.inbox.arrivals[self.arrivals_told :]:
            self.arrivals_told += 1
            if arrival.rcpt_to not in _OPERATORS:
                continue
            if "did not go out" in arrival.subject:
                self._tell("no issue was ready on Tuesday: Dana had been reminded, and nothing went out")
            who, wants_to_meet, when = arrival.subject.partition(" wants to meet: ")
            if wants_to_meet:
                self._tell(f"{who} picked a time to meet {_OPERATORS[arrival.rcpt_to]}: {when}")
        now = self.clock.now()
        share = (now - self.start) / (self.end - self.start)
        self.telling.moment(
            now, self._week(), self.weeks, share, len(self.stage.inbox.arrivals), self.readers.machine_requests
        )

    def _week(self, at: datetime | None = None) -> int:
        return min(1 + ((at or self.clock.now()) - self.start).days // 7, self.weeks)

    def _tell(self, text: str, at: datetime | None = None) -> None:
        self.telling.week(self._week(at), text)

    def _tell_announcement(self) -> None:
        result = self._result("announcement")
        left_out = self.command_line.run("newsletter", "left-out", "weekly", "--json")
        reasons = Counter(one["because"].partition(" on ")[0] for one in left_out)
        words = [f"{count} {because}" for because, count in reasons.most_common()]
        words += [f"{len(self.imported['refused'])} had no valid address"]
        rows = self.imported["read"]
        self._tell(f"announcement   {result.sent:,} of {rows:,} contacts   ({', '.join(words)})   {bar(1.0, 11)}")

    def _tell_left(self, first_slot: datetime) -> None:
        doors = Counter(left.door for left in self.readers.left.values())
        ways = {"one-click": "one-click", "page": "by the page", "reply": 'by replying "please remove me"'}
        told = ", ".join(f"{doors[door]} {ways[door]}" for door in DOORS if doors[door])
        self._tell(f"{sum(doors.values())} left before the first issue: {told or 'nobody'}", first_slot)
        self.left_told = sum(doors.values())

    def _tell_issue(self, issue: str, number: int, slot_at: datetime) -> None:
        result = self._result(issue)
        if result.sent:
            self._tell(
                f"issue {number} “{issue.replace('-', ' ')}”   {result.sent:,} sent · "
                f"{result.opened:,} of {result.tracked:,} tracked opened · {result.clicked:,} clicked "
                f"({result.not_tracked:,} are not tracked) · "
                f"{len(self.readers.left) - self.left_told:,} left",
                slot_at,
            )
            self.left_told = len(self.readers.left)

    def _result(self, mail: str) -> Any:
        with self.stage.house.database.reading() as session:
            return result_of(session, _NEWSLETTER, mail)

    def _summary(self) -> dict[str, Any]:
        with self.stage.house.database.reading() as session:
            found = totals(session)
        return {
            **asdict(found),
            "mailed_after_opt_out": self.readers.mailed_after_they_left(),
            "seconds": round(SystemClock().elapsed() - self.began, 1),
        }

    def _tell_end(self, summary: dict[str, Any]) -> None:
        machines = summary["machine_opened"] + summary["machine_clicked"]
        waiting = summary["sales_ready"] - summary["accepted"] - summary["rejected"]
        dues = [due for lead in self.reps.unanswered() if (due := _due(lead))]
        say = self.telling.line
        say()
        say(
            f"  In {self.weeks} weeks: {counted(summary['sent'], 'mail')} sent, {summary['opened']:,} people opened and "
            f"{summary['clicked']:,} clicked (machines, not counted: {machines:,}), "
            f"{counted(len(self.readers.left), 'person', 'people')} left,"
        )
        say(
            f"  {summary['sales_ready']} became sales-ready ({summary['accepted']} accepted, "
            f"{summary['rejected']} rejected, {waiting} waiting{': due ' + ' and '.join(dues) if dues else ''})."
        )
        say(f"  Mails that reached someone after they left: {summary['mailed_after_opt_out']} (counted in the inbox).")
        for trouble, count in self.readers.troubles.items():
            say(f"  {count} × {trouble}")
        say(f"  {summary['seconds']:.0f} seconds.")

    def _stay(self) -> None:
        """Go on in real time until Ctrl-C."""
        self.clock.go_on_in_real_time()
        stopping = Stopping()
        with stopping.on_signals():
            engine = LocalEngine(self.stage.house.workshop(), stopping=stopping)
            engine.start()
            self.telling.line()
            self.telling.line(
                f"  Look around:   inbox {self.base_url}/inbox   overview {self.base_url}   Ctrl-C to stop"
            )
            try:
                stopping.wait()
            finally:
                engine.stop()


def _due(lead: Arrival) -> str:
    found = _DUE.search(lead.text("plain"))
    return found[1] if found else ""


def _shown(standing: re.Match[str] | None) -> str:
    """`72 points, fit B, `; nothing for somebody who asked before they had any points."""
    return f"{float(standing[1]):.0f} points{standing[2] or ''}, " if standing and float(standing[1]) else ""


def _working_morning(at: datetime) -> datetime:
    """Nine o'clock at home on the first working day from then on."""
    local = at.astimezone(_HOME).replace(hour=9, minute=0, second=0, microsecond=0)
    while local.weekday() > 4 or local < at:
        local += timedelta(days=1)
    return local.astimezone(at.tzinfo)


def _hold_port(wanted: int) -> socket.socket:
    """The wanted port if it is free, else any; nobody else gets it until this is closed."""
    for port in (wanted, 0):
        holder = socket.socket()
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind(("127.0.0.1", port))
            holder.listen()  # an address that somebody listens on is taken; one that is merely bound is not
        except OSError:
            holder.close()
            continue
        return holder
    raise AssertionError("this machine has no free port")
