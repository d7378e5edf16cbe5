"""The shape of the code: where SQL lives, how long a file is, what nothing is called."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatch

from tests.project.source import PACKAGE, REPOSITORY, Module, every_module

#: Where statements are written.
HOMES_OF_SQL = ("*/store.py", "reports/queries.py", "database/*")
#: Elsewhere they are only written here, and why.
OTHER_SQL: Mapping[str, str] = {
    "engines/jobs.py": "asks the questions that the stores lend, all in one statement, because it asks every second",
    "reports/outbox.py": "goes through the whole outbox with its recipients, page by page; part of reports/queries.py by what it reads",
    "reports/measured.py": "what people did with each mail, for simulations; part of reports/queries.py by what it reads",
    "reports/results.py": "the second half of reports/queries.py: reads across rooms like it",
}

#: Files of more than 350 lines, and why each is one file all the same.
LONG: Mapping[str, str] = {
    "contacts/store.py": "the tables every other room points at",
    "conditions.py": "one language: its tree, its parser and its meaning",
    "sequences/engine.py": "one pure function and the values it speaks in",
}
_LONGEST = 350

#: Words that say nothing about what a thing is.
_EMPTY_WORDS = {"manager", "helper", "helpers", "util", "utils", "common", "base", "data", "info", "handler", "misc"}

_STATEMENT = re.compile(r"\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(TABLE|INDEX)\s)")


def _writes_sql(module: Module) -> bool:
    """Whether it imports what statements are made of, or holds one as text; errors of the driver are no statements."""
    makes = any(
        name.split(".")[0] in {"sqlalchemy", "sqlmodel"} and not name.startswith("sqlalchemy.exc")
        for name in module.imports()
    )
    texts = (node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant))
    return makes or any(isinstance(text, str) and _STATEMENT.match(text) for text in texts)


def test_sql_lives_in_stores_reports_and_the_database_room() -> None:
    found = {one.name for one in every_module() if _writes_sql(one)}
    elsewhere = {name for name in found if not any(fnmatch(name, home) for home in HOMES_OF_SQL)}
    assert elsewhere == OTHER_SQL.keys(), "move the statement into the room's store, or say why it stands here"


def test_only_the_database_room_commits() -> None:
    for module in every_module():
        calls = [node.func for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
        names = {call.attr for call in calls if isinstance(call, ast.Attribute)}
        if not module.name.startswith("database/"):
            assert "commit" not in names, f"{module.name} commits; database.engine holds the only commits"


def test_only_the_clock_reads_the_time() -> None:
    for module in every_module():
        asked = {
            node.attr
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time"
        }
        if module.name != "clock.py" and "time" in set(module.imports()):
            assert asked == {"sleep"}, f"{module.name} asks for the time; take `now`, or a Clock"


def test_every_module_says_what_it_is() -> None:
    bare = [one.name for one in every_module() if not ast.get_docstring(one.tree)]
    assert not bare, "a module begins with what its word means here"


def test_files_stay_short() -> None:
    long = {one.name for one in every_module() if one.lines > _LONGEST}
    assert long == LONG.keys(), f"a file that passes {_LONGEST} lines wants a second room; see LONG"


def test_nothing_has_an_empty_name() -> None:
    for module in every_module():
        assert not set(re.split(r"[/_.]", module.name)) & _EMPTY_WORDS, module.name
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", node.name)}
                assert not words & _EMPTY_WORDS, f"{module.name}: {node.name}"


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {_distribution(one) for one in [*project["dependencies"], *project["optional-dependencies"]["postgres"]]}
    named = importlib.metadata.packages_distributions()
    beside = set()
    for module in every_module():
        packages = {name.split(".")[0] for name in module.imports()} - set(sys.stdlib_module_names) - {"nurture"}
        beside |= {one for one in packages if not declared & {_distribution(name) for name in named.get(one, [])}}
    assert not beside, "declare it in pyproject.toml"


def _distribution(text: str) -> str:
    """`sqlalchemy>=2.1` and `SQLAlchemy` are one."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", text, maxsplit=1)[0]).lower()


def test_rooms_are_packages_with_an_init() -> None:
    for folder in PACKAGE.rglob("*"):
        if folder.is_dir() and any(folder.glob("*.py")) and "migrations" not in folder.parts:
            assert (folder / "__init__.py").exists(), folder
