"""`nurture schema`: what editors get. That it is right, tests/campaigns/test_schemas.py asks."""

import json
from pathlib import Path

from nurture.cli.schemas import make_schemas
from nurture.cli.starter import write_starter
from tests.support.terminals import Terminal


def test_the_command_writes_what_is_tested_here_and_says_how_to_use_it(terminal: Terminal) -> None:
    out, _ = terminal.type("schema")
    folder = terminal.workspace / ".nurture" / "schemas"
    assert {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.iterdir()} == make_schemas()
    assert "# yaml-language-server: $schema=../../.nurture/schemas/sequence.json" in out
    told = terminal.json("schema", "--out", str(terminal.workspace / "schemas"))
    assert told["yaml.schemas"]["schemas/scoring.json"] == "campaigns/scoring.yaml"


def test_a_new_workspace_has_them(tmp_path: Path) -> None:
    write_starter(tmp_path)
    assert {path.stem for path in (tmp_path / ".nurture" / "schemas").iterdir()} == set(make_schemas())
