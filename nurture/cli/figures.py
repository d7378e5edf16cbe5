"""How the figures of a simulated population are told, to people and to scripts."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nurture.cli.output import say, table
from nurture.figures import counted
from nurture.timing import in_words

if TYPE_CHECKING:
    from nurture.figures import Rate
    from nurture.sequences.simulation.expectations import Judgement
    from nurture.sequences.simulation.outcomes import Outcome
    from nurture.sequences.splits import Ended

_WIDEST = 40


def as_json_of(
    sequence: str,
    found: "Outcome",
    judged: "Sequence[Judgement]",
    tests: "Mapping[str, Ended]",
    seed: int,
    timeline: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    """The document of `--json`."""
    return {
        "sequence": sequence,
        "seed": seed,
        "contacts": found.people,
        "tracked": found.tracked,
        "came_in_over_days": found.came_in_over / timedelta(days=1),
        "sends_per_day": {day.on.isoformat(): day.mails for day in found.days},
        "sends_per_contact": {"mean": found.mails.value, "low": found.mails.low, "high": found.mails.high},
        "most_in_seven_days": found.most_in_a_week,
        "by_sender_domain": dict(found.by_sender),
        "by_recipient_domain": dict(found.by_recipient),
        "by_end": {name: _share(one) for name, one in found.by_end.items()},
        "by_step": dict(found.by_step),
        "got": {step: _share(one) for step, one in found.reached.items()},
        "days_to_finish": {
            "median": found.finish.median, "nine_of_ten": found.finish.ninth, "longest": found.finish.longest,
        },
        "sales_ready": _share(found.sales_ready),
        "sales_ready_before": found.sales_ready_before,
        "opted_out": _share(found.opted_out),
        "tests": {name: {"arm": one.arm, "because": one.because} for name, one in tests.items()},
        "blast_guard": (
            {"on": found.guard.on, "people": found.guard.people, "room": found.guard.room} if found.guard else None
        ),
        "expectations": [_expected(one) for one in judged],
        **({"timeline": timeline} if timeline is not None else {}),
    }  # fmt: skip


def _share(one: "Rate") -> dict[str, float]:
    return {"count": one.count, "share": one.share, "low": one.low, "high": one.high}


def _expected(one: "Judgement") -> dict[str, Any]:
    breach = one.breach
    return {
        "expect": one.text,
        "holds": one.holds,
        "because": breach.because if breach else one.unknown,
        "contact": breach.ending.person.email if breach and breach.ending else None,
        "at": breach.at if breach else None,
        "share": _share(one.share) if one.share else None,
    }


def say_outcome(found: "Outcome", judged: "Sequence[Judgement]", tests: "Mapping[str, Ended]") -> None:
    """The tables."""
    busiest = found.busiest
    peak = max((day.mails for day in found.days), default=0) or 1
    table(
        ("day (UTC)", "mails", "asks", "came in", "done", ""),
        [
            (f"{day.on:%a %Y-%m-%d}", day.mails, day.asks, day.came_in, day.finished,
             "█" * round(_WIDEST * day.mails / peak))
            for day in found.days if day.mails or day.came_in or day.finished
        ],
        empty="Nothing happens.",
    )  # fmt: skip
    table(("how it ends", "share"), [(name, str(one)) for name, one in found.by_end.items()], empty="Nobody came in.")
    if found.by_step:
        table(("still on", "people"), list(found.by_step.items()), empty="")
    table(("mail", "who gets it"), [(step, str(one)) for step, one in found.reached.items()], empty="No mail leaves.")
    table(("sender domain", "mails"), list(found.by_sender.items()), empty="No mail leaves.")
    table(("recipient domain", "mails"), list(found.by_recipient.items()), empty="No mail leaves.")
    say(
        f"{found.people:,} people, {found.tracked:,} of them tracked and {found.people - found.tracked:,} not: only the "
        "opens and clicks of the tracked are seen."
    )
    if found.came_in_over:
        say(f"They come in over {in_words(found.came_in_over)}, so the days above are more than each is looked at.")
    say(f"Mails per person: {found.mails}; at most {found.most_in_a_week} in seven days.")
    if busiest is not None and busiest.mails:
        say(f"Busiest day: {busiest.on:%a %Y-%m-%d}, {counted(busiest.mails, 'mail')}.")
    finish = found.finish
    if finish.median is not None:
        say(
            f"Done after {finish.median:.1f} days (half of them), {finish.ninth:.1f} (nine of ten), "
            f"{finish.longest:.1f} (the last); {finish.still_on:,} still on the way."
        )
    before = found.sales_ready_before
    say(
        f"Become sales-ready: {found.sales_ready}{f', and {before:,} were before they came in' if before else ''}. "
        f"Left: {found.opted_out}."
    )
    if found.guard is not None:
        say(
            f"The blast guard would stop it on {found.guard.on}: {found.guard.people:,} people, and "
            f"{found.guard.room:,} are fine without anybody's yes. The figures go on as if somebody said yes at once."
        )
    for name, test in tests.items():
        say(f'The test "{name}": {f"{test.arm} wins" if test.arm else "a draw"}, {test.because}.')
    for one in judged:
        _say_judged(one)


def _say_judged(one: "Judgement") -> None:
    share = f" ({one.share})" if one.share else ""
    if one.holds is None:
        say(f"? {one.text}: not known: {one.unknown}")
        return
    if one.breach is None:
        say(f"✓ {one.text}{share}")
        return
    who = f": {one.breach.ending.person.email}" if one.breach.ending else ""
    at = f", {one.breach.at:%a %Y-%m-%d %H:%M} UTC" if one.breach.at else ""
    say(f"✗ {one.text}{who}{at}: {one.breach.because}")
