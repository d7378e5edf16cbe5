"""`nurture check --simulate`: holds every sequence against what its file expects, with the counter-example if it does not."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nurture.app.house import App
    from nurture.campaigns.publishing import Reading
    from nurture.campaigns.reading import Problem, Unit
    from nurture.sequences.simulation.expectations import Judgement
    from nurture.sequences.simulation.simulate import Simulated
    from nurture.sequences.simulation.world import Person

CODE = "NS290"


def find_breaches(house: "App", reading: "Reading", *, contacts: "Path | None", seed: int) -> "list[Problem]":
    """What does not hold, each with its place in the file; sequences with errors or without `expect:` are passed over."""
    units = [unit for unit in reading.units if unit.kind == "sequence" and unit.content["definition"]["expect"]]
    return [problem for unit in units for problem in _judge(house, reading.units, unit, contacts, seed)]


def _judge(house: "App", units: "Sequence[Unit]", unit: "Unit", contacts: "Path | None", seed: int) -> "list[Problem]":
    from nurture.cli.staging import people_of_file, stage_of
    from nurture.contacts.fields import field_words
    from nurture.sequences.simulation.crowd import BEHAVIOR, COME_IN_OVER, invent
    from nurture.sequences.simulation.expectations import parse_expectation
    from nurture.sequences.simulation.simulate import simulate_all

    stage = stage_of(house, units, unit.name)
    start = first_of_the_year(house.clock.now())
    expected = [parse_expectation(text) for text in unit.content["definition"]["expect"]]
    length = COME_IN_OVER + max(one.takes for one in expected)
    if contacts is None:
        people = invent(stage.program, field_words(house.fields), start, seed=seed)
    else:
        found = people_of_file(house, stage, contacts, start)
        apart = COME_IN_OVER / max(len(found), 1)
        people = [replace(one, arrives_at=start + place * apart) for place, one in enumerate(found)]

    def live(whom: str) -> "Simulated":
        return simulate_all(
            stage.program, people, BEHAVIOR, stage.world,
            start=start, length=length, seed=seed, is_told=lambda one: one.email == whom,
        )  # fmt: skip

    endings = live("").endings
    judged = [one.judge(endings, start + length) for one in expected]
    problems = []
    for number, one in enumerate(judged):
        if one.breach is not None:
            # The same again, with that one life told.
            whom = one.breach.ending.person if one.breach.ending else None
            told = expected[number].judge(live(whom.email).endings, start + length) if whom else one
            problems.append(_problem(house, unit, number, told, whom, contacts, start, seed))
    return problems


def first_of_the_year(now: datetime) -> datetime:
    """When the crowd begins to come in: the same all year, so that a check says the same tomorrow."""
    return datetime(now.year, 1, 1, tzinfo=UTC)


def _problem(
    house: "App", unit: "Unit", number: int, one: "Judgement", whom: "Person | None", contacts: "Path | None",
    start: datetime, seed: int,
) -> "Problem":  # fmt: skip
    from nurture.campaigns.reading import Problem, Problems, YamlFile

    assert one.breach is not None  # only what does not hold is told
    file = YamlFile(unit.file, (house.folder / unit.file).read_text(encoding="utf-8-sig"), Problems())
    line, column = file.place(("expect", number))
    if whom is None:
        return Problem(
            unit.file, line, column, CODE, f'expect[{number}]: "{one.text}" does not hold: {one.breach.because}.'
        )
    lines = [
        f"{entry.at:%a %Y-%m-%d %H:%M} {entry.step}: {entry.what}{f' ({entry.why})' if entry.why else ''}"
        for entry in one.breach.timeline
    ]
    again = f"nurture check --simulate --contacts {contacts} --seed {seed}"
    if contacts is None:
        again = f"nurture simulate {unit.name} --contacts crowd --contact {whom.email} --from {start:%Y-%m-%d} --seed {seed}"
    message = f'expect[{number}]: "{one.text}" does not hold for {whom.email}: {one.breach.because}.'
    return Problem(unit.file, line, column, CODE, message, "\n    ".join([*lines, f"Again: {again}"]))
