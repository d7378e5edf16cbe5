"""What a careful colleague says about the shape of one sequence, before anybody is on it. Pure.

Errors are what can never be right; a remark may be, and then the file says why (`campaigns.silencing`). Of the mails
themselves `campaigns.mail_remarks` speaks, of several sequences `together`. `kind` asks here for every file that has no
errors.
"""

from collections.abc import Callable

from nurture.sequences.remarks.asking import questions_about_mails
from nurture.sequences.remarks.deadlines import moved_deadlines
from nurture.sequences.remarks.experiments import splits
from nurture.sequences.remarks.flow import (
    constant_conditions,
    idle_questions,
    jumps_into_branches,
    loops,
    past_dates,
    unreachable_steps,
    windows,
)
from nurture.sequences.remarks.judged import Judged
from nurture.sequences.remarks.points import unreachable_scores
from nurture.sequences.remarks.pressure import close_mails, unearned_asks
from nurture.sequences.remarks.recording import only_recorded, silence_by_missing_opens

_RULES: tuple[Callable[[Judged], None], ...] = (
    unreachable_steps, constant_conditions, idle_questions, loops, jumps_into_branches, past_dates, windows, questions_about_mails,
    splits, close_mails, unearned_asks, unreachable_scores, only_recorded, silence_by_missing_opens, moved_deadlines,
)  # fmt: skip


def judge(judged: Judged) -> None:
    """Tell everything there is to say about the sequence."""
    for rule in _RULES:
        rule(judged)
