"""The people who work here, in the demo: marketing writes an issue a week, reps answer for their leads.

They work as anybody would: with files, with the command line, and with the mails that reach them.
"""

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

from nurture.demo.agenda import Agenda
from nurture.demo.chance import chance
from nurture.demo.commands import CommandLine
from nurture.demo.inbox import Arrival, Inbox

_ACCEPT = re.compile(r"nurture lead accept (\d+)")
_AGREE = re.compile(r"nurture agree (\S+) --as (\S+)")
_READS_WITHIN = timedelta(hours=2)
_REJECTED_SHARE = 0.25
_REJECTION = "no_budget"


@dataclass(frozen=True)
class Verdict:
    """What a rep said about a lead."""

    lead: Arrival
    verdict: str
    until: datetime | None


class Marketing:
    """Writes the weekly issue and publishes it; in one week there is none."""

    def __init__(self, command_line: CommandLine, workspace: Path, agenda: Agenda) -> None:
        self._command_line = command_line
        self._folder = workspace / "campaigns" / "newsletters" / "weekly"
        self._agenda = agenda
        with as_file(files("nurture.demo").joinpath("issues")) as written:
            self.upcoming = sorted(path.name for path in written.glob("*.md"))

    def plan(self, first_thursday: datetime, weeks: int, *, forgets: int) -> None:
        """An issue every Thursday afternoon, but for the week number `forgets`."""
        issues = iter(self.upcoming)
        for week in range(weeks):
            name = next(issues, None) if week != forgets else None
            if name is not None:
                self._agenda.note(first_thursday + timedelta(weeks=week), partial(self._write, name))

    def _write(self, name: str) -> None:
        with as_file(files("nurture.demo").joinpath("issues", name)) as source:
            shutil.copy(source, self._folder / name.partition("-")[2])
        self._command_line.run("publish", "--json")


class Reps:
    """Read the mails that hand them a lead, or ask for their name, and say yes or no."""

    def __init__(self, inbox: Inbox, command_line: CommandLine, agenda: Agenda, addresses: frozenset[str]) -> None:
        self._inbox = inbox
        self._command_line = command_line
        self._agenda = agenda
        self._addresses = addresses
        self._seen = 0
        self._leads = 0
        self.handed: list[Arrival] = []
        self.verdicts: list[Verdict] = []

    def look(self) -> list[Arrival]:
        """Take notice of the leads that have arrived since the last look."""
        fresh = self._inbox.arrivals[self._seen :]
        self._seen += len(fresh)
        for arrival in fresh:
            if arrival.rcpt_to in self._addresses and (asked := _AGREE.search(" ".join(arrival.text("plain").split()))):
                self._agenda.note(arrival.arrived_at + _READS_WITHIN, partial(self._agree, asked[1], arrival.rcpt_to))
        leads = [one for one in fresh if one.rcpt_to in self._addresses and _ACCEPT.search(one.text("plain"))]
        for lead in leads:
            self._leads += 1
            self.handed.append(lead)
            # Most answer within hours, some only the day after.
            hours = 1 + 24 * chance("rep", lead.subject) ** 2
            number = self._leads
            self._agenda.note(
                lead.arrived_at + timedelta(hours=hours),
                partial(self._answer, lead, number),
            )
        return leads

    def unanswered(self) -> list[Arrival]:
        """The leads nobody has said yes or no to."""
        answered = {verdict.lead.number for verdict in self.verdicts}
        return [lead for lead in self.handed if lead.number not in answered]

    def _agree(self, sequence: str, owner: str) -> None:
        self._command_line.run("agree", sequence, "--as", owner, "--yes", "--json")

    def _answer(self, lead: Arrival, number: int) -> None:
        found = _ACCEPT.search(lead.text("plain"))
        assert found is not None
        # The first is taken, the second is not, so that even a short demo shows both.
        is_rejected = number == 2 or (number > 2 and chance("verdict", lead.subject) < _REJECTED_SHARE)
        verdict = ("reject", found[1], "--reason", _REJECTION) if is_rejected else ("accept", found[1])
        answer = self._command_line.run("lead", *verdict, "--json")
        until = answer["recycle_at"]
        self.verdicts.append(
            Verdict(lead, answer["verdict"], datetime.fromisoformat(until).astimezone(UTC) if until else None)
        )
