"""settings.toml and .nurture/secrets are changed together, whole, and by one at a time."""

import stat
import threading
import tomllib
from pathlib import Path

import pytest

from nurture.errors import BadSettings
from nurture.settings import read_settings
from nurture.settings.writing import Wanted, read_with, renew_secret, write
from nurture.toml.editing import Value

SETTINGS = '# Ours.\n[web]\nhost = "127.0.0.1" # here\n'
WANTED = Wanted(
    values={("web", "host"): "0.0.0.0"},
    relay="own",
    of_relay={"host": "mail.acme.example", "port": 587},
    secrets={("relays", "own", "password"): "hush"},
)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / ".nurture").mkdir()
    secrets = tmp_path / ".nurture" / "secrets"
    secrets.write_text('secret = "a"\nsuppression_key = "b"\n', encoding="utf-8")
    secrets.chmod(0o600)
    return tmp_path


def _secrets(workspace: Path) -> dict[str, object]:
    return tomllib.loads((workspace / ".nurture" / "secrets").read_text(encoding="utf-8"))


def test_both_files_are_written_and_say_what_was_wanted(workspace: Path) -> None:
    assert read_with(workspace, WANTED).relays[0].password == "hush"
    assert not read_settings(workspace, {}).relays, "reading what would be writes nothing"
    write(workspace, WANTED)
    settings = read_settings(workspace, {})
    assert (settings.web.host, settings.relays[0].host, settings.relays[0].password) == (
        "0.0.0.0", "mail.acme.example", "hush",
    )  # fmt: skip
    text = (workspace / "settings.toml").read_text(encoding="utf-8")
    assert text.startswith('# Ours.\n[web]\nhost = "0.0.0.0"   # here\n')
    assert stat.S_IMODE((workspace / ".nurture" / "secrets").stat().st_mode) == 0o600
    assert not [path for path in workspace.rglob("*") if path.name.startswith((".settings", ".secrets"))]


def test_what_could_not_be_read_again_is_not_written(workspace: Path) -> None:
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    impossible: list[dict[str, Value]] = [{"host": "mail.acme.example", "port": 70_000}, {"port": 25}]
    for wrong in impossible:
        with pytest.raises(BadSettings, match="relays"):
            write(workspace, Wanted(relay="own", of_relay=wrong, secrets={("relays", "own", "password"): "hush"}))
    assert before == {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}


def test_a_link_to_a_file_elsewhere_stays_one(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "settings.toml"
    (workspace / "settings.toml").rename(elsewhere)
    (workspace / "settings.toml").symlink_to(elsewhere)
    elsewhere.chmod(0o640)
    write(workspace, WANTED)
    assert (workspace / "settings.toml").is_symlink()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o640
    assert read_settings(workspace, {}).web.host == "0.0.0.0"


def test_those_who_renew_their_secrets_at_the_same_time_lose_none(workspace: Path) -> None:
    relays = [f"relay-{number}" for number in range(8)]
    text = SETTINGS + "".join(f'\n[[relays]]\nname = "{one}"\nhost = "mail.acme.example"\n' for one in relays)
    (workspace / "settings.toml").write_text(text, encoding="utf-8")
    threads = [
        threading.Thread(target=renew_secret, args=(workspace, ("relays", one, "refresh_token"), one)) for one in relays
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _secrets(workspace)["secret"] == "a"
    assert [one.refresh_token for one in read_settings(workspace, {}).relays] == relays
