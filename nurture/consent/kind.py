"""`campaigns/consent.yaml` is read, checked and frozen; what decides otherwise than the table nurture ships says why."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from nurture.campaigns.reading import Problems, Unit, Workspace, YamlFile, open_yaml, read_definition
from nurture.campaigns.starter import starter_folder
from nurture.consent.definition import FILE, KIND, NAME, ConsentDefinition, table_of
from nurture.consent.law.changes import differences, says
from nurture.consent.law.rules import ConsentTable
from nurture.consent.rules import NO_BASIS
from nurture.database.engine import Session
from nurture.errors import BadInput


class ConsentKind:
    """Reads, checks and freezes the consent table."""

    name = KIND

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        path = workspace.campaigns / FILE
        if path.exists():
            file = open_yaml(workspace, path, problems)
        else:
            # A workspace without a table of its own goes by the starter's.
            starter = starter_folder() / "campaigns" / FILE
            file = YamlFile(f"campaigns/{FILE}", starter.read_text(encoding="utf-8"), problems)
        definition = read_definition(file, ConsentDefinition) if file else None
        if file is None or definition is None:
            return []
        unit = Unit(KIND, NAME, file.name, definition.model_dump(mode="json"))
        for number, row in enumerate(definition.rows):
            if row.then == "announce" and ({NO_BASIS, "*"} & set(row.basis)):
                file.complain(
                    "NS410",
                    ("rows", number, "then"),
                    "nobody is mailed without a basis, so this row cannot say announce.",
                    "Write ask or never, and a row of its own for the bases you mean.",
                )
                return [unit]
        _ask_why(file, definition)
        return [unit]

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        rows = {_title(row): row for row in content["rows"]}
        return {**rows, "tracking": content["tracking"]}

    def count_people(self, session: Session, name: str) -> int:
        return 0


def _title(row: Mapping[str, Any]) -> str:
    """How a plan calls a row; rows from before addresses were told apart are about everybody."""
    who = f" × {row['who']}" if row.get("who") else ""
    return f"row {' '.join(row['country'])} × {' '.join(row['basis'])}{who}"


def _ask_why(file: YamlFile, definition: ConsentDefinition) -> None:
    """A row that decides otherwise than the starter's says why."""
    content = definition.model_dump(mode="json")
    table = table_of(content)
    numbers = {id(row): number for number, row in enumerate(table.rows)}
    told: set[int] = set()
    for one in differences(starter_table(), table):
        number = numbers[id(one.after)] if one.after else None
        if number is None or one.after is None or one.after.because.strip() or number in told:
            continue
        told.add(number)
        file.complain(
            "NS411",
            ("rows", number),
            f"{one.about}: {says(one.after)}, where the table of nurture says {says(one.before)}.",
            'Add because: "…" and say who looked it up; it is kept with the change.',
        )


@cache
def starter_table() -> ConsentTable:
    """The table that nurture ships."""
    problems = Problems()
    path = starter_folder() / "campaigns" / FILE
    definition = read_definition(YamlFile(path.name, path.read_text(encoding="utf-8"), problems), ConsentDefinition)
    if definition is None:
        raise BadInput(f"{path}: the table that nurture ships cannot be read; install nurture again.")
    return table_of(definition.model_dump(mode="json"))
