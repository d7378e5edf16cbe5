"""Target accounts: a rep chooses a company to win. A place for tasks and notes, and never a reason to mail anybody.

Nothing here touches consent, suppression or a sequence: whoever works there is mailed by a campaign only on a basis of
their own. Choosing leaves two tasks: find out, and talk to somebody.
"""

from collections.abc import Sequence
from datetime import datetime

from nurture.campaigns.declared import colleague_domains
from nurture.contacts import store as contacts
from nurture.contacts.companies import is_company
from nurture.contacts.store import Contact, Operator
from nurture.database.columns import new_id
from nurture.database.engine import Session
from nurture.errors import BadInput, NotAllowed, NotFound, did_you_mean
from nurture.handoff import store as handoff
from nurture.handoff.accounts import store
from nurture.handoff.accounts.rules import (
    CONTACT_WITHIN,
    RESEARCH_WITHIN,
    contact_task,
    refuse_surplus,
    research_task,
)
from nurture.handoff.accounts.store import TargetAccount
from nurture.handoff.portrait import name_of
from nurture.handoff.tasks import due_at
from nurture.timing import Duration
from nurture.tracking.touches.store import touches_of


def find_domain(session: Session, text: str) -> str:
    """The domain of a company by its domain, or by the name that its contacts or whoever chose it give it."""
    wanted = text.strip().lower().rstrip(".")
    if "@" in wanted:
        raise BadInput(f"{text} is an address; name the company, such as {wanted.rpartition('@')[2]}.")
    found = [one for one in contacts.domains_of_company(session, text) if is_company(one)]
    found += [target.domain for target, _ in store.list_targets(session) if target.name.lower() == wanted]
    domains = sorted(set(found))
    if len(domains) > 1:
        raise BadInput(f'"{text}" is at {", ".join(domains)}; say which.')
    if domains:
        return domains[0]
    if "." not in wanted or " " in wanted:
        raise NotFound(
            f'nobody is known at "{text}"; name its domain, such as sample.example.'
            f"{did_you_mean(text, contacts.company_names(session))}"
        )
    return wanted


def add_target(
    session: Session, domain: str, owner: str, now: datetime, *, name: str = "", because: str = ""
) -> TargetAccount:
    """Make a company a rep's target account, with or without contacts there, and leave them what is to do."""
    rep = get_rep(session, owner)
    if not is_company(domain):
        raise BadInput(f"{domain} is no company; anybody may have an address there.")
    if domain in colleague_domains(session):
        raise BadInput(f"{domain} is where our own people are (company.domains in settings.toml).")
    known = store.find_target(session, domain)
    if known is not None:
        whose = contacts.list_operators(session)[known.operator_id].name
        raise NotAllowed(f"{domain} is a target account of {whose} already.")
    refuse_surplus(rep.name, store.count_targets(session, rep.id))
    target = TargetAccount(domain=domain, name=name.strip(), operator_id=rep.id, because=because.strip(), added_at=now)
    store.add_target(session, target)
    _leave_tasks(session, target, rep, now)
    return target


def remove_target(session: Session, domain: str, now: datetime) -> TargetAccount:
    """Let a target account go; what was still to do about it is dropped, what was done stays."""
    target = store.find_target(session, domain)
    if target is None:
        raise NotFound(f"{domain} is no target account; `nurture accounts target list` lists them.")
    target.removed_at = now
    session.add(target)
    handoff.drop_undone(session, [_key(target, "research"), _key(target, "contact")])
    return target


def get_rep(session: Session, owner: str) -> Operator:
    """The operator who works here, by address."""
    rep = contacts.find_operator(session, owner)
    if rep is None or not rep.is_declared:
        known = [one.email for one in contacts.list_operators(session).values() if one.is_declared]
        raise NotFound(f"{owner} is no operator of settings.toml.{did_you_mean(owner, known)}")
    return rep


def _leave_tasks(session: Session, target: TargetAccount, rep: Operator, now: datetime) -> None:
    company = target.name or target.domain
    people = store.people_at(session, target.domain)
    first = next(iter(people), None)
    helper = _who_could_introduce(session, people, rep) if first else None
    because = f"{company} is a target account{f': {target.because}' if target.because else ''}"
    _leave(session, target, rep, "research", research_task(company), because, RESEARCH_WITHIN, None, now)
    what = contact_task(company, name_of(first) if first else None, helper)
    _leave(session, target, rep, "contact", what, because, CONTACT_WITHIN, first, now)


def _who_could_introduce(session: Session, people: Sequence[Contact], rep: Operator) -> str | None:
    """A colleague who owns somebody there, or was in touch with them."""
    operators = contacts.list_operators(session)
    owners = [operators[one.owner_id] for one in people if one.owner_id in operators]
    touched = [by for _, _, by, _ in touches_of(session, [one.id for one in people])]
    return next((one.name for one in (*touched, *owners) if one.id != rep.id and one.is_declared), None)


def _leave(
    session: Session,
    target: TargetAccount,
    rep: Operator,
    word: str,
    what: str,
    because: str,
    within: int,
    contact: Contact | None,
    now: datetime,
) -> None:
    row = {
        "id": new_id(), "key": _key(target, word), "contact_id": contact.id if contact else None, "domain": target.domain,
        "operator_id": rep.id, "what": what, "because": because, "created_at": now,
        "due_at": due_at(Duration(working_days=within), rep, now), "done_at": None,
    }  # fmt: skip
    handoff.insert_task(session, row)


def _key(target: TargetAccount, word: str) -> str:
    return f"target:{target.id}:{word}"
