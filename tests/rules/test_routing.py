"""Which relay carries a mail: routes, weights, and who takes over."""

from hypothesis import given
from hypothesis import strategies as st

from nurture.delivery.routing import Route, carriers, pick


def names(*routes: Route, sender: str = "dana@acme.example", domain: str = "reader.example") -> list[str]:
    return [route.relay for route in carriers(routes, sender, domain)]


ANYBODY = Route("anybody")
ACME = Route("acme", senders=frozenset({"acme.example"}))
DANA = Route("dana", senders=frozenset({"dana@acme.example"}))
READERS = Route("readers", domains=frozenset({"reader.example"}))
BOTH = Route("both", senders=frozenset({"acme.example"}), domains=frozenset({"reader.example"}))


def test_mail_that_nobody_names_goes_to_those_who_take_anybodys() -> None:
    assert names(ANYBODY, ACME, READERS, sender="eve@else.example", domain="else.example") == ["anybody"]
    assert names(ANYBODY, Route("other"), sender="eve@else.example") == ["anybody", "other"]


def test_mail_that_a_relay_names_goes_to_nobody_else() -> None:
    """A route may be there because no other relay may write for this sender."""
    assert names(ANYBODY, ACME) == ["acme"]
    assert names(ANYBODY, READERS) == ["readers"]
    assert names(ANYBODY, ACME, DANA) == ["acme", "dana"]


def test_a_domain_of_readers_is_closer_than_a_sender_and_both_are_closest() -> None:
    assert names(ANYBODY, ACME, READERS) == ["readers"]
    assert names(ANYBODY, ACME, READERS, BOTH) == ["both"]
    assert names(BOTH, ACME, domain="else.example") == ["acme"]


def test_mail_that_nobody_carries_is_told() -> None:
    assert names(ACME, sender="eve@else.example") == []
    assert names() == []


TWO = [Route("three", weight=3), Route("one", weight=1)]


def test_weights_share_the_mail() -> None:
    picked = [pick(TWO, (), lot).relay for lot in range(4_000)]
    assert picked.count("three") == 3_000


def test_whoever_rests_is_passed_over_and_nobody_else_moves() -> None:
    routes = [Route("a"), Route("b"), Route("c")]
    assert {pick(routes, {"b"}, lot).relay for lot in range(30)} == {"a", "c"}


def test_weight_0_is_for_when_nobody_else_is_in_reach() -> None:
    routes = [Route("main"), Route("spare", weight=0), Route("last", weight=0)]
    assert {pick(routes, (), lot).relay for lot in range(10)} == {"main"}
    assert {pick(routes, {"main"}, lot).relay for lot in range(10)} == {"spare", "last"}


def test_when_all_rest_one_is_tried_all_the_same() -> None:
    assert pick(TWO, {"one", "three"}, 7).relay in {"one", "three"}


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 5)), min_size=1, unique_by=lambda one: one[0]),
    st.sets(st.sampled_from("abcdef")),
    st.integers(0, 2**63),
)
def test_the_same_lot_picks_the_same_relay_and_never_one_that_rests(
    given_routes: list[tuple[str, int]], resting: set[str], lot: int
) -> None:
    routes = [Route(name, weight=weight) for name, weight in given_routes]
    picked = pick(routes, resting, lot)
    assert picked == pick(routes, resting, lot)
    assert picked.relay not in resting or {route.relay for route in routes} <= resting
