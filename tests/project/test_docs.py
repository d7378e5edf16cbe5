"""docs/ covers everything there is, and what is generated is what would be generated now."""

import pkgutil
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from nurture import __version__
from nurture.campaigns.silencing import SILENCEABLE
from nurture.sequences.definition import SequenceDefinition
from nurture.sequences.steps import VERBS
from tests.project import generated
from tests.project.pages import checks, commands, formats, settings, words
from tests.project.pages.mistakes import MISTAKES, findings
from tests.project.source import PACKAGE, REPOSITORY


def test_the_generated_pages_are_up_to_date() -> None:
    old = [path.name for path in generated.outdated()]
    assert not old, f"{', '.join(old)}: type `make docs`, look at what changed, and commit it"


def test_every_code_of_check_has_an_example_and_says_what_to_do() -> None:
    explained = {one.code for one in MISTAKES}
    assert explained == checks.codes_in_code(), "each code needs its entry in tests/project/pages/mistakes.py"
    assert len(explained) == len(MISTAKES)
    for one in MISTAKES:
        assert one.do.endswith("."), one.code


def test_what_may_be_silenced_is_what_check_only_warns_of() -> None:
    warnings = {code for code, (_, problem) in findings().items() if problem.severity == "warning"}
    # What is nearly too large is a remark, what is too large an error; the example is one of an error.
    assert warnings | {"NT405"} == SILENCEABLE | {"NS022"}


def test_every_command_says_what_it_does_and_gives_an_example() -> None:
    for command in commands.every_command():
        assert command.text.split("\n")[0].rstrip().endswith("."), command.name
        assert command.example.startswith(command.name), command.name
        for parameter in command.parameters:
            assert parameter.meaning, f"{command.name} {parameter.typed}"


def test_every_setting_says_what_it_means() -> None:
    for setting in settings.every_setting():
        assert setting.meaning.endswith("."), setting.key


def test_every_key_of_every_format_says_what_it_means() -> None:
    assert formats.every_definition() <= formats.shown_definitions(), "a format that docs/yaml.md does not know"
    for one in [*(one.model for one in formats.FORMATS), *VERBS.values()]:
        for key in formats.keys_of(one):
            assert key.meaning, f"{one.__name__} {key.path}"


def test_every_key_of_a_sequence_is_shown_at_work() -> None:
    models: list[type[BaseModel]] = [SequenceDefinition, *VERBS.values()]
    known = {key.path for one in models for key in formats.keys_of(one)}
    names = {path.rpartition(".")[2].removesuffix("[]") for path in known} - {"NAME"}
    assert names <= formats.keys_at_work()


@pytest.mark.parametrize("what", words.explained())
def test_every_word_of_conditions_and_mails_is_explained(what: str) -> None:
    there, explained = words.explained()[what]
    assert there == explained, "tests/project/pages/words.py explains them"


def test_every_word_of_the_glossary_exists_in_the_code() -> None:
    text = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| `([\w.]+)` \|$", text, re.MULTILINE)
    words = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| word")]
    assert len(rows) == len(words), "each word says where it lives"
    for place in rows:
        assert _exists(place), f"there is no nurture.{place}"


def _exists(place: str) -> bool:
    """`contacts.store.Contact.owner_id`: a module, then names in it."""
    try:
        pkgutil.resolve_name(f"nurture.{place}")
    except (ImportError, AttributeError):
        return False
    return True


def test_every_place_that_architecture_names_exists() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    for place in re.findall(r"`([\w/.]+(?:\.(?:py|yaml|mjml|css)|/))`", text):
        assert any((folder / place).exists() for folder in (REPOSITORY, PACKAGE)), place


def test_every_room_is_explained() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text[text.index("| room |") : text.index("Most rooms share")]
    rooms = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith("_") and _is_room(path)}
    assert rooms == set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]+)\|", table, re.MULTILINE))))


def _is_room(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").exists()


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.search(r"^## \[([\d.]+)\]", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == __version__
