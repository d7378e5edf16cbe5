"""Asks the name servers about the domains people have addresses at, once, before the first mail to each.

In the background and never with a transaction open: a few domains are taken for some minutes in one transaction, asked
about several at once, and the answers kept in another. Whoever takes them and dies leaves them to be taken again. While
the relay is on this machine nothing leaves it, so nobody is asked: a house without a resolver.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Protocol

from nurture.clock import Clock
from nurture.consent.domains import actions, store
from nurture.consent.domains.rules import Answer
from nurture.database.engine import Database

_AT_ONCE = 8
_CHUNK = 32
#: Longer than any answer takes, so that two workers do not ask about the same domains.
_TAKEN_FOR = timedelta(minutes=10)


class Resolver(Protocol):
    """Something that looks a domain up and never raises for what comes of it."""

    def find_mail_hosts(self, domain: str) -> Answer:
        """Who takes mail for this domain."""


class Asker:
    """The asking part of one worker."""

    def __init__(self, database: Database, resolver: Resolver | None, clock: Clock) -> None:
        self._database = database
        self._resolver = resolver
        self._clock = clock
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Finish the questions at hand and ask no more; safe to call from any thread."""
        self._stopping.set()

    def next_due_at(self) -> datetime | None:
        """When there is something to ask."""
        if self._resolver is None:
            return None
        with self._database.reading() as session:
            return store.next_ask_at(session)

    def drain(self, now: datetime | None = None) -> int:
        """Ask about every domain that is due at `now` (default: as time goes by); how many there were."""
        asked = 0
        while self._resolver is not None and not self._stopping.is_set():
            with self._database.writing() as session:
                at = now or self._clock.now()
                domains = store.take_to_ask(session, at, at + _TAKEN_FOR, _CHUNK)
            if not domains:
                break
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="nurture-asker") as threads:
                answers = list(threads.map(self._resolver.find_mail_hosts, domains))
            with self._database.writing() as session:
                for domain, answer in zip(domains, answers, strict=True):
                    actions.record_answer(session, domain, answer, now or self._clock.now())
            asked += len(domains)
        return asked
