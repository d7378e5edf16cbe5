"""How many messages a second leave the house, against a generator that only speaks SMTP.

`python -m benchmarks.sending [MESSAGES] [ROUNDS]` sends the starter's announcement to that many contacts over as many
connections as settings.toml has, once through the whole house (queue, claim, render, ask permission, commit, send,
record) and once from a raw load generator that writes ready-made bytes of the same size and waits for each answer. Both
talk to the same sink, one after the other, in every round. What counts is the ratio; the seconds are this machine's.
Set TEST_DATABASE_URL for PostgreSQL (an empty database for each round is made in it and dropped).
"""

import asyncio
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from benchmarks.sink import running_sink
from nurture.app import App, open_app
from nurture.clock import SteppedClock, SystemClock
from nurture.delivery import composing
from nurture.delivery.store import Delivery
from nurture.engines.jobs import run_due
from nurture.engines.local import Heart
from nurture.settings import read_settings

#: A Tuesday morning on which every window of the starter is open.
PREPARED_AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
NOW = PREPARED_AT + timedelta(hours=1)


@dataclass(frozen=True)
class Round:
    """Seconds of one round."""

    queueing: float
    sending: float
    raw: float


def main(messages: int, rounds: int) -> None:
    with running_sink() as port:
        found = [_play(messages, port) for _ in range(rounds)]
    url = os.environ.get("TEST_DATABASE_URL", "")
    print(f"{messages:,} messages, {rounds} rounds, {'PostgreSQL' if url else 'SQLite'}\n")
    print(f"{'':34}{'messages a second':>20}{'lowest – highest':>22}")
    for name, seconds in (
        ("raw SMTP generator", [one.raw for one in found]),
        ("the house: sending", [one.sending for one in found]),
        ("the house: queueing and sending", [one.queueing + one.sending for one in found]),
    ):
        rates = [messages / one for one in seconds]
        print(f"{name:34}{statistics.median(rates):>20,.0f}{f'{min(rates):,.0f} – {max(rates):,.0f}':>22}")
    for name, ratios in (
        ("sending", [one.raw / one.sending for one in found]),
        ("queueing and sending", [one.raw / (one.queueing + one.sending) for one in found]),
    ):
        median = statistics.median(ratios)
        print(f"\n{name}: {median:.3f} of the raw generator ({min(ratios):.3f} – {max(ratios):.3f})", end="")
    print()


def _play(messages: int, port: int) -> Round:
    with tempfile.TemporaryDirectory(prefix="nurture-benchmark-") as folder, _database() as database_url:
        environment = {"NURTURE_SMTP__PORT": str(port), **database_url}
        workspace = Path(folder, "workspace")
        _prepare(workspace, messages, environment)
        app = open_app(workspace, clock=SteppedClock(NOW), settings=read_settings(workspace, environment))
        try:
            queueing, sending = asyncio.run(_send(app, messages))
            sample, connections = _any_message(app), app.settings.smtp.connections
        finally:
            app.close()
        raw = asyncio.run(_generate(port, sample, messages, connections))
    return Round(queueing, sending, raw)


class _database:  # noqa: N801 — used as a context, as a function would be
    """An empty PostgreSQL database of its own, or nothing: then it is the SQLite file of the workspace."""

    def __enter__(self) -> Mapping[str, str]:
        self._url = os.environ.get("TEST_DATABASE_URL", "")
        if not self._url:
            return {}
        self._name = f"benchmark_{uuid4().hex[:12]}"
        self._administer(f"create database {self._name}")
        url = sa.make_url(self._url).set(database=self._name)
        return {"NURTURE_DATABASE__URL": url.render_as_string(hide_password=False)}

    def __exit__(self, *_: object) -> None:
        if self._url:
            self._administer(f"drop database {self._name} with (force)")

    def _administer(self, statement: str) -> None:
        engine = sa.create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(statement))
        engine.dispose()


def _prepare(workspace: Path, messages: int, environment: Mapping[str, str]) -> None:
    """A workspace of the starter with that many contacts, published."""
    contacts = workspace.parent / "contacts.csv"
    with contacts.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Email", "First Name", "Country", "Timezone"])
        rows.writerows(
            [f"reader{n}@company{n % 997}.example", f"Ana{n}", "US", "Europe/Berlin"] for n in range(messages)
        )
    offset = f"{round((PREPARED_AT - SystemClock().now()).total_seconds())} seconds"
    for words in (
        ["init", str(workspace), "--postal-address", "Acme, 12 Example Street, 10115 Berlin, Germany"],
        [
            "-w",
            str(workspace),
            "contacts",
            "import",
            str(contacts),
            "--consent",
            "opt-in",
            "--consent-on",
            "2026-01-31",
        ],
        ["-w", str(workspace), "publish"],
        ["-w", str(workspace), "allow", "newsletter:weekly", "--people", str(messages)],
    ):
        subprocess.run(
            [sys.executable, "-m", "nurture", *words],
            env={**os.environ, **environment, "NURTURE_CLOCK__OFFSET": offset},
            check=True,
            capture_output=True,
        )


async def _send(app: App, messages: int) -> tuple[float, float]:
    """Seconds to queue and to send."""
    with Heart(app.database) as heart:
        bench, sender = app.bench(heart.worker), app.sender(heart.worker)
        queueing = _timed(lambda: run_due(bench, NOW))
        began = time.perf_counter()
        counts, relay_down = await sender.drain(NOW)
        sending = time.perf_counter() - began
        await sender.close()
    if counts["sent"] != messages:
        raise SystemExit(f"{counts['sent']} of {messages} were sent: {dict(counts)} {relay_down}")
    return queueing, sending


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _any_message(app: App) -> bytes:
    """One of the messages that were sent, as it was."""
    with app.database.reading() as session:
        delivery = session.scalars(sa.select(Delivery).limit(1)).one()
        recipient = composing.find_recipient(session, delivery)
        assert recipient is not None
        mail = composing.get_mail(session, delivery)
        return composing.compose(mail, delivery, app.house, recipient, recipient.email).content


async def _generate(port: int, content: bytes, messages: int, connections: int) -> float:
    """Seconds in which ready-made bytes go out over as many connections."""
    body = content.replace(b"\r\n.", b"\r\n..") + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n"
    shares = [messages // connections + (number < messages % connections) for number in range(connections)]
    began = time.perf_counter()
    await asyncio.gather(*(_speak(port, body, share) for share in shares))
    return time.perf_counter() - began


async def _speak(port: int, body: bytes, messages: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()

    async def say(words: bytes) -> None:
        writer.write(words)
        while (await reader.readline())[3:4] == b"-":
            pass

    await say(b"EHLO benchmark\r\n")
    for number in range(messages):
        await say(b"MAIL FROM:<planning@acme.example>\r\n")
        await say(b"RCPT TO:<reader%d@company.example>\r\n" % number)
        await say(b"DATA\r\n")
        await say(body)
    writer.close()
    await writer.wait_closed()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, int(sys.argv[2]) if len(sys.argv) > 2 else 3)
