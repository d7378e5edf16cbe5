"""`advance`, held against the promises a sequence makes, over random sequences, people and outages."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from nurture.app.language import language
from nurture.conditions import ALWAYS, Asks, Condition, Not, holds, parse
from nurture.consent.rules import ALLOWED, Permission
from nurture.contacts.facts import ContactFacts
from nurture.delivery.rules import HeldBecause, Status
from nurture.sequences.decisions import CancelMails, Enrollment, QueueMail, ReleaseMail, mail_key
from nurture.sequences.engine import advance
from nurture.sequences.facts import Mail, PersonFacts
from nurture.sequences.program import (
    AddTag,
    Arm,
    Branch,
    ChangeList,
    End,
    Exit,
    GivePoints,
    GoTo,
    Late,
    Notify,
    RemoveTag,
    Send,
    Sequence,
    Split,
    Step,
    Wait,
    WaitFor,
    WaitUntil,
)
from nurture.timing import Duration, Window, parse_days, parse_hours, parse_moment
from nurture.tracking.rules import ActivityKind, Deed

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
LEFT = Permission(False, "opt_out", "opted out")


def facts_at(now: datetime, **known: object) -> PersonFacts:
    contact = ContactFacts({"country": "DE", "score": 0.0})
    plain = PersonFacts(contact, now, UTC_ZONE, UTC_ZONE, sequence="s", enrollment_id=1)
    return replace(plain, **known)  # type: ignore[arg-type]  # each test names fields of PersonFacts


def enrolled(first: str | None) -> Enrollment:
    return Enrollment(1, 1, "s", first, START)


def a_sequence(*steps: Step, exits: tuple[Exit, ...] = (), late: Late | None = None) -> Sequence:
    return Sequence("s", "insights", "default", steps[0].id, {step.id: step for step in steps}, exits, late=late)


# One thing at a time.


def test_a_send_step_asks_once_and_stands_still_until_the_mail_is_settled() -> None:
    sequence = a_sequence(Send("a", "b"), Send("b", None))
    first = advance(sequence, enrolled("a"), facts_at(START), START)
    assert first.effects == (QueueMail("a", "sequence:1:a:1"),)
    queued = {"sequence:1:a:1": Mail(7, Status.QUEUED)}
    second = advance(sequence, first.enrollment, facts_at(START, mails=queued), START + timedelta(hours=1))
    assert second.effects == ()
    assert second.enrollment.step == "a"


def test_the_next_wait_counts_from_when_the_mail_really_left() -> None:
    sequence = a_sequence(Send("a", "w"), Wait("w", "b", Duration(timedelta(days=3))), Send("b", None))
    asked = advance(sequence, enrolled("a"), facts_at(START), START).enrollment
    left_at = START + timedelta(days=2)
    mails = {mail_key(asked, "a"): Mail(7, Status.SENT, attempted_at=left_at)}
    now = START + timedelta(days=4)
    waiting = advance(sequence, asked, facts_at(now, mails=mails), now)
    assert waiting.effects == ()
    assert waiting.wake_at == left_at + timedelta(days=3)


def test_an_uncertain_mail_is_never_asked_for_again_and_the_sequence_goes_on() -> None:
    sequence = a_sequence(Send("a", "b"), Send("b", None))
    asked = advance(sequence, enrolled("a"), facts_at(START), START).enrollment
    mails = {mail_key(asked, "a"): Mail(7, Status.UNCERTAIN, attempted_at=START)}
    decision = advance(sequence, asked, facts_at(START, mails=mails), START)
    assert decision.effects == (QueueMail("b", "sequence:1:b:1"),)


def test_a_mail_refused_for_good_ends_the_sequence_with_that_reason() -> None:
    sequence = a_sequence(Send("a", "b"), Send("b", None))
    asked = advance(sequence, enrolled("a"), facts_at(START), START).enrollment
    mails = {mail_key(asked, "a"): Mail(7, Status.REFUSED, "said no", START)}
    ended = advance(sequence, asked, facts_at(START, mails=mails), START).enrollment
    assert (ended.status, ended.exit_reason) == ("exited", "refused")


def test_a_failed_mail_ends_the_sequence_unless_the_step_says_next() -> None:
    for on_failure, status in (("exit", "exited"), ("next", "finished")):
        sequence = a_sequence(Send("a", None, on_failure=on_failure))
        asked = advance(sequence, enrolled("a"), facts_at(START), START).enrollment
        mails = {mail_key(asked, "a"): Mail(7, Status.FAILED, "550 no", START)}
        assert advance(sequence, asked, facts_at(START, mails=mails), START).enrollment.status == status


def test_an_exit_beats_a_mail_that_is_already_queued() -> None:
    replied = Exit(Asks("replied"), "replied()", "replied")
    sequence = a_sequence(Send("a", None), exits=(replied,))
    asked = advance(sequence, enrolled("a"), facts_at(START), START).enrollment
    held = {mail_key(asked, "a"): Mail(7, Status.HELD, HeldBecause.RECHECK)}
    deed = Deed(ActivityKind.REPLIED, START, enrollment_id=1)
    decision = advance(sequence, asked, facts_at(START, mails=held, deeds=(deed,)), START)
    assert decision.enrollment.exit_reason == "replied"
    assert decision.effects == (CancelMails("replied()"),)


def test_a_mail_held_for_a_second_look_is_released_when_nothing_ended_the_sequence() -> None:
    sequence = a_sequence(Send("a", None))
    asked = advance(sequence, enrolled("a"), facts_at(START), START).enrollment
    held = {mail_key(asked, "a"): Mail(7, Status.HELD, HeldBecause.RECHECK)}
    assert advance(sequence, asked, facts_at(START, mails=held), START).effects == (ReleaseMail(7),)


def test_a_decision_sees_its_own_effects() -> None:
    has_tag = parse_tag("new")
    sequence = a_sequence(
        AddTag("t", "if", "new"), Branch("if", has_tag, "has_tag", "yes", "no"), End("yes", "tagged"), End("no", "not")
    )
    decision = advance(sequence, enrolled("t"), facts_at(START), START)
    assert decision.notes[-1].why == "tagged"


def parse_tag(tag: str) -> Condition:
    return Asks("has_tag", (("tag", tag),))


def test_a_branch_waits_for_the_verdict_on_a_hit_that_came_before_it() -> None:
    clicked = Asks("clicked", ())
    sequence = a_sequence(Branch("if", clicked, "clicked()", "yes", "no"), End("yes", "yes"), End("no", "no"))
    hit_at = START - timedelta(seconds=10)
    open_question = facts_at(START, first_open_question_at=hit_at, verdicts_at=hit_at + timedelta(seconds=60))
    waiting = advance(sequence, enrolled("if"), open_question, START)
    assert (waiting.enrollment.step, waiting.wake_at) == ("if", hit_at + timedelta(seconds=60))
    later = facts_at(START + timedelta(seconds=50), deeds=(Deed(ActivityKind.CLICKED, hit_at, enrollment_id=1),))
    assert advance(sequence, waiting.enrollment, later, later.now).notes[-1].why == "yes"


def test_conditions_of_a_sequence_look_at_this_enrollment_unless_told_otherwise() -> None:
    old = Deed(ActivityKind.CLICKED, START - timedelta(days=90), enrollment_id=99)
    known = facts_at(START, deeds=(old,))
    assert not known.answers("clicked", {})
    assert known.answers("clicked", {"ever": True})


def test_a_mail_too_late_after_an_outage_is_skipped_or_ends_the_sequence() -> None:
    for otherwise, status in (("skip", "finished"), ("exit", "exited")):
        sequence = a_sequence(Send("a", None), late=Late(timedelta(days=2), otherwise))
        now = START + timedelta(days=3)
        decision = advance(sequence, enrolled("a"), facts_at(now), now)
        assert decision.enrollment.status == status
        assert not any(isinstance(effect, QueueMail) for effect in decision.effects)


def test_lateness_counts_from_the_first_opening_of_the_window() -> None:
    office = Window(parse_days("mon-fri"), *parse_hours("09:00-17:00"))
    friday_night = datetime(2026, 3, 6, 20, 0, tzinfo=UTC)
    monday_morning = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
    sequence = replace(a_sequence(Send("a", None), late=Late(timedelta(hours=4))), window=office)
    asked = advance(sequence, replace(enrolled("a"), since=friday_night), facts_at(friday_night), friday_night)
    assert asked.effects == (QueueMail("a", "sequence:1:a:1", expires_at=monday_morning + timedelta(hours=4)),)


def test_nothing_is_decided_for_somebody_who_left() -> None:
    sequence = a_sequence(AddTag("t", "a", "x"), Send("a", None))
    decision = advance(sequence, enrolled("t"), facts_at(START, permission=LEFT), START)
    assert decision.enrollment.exit_reason == "opt_out"
    assert decision.effects == (CancelMails("opted out"),)


# Everything at once: random sequences lived through with outages, refusals and people who leave.


SIMPLE = ["send", "wait", "until", "tag", "untag", "list", "score", "notify"]


def draw_simple(draw: st.DrawFn, kind: str, name: str, following: str | None) -> Step:
    """A step with one way on."""
    match kind:
        case "send":
            return Send(name, following, on_failure=draw(st.sampled_from(["exit", "next"])))
        case "wait":
            return Wait(name, following, Duration(timedelta(hours=draw(st.integers(0, 200)))))
        case "until":
            moment = draw(st.sampled_from([parse_moment("tue, thu", time(10)), parse_moment("renewal_on", time(9))]))
            return WaitUntil(name, following, moment, "a moment", draw(st.sampled_from(["exit", "next"])))
        case "tag":
            return AddTag(name, following, draw(st.sampled_from("ab")))
        case "untag":
            return RemoveTag(name, following, draw(st.sampled_from("ab")))
        case "list":
            return ChangeList(name, following, "x", is_joining=draw(st.booleans()))
        case "score":
            return GivePoints(name, following, 5, "given")
    return Notify(name, following, "owner", "look")


@dataclass
class Chain:
    """Draws a program from its end to its beginning."""

    draw: st.DrawFn
    steps: dict[str, Step] = field(default_factory=dict)

    def link(self, length: int, after: str | None, depth: int = 0) -> str | None:
        following = after
        for _ in range(length):
            name = f"s{len(self.steps)}"
            self.steps[name] = End(name, "reserved")  # keeps the name while steps inside are built
            kinds = SIMPLE if depth == 2 else [*SIMPLE, "if", "for", "split", "goto"]
            kind = self.draw(st.sampled_from(kinds))
            inside = {"if": self._branch, "for": self._wait_for, "split": self._split, "goto": self._goto}.get(kind)
            self.steps[name] = (
                inside(name, following, depth + 1) if inside else draw_simple(self.draw, kind, name, following)
            )
            following = name
        return following

    def _way(self, following: str | None, depth: int) -> str | None:
        return self.link(self.draw(st.integers(0, 2)), following, depth)

    def _branch(self, name: str, following: str | None, depth: int) -> Step:
        when = self.draw(st.sampled_from([ALWAYS, Not(ALWAYS), parse_tag("a"), Asks("clicked", ())]))
        return Branch(name, when, "if", self._way(following, depth), self._way(following, depth))

    def _wait_for(self, name: str, following: str | None, depth: int) -> Step:
        when = self.draw(st.sampled_from([parse_tag("a"), Asks("clicked", ()), Not(Asks("clicked", ()))]))
        up_to = Duration(timedelta(hours=self.draw(st.integers(0, 200))))
        return WaitFor(name, when, "for", up_to, self._way(following, depth), self._way(following, depth))

    def _split(self, name: str, following: str | None, depth: int) -> Step:
        arms = [Arm(arm, self.draw(st.integers(1, 9)), self._way(following, depth)) for arm in "xyz"]
        return Split(name, tuple(arms))

    def _goto(self, name: str, following: str | None, _depth: int) -> Step:
        """Back to a mail with a wait behind it, so that no loop spins at one instant."""
        again, rest = f"{name}-again", f"{name}-rest"
        self.steps[again] = Send(again, rest, on_failure="next")
        self.steps[rest] = Wait(rest, name, Duration(timedelta(hours=5)))
        return GoTo(name, following, again, self.draw(st.integers(1, 3)))


@st.composite
def programs(draw: st.DrawFn) -> Sequence:
    """Sequences of every kind of step, whose mails are never asked for twice by design."""
    chain = Chain(draw)
    first = chain.link(draw(st.integers(1, 6)), None)
    window = draw(st.sampled_from([None, Window(parse_days("mon-fri"), *parse_hours("09:00-17:00"))]))
    late = draw(st.sampled_from([None, Late(timedelta(days=1), "skip"), Late(timedelta(hours=6), "exit")]))
    return Sequence("s", "insights", "default", first, chain.steps, window=window, late=late)


@dataclass
class World:
    """A plain stand-in for stores and relay: mails leave, or not, at the instants the test chose."""

    sequence: Sequence
    enrollment: Enrollment
    outcomes: Iterator[Status]
    delays: Iterator[int]
    left_at: datetime | None = None
    mails: dict[str, Mail] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: list[tuple[str, datetime]] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)

    def facts(self, now: datetime) -> PersonFacts:
        permission = LEFT if self.left_at is not None and self.left_at <= now else ALLOWED
        return facts_at(now, permission=permission, mails=dict(self.mails), deeds=tuple(self.deeds))

    def live(self, rounds: int = 400) -> None:
        now = START
        for _ in range(rounds):
            decision = advance(self.sequence, self.enrollment, self.facts(now), now)
            self.enrollment = decision.enrollment
            for effect in decision.effects:
                if isinstance(effect, QueueMail):
                    self.asked.append(effect.key)
                    now = self._deliver(effect, now)
            if self.enrollment.is_over:
                return
            # An outage: whoever should have looked at `wake_at` looks as much later as the test says.
            now = max(now, self.enrollment.wake_at or now) + timedelta(hours=next(self.delays))
        raise AssertionError("it never came to its end")

    def _deliver(self, effect: QueueMail, now: datetime) -> datetime:
        leaves_at = now + timedelta(hours=next(self.delays))
        status = next(self.outcomes)
        if self.left_at is not None and self.left_at <= leaves_at:
            status = Status.REFUSED
        elif effect.expires_at is not None and leaves_at >= effect.expires_at:
            status = Status.EXPIRED
        if status in {Status.SENT, Status.UNCERTAIN}:
            self.sent.append((effect.key, leaves_at))
            self.deeds.append(Deed(ActivityKind.CLICKED, leaves_at, enrollment_id=1))
        self.mails[effect.key] = Mail(len(self.mails), status, "", leaves_at)
        return leaves_at


def cycle(values: list[int]) -> Iterator[int]:
    while True:
        yield from values


@st.composite
def worlds(draw: st.DrawFn) -> World:
    sequence = draw(programs())
    outcomes = draw(st.lists(st.sampled_from([Status.SENT, Status.SENT, Status.UNCERTAIN, Status.FAILED]), min_size=1))
    delays = draw(st.lists(st.integers(0, 100), min_size=1, max_size=10))
    leaves_after = draw(st.none() | st.integers(0, 1000))
    left_at = None if leaves_after is None else START + timedelta(hours=leaves_after)
    endless = (outcomes[i % len(outcomes)] for i in cycle(list(range(len(outcomes)))))
    return World(sequence, enrolled(sequence.first), endless, cycle(delays), left_at)


@given(worlds())
@settings(max_examples=300)
def test_a_step_mails_at_most_once_and_everyone_comes_to_an_end(world: World) -> None:
    world.live()
    assert len(set(world.asked)) == len(world.asked)
    assert world.enrollment.is_over


@given(worlds())
@settings(max_examples=300)
def test_nothing_is_decided_or_sent_after_an_opt_out(world: World) -> None:
    world.live()
    if world.left_at is not None:
        assert all(at < world.left_at for _, at in world.sent)
        # Once it is known, the very next look ends the sequence.
        if world.enrollment.status == "exited":
            again = advance(world.sequence, world.enrollment, world.facts(world.left_at), world.left_at)
            assert again.effects == ()


@given(st.lists(st.integers(1, 200), min_size=1, max_size=5), st.lists(st.integers(0, 300), min_size=1, max_size=8))
@settings(max_examples=300)
def test_two_mails_are_never_closer_than_the_wait_between_them(waits: list[int], delays: list[int]) -> None:
    steps: list[Step] = [Send("m0", "w0")]
    for number, hours in enumerate(waits):
        steps.append(Wait(f"w{number}", f"m{number + 1}", Duration(timedelta(hours=hours))))
        following = f"w{number + 1}" if number + 1 < len(waits) else None
        steps.append(Send(f"m{number + 1}", following))
    sequence = a_sequence(*steps)
    world = World(sequence, enrolled("m0"), iter(lambda: Status.SENT, None), cycle(delays))
    world.live()
    left = [at for _, at in world.sent]
    assert len(left) == len(waits) + 1
    gaps = [second - first for first, second in pairwise(left)]
    assert all(gap >= timedelta(hours=hours) for gap, hours in zip(gaps, waits, strict=True))


@given(worlds(), st.integers(0, 50))
@settings(max_examples=300)
def test_advancing_twice_at_one_instant_adds_nothing(world: World, hours: int) -> None:
    now = START + timedelta(hours=hours)
    first = advance(world.sequence, world.enrollment, world.facts(now), now)
    for effect in first.effects:
        if isinstance(effect, QueueMail):
            world.mails[effect.key] = Mail(1, Status.QUEUED)
    # Tags and points of the first look are known to the second.
    known = world.facts(now)
    second = advance(world.sequence, first.enrollment, known, now)
    assert second.effects == ()
    assert (second.enrollment.step, second.enrollment.status) == (first.enrollment.step, first.enrollment.status)


def test_conditions_in_files_read_as_the_engine_reads_them() -> None:
    condition = parse('clicked("report", link="/pricing") and score >= 60', language().words({}))
    deed = Deed(ActivityKind.CLICKED, START, "s/report", 1, "see prices", "/pricing")
    known = replace(facts_at(START, deeds=(deed,)), contact=ContactFacts({"score": 61.0}))
    assert holds(condition, known)
