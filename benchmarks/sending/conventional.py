"""The conventional way, for comparison: sandboxed Jinja, the standard library's EmailMessage, aiosmtplib.

What most senders written in Python do, and not badly: the MJML is compiled once, templates are parsed once, contacts are
read and results written a hundred at a time, and as many connections stay open as ours have. Each mail is rendered whole,
its links are rewritten and signed, its message is built and serialized.

`python -m benchmarks.sending.conventional FOLDER URL PORT CONNECTIONS MESSAGES`, told to begin like a worker.
"""

import asyncio
import hashlib
import hmac
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import aiosmtplib
import jinja2
import mjml
import sqlalchemy as sa
from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlmodel import col

from benchmarks.sending.house import NEWSLETTER, files, open_house
from benchmarks.sending.usage import peak_memory
from nurture.app.house import App
from nurture.consent.rules import Purpose
from nurture.consent.store import may_be_mailed
from nurture.contacts.store import Contact
from nurture.delivery.rules import Status
from nurture.delivery.store import Delivery

_BATCH = 100
_HREF = re.compile(r'href="(https?://[^"]+)"')
_KEY = b"a benchmark's secret"
_BASE_URL = "http://127.0.0.1:8000"
_TEXT = "Hello {{ contact.first_name }},\n\n{{ words }}\n\nWhat does {{ contact.company }} plan by?\n\nLeave: {{ leave_url }}\n"


class Conventional:
    """A letter and how it is made."""

    def __init__(self) -> None:
        layout = files()["templates/layouts/letters.mjml"]
        self._words = layout[layout.index("</h2>") + 5 : layout.index("<a\n")]
        environment = ImmutableSandboxedEnvironment(autoescape=True, undefined=jinja2.ChainableUndefined)
        environment.filters["fallback"] = lambda value, otherwise: value or otherwise
        opened = layout.replace("{% block content %}{% endblock %}", "<mj-text>Dear reader.</mj-text>")
        html = mjml.mjml2html(opened)
        self._html = environment.from_string(html)
        self._text = environment.from_string(_TEXT)
        self._subject = environment.from_string(
            "{{ contact.first_name }}, five ideas for the week of {{ contact.company }}"
        )

    def message(self, contact: Mapping[str, Any], delivery_id: int) -> bytes:
        token = hmac.digest(_KEY, str(delivery_id).encode(), hashlib.sha256).hex()[:24]
        leave_url = f"{_BASE_URL}/u/{token}"
        context = {
            "contact": contact, "mail": {"title": "The Planning Letter"}, "words": self._words, "leave_url": leave_url,
            "sender": {"name": "Dana Reed", "postal_address": "Acme, 12 Example Street, 10115 Berlin, Germany"},
        }  # fmt: skip
        count = iter(range(1000))
        html = _HREF.sub(lambda _: f'href="{_BASE_URL}/c/{token}/{next(count)}"', self._html.render(context))
        made = EmailMessage(policy=SMTP)
        made["From"] = "Dana Reed <dana@acme.example>"
        made["To"] = contact["email"]
        made["Subject"] = self._subject.render(context)
        made["Date"] = datetime.now(UTC)
        made["Message-ID"] = f"<{delivery_id}@acme.example>"
        made["List-Unsubscribe"] = f"<{leave_url}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        made.set_content(self._text.render(context), cte="quoted-printable")
        made.add_alternative(html, subtype="html", cte="quoted-printable")
        return made.as_bytes()


def main(folder: str, url: str, port: str, connections: str, messages: str) -> None:
    app = open_house(Path(folder), url)
    print("ready", flush=True)
    sys.stdin.readline()
    began, used = time.monotonic(), time.process_time()
    sent = asyncio.run(_send(app, int(port), int(connections), int(messages)))
    ended, used = time.monotonic(), time.process_time() - used
    app.close()
    told = {"began": began, "ended": ended, "processor": used, "memory": peak_memory(), "counts": {"sent": sent}}
    print(json.dumps({**told, "relay_down": ""}), flush=True)


async def _send(app: App, port: int, connections: int, messages: int) -> int:
    waiting: asyncio.Queue[tuple[int, Mapping[str, Any]] | None] = asyncio.Queue(2 * _BATCH)
    letter, done = Conventional(), []

    async def work() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False) as relay:
            while (one := await waiting.get()) is not None:
                delivery_id, contact = one
                await relay.sendmail("dana@acme.example", [contact["email"]], letter.message(contact, delivery_id))
                done.append(delivery_id)

    async def feed() -> None:
        for batch in _batches(app, messages):
            for one in batch:
                await waiting.put(one)
            _record(app, done)
        for _ in range(connections):
            await waiting.put(None)

    await asyncio.gather(feed(), *(work() for _ in range(connections)))
    _record(app, done)
    return messages


def _batches(app: App, messages: int) -> Iterator[Sequence[tuple[int, Mapping[str, Any]]]]:
    """Who may be mailed, a hundred at a time."""
    columns = ("email", "first_name", "last_name", "company", "job_title", "country")
    after, left = 0, messages
    while left:
        with app.database.reading() as session:
            statement = (
                sa.select(col(Delivery.id), *(col(getattr(Contact, name)) for name in columns))
                .join(Contact, col(Contact.id) == col(Delivery.contact_id))
                .where(
                    col(Delivery.status) == Status.QUEUED,
                    col(Delivery.id) > after,
                    may_be_mailed(Purpose.CAMPAIGN, NEWSLETTER, datetime.now(UTC)),
                )
                .order_by(col(Delivery.id))
                .limit(min(_BATCH, left))
            )
            rows = session.execute(statement).all()
        if not rows:
            raise SystemExit(f"{left} people are missing")
        after, left = rows[-1][0], left - len(rows)
        yield [(row[0], dict(zip(columns, row[1:], strict=True))) for row in rows]


def _record(app: App, done: list[int]) -> None:
    ids, done[:] = list(done), []
    if ids:
        with app.database.writing() as session:
            sent = sa.update(Delivery).where(col(Delivery.id).in_(ids))
            session.execute(sent.values(status=Status.SENT, settled_at=datetime.now(UTC)))


if __name__ == "__main__":
    main(*sys.argv[1:])
