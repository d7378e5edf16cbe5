"""Whose address a request came from: never what a stranger wrote [81]."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import BadSettings
from nurture.web.proxies import TrustedProxies

TRUSTED = TrustedProxies.read(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1, 10.9.9.9, 192.0.2.7"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:5060"], "198.51.100.1"),
        ("10.0.0.1", ['"[2001:db9::1]:5060"'], "2001:db9::1"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("2001:db8::5", ["198.51.100.1"], "198.51.100.1"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("", ["198.51.100.1"], ""),
        ("a socket", ["198.51.100.1"], ""),
    ],
)
def test_the_client_is_the_last_hop_that_is_not_a_proxy_of_ours(peer: str, forwarded: list[str], client: str) -> None:
    assert TRUSTED.client(peer, forwarded) == client


@given(st.lists(st.text(max_size=60), max_size=4))
def test_nothing_a_stranger_writes_moves_their_address(forwarded: list[str]) -> None:
    assert TRUSTED.client("203.0.113.9", forwarded) == "203.0.113.9"


@given(st.text(max_size=80).map(lambda text: text.replace(",", "")))
def test_nothing_written_before_the_last_untrusted_hop_counts(written: str) -> None:
    assert TRUSTED.client("10.0.0.1", [f"{written},198.51.100.1"]) == "198.51.100.1"


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert TrustedProxies().client("127.0.0.1", ["198.51.100.1"]) == "127.0.0.1"


def test_a_proxy_that_is_no_address_is_refused_in_words() -> None:
    with pytest.raises(BadSettings, match=r'web\.trusted_proxies: "proxy.example" is neither an address nor a network'):
        TrustedProxies.read(["proxy.example"])
