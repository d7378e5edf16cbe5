"""`nurture dkim` and what the doctor says about it: keys are made, shown, taken into use and replaced."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dkim
import pytest

from nurture.rendering.dkim_keys import read_key
from tests.support.relays import SmtpRelay
from tests.support.terminals import Terminal
from tests.support.zones import Zone, running_name_server


@pytest.fixture
def zone(house: Terminal) -> Iterator[Zone]:
    zone = Zone()
    with running_name_server(zone) as server:
        house.set(NURTURE_DNS__SERVERS=server)
        yield zone


def publish(zone: Zone, keys: list[dict[str, Any]]) -> None:
    """Add the records, as `nurture dkim show` prints them."""
    for one in keys:
        zone.txt[one["name"]] = [one["record"]]


def states(house: Terminal) -> dict[str, str]:
    return {one["selector"]: one["state"] for one in house.json("dkim", "list")}


def test_keys_are_made_for_their_owner_only_and_printed_as_the_dns_wants_them(house: Terminal, zone: Zone) -> None:
    made = house.json("dkim", "create")["keys"]
    assert [(one["kind"], one["bits"], one["state"]) for one in made] == [
        ("rsa", 2048, "waiting"), ("ed25519", 256, "waiting"),
    ]  # fmt: skip
    for one in made:
        path = Path(one["file"])
        assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
        assert read_key(path.read_bytes()).record == one["record"]
        assert one["name"] == f"{one['selector']}._domainkey.acme.example"
    out, _ = house.type("dkim", "show", made[0]["selector"])
    strings = [part for part in out.split('"') if part.strip() and "TXT" not in part]
    assert "".join(strings) == made[0]["record"]
    assert max(map(len, strings)) <= 255
    assert "PRIVATE" not in out


def test_a_key_for_a_domain_with_other_letters_is_for_the_domain_of_the_mails(house: Terminal) -> None:
    """RFC 6376, 3.5: d= is an A-label."""
    house.set(NURTURE_SENDERS__DOMAINS="acme.example,bücher.example")
    [made] = house.json("dkim", "create", "--domain", "bücher.example", "--kind", "rsa")["keys"]
    assert made["name"] == f"{made['selector']}._domainkey.xn--bcher-kva.example"


def test_a_key_signs_only_once_the_name_servers_show_it(house: Terminal, zone: Zone) -> None:
    made = house.json("dkim", "create")["keys"]
    assert "do not show n" in house.refused("dkim", "use")
    zone.txt[made[0]["name"]] = ["v=DKIM1; k=rsa; p=AAAA"]
    publish(zone, made[1:])
    assert made[0]["name"] in house.refused("dkim", "use")
    publish(zone, made)
    assert [one["in_dns"] for one in house.json("dkim", "list")] == [True, True]
    assert set(states(house).values()) == {"waiting"}
    assert house.json("dkim", "use") == {"signing": sorted(one["selector"] for one in made), "retired": []}
    assert set(states(house).values()) == {"signing"}


def test_a_mail_that_leaves_carries_both_signatures(working: Terminal, relay: SmtpRelay) -> None:
    """STANDARDS 39, 42, 43: on what the relay received."""
    made = working.json("dkim", "create")["keys"]
    working.type("dkim", "use", "--unseen")
    working.type("run", "--once")
    shown = {f"{one['name']}.".encode(): one["record"].encode() for one in made}
    [arrived] = relay.to("ben@reader.example")
    for number in (0, 1):
        message = dkim.DKIM(arrived.content)
        assert message.verify(idx=number, dnsfunc=lambda name, timeout=5: shown[name]), number
        assert message.domain == b"acme.example"


def test_new_keys_take_the_place_of_old_ones_which_stay_until_the_dns_has_forgotten_them(
    house: Terminal, zone: Zone
) -> None:
    old = house.json("dkim", "create", "--kind", "rsa")["keys"]
    publish(zone, old)
    house.type("dkim", "use")
    assert "nurture dkim rotate" in house.refused("dkim", "create")
    new = house.json("dkim", "rotate")["keys"]
    assert house.json("dkim", "rotate")["keys"] == new, "whoever types it twice makes no second key"
    assert states(house) == {old[0]["selector"]: "signing", new[0]["selector"]: "waiting"}
    publish(zone, new)
    out, err = house.type("dkim", "use")
    assert f"Leave {old[0]['name']} in the DNS for two weeks" in out
    assert "until it is started anew" in err
    assert states(house) == {old[0]["selector"]: "retired", new[0]["selector"]: "signing"}
    assert house.json("dkim", "rotate")["forgotten"] == [], "its record is still there"
    zone.down = frozenset({old[0]["name"]})
    assert house.json("dkim", "rotate")["forgotten"] == [], "nobody knows whether it is"
    zone.down = frozenset()
    del zone.txt[old[0]["name"]]
    assert house.json("dkim", "rotate")["forgotten"] == [old[0]["selector"]]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dkim", "create", "--kind", "rsb"], 'Did you mean "rsa"?'),
        (["dkim", "create", "--domain", "elsewhere.example"], "is no domain we write from (acme.example)"),
        (["dkim", "use"], "no key of acme.example waits; `nurture dkim create`"),
        (["dkim", "rotate"], "no key of acme.example signs yet"),
        (["dkim", "show", "n2"], 'there is no key "n2"'),
    ],
)
def test_what_cannot_be_done_is_said_with_what_can(house: Terminal, words: list[str], sentence: str) -> None:
    assert sentence in house.refused(*words)


def test_a_file_that_holds_no_key_stops_with_its_name(house: Terminal) -> None:
    made = house.json("dkim", "create", "--kind", "rsa")["keys"]
    house.type("dkim", "use", "--unseen")
    path = Path(made[0]["file"].removesuffix(".waiting"))
    path.write_text("nothing", encoding="utf-8")
    assert f"{path}: this is no private key" in house.refused("run", "--once")


def test_the_doctor_holds_our_keys_against_the_name_servers(house: Terminal, zone: Zone) -> None:
    """STANDARDS 44."""
    house.set(NURTURE_SENDERS__RETURN_PATH_DOMAIN="bounces.acme.example")
    made = house.json("dkim", "create")["keys"]

    def found() -> dict[str, dict[str, Any]]:
        return {one["check"]: one for one in house.json("doctor", code=1)}

    assert "nurture dkim use" in found()["DKIM"]["do"]
    house.type("dkim", "use", "--unseen")
    assert f"add a TXT record at {made[1]['name']}" in found()["DKIM"]["do"]
    publish(zone, made)
    zone.txt["bounces.acme.example"] = ["v=spf1 ip4:192.0.2.1 -all"]
    zone.txt["_dmarc.acme.example"] = ["v=DMARC1; p=none; rua=mailto:dmarc@acme.example"]
    zone.mx["bounces.acme.example"] = ["mail.acme.example"]
    zone.hosts = {"mail.acme.example": ["192.0.2.1"]}
    checks = ("SPF", "DKIM", "DMARC", "mail to bounces.acme.example")
    in_order = found()
    assert [in_order[one]["ok"] for one in checks] == [True] * 4
