"""A condition means the same to Python and to both databases, whatever it asks and whatever is known about people."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from sqlmodel import col

from nurture.app.language import language
from nurture.campaigns.store import Campaign, CampaignVersion, get_campaign, hash_of, write_content
from nurture.conditions import Field, FieldType, Predicate, holds, parse
from nurture.consent import store as consents
from nurture.consent.definition import KIND as CONSENT
from nurture.consent.rules import ConsentPurpose, Pile, Purpose
from nurture.consent.suppressions import store as suppressions
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts import store as contacts
from nurture.contacts.actions import ensure_list, new_contact
from nurture.contacts.addresses import read_address
from nurture.contacts.fields import (
    ABILITIES,
    ABILITY_WORDS,
    BUILT_IN,
    FIT_GRADES,
    INTERESTS,
    SOURCES,
    STAGES,
    STAGES_OUTSIDE,
)
from nurture.contacts.store import Contact, ContactTag, Operator
from nurture.database.columns import new_id
from nurture.database.engine import Database, Session
from nurture.delivery.rules import Status
from nurture.delivery.store import Delivery
from nurture.sequences.known import gather_known
from nurture.sequences.store import EnrollmentRow
from nurture.tokens import AddressHasher
from nurture.tracking import store as tracking
from nurture.tracking.rules import ANSWERED_BY, ActivityKind, Actor
from tests.conftest import NOW

LANGUAGE = language()

#: Values meet each other often when there are few of them; some are hard to quote, some differ only in case.
#: One é is one character and one is two, one İ has a dot that lower case spells apart.
TEXTS = ["DE", "de", "", 'O\'Brien & "Söhne" \\ 100%', "ß", "ẞ", "None", "Caf\u00e9", "Cafe\u0301", "İ"]
NUMBERS = [-1, 0, 0.1, 49.5, 50, 50.0, 51, 1e12]
DATES = ["2025-12-31", "2026-03-10", "2026-10-03"]
TAGS = ["vip", "VIP", "it's 50%", "Caf\u00e9", "Cafe\u0301"]
LISTS = ["benchmark-report", "fair", "nobody ever joined"]
TOPICS = ["insights", "events"]
SEQUENCES = ["evaluators", "trials"]
MAILS = ["evaluators/report", "weekly/five-questions", "report"]
FORMS = ["demo-form", "it's 50%"]
LABELS = ["", "see prices", "größe"]
QUESTIONS = ["timing", "Timing"]
ANSWERS = ["this quarter", "größe & co"]
PATHS = ["", "/", "/pricing", "/Pricing"]

#: Values that a field may hold from before it changed its type.
STRAYS = ("about 50", "", "-5", "ärger", True, 7, 2.5)
#: The declared fields; one is called like a column that the table of contacts has for itself.
DECLARED = {
    "company_size": FieldType.NUMBER, "industry": FieldType.TEXT, "renewal_on": FieldType.DATE,
    "is_partner": FieldType.FLAG, "created_at": FieldType.DATE,
}  # fmt: skip
SEGMENTS = {
    "big": "company_size > 50",
    "big-or-unknown": 'in_segment("big") or company_size is None',
    "quiet": 'not opened(within="7 days") and not has_tag("vip")',
}
RESTS_ON = {"fields": {name: str(kind) for name, kind in DECLARED.items()}, "segments": SEGMENTS}
WORDS = LANGUAGE.words(RESTS_ON)
#: In DE and AT opens and clicks are recorded only after a yes.
CONSENT_TABLE = {
    "format": 1,
    "rows": [
        {"country": ["DE"], "basis": ["opt-in"], "then": "announce", "law": "consent", "checked_on": "2026-01-01"}
    ],
    "tracking": {"ask_first": ["EEA"]},
}

#: What may be said for each argument of a predicate; one that is not named here fails the test.
ARGUMENTS = {
    "tag": TAGS, "list": LISTS, "topic": [*TOPICS, "nothing"], "sequence": [*SEQUENCES, "nothing"], "mail": MAILS,
    "link": ["See Prices", "GRÖSSE", "größe", "/pricing", "/"], "path": ["/pricing", "/", "pricing"],
    "within": ["1 day", "7 days", "30 days"], "before": ["1 day", "7 days", "30 days"],
    "length": ["0 days", "7 days", "30 days"], "form": [*FORMS, "nobody ever sent"],
    "question": [*QUESTIONS, "nobody ever asked"], "answer": ["This Quarter", "GRO\u0308SSE & Co", "größe & Co", "no"],
}  # fmt: skip


# What may be asked.


def spelled(value: object) -> str:
    return repr(value)


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(WORDS.fields)))
    known = WORDS.fields[name]
    value = st.sampled_from(values_of(name, known)).map(spelled)
    is_ordered = bool(known.scale) or known.type in {FieldType.NUMBER, FieldType.DATE}
    operators = ["==", "!=", "<", "<=", ">", ">="] if is_ordered else ["==", "!="]
    operator = st.sampled_from(operators)
    # Words outside a scale, such as "recycled", have no order.
    ordered = st.sampled_from(known.scale).map(spelled) if known.scale else value
    shape = draw(st.sampled_from(["field first", "value first", "between", "in", "not in", "missing", "known", "bare"]))
    match shape:
        case "field first" | "value first" | "between":
            chosen = draw(operator)
            other = draw(value if chosen in {"==", "!="} else ordered)
            if shape == "field first":
                return f"{name} {chosen} {other}"
            if shape == "value first" or not is_ordered:
                return f"{other} {chosen} {name}"
            return f"{draw(ordered)} <= {name} < {draw(ordered)}"
        case "in" | "not in":
            return f"{name} {shape} [{', '.join(draw(st.lists(value, max_size=3)))}]"
        case "bare" if known.type is FieldType.FLAG:
            return name
        case "known":
            return f"{name} is not None"
    return f"{name} is None"


def values_of(name: str, known: Field) -> list[Any]:
    match known.type:
        case FieldType.NUMBER:
            return NUMBERS
        case FieldType.DATE:
            return DATES
        case FieldType.FLAG:
            return [True, False]
    if name == "owner":
        return ["dana@acme.example", "luis@acme.example"]
    return [*known.scale, *known.outside_scale] or TEXTS


def asked(name: str, predicate: Predicate) -> st.SearchStrategy[str]:
    """A predicate with any of its arguments."""
    given = {one.name: st.sampled_from(ARGUMENTS[one.name]).map(spelled) for one in every_argument(predicate)}
    required = {one.name for one in every_argument(predicate) if one.is_required}
    flags = {flag: st.just("True") for flag in predicate.flags}
    return st.fixed_dictionaries(
        {key: value for key, value in given.items() if key in required},
        optional={key: value for key, value in {**given, **flags}.items() if key not in required},
    ).map(lambda said: f"{name}({', '.join(f'{key}={value}' for key, value in said.items())})")


def every_argument(predicate: Predicate) -> list[Any]:
    return [*predicate.positional, *predicate.named]


questions = st.one_of([asked(name, one) for name, one in sorted(LANGUAGE.predicates.items())])
segments = st.sampled_from(sorted(SEGMENTS)).map(lambda name: f'in_segment("{name}")')
conditions = st.recursive(
    st.one_of(comparisons(), questions, questions, segments, st.just("True")),
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda two: f"({two[0]}) {two[1]} ({two[2]})"),
    ),
    max_leaves=5,
)


def nested(depth: int) -> st.SearchStrategy[str]:
    """Conditions of just that depth."""
    if depth == 0:
        return st.one_of(comparisons(), questions, questions, segments)
    inner, other = nested(depth - 1), st.integers(0, depth - 1).flatmap(nested)
    joined = st.tuples(inner, st.sampled_from(["and", "or"]), other)
    return inner.map(lambda one: f"not ({one})") | joined.map(lambda two: f"({two[0]}) {two[1]} ({two[2]})")


Drawn = TypeVar("Drawn")


def drawn(strategy: st.SearchStrategy[Drawn], count: int) -> list[Drawn]:
    """So many examples, the same in every run."""
    found: list[Drawn] = []

    @seed(20260310)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(one: Drawn) -> None:
        found.append(one)

    collect()
    return found


# What may be known.


def maybe(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(values)


#: Exactly at the bound of a length that is asked for, a moment to either side of it, and somewhere else.
moments = st.builds(
    lambda days, microseconds: NOW - timedelta(days=days, microseconds=microseconds),
    st.sampled_from([0, 1, 7, 30, 200]),
    st.sampled_from([-1, 0, 1]),
)
deeds = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(sorted({*ANSWERED_BY.values(), ActivityKind.WISHED})),
        "actor": st.sampled_from([Actor.PERSON, Actor.PERSON, *Actor]),
        "place": st.sampled_from(["", *MAILS, *FORMS, *QUESTIONS, *QUESTIONS]),
        "link_label": st.sampled_from([*LABELS, *ANSWERS, *ANSWERS]),
        "link_path": st.sampled_from(PATHS),
        "occurred_at": moments,
    }
)
mails = st.fixed_dictionaries(
    {
        "purpose": st.sampled_from([Purpose.CAMPAIGN, Purpose.CAMPAIGN, *Purpose]),
        "status": st.sampled_from([Status.SENT, Status.SENT, *Status]),
        "campaign": st.sampled_from(["sequence:evaluators", "newsletter:weekly", "sequence:"]),
        "mail": st.sampled_from(["report", "five-questions"]),
        "attempted_at": st.none() | moments,
    }
)
opinions = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["given", "given", "refused", "withdrawn", "none"]),
        "pile": st.sampled_from([Pile.ANNOUNCE, *Pile]),
        "afterwards": st.sampled_from(list(Pile)),
        "expires_at": maybe([NOW - timedelta(seconds=1), NOW, NOW + timedelta(seconds=1)]),
    }
)
people = st.fixed_dictionaries(
    {
        "columns": st.fixed_dictionaries(
            {
                "source": maybe(list(SOURCES[:2])),
                "stage": st.sampled_from([*STAGES, *STAGES_OUTSIDE]),
                "interest": maybe(list(INTERESTS)),
                "fit": maybe(list(FIT_GRADES)),
                "score": st.sampled_from(NUMBERS).map(float),
                **{name: st.sampled_from(ABILITY_WORDS) for name in ABILITIES},
                "owner_id": maybe([1, 2]),
                "country": maybe(["DE", "de", "AT"]),
                **{name: maybe(TEXTS) for name in ("first_name", "company", "job_title", "language")},
            }
        ),
        "fields": st.fixed_dictionaries(
            {},
            optional={
                name: maybe(values_of(name, Field(kind))) | st.sampled_from(STRAYS) for name, kind in DECLARED.items()
            },
        ),
        "tags": st.sets(st.sampled_from(TAGS)),
        "lists": st.sets(st.sampled_from(LISTS[:2])),
        "opinions": st.dictionaries(st.sampled_from(TOPICS), opinions),
        "suppression": maybe(["stands", "lifted"]),
        "created_at": moments,
        "tracking": st.none() | st.tuples(st.sampled_from(["given", "given", "withdrawn"]), moments),
        "mails": st.lists(mails, max_size=3),
        "deeds": st.lists(deeds, max_size=6),
        "ways": st.dictionaries(
            st.sampled_from(SEQUENCES), st.sampled_from(["active", "waiting", "finished", "exited"])
        ),
    }
)


@pytest.fixture
def world(database: Database) -> Database:
    """What people can belong to: two operators, lists, and a version to be enrolled in."""
    with database.writing() as session:
        session.add(Operator(id=1, email="dana@acme.example", name="Dana Reed"))
        session.add(Operator(id=2, email="luis@acme.example", name="Luis Ortega", is_declared=False))
        for name in LISTS:
            ensure_list(session, name, NOW)
        publish(session, "sequence", "evaluators", {})
        publish(session, CONSENT, CONSENT, CONSENT_TABLE)
    return database


def publish(session: Session, kind: str, name: str, content: Mapping[str, Any]) -> None:
    campaign = Campaign(kind=kind, name=name, file=f"{name}.yaml")
    session.add(campaign)
    session.flush()
    text = write_content(content)
    version = CampaignVersion(
        campaign_id=campaign.id, number=1, content=text, hash=hash_of(text), published_at=NOW, published_by="a test"
    )
    session.add(version)
    session.flush()
    campaign.version_id = version.id


def bring_in(session: Session, hasher: AddressHasher, number: int, known: Mapping[str, Any], version: int) -> int:
    """One person with everything that is known about them."""
    address = read_address(f"p{number}@reader{number % 2}.example")
    row = new_contact(address, hasher, NOW, **known["columns"], fields=known["fields"])
    contacts.insert_contacts(session, [row | {"created_at": known["created_at"]}])
    contact = row["id"]
    session.add_all(ContactTag(contact_id=contact, tag=tag, tagged_at=NOW) for tag in known["tags"])
    for name in known["lists"]:
        contacts.insert_members(session, ensure_list(session, name, NOW).id, [contact], NOW)
    standing = {"purpose": ConsentPurpose.MAIL, "basis": "opt-in", "given_on": None, "law": "", "changed_at": NOW}
    consents.save_consents(
        session,
        [{"contact_id": contact, "topic": topic, **standing, **one} for topic, one in known["opinions"].items()],
    )
    if known["tracking"]:
        state, at = known["tracking"]
        word = {**standing, "purpose": ConsentPurpose.TRACKING, "state": state, "pile": Pile.NEVER, "changed_at": at}
        word |= {"contact_id": contact, "topic": consents.EVERY_TOPIC, "expires_at": None, "afterwards": Pile.NEVER}
        consents.save_consents(session, [word])
    session.add_all(
        Delivery(
            **mail, key=f"{contact}:{nth}", version_id=version, priority=1, contact_id=contact, domain=address.domain,
            queued_at=NOW, due_at=NOW,
        )
        for nth, mail in enumerate(known["mails"])
    )  # fmt: skip
    if known["suppression"]:
        no = {"reason": SuppressionReason.OPT_OUT, "created_at": NOW, "how": "a test"}
        suppressions.suppress(session, [{"address_hash": row["address_hash"], **no}])
    if known["suppression"] == "lifted":
        suppressions.lift_suppression(session, row["address_hash"], SuppressionReason.OPT_OUT, NOW)
    tracking.insert_activities(session, [{"id": new_id(), "contact_id": contact, **deed} for deed in known["deeds"]])
    session.add_all(
        EnrollmentRow(
            contact_id=contact, sequence=sequence, version_id=version, status=status, since=NOW, enrolled_at=NOW,
            ended_at=NOW if status in {"finished", "exited"} else None,
        )
        for sequence, status in known["ways"].items()
    )  # fmt: skip
    session.flush()
    return int(contact)


@given(st.lists(people, min_size=1, max_size=4), st.lists(conditions, min_size=1, max_size=8))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_python_and_sql_choose_the_same_people(
    world: Database, hasher: AddressHasher, population: list[Mapping[str, Any]], texts: list[str]
) -> None:
    with world.reading() as session:  # what is written in it is thrown away, so each example begins anew
        version = get_campaign(session, "sequence", "evaluators").version_id
        assert version is not None
        ids = [bring_in(session, hasher, number, known, version) for number, known in enumerate(population)]
        known = gather_known(session, ids, NOW)
        for text in texts:
            by_rule = {i for i in ids if holds(parse(text, WORDS), known[i])}
            clause = LANGUAGE.clause(session, text, RESTS_ON, NOW)
            by_sql = set(session.scalars(sa.select(col(Contact.id)).where(col(Contact.id).in_(ids), clause)))
            assert by_sql == by_rule, text


STRANGER: Mapping[str, Any] = {
    "columns": {}, "fields": {}, "tags": (), "lists": (), "opinions": {}, "suppression": None, "created_at": NOW,
    "tracking": None, "mails": (), "deeds": (), "ways": {},
}  # fmt: skip


@given(
    st.lists(mails, min_size=3, max_size=12),
    st.lists(asked("mailed", LANGUAGE.predicates["mailed"]), min_size=6, max_size=12),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_python_and_sql_know_the_same_mails_to_the_moment(
    world: Database, hasher: AddressHasher, sent: list[Mapping[str, Any]], texts: list[str]
) -> None:
    with world.reading() as session:
        version = get_campaign(session, "sequence", "evaluators").version_id
        assert version is not None
        ids = [
            bring_in(session, hasher, number, {**STRANGER, "mails": [mail]}, version)
            for number, mail in enumerate(sent)
        ]
        known = gather_known(session, ids, NOW)
        for text in texts:
            clause = LANGUAGE.clause(session, text, RESTS_ON, NOW)
            by_sql = set(session.scalars(sa.select(col(Contact.id)).where(col(Contact.id).in_(ids), clause)))
            assert by_sql == {i for i in ids if holds(parse(text, WORDS), known[i])}, text


@given(st.lists(people, min_size=1, max_size=4), conditions)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_condition_is_either_true_or_false_of_everybody(
    world: Database, hasher: AddressHasher, population: list[Mapping[str, Any]], text: str
) -> None:
    with world.reading() as session:
        version = get_campaign(session, "sequence", "evaluators").version_id
        assert version is not None
        ids = {bring_in(session, hasher, number, known, version) for number, known in enumerate(population)}

        def chosen(condition: str) -> set[int]:
            clause = LANGUAGE.clause(session, condition, RESTS_ON, NOW)
            return set(session.scalars(sa.select(col(Contact.id)).where(clause)))

        assert chosen(text) | chosen(f"not ({text})") == ids
        assert not chosen(text) & chosen(f"not ({text})")


def test_python_and_sql_part_a_crowd_alike_at_every_depth(
    world: Database, hasher: AddressHasher, record_property: Callable[[str, object], None]
) -> None:
    """Every question, every comparison, and up to four joined or turned round; most of them part the crowd in two."""
    alone = [text for name, one in sorted(LANGUAGE.predicates.items()) for text in drawn(asked(name, one), 12)]
    texts = [*alone, *drawn(comparisons(), 100), *(text for depth in range(1, 5) for text in drawn(nested(depth), 60))]
    parting: set[str] = set()
    words = LANGUAGE.words(RESTS_ON)
    with world.reading() as session:
        version = get_campaign(session, "sequence", "evaluators").version_id
        assert version is not None
        population = drawn(people, 120)
        ids = [bring_in(session, hasher, number, known, version) for number, known in enumerate(population)]
        known = gather_known(session, ids, NOW)
        for text in texts:
            clause = LANGUAGE.clause(session, text, RESTS_ON, NOW)
            by_sql = set(session.scalars(sa.select(col(Contact.id)).where(clause)))
            assert by_sql == {i for i in ids if holds(parse(text, WORDS), known[i])}, text
            if " or " in text:  # asked of everybody, each part of it is found apart
                united = LANGUAGE.clause_of(session, parse(text, words), words, NOW, of_everybody=True)
                assert set(session.scalars(sa.select(col(Contact.id)).where(united))) == by_sql, text
            if 0 < len(by_sql) < len(ids):
                parting.add(text)
    record_property(
        "told", f"{len(parting)} of {len(set(texts))} conditions hold for some of {len(ids)} people, not all"
    )
    assert len(parting) >= 0.5 * len(set(texts))
    never = {name for name in LANGUAGE.predicates if not any(text.startswith(f"{name}(") for text in parting)}
    assert never == set(), "nobody is told apart by these questions"


def test_every_word_of_the_language_is_asked_about() -> None:
    assert set(DECLARED) | set(BUILT_IN) == set(WORDS.fields)
    assert {one.name for each in LANGUAGE.predicates.values() for one in every_argument(each)} == set(ARGUMENTS)
