"""Several relays: the mail is shared by weight, others take over for one that is down, and routes are kept."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from nurture.adapters.smtp import Relay, SmtpMailer
from nurture.app import open_app
from nurture.app.house import App
from nurture.cli.examination import _relay
from nurture.database.engine import Database
from nurture.delivery.mailer import RelayDown
from nurture.delivery.routing import Route
from nurture.delivery.rules import Heard
from nurture.delivery.store import count_by_status
from nurture.engines.local import run_once
from nurture.engines.rounds import run_due
from nurture.engines.sending import Heart
from nurture.errors import BadSettings
from nurture.sequences.entries import enroll
from nurture.settings import read_settings
from tests.support.beside import scripted_beside
from tests.support.conversations import BODY, send
from tests.support.people import add_contact
from tests.support.relays import SmtpRelay, running_relay
from tests.support.scripts import Script, ScriptedRelay, scripted
from tests.support.workspaces import SETTINGS, open_house, small_workspace

#: Nobody listens there.
DOWN = 1


class Watch:
    """Real seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def elapsed(self) -> float:
        return self.now


def relay(name: str, port: int = DOWN, **route: object) -> Relay:
    return Relay("127.0.0.1", port, name=name, route=Route(name, **route))  # type: ignore[arg-type]  # each test names fields of Route


def chosen(mailer: SmtpMailer, count: int = 100) -> Counter[str | None]:
    return Counter(mailer.choose("dana@acme.example", "reader.example", lot) for lot in range(count))


def with_relays(talk: Callable[[ScriptedRelay, ScriptedRelay], Awaitable[None]]) -> None:
    async def run() -> None:
        async with scripted() as first, scripted() as second:
            await talk(first, second)

    asyncio.run(run())


def test_each_relay_has_as_many_places_as_connections() -> None:
    mailer = SmtpMailer(Relay("a", 1, name="a", connections=2), Relay("b", 1, name="b", connections=1))
    assert mailer.places == ["a", "a", "b"]


def test_weights_share_the_mail_of_relays_that_are_in_reach() -> None:
    mailer = SmtpMailer(relay("a", weight=3), relay("b", weight=1), relay("spare", weight=0))
    assert chosen(mailer) == {"a": 75, "b": 25}


def test_a_relay_that_cannot_be_reached_rests_longer_each_time_while_the_others_take_over() -> None:
    async def talk(first: ScriptedRelay, second: ScriptedRelay) -> None:
        watch = Watch()
        mailer = SmtpMailer(relay("a"), relay("b", second.port), elapsed=watch.elapsed)
        assert chosen(mailer) == {"a": 50, "b": 50}
        for seconds in (5, 10, 20, 40, 80, 160, 300, 300):
            with pytest.raises(RelayDown):
                await mailer.connect("a")
            with pytest.raises(RelayDown):
                await mailer.connect("a")  # another connection at the same time is no other failure
            watch.now += seconds - 1
            assert chosen(mailer) == {"b": 100}
            watch.now += 1
            assert chosen(mailer) == {"a": 50, "b": 50}
        connection = await mailer.connect("b")
        assert connection.relay == "b"
        await connection.close()

    with_relays(talk)


def test_a_relay_that_is_back_takes_its_share_at_once_and_has_nothing_to_live_down() -> None:
    async def talk(first: ScriptedRelay, second: ScriptedRelay) -> None:
        watch = Watch()
        first.script = {"": "421 4.3.2 too busy"}
        mailer = SmtpMailer(relay("a", first.port), relay("b", second.port), elapsed=watch.elapsed)
        with pytest.raises(RelayDown, match=r"a: 127\.0\.0\.1:\d+: 421 4\.3\.2 too busy"):
            await mailer.connect("a")
        assert chosen(mailer) == {"b": 100}
        first.script = {}
        await (await mailer.connect("a")).close()
        assert chosen(mailer) == {"a": 50, "b": 50}

    with_relays(talk)


def test_an_idle_connection_that_the_relay_closed_is_noticed_and_opened_anew() -> None:
    async def talk(first: ScriptedRelay, second: ScriptedRelay) -> None:
        mailer = SmtpMailer(relay("a", first.port))
        connection = await mailer.connect()
        assert (await send(connection, "dana@acme.example", "ana@reader.example", BODY)).heard is Heard.ACCEPTED
        first.hang_up()
        await connection._talk.closed(10)
        assert not connection.is_usable
        outcome = await send(connection, "dana@acme.example", "ben@reader.example", BODY)
        assert (outcome.heard, outcome.reply) == (Heard.LOST, "the relay closed the connection")
        await connection.close()
        another = await mailer.connect()
        assert (await send(another, "dana@acme.example", "ben@reader.example", BODY)).heard is Heard.ACCEPTED
        await another.close()
        assert (first.connections, len(first.bodies)) == (2, 2)

    with_relays(talk)


def test_when_all_are_down_each_ones_reason_is_told_and_one_is_tried_all_the_same() -> None:
    async def run() -> None:
        mailer = SmtpMailer(relay("a"), relay("b"))
        with pytest.raises(RelayDown):
            await mailer.connect("a")
        with pytest.raises(RelayDown) as both:
            await mailer.connect("b")
        assert str(both.value).startswith("b: 127.0.0.1:1: Connect")
        assert "; a: 127.0.0.1:1: Connect" in str(both.value)
        assert chosen(mailer) == {"a": 50, "b": 50}

    asyncio.run(run())


def test_mail_of_one_sender_waits_for_its_own_relay() -> None:
    async def run() -> None:
        mailer = SmtpMailer(relay("a"), relay("b", senders=frozenset({"acme.example"})))
        with pytest.raises(RelayDown):
            await mailer.connect("b")
        assert chosen(mailer) == {"b": 100}
        assert mailer.choose("eve@else.example", "reader.example", 1) == "a"

    asyncio.run(run())


def test_mail_that_no_relay_carries_is_no_relays() -> None:
    mailer = SmtpMailer(relay("b", domains=frozenset({"else.example"})))
    assert chosen(mailer) == {None: 100}


TWO = """
[[relays]]
name = "ses-eu"
host = "127.0.0.1"
port = 2525
connections = 3
weight = 2
senders = ["Acme.example"]

[[relays]]
name = "own"
host = "{host}"
pipelining = false
"""


def workspace(folder: Path, text: str, **environment: str) -> Path:
    (folder / "settings.toml").write_text(text, encoding="utf-8")
    secrets = {"NURTURE_SECRET": "s", "NURTURE_SUPPRESSION_KEY": "k", "NURTURE_RELAYS__SES_EU__PASSWORD": "p"}
    open_app(folder, settings=read_settings(folder, {**secrets, **environment})).close()
    return folder


RELAYS = """
[[relays]]
name = "down"
host = "127.0.0.1"
port = 1
connections = 2

[[relays]]
name = "up"
host = "127.0.0.1"
port = {up}
connections = 2

[[relays]]
name = "for-else"
host = "127.0.0.1"
port = {for_else}
connections = 1
domains = ["else.example"]

[[relays]]
name = "for-lost"
host = "127.0.0.1"
port = 1
connections = 1
domains = ["lost.example"]
"""


@pytest.fixture
def relays() -> Iterator[tuple[SmtpRelay, SmtpRelay]]:
    with running_relay() as up, running_relay() as for_else:
        yield up, for_else


@contextmanager
def enrolled_house(
    database: Database, folder: Path, text: str, people: Iterable[str], *, relay_port: int = 1
) -> Iterator[App]:
    """A house with these settings, a campaign, and people on it: each is due one mail."""
    workspace = small_workspace(folder / "workspace", **{"settings.toml": text})
    house = open_house(workspace, database.url, relay_port=relay_port)
    try:
        house.publish(house.read_files(), published_by="a test")
        with house.database.writing() as session:
            for email in people:
                contact = add_contact(session, house.hasher, email, house.clock.now())
                enroll(session, house.language, "evaluators", contact, because="a test", now=house.clock.now())
        yield house
    finally:
        house.close()


def test_a_house_sends_past_a_relay_that_is_down_and_keeps_to_its_routes(
    sqlite: Database, relays: tuple[SmtpRelay, SmtpRelay], tmp_path: Path
) -> None:
    up, for_else = relays
    text = SETTINGS + RELAYS.format(up=up.port, for_else=for_else.port)
    people = [f"ana{n}@reader.example" for n in range(12)] + ["ben@else.example", "eve@lost.example"]
    with enrolled_house(sqlite, tmp_path, text, people) as house:
        done = run_once(house.workshop(), house.clock.now())
        assert done.counts["sent"] == 13
        assert "for-lost: 127.0.0.1:1: Connect" in done.relay_down
        assert sorted(one.rcpt_to for one in up.arrived) == sorted(people[:12])
        assert [one.rcpt_to for one in for_else.arrived] == ["ben@else.example"]
        with house.database.reading() as session:
            carried: Counter[str] = Counter(
                session.scalars(sa.select(sa.column("relay")).select_from(sa.table("attempt")))
            )
            assert carried == {"up": 12, "for-else": 1}
            # Nothing was tried over the others, so nothing counts as a try.
            assert count_by_status(session) == {"sent": 13, "queued": 1}
        found = _relay(house)
        assert not found.is_ok
        assert found.what.startswith("down: 127.0.0.1:1: Connect")
        assert f"; up: 127.0.0.1:{up.port}, no TLS, offers 8BITMIME" in found.what
        assert found.do == "see [[relays]] in settings.toml, and the passwords"


def drain_once(house: App) -> Counter[str]:
    """What one run of the sender does; the next one would find again what this one left lying."""

    async def drain(worker: int) -> Counter[str]:
        sender = house.sender(worker)
        try:
            return (await sender.drain())[0]
        finally:
            await sender.close()

    with Heart(house.database) as heart:
        run_due(house.workshop().bench(heart.worker), house.clock.now())
        return asyncio.run(drain(heart.worker))


TWO_RELAYS = """
[[relays]]
name = "leaving"
host = "127.0.0.1"
port = {leaving}
connections = 1

[[relays]]
name = "up"
host = "127.0.0.1"
port = {up}
connections = 1
"""


def test_all_that_was_written_for_a_relay_that_leaves_goes_another_way(
    sqlite: Database, relays: tuple[SmtpRelay, SmtpRelay], tmp_path: Path
) -> None:
    """While it thinks about the first message two more are written, with nothing said about them."""
    up, _ = relays
    script: Script = {
        "": ["220 hello", "421 4.3.2 closed"],
        "EHLO": "250 leaving.example",
        ".": "250 2.0.0 taken\n421 4.3.2 shutting down",
    }
    with scripted_beside(script) as leaving:
        leaving.is_slow_at = frozenset({"."})
        text = SETTINGS + TWO_RELAYS.format(leaving=leaving.port, up=up.port)
        with enrolled_house(sqlite, tmp_path, text, [f"ana{n}@reader.example" for n in range(12)]) as house:
            counts = drain_once(house)
    assert +counts == {"sent": 12}
    assert len(leaving.bodies) == 1
    assert len({one.rcpt_to for one in up.arrived}) == len(up.arrived) == 11


def test_reports_are_asked_for_where_they_come_back_to_us(sqlite: Database, tmp_path: Path) -> None:
    """STANDARDS 53: under the name by which the return path knows the mail."""
    with scripted_beside({"EHLO": "250-relay.example\n250 DSN"}) as dsn:
        text = f'{SETTINGS}\n[inbound]\ndomain = "reply.acme.example"\n'
        with enrolled_house(sqlite, tmp_path, text, ["ana@reader.example"], relay_port=dsn.port) as house:
            assert run_once(house.workshop(), house.clock.now()).counts["sent"] == 1
    [mail, rcpt] = [line for line in dsn.heard if line.startswith(("MAIL", "RCPT"))]
    came_from = mail.partition("<")[2].partition("@")[0]
    assert mail == f"MAIL FROM:<{came_from}@reply.acme.example> RET=HDRS ENVID={came_from}"
    assert rcpt == "RCPT TO:<ana@reader.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ana@reader.example"


def test_relays_take_the_place_of_smtp_each_with_its_own_password(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(TWO.format(host="relay.example"), encoding="utf-8")
    environment = {"NURTURE_SECRET": "s", "NURTURE_SUPPRESSION_KEY": "k", "NURTURE_RELAYS__SES_EU__PASSWORD": "p"}
    house = open_app(tmp_path, settings=read_settings(tmp_path, environment))
    try:
        first, second = house.relays
        assert (first.name, first.password, first.connections) == ("ses-eu", "p", 3)
        assert first.route == Route("ses-eu", 2, frozenset({"acme.example"}))
        assert (second.host, second.port, second.password) == ("relay.example", 587, "")
        assert (first.may_pipeline, second.may_pipeline) == (True, False)
        assert len(house.mailer.places) == 7
        # One relay that is not on this machine is enough: mail may have to take another way than it was meant to.
        assert not house.boundary.relay_is_loopback
    finally:
        house.close()


def test_a_rehearsal_needs_every_relay_on_this_machine(tmp_path: Path) -> None:
    workspace(tmp_path, TWO.format(host="localhost"), NURTURE_CLOCK__OFFSET="21 days")
    with pytest.raises(BadSettings, match=r"clock\.offset is set and relays\.own\.host is relay\.example"):
        workspace(tmp_path, TWO.format(host="relay.example"), NURTURE_CLOCK__OFFSET="21 days")


@pytest.mark.parametrize(
    ("text", "environment", "sentence"),
    [
        ('[[relays]]\nname = "ses"\nhost = "x"\npassword = "p"', {}, "settings.toml:4: relays.password is a secret; move it to [relays.ses] in .nurture/secrets or set NURTURE_RELAYS__SES__PASSWORD."),
        ('[[relays]]\nname = "SES"\nhost = "x"', {}, 'settings.toml:2: relays.name: "SES" is no name of a relay; write small letters, digits and hyphens, such as "ses-eu".'),
        ('[[relays]]\nname = "ses"', {}, "settings.toml:1: relays.host is missing; add it."),
        (TWO.format(host="x"), {"NURTURE_RELAYS__SESEU__PASSWORD": "p"}, 'NURTURE_RELAYS__SESEU__PASSWORD: settings.toml has no relay seseu; add it below [[relays]]. Did you mean "ses_eu"?'),
        (TWO.format(host="x"), {"NURTURE_RELAYS__OWN__PORT": "x"}, 'NURTURE_RELAYS__OWN__PORT: "x" is not a whole number.'),
        ("", {"NURTURE_RELAYS": "x"}, 'NURTURE_RELAYS: "x" is not a list; write it as ["…", "…"].'),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_relay_is_told_with_its_place(
    tmp_path: Path, text: str, environment: dict[str, str], sentence: str
) -> None:
    (tmp_path / "settings.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings) as refused:
        read_settings(tmp_path, environment)
    assert str(refused.value) == sentence


def test_two_relays_of_one_name_are_told(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(TWO.format(host="x").replace('"own"', '"ses-eu"'), encoding="utf-8")
    house = open_app(
        tmp_path, settings=read_settings(tmp_path, {"NURTURE_SECRET": "s", "NURTURE_SUPPRESSION_KEY": "k"})
    )
    try:
        with pytest.raises(BadSettings, match="two relays are called ses-eu; give each a name of its own"):
            house.relays  # noqa: B018 — asking is what is tried
    finally:
        house.close()
