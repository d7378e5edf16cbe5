"""The example mails render to what somebody has looked at and approved, byte for byte (see approved/README.md)."""

from pathlib import Path

import pytest

from nurture.rendering.loading import read_template
from tests.emails.approve import APPROVED, MAILS, SERVICE, renderings
from tests.emails.workspace import Mails

NAMES = sorted(path.name for path in APPROVED.iterdir() if path.suffix in {".html", ".txt", ".eml"})


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return dict(renderings(tmp_path_factory.mktemp("workspace")))


@pytest.mark.parametrize("name", NAMES)
def test_the_mail_is_as_it_was_approved(rendered: dict[str, bytes], name: str) -> None:
    now, then = rendered[name], (APPROVED / name).read_bytes()
    assert now.decode().split("\n") == then.decode().split("\n"), "to approve it: python -m tests.emails.approve"
    assert now == then


def test_every_mail_has_been_approved(rendered: dict[str, bytes]) -> None:
    assert sorted(rendered) == NAMES


@pytest.mark.parametrize("path", sorted(MAILS.iterdir()), ids=lambda path: path.name)
def test_the_mails_show_how_it_is_done_and_have_no_flaw(path: Path, tmp_path: Path) -> None:
    mails = Mails(tmp_path)
    mails.write(path.name, path.read_text(encoding="utf-8"))
    reading = read_template(mails.templates, path.stem, is_campaign=path.stem not in SERVICE)
    assert [str(problem) for problem in reading.problems] == []
