"""How fast a population is simulated, beside what it costs to call `advance` alone on the very same facts.

    python -m benchmarks.simulating [--contacts 5000] [--days 60]

The simulation records everything it hands to `advance`: the sequence, the enrollment, the facts and the instant. Then
`advance` is called alone with each of them. What remains is what the simulation itself costs: people, mail, scoring.
"""

import argparse
import gc
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from nurture.app import open_app
from nurture.cli.staging import KINDS, Stage, stage_of
from nurture.cli.trying import units_of
from nurture.contacts.fields import field_words
from nurture.sequences import engine
from nurture.sequences.decisions import Decision, Enrollment
from nurture.sequences.facts import PersonFacts
from nurture.sequences.program import Sequence as Program
from nurture.sequences.simulation.crowd import BEHAVIOR, invent
from nurture.sequences.simulation.simulate import simulate_all
from nurture.sequences.simulation.world import Person

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_ROUNDS = 5
Call = tuple[Program, Enrollment, PersonFacts, datetime]


def stage(sequence: str, contacts: int) -> tuple[Stage, list[Person]]:
    """A sequence of the starter and people who all come in during the first four weeks."""
    with TemporaryDirectory() as folder:
        workspace = Path(folder) / "house"
        init = ["init", str(workspace), "--postal-address", "Acme, 12 Example Street, 10115 Berlin, Germany"]
        subprocess.run([sys.executable, "-m", "nurture", *init], check=True, stdout=subprocess.DEVNULL)
        house = open_app(workspace)
        try:
            found = stage_of(house, units_of(house, *KINDS), sequence)
            return found, invent(found.program, field_words(house.fields), START, size=contacts)
        finally:
            house.close()


def live(found: Stage, people: Sequence[Person], length: timedelta) -> float:
    """Seconds of the processor for the whole population; nobody's timeline is kept."""
    gc.collect()
    began = time.process_time()
    simulate_all(found.program, people, BEHAVIOR, found.world, start=START, length=length, is_told=lambda _: False)
    return time.process_time() - began


def record(found: Stage, people: Sequence[Person], length: timedelta) -> list[Call]:
    """Everything the simulation asks `advance`."""
    asked: list[Call] = []
    real = engine.advance

    def listen(sequence: Program, enrollment: Enrollment, facts: PersonFacts, now: datetime) -> Decision:
        asked.append((sequence, enrollment, facts, now))
        return real(sequence, enrollment, facts, now)

    engine.advance = listen
    try:
        live(found, people, length)
    finally:
        engine.advance = real
    return asked


def replay(asked: Sequence[Call]) -> float:
    """Seconds for `advance` alone."""
    gc.collect()
    began = time.process_time()
    for call in asked:
        engine.advance(*call)
    return time.process_time() - began


def main() -> None:
    """Print seconds and their ratio, the best of some rounds each, for the machine may do other things meanwhile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=5000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--sequence", default="evaluators")
    given = parser.parse_args()
    found, people = stage(given.sequence, given.contacts)
    people = [_early(one) for one in people]
    length = timedelta(days=given.days)
    asked = record(found, people, length)
    rounds = [(live(found, people, length), replay(asked)) for _ in range(_ROUNDS)]
    whole, alone = (min(seconds) for seconds in zip(*rounds, strict=True))
    print(f"{given.sequence}: {given.contacts:,} contacts, {given.days} days, {len(asked):,} calls of advance")
    print(f"  simulate      {whole:7.2f} s   {1000 * whole / given.contacts:6.2f} ms a contact")
    print(f"  advance alone {alone:7.2f} s   {1e6 * alone / len(asked):6.1f} µs a call")
    print(f"  ratio         {whole / alone:7.2f}")


def _early(person: Person) -> Person:
    """In the first four weeks, so that everybody has the time to finish."""
    arrives_at = START + (person.arrives_at - START) / 13 if person.arrives_at else START
    return replace(person, arrives_at=arrives_at)


if __name__ == "__main__":
    main()
