"""What the doctor is told of the relays of an installation."""

from pathlib import Path

from nurture.app.identity import identity_of
from tests.support.workspaces import SETTINGS, open_house, small_workspace

RELAYS = """
[[relays]]
name = "own"
host = "mail.acme.example"

[[relays]]
name = "mailbox"
host = "smtp.gmail.com"
mail_from = "sender"
"""


def test_a_relay_whose_mail_comes_back_to_the_sender_is_told_apart(tmp_path: Path) -> None:
    settings = SETTINGS.replace("[senders]\n", '[senders]\nreturn_path_domain = "bounces.acme.example"\n', 1)
    folder = small_workspace(tmp_path / "house", **{"settings.toml": settings + RELAYS})
    app = open_house(folder, f"sqlite:///{tmp_path / 'house.db'}", relay_port=25)
    identity = identity_of(app)
    app.close()
    assert identity.return_path == "bounces.acme.example"
    assert {one.host: one.returns_to_sender for one in identity.carriers} == {
        "mail.acme.example": False, "smtp.gmail.com": True,
    }  # fmt: skip
