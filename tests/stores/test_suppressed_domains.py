"""Whose domain is on the list, or below one that is, is found by key, and SQL says what the rule says."""

from collections.abc import Sequence

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col

from nurture.consent.suppressions.rules import domains_above
from nurture.consent.suppressions.store import is_at_suppressed_domain, lift_domain, suppress_domain
from nurture.contacts.store import Contact
from nurture.database.engine import Database
from nurture.tokens import AddressHasher
from tests.conftest import NOW
from tests.support.people import add_contact

_LABELS = st.lists(st.sampled_from(["a", "b", "ab", "a-b", "xn--mnchen-3ya", "_", "%"]), min_size=1, max_size=5)
DOMAINS = _LABELS.map(".".join)
#: What hosts are called where people are: no wild cards.
HOSTS = st.lists(st.sampled_from(["a", "b", "ab", "a-b", "xn--mnchen-3ya"]), min_size=2, max_size=6).map(".".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hosts=st.lists(HOSTS, min_size=1, max_size=6, unique=True),
    listed=st.lists(DOMAINS, max_size=5, unique=True),
    lifted=st.lists(DOMAINS, max_size=3, unique=True),
)
def test_who_is_at_a_domain_on_the_list_is_found_as_the_rule_says(
    database: Database, hasher: AddressHasher, hosts: Sequence[str], listed: Sequence[str], lifted: Sequence[str]
) -> None:
    with database.writing() as session:
        for domain in [*listed, *lifted]:
            suppress_domain(session, domain, "a test", NOW)
        for domain in lifted:
            lift_domain(session, domain, NOW)
        ids = {add_contact(session, hasher, f"ana@{host}", NOW).id: host for host in hosts}
        session.flush()
        closed = sa.select(col(Contact.id)).where(is_at_suppressed_domain())
        open_ = sa.select(col(Contact.id)).where(~is_at_suppressed_domain())
        standing = set(listed) - set(lifted)
        expected = {i for i, host in ids.items() if standing & set(domains_above(host))}
        assert set(session.scalars(closed)) == expected
        assert set(session.scalars(open_)) == set(ids) - expected
        session.rollback()


def test_the_list_is_not_walked_through(sqlite: Database) -> None:
    statement = sa.select(col(Contact.id)).where(is_at_suppressed_domain()).compile(sqlite.engine)
    with sqlite.reading() as session:
        plan = session.execute(sa.text(f"EXPLAIN QUERY PLAN {statement}")).all()
    looks = [line for *_, line in plan if "suppressed_domain" in line]
    assert "SEARCH suppressed_domain USING INDEX sqlite_autoindex_suppressed_domain_1 (domain=?)" in looks, plan
