"""`nurture init`, `pause`, `resume`, `doctor` and `database upgrade`: the house itself."""

import re
import shutil
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.databases import Databases
from tests.support.relays import SmtpRelay
from tests.support.terminals import Terminal


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_init_writes_a_workspace_in_which_only_the_postal_address_is_missing(terminal: Terminal) -> None:
    out, _ = terminal.type("init", "letters")
    folder = terminal.here / "letters"
    assert re.search(r"letters: wrote \d+ files\.\n", out)
    assert "cd letters && nurture contacts import FILE.csv" in out
    assert "your postal address below [senders.default]" in out
    assert stat.S_IMODE((folder / ".nurture" / "secrets").stat().st_mode) == 0o600
    assert ".nurture/" in (folder / ".gitignore").read_text(encoding="utf-8")
    there = Terminal(folder, terminal.here, terminal.capture, terminal.patch)
    found = there.json("check", code=1)
    assert (found["errors"], found["warnings"]) == (1, 0)
    assert found["problems"][0]["code"] == "NS011"


def test_init_with_the_address_has_nothing_missing(terminal: Terminal) -> None:
    terminal.type("init", "letters", "--postal-address", 'Acme "East", 1 Back\\slash Road')
    there = Terminal(terminal.here / "letters", terminal.here, terminal.capture, terminal.patch)
    assert there.json("check") == {"errors": 0, "warnings": 0, "problems": [], "silenced": []}
    assert '"Acme \\"East\\", 1 Back\\\\slash Road"' in (there.workspace / "settings.toml").read_text(encoding="utf-8")


def test_init_overwrites_nothing(terminal: Terminal) -> None:
    terminal.type("init", "letters")
    folder = terminal.here / "letters"
    (folder / "campaigns" / "scoring.yaml").write_text("mine\n", encoding="utf-8")
    (folder / "campaigns" / "segments.yaml").unlink()
    before = files_in(folder)
    out, _ = terminal.type("init", "letters", "--postal-address", "Acme, 1 Road")
    after = files_in(folder)
    assert re.search(r"wrote 1 files, left \d+ that were there", out) or "wrote 1 file, left" in out
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {"campaigns/segments.yaml", "settings.toml"}
    assert after["settings.toml"] == before["settings.toml"].replace(
        b'postal_address = ""', b'postal_address = "Acme, 1 Road"'
    )


def test_init_does_not_take_a_file_for_a_folder(terminal: Terminal) -> None:
    terminal.write("", "letters")
    assert terminal.refused("init", "letters").endswith("letters is a file; name a folder for the workspace.")


def test_a_pause_holds_and_says_why_until_somebody_resumes(house: Terminal) -> None:
    assert house.json("pause", "--because", "wrong price") == {
        "paused": True,
        "was_paused": False,
        "because": "wrong price",
    }
    found = {one["check"]: one for one in house.json("doctor", code=1)}
    assert (found["sending"]["ok"], found["sending"]["do"]) == (False, "type `nurture resume`")
    assert found["sending"]["what"].endswith("UTC: wrong price")
    nothing = {"noes": 0, "mails": 0}
    assert house.json("resume") == {"paused": False, "was_paused": True, "put_back": nothing}
    assert house.json("resume") == {"paused": False, "was_paused": False, "put_back": nothing}
    assert house.type("pause")[0] == "Sending is paused. `nurture resume` goes on.\n"
    assert house.type("resume")[0] == "Sending goes on.\n"
    assert house.type("resume")[0] == "Sending was not paused.\n"


def test_whoever_pauses_once_more_learns_the_first_reason_which_stands(house: Terminal) -> None:
    house.type("pause", "--because", "wrong price")
    out, _ = house.type("pause", "--because", "lunch")
    assert out == "Sending was paused already, because wrong price. `nurture resume` goes on.\n"
    assert house.json("pause") == {"paused": True, "was_paused": True, "because": "wrong price"}
    [sending] = [one for one in house.json("doctor", code=1) if one["check"] == "sending"]
    assert sending["what"].endswith("UTC: wrong price")


def test_a_pause_of_a_database_that_moved_hides_neither_that_nor_the_way_on(house: Terminal, tmp_path: Path) -> None:
    shutil.copytree(house.workspace, tmp_path / "copy")
    copy = Terminal(tmp_path / "copy", house.here, house.capture, house.patch)
    out, _ = copy.type("pause", "--because", "lunch")
    assert out.startswith("Sending was paused already, because this database was made elsewhere ")
    assert out.endswith(" type `nurture resume --here`.\n")


def test_an_empty_reason_is_none(house: Terminal) -> None:
    assert house.json("pause", "--because", " ")["because"] == "paused by hand"
    assert house.json("pause", "weekly", "--because", "")["because"] == "paused by hand"


def test_a_copied_database_is_paused_until_somebody_says_that_it_is_the_one(house: Terminal, tmp_path: Path) -> None:
    shutil.copytree(house.workspace, tmp_path / "copy")
    copy = Terminal(tmp_path / "copy", house.here, house.capture, house.patch)
    refusal = copy.refused("resume")
    assert refusal.startswith("Sending stays paused: this database was made elsewhere")
    assert "`nurture resume --here`" in refusal
    assert copy.json("run", "--once")["sent"] == 0
    found = {one["check"]: one for one in copy.json("doctor", code=1)}
    assert found["sending"]["do"] == "type `nurture resume --here`, if no other copy sends"
    nothing = {"noes": 0, "mails": 0}
    assert copy.json("resume", "--here") == {"paused": False, "was_paused": True, "put_back": nothing}
    assert house.json("resume") == {"paused": False, "was_paused": False, "put_back": nothing}


def test_a_copy_of_a_paused_database_needs_somebody_to_say_that_it_is_the_one_too(
    house: Terminal, tmp_path: Path
) -> None:
    house.type("pause", "--because", "wrong price")
    shutil.copytree(house.workspace, tmp_path / "copy")
    copy = Terminal(tmp_path / "copy", house.here, house.capture, house.patch)
    refusal = copy.refused("resume")
    assert refusal.startswith("Sending stays paused: wrong price; and this database was made elsewhere")
    assert "`nurture resume --here`" in refusal


def test_a_new_secret_in_front_of_the_old_one_is_no_move_and_is_learned(house: Terminal) -> None:
    found = {one["check"]: one["ok"] for one in house.json("doctor", code=1)}
    assert found["sending"]
    secrets = tomllib.loads((house.workspace / ".nurture" / "secrets").read_text(encoding="utf-8"))
    for keys, is_at_home in [
        (f"new, {secrets['secret']}", True),
        ("newer, new", True),  # the database has learned the new one, so the first may go
        (f"other, {secrets['secret']}", False),
    ]:
        house.set(NURTURE_SECRET=keys)
        found = {one["check"]: one["ok"] for one in house.json("doctor", code=1)}
        assert found["sending"] == is_at_home, keys


def test_a_new_secret_is_learned_while_sending_is_paused(house: Terminal) -> None:
    secrets = tomllib.loads((house.workspace / ".nurture" / "secrets").read_text(encoding="utf-8"))
    house.type("pause")
    house.set(NURTURE_SECRET=f"new, {secrets['secret']}")
    house.type("doctor", code=1)
    house.set(NURTURE_SECRET="new")
    assert house.type("resume")[0] == "Sending goes on.\n"


def test_the_doctor_says_what_is_wrong_and_what_to_type(house: Terminal, relay: SmtpRelay) -> None:
    house.set(NURTURE_SMTP__PORT=str(relay.port))
    found = {one["check"]: one for one in house.json("doctor", code=1)}
    assert list(found) == [
        "database",
        "sending",
        "files",
        "relay",
        "relay TLS",
        "links",
        "recipients",
        "SPF",
        "DKIM",
        "DMARC",
        "uncertain mail",
        "blast guard",
        "resting domains",
        "campaigns",
        "complaints",
    ]
    assert all(set(one) == {"check", "ok", "what", "do"} for one in found.values())
    assert all(one["do"] for one in found.values() if not one["ok"])
    assert found["relay"]["ok"]
    assert found["relay"]["what"].startswith(f"127.0.0.1:{relay.port}, no TLS, offers ")
    assert found["uncertain mail"]["what"] == "1 mail whose arrival nobody confirmed"
    out, _ = house.type("doctor", code=1)
    assert "LOOK  uncertain mail: 1 mail whose arrival nobody confirmed\n        look with `nurture deliveries" in out


@pytest.mark.parametrize(
    ("environment", "check", "words"),
    [
        ({"NURTURE_SMTP__PORT": "1"}, "relay", "smtp.host, smtp.port and smtp.tls"),
        ({"NURTURE_SMTP__HOST": "relay.invalid"}, "links", 'web.base_url to your public address, such as "https://'),
        ({"NURTURE_SMTP__HOST": "relay.invalid"}, "recipients", 'only_to = ["*"]'),
        ({"NURTURE_SENDERS__DEFAULT__POSTAL_ADDRESS": ""}, "files", "type `nurture check`"),
    ],
)
def test_the_doctor_finds_what_stands_in_the_way_of_real_mail(
    house: Terminal, environment: dict[str, str], check: str, words: str
) -> None:
    house.set(**environment)
    found = {one["check"]: one for one in house.json("doctor", code=1)}
    assert not found[check]["ok"]
    assert words in found[check]["do"]


def test_upgrading_says_from_where_to_where(terminal: Terminal) -> None:
    (terminal.workspace / ".nurture" / "nurture.db").unlink()
    first = terminal.json("database", "upgrade")
    assert first["from"] is None
    assert terminal.json("database", "upgrade") == {"from": first["to"], "to": first["to"]}
    assert terminal.type("database", "upgrade")[0] == f"The database is at revision {first['to']}.\n"


def test_a_database_of_another_version_stops_every_command_but_the_one_that_helps(house: Terminal) -> None:
    database = house.open_database()
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    database.close()
    assert "`nurture database upgrade`" in house.refused("deliveries")


def test_another_suppression_key_stops_every_command(house: Terminal) -> None:
    house.set(NURTURE_SUPPRESSION_KEY="another")
    _, err = house.type("deliveries", code=1)
    assert "opt-outs could not be recognized" in err
    assert ".nurture/secrets" in err


@pytest.mark.parametrize(
    "words", [("contacts", "list"), ("check",), ("pause",), ("doctor",), ("init",), ("init", "../house")], ids=" ".join
)
@pytest.mark.parametrize("kept", ["", 'suppression_key = "the right one"\n', 'secret = "the right one"\n'])
def test_secrets_that_are_gone_are_asked_for_and_never_made_anew(
    house: Terminal, words: tuple[str, ...], kept: str
) -> None:
    secrets = house.workspace / ".nurture" / "secrets"
    right = secrets.read_bytes()
    if kept:
        secrets.write_text(kept, encoding="utf-8")
    else:
        secrets.unlink()
    before = files_in(house.workspace / ".nurture")
    _, err = house.type(*words, code=1)
    assert err.startswith(".nurture/secrets: this database was used with secrets that are not here; restore")
    after = files_in(house.workspace / ".nurture")
    assert (secrets.exists(), after.get("secrets")) == (bool(kept), before.get("secrets"))
    secrets.write_bytes(right)
    assert house.json("resume")["was_paused"] is False


def test_a_postgres_database_without_its_secrets_gets_no_new_ones(terminal: Terminal, databases: Databases) -> None:
    secrets = terminal.workspace / ".nurture" / "secrets"
    with databases.postgres() as database:
        terminal.set(NURTURE_DATABASE__URL=database.url)
        terminal.type("contacts", "list")
        secrets.unlink()
        assert "restore .nurture/secrets from your backup" in terminal.type("contacts", "list", code=1)[1]
    assert not secrets.exists()


def test_two_workspaces_know_nothing_of_each_other(make_terminal: Callable[..., Terminal]) -> None:
    one, two = make_terminal("one"), make_terminal("two")
    one.type("contacts", "add", "ana@reader.example")
    assert two.json("contacts", "list") == []
