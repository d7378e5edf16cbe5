"""A/B tests that run: counted once an hour, ended by the rule their file gives, for everybody who comes later.

Colleagues go through them like everybody and decide nothing; where the goal reads opens or clicks, only those count of
whom we would know.
"""

from datetime import datetime, timedelta

from nurture.campaigns.declared import colleague_domains
from nurture.consent.recording.store import get_recording
from nurture.consent.store import is_tracked_for
from nurture.contacts.segments import Language
from nurture.database.engine import Session
from nurture.sequences import store
from nurture.sequences.entries import Open, list_open
from nurture.sequences.facts import from_outside
from nurture.sequences.program import Split
from nurture.sequences.splits import Score, judge, looks
from nurture.sequences.store import SplitTest


def list_running(session: Session, language: Language) -> list[tuple[Open, Split]]:
    """Every test that is not over, of the sequences that anybody came into: of the others there is nothing to count."""
    splits = [
        (here, step)
        for here in list_open(session, language)
        for step in here.entrance.program.steps.values()
        if isinstance(step, Split) and step.winner is not None
    ]
    return [
        (here, step)
        for here, step in splits
        if store.has_had_anybody(session, here.campaign_id) and not _is_over(session, here.name, step)
    ]


def _is_over(session: Session, sequence: str, step: Split) -> bool:
    known = store.find_test(session, sequence, step.id, step.signature)
    return known is not None and known.ended_at is not None


def end_tests(session: Session, language: Language, now: datetime) -> int:
    """Look at every test that runs and end those whose rule says so; how many ended."""
    return sum(_look(session, language, here, step, now) for here, step in list_running(session, language))


def _look(session: Session, language: Language, here: Open, step: Split, now: datetime) -> bool:
    rule = step.winner
    began_at = store.first_visit_at(session, here.name, step.id)
    if rule is None or began_at is None:
        return False
    goal = language.clause_of(session, from_outside(rule.goal, here.name), here.entrance.words, now)
    colleagues, by = colleague_domains(session), now - rule.after
    tracked = is_tracked_for(timedelta(0), get_recording(session), now) if rule.reads_recorded else None
    counted = store.count_arms(session, here.name, step.id, goal, by, colleagues, tracked)
    arms = {}
    for arm in step.arms:
        people, hits, others = counted.get(arm.name, (0, 0, 0))
        arms[arm.name] = Score(people, hits, others if rule.reads_recorded else None)
    test = store.find_test(session, here.name, step.id, step.signature)
    test = test or SplitTest(sequence=here.name, step=step.id, signature=step.signature)
    ended = judge(rule, arms, running_for=now - began_at, looks_done=test.looks)
    test.looks = max(test.looks, looks(rule, min(score.people for score in arms.values())))
    if ended is not None:
        test.arm, test.because, test.ended_at = ended.arm, ended.because, now
    session.add(test)
    return ended is not None
