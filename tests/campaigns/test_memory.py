"""What `check` remembers of files that have not changed is what it would find if it read them again."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import Node, ScalarNode

from nurture.app.house import App
from nurture.campaigns import memory, nodes
from nurture.campaigns.memory import Memory
from nurture.campaigns.publishing import Reading, read_workspace
from nurture.yaml import check_aliases, plain_yaml
from tests.campaigns.cases import Case, cases
from tests.support.workspaces import SETTINGS, open_house, small_workspace

REPORT = """\
---
subject: What we found
silence: {NS240: "it is short anyway"}
---
{% extends "layouts/letter.mjml" %}
{% block content %}
<mj-text>Hello {{ contact.first_name | fallback("there") }}, order by 3 March 2031 if you like.</mj-text>
<mj-text>Read <a href="https://acme.example/report">the report</a>.</mj-text>
{% endblock %}
"""
STEP = """\
format: 1
sequence: welcome
topic: insights
steps:
  - {id: a, send: report, kind: value}
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[App]:
    folder = small_workspace(tmp_path / "house", **{"settings.toml": SETTINGS})
    (folder / "templates/report.md").unlink(missing_ok=True)
    write(folder, **{"templates/report.mjml": REPORT, "campaigns/sequences/welcome.yaml": STEP})
    starter = Path(__file__).parents[2] / "templates"
    for part in ("layouts", "parts"):
        shutil.copytree(starter / part, folder / "templates" / part, dirs_exist_ok=True)
    opened = open_house(folder, "", relay_port=25)
    yield opened
    opened.close()


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def entries(house: App) -> list[Path]:
    return sorted((house.folder / ".nurture/checked").iterdir())


def look(house: App, *, today: date | None = None) -> Reading:
    """As `check` does, on that day."""
    kept = Memory(house.folder / ".nurture/checked", house.folder)
    workspace = replace(house.workspace(), memory=kept)
    return read_workspace(replace(workspace, today=today or workspace.today), house.kinds())


def told(reading: Reading) -> Any:
    return reading.problems, reading.silenced, [(unit.kind, unit.name, unit.text) for unit in reading.units]


def forge(house: App) -> None:
    """Make every entry say something else, so that it shows who believes it."""
    for path in entries(house):
        _, _, text = path.read_text(encoding="utf-8").partition("\n")
        text = text.replace("Hello", "Farewell")
        path.write_text(f"{memory.digest_of(text.encode())}\n{text}", encoding="utf-8")


def test_what_has_not_changed_is_told_the_same(house: App) -> None:
    first = house.read_files(from_memory=True)
    assert told(house.read_files(from_memory=True)) == told(first) == told(house.read_files())
    assert "NS022" in {one.code for one in first.problems}  # the silence that silences nothing came along


def test_what_has_not_changed_is_not_read_again(house: App) -> None:
    look(house)
    forge(house)
    assert "Farewell" in str(told(look(house)))


def test_what_is_published_is_always_read(house: App) -> None:
    look(house)
    forge(house)
    assert "Farewell" not in str(told(house.read_files()))


@pytest.mark.parametrize("file", ["report.mjml", "layouts/letter.mjml", "parts/footer-quiet.mjml"])
def test_a_change_of_anything_a_mail_rests_on_is_seen(house: App, file: str) -> None:
    look(house)
    forge(house)
    path = house.folder / "templates" / file
    path.write_text(path.read_text(encoding="utf-8") + "<!-- changed -->\n", encoding="utf-8")
    assert told(look(house)) == told(house.read_files())


def test_a_second_file_of_the_same_name_is_seen(house: App) -> None:
    look(house)
    write(house.folder, **{"templates/report.md": "Hello\n"})
    assert "is there as .mjml and as .md" in str(look(house).problems)


def test_a_part_that_went_away_is_seen(house: App) -> None:
    look(house)
    (house.folder / "templates/parts/footer-quiet.mjml").unlink()
    assert "footer-quiet.mjml" in str(look(house).problems)


def test_a_deadline_passes_while_nobody_changes_anything(house: App) -> None:
    assert "NS245" not in str(look(house, today=date(2031, 3, 3)).problems)
    assert "NS245" in str(look(house, today=date(2031, 3, 4)).problems)
    assert "NS245" not in str(look(house, today=date(2031, 3, 3)).problems)


def test_a_field_that_is_declared_no_more_is_seen(house: App) -> None:
    text = REPORT.replace("first_name", "plan")
    write(house.folder, **{"templates/report.mjml": text})
    declared = SETTINGS + '\n[fields.plan]\ntype = "text"\n'
    write(house.folder, **{"settings.toml": declared})
    knowing = open_house(house.folder, "", relay_port=25)
    assert "NS230" not in str(look(knowing).problems)
    knowing.close()
    assert "NS230" in str(look(house).problems)


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\xfe", b"0\n{}", None])
def test_a_damaged_entry_is_read_as_none(house: App, damage: bytes | None) -> None:
    expected = told(look(house))
    for path in entries(house):
        content = path.read_bytes()
        path.write_bytes(content[:-9] if damage is None else damage)
    assert told(look(house)) == expected


def test_another_program_believes_nothing(house: App, monkeypatch: pytest.MonkeyPatch) -> None:
    look(house)
    forge(house)
    monkeypatch.setattr(memory, "_program", lambda: "the next version")
    assert "Farewell" not in str(told(look(house)))


def test_a_place_that_cannot_be_written_keeps_nobody_from_checking(house: App) -> None:
    write(house.folder, **{".nurture/checked": "a file\n"})
    assert told(house.read_files(from_memory=True)) == told(house.read_files())


def test_there_are_never_too_many_entries(house: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST", 4)
    kept = Memory(house.folder / ".nurture/checked", house.folder)
    for number in range(5):
        kept.keep(number, "found", {})
    kept.prune()
    assert len(entries(house)) == 2
    kept.prune()
    assert len(entries(house)) == 2


def marks(node: Node) -> list[Any]:
    """Everything a document says and where."""
    begins, ends = node.start_mark, node.end_mark
    inside = [] if isinstance(node, ScalarNode) else [one for part in node.value for one in part_of(part)]
    value = node.value if isinstance(node, ScalarNode) else None
    style = getattr(node, "style", None)
    return [
        type(node),
        str(node.tag),
        value,
        style,
        begins.line,
        begins.column,
        ends.line,
        ends.column,
        *map(marks, inside),
    ]


def part_of(part: Any) -> tuple[Node, ...]:
    return part if isinstance(part, tuple) else (part,)


def assert_comes_back(text: str) -> None:
    """A document that can be read comes back from JSON as it was."""
    yaml = plain_yaml()
    try:
        root = yaml.compose(text)
        if root is not None:
            check_aliases(root)
        data = yaml.constructor.construct_document(root) if root else None
    except (YAMLError, ValueError):
        return
    written = nodes.to_json(root) if root else None
    if written is None:
        return
    again = nodes.from_json(json.loads(json.dumps(written)))
    assert marks(again) == marks(root)
    assert repr(plain_yaml().constructor.construct_document(again)) == repr(data)


@pytest.mark.parametrize("case", [*cases("valid"), *cases("invalid")], ids=str)
def test_every_file_comes_back_as_it_was(case: Case) -> None:
    if case.file.suffix == ".yaml":
        try:
            text = case.file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            return
        assert_comes_back(text)


_SCALARS = st.sampled_from([
    "NO", "10:30", "2027-03-01", "0o7", "012", "1_000", "~", "true", "1.5", "-.inf", "'it''s'", '"a\\tb"', "a b", "=", "|\n  x\n",
]) | st.text(max_size=5)  # fmt: skip


@given(st.recursive(_SCALARS, lambda inner: st.one_of(
    st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
    st.dictionaries(st.sampled_from(["a", "1", "NO", "? b"]), inner, max_size=3).map(
        lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"),
), max_leaves=8))  # fmt: skip
def test_any_document_comes_back_as_it_was(text: str) -> None:
    assert_comes_back(text)
    assert_comes_back(f"first: {text}\nsecond:\n  - {text}\n")


def test_a_document_that_repeats_itself_is_not_kept() -> None:
    assert nodes.to_json(plain_yaml().compose("a: &one {x: 1}\nb: *one\n")) is None
