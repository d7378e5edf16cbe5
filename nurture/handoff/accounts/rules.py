"""How many accounts a rep may target, what is asked of them for each, and what is unknown about a company. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from nurture.errors import NotAllowed

#: Whoever wants everybody wins nobody: twenty is what one person can know well.
MOST_PER_REP = 20
#: How long the rep has for what adding asks of them, in working days.
RESEARCH_WITHIN, CONTACT_WITHIN = 5, 10

#: Seniority that a job title gives away; short words stand for themselves only.
_TITLES = (
    "ceo cto cfo coo cio chief president owner founder vp head director geschäftsführer geschäftsführerin leiter leiterin "
    "vorstand inhaber inhaberin directeur directrice gérant directora gerente dueño"
)
_DECIDES = frozenset(_TITLES.split())


@dataclass(frozen=True)
class Known:
    """Somebody we know at a company, as far as these rules look."""

    name: str
    job_title: str | None
    country: str | None
    has_owner: bool
    is_mailable: bool
    has_acted: bool
    was_touched: bool


def refuse_surplus(rep: str, count: int) -> None:
    """Raise when a rep has as many target accounts as one person can know."""
    if count >= MOST_PER_REP:
        raise NotAllowed(
            f"{rep} has {count} target accounts, and {MOST_PER_REP} are the most; let one go with "
            "`nurture accounts target remove COMPANY`, or give this one to a colleague with --owner."
        )


def decides(job_title: str | None) -> bool:
    """Whether a job title says that somebody decides."""
    words = (job_title or "").lower().replace("/", " ").replace(",", " ").split()
    return any(word.strip(".-()") in _DECIDES for word in words)


def unknown_about(people: Sequence[Known]) -> list[str]:
    """What nobody here knows about a company yet, one line each; empty when nothing is missing."""
    if not people:
        return ["anybody who works there"]
    found = []
    if not any(decides(one.job_title) for one in people):
        found.append("who decides: nobody known there has a title that says so")
    untitled = sum(not one.job_title for one in people)
    if untitled:
        found.append(f"what {untitled} of {len(people)} people do there")
    if not any(one.country for one in people):
        found.append("which country they are in, and so which law holds")
    if not any(one.has_owner for one in people):
        found.append("whose they are: nobody there has an owner")
    if not any(one.is_mailable for one in people):
        found.append("on which basis anybody there may be written to")
    if not any(one.has_acted or one.was_touched for one in people):
        found.append("whether anybody there is interested: nobody has done anything yet")
    return found


def research_task(company: str) -> str:
    return f"Find out about {company}: who decides, what they would need us for, and why now"


def contact_task(company: str, whom: str | None, introduced_by: str | None) -> str:
    """The first word with them: to whom, and with whose help."""
    if whom is None:
        return f"Find somebody to talk to at {company}; nobody is known there yet"
    with_help = f", introduced by {introduced_by}" if introduced_by else ""
    return f"Talk to {whom} at {company}{with_help}"
