"""What is written for thousands at once is what would be written for each alone."""

import json
from collections.abc import Sequence
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from nurture.campaigns.declared import Declared, Sender, Topic
from nurture.consent.recording.rules import Mode
from nurture.contacts.store import Operator
from nurture.delivery.claimed import Claimed, Person
from nurture.delivery.facts import COLUMNS, Plan, Reader, Writing
from tests.conftest import NOW

SENDERS = [Sender("Dana Reed", "dana@acme.example", "Acme, Berlin"), Sender('A "B"', "b@acme.example")]
DECLARED = Declared(SENDERS[0], topics={"letters": Topic("letters", "Letters")})
OPERATORS = {7: Operator(id=7, name="Ana", email="ana@acme.example", signature="— A", is_declared=True)}
CONTENT = {"about": {"title": "Ünter"}, "mails": {"m": {"language": "en"}}}
NOBODY = Claimed._make([None] * len(Claimed._fields))

words = st.text(max_size=8)
people = st.builds(
    lambda fields, first, company, score: Person._make([None] * len(Person._fields))._replace(
        id=1, email="a@b.example", fields=fields, first_name=first, company=company, score=score
    ),
    st.dictionaries(st.sampled_from(["plan", "seats"]), words),
    st.none() | words,
    st.none() | words,
    st.floats(0, 9),
)
readers = st.builds(
    Reader,
    st.none() | people,
    st.sampled_from([None, OPERATORS[7]]),
    st.sampled_from([Mode.FULL, Mode.NONE]),
    st.sampled_from([None, "met", "opt-in"]),
    st.sampled_from([None, date(2026, 9, 23), date(2025, 1, 2)]),
)
uses = st.frozensets(
    st.sampled_from(["contact", "owner", "owner.name", "contact.plan", *(f"contact.{name}" for name in COLUMNS)])
)


@given(
    uses,
    st.sampled_from(["letters", ""]),
    st.lists(st.tuples(readers, st.sampled_from([None, None, {"number": 3}]), words), min_size=2, max_size=8),
)
def test_facts_written_for_many_are_those_of_each_and_so_is_their_json(
    used: frozenset[str], topic: str, mails: Sequence[tuple[Reader, dict[str, int] | None, str]]
) -> None:
    delivery = NOBODY._replace(purpose="campaign", campaign="newsletter:n", mail="m", topic=topic)
    plan = Plan(CONTENT, DECLARED, delivery, used)
    writings = [Writing(plan, sender, OPERATORS, NOW) for sender in SENDERS]
    for reader, said, to_name in mails:
        for sender, writing in zip(SENDERS, writings, strict=True):
            alone = Plan(CONTENT, DECLARED, delivery, used).facts(reader, sender, OPERATORS, NOW, said)
            facts, text = writing.write(reader, said, to_name)
            assert facts == {**alone, "to_name": to_name}
            assert json.loads(text) == json.loads(json.dumps(facts))
