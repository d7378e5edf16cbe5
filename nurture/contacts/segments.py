"""Conditions over contacts: the language that all rooms' words make together, and the saved conditions of segments.yaml.

`app` gathers the words and clauses that the rooms lend into one `Language` and hands it to those who read conditions.
A published condition keeps what it rests on (types of declared fields, texts of segments), so that it means the same
for as long as its version lives.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field as Described
from ruamel.yaml.error import YAMLError

from nurture.campaigns.definitions import FileDefinition
from nurture.campaigns.reading import Problems, Unit, Workspace, open_yaml, read_definition
from nurture.conditions import (
    Compare,
    Condition,
    Field,
    FieldType,
    Missing,
    OneOf,
    Predicate,
    Words,
    parse,
    segments_in,
    walk,
)
from nurture.contacts import store
from nurture.contacts.fields import BUILT_IN
from nurture.database.conditions import Clause, Vocabulary, to_clause
from nurture.database.engine import Session
from nurture.yaml import plain_yaml

KIND = "segments"
NAME = "segments"
FILE = "segments.yaml"

Lend = Callable[[Session, datetime], Vocabulary]


@dataclass(frozen=True, eq=False)
class Language:
    """All predicates that exist, and the clauses the rooms lend for them."""

    predicates: Mapping[str, Predicate]
    lenders: Sequence[Lend]
    _parsed: dict[tuple[str, str], tuple[Condition, Words]] = field(default_factory=dict)

    def words(self, rests_on: Mapping[str, Any]) -> Words:
        """The words as they were when something was published."""
        declared = {name: Field(FieldType(kind)) for name, kind in rests_on.get("fields", {}).items()}
        return Words({**BUILT_IN, **declared}, self.predicates, rests_on.get("segments", {}))

    def clause(self, session: Session, text: str, rests_on: Mapping[str, Any], now: datetime) -> Clause:
        """A published condition as a clause on `contact`."""
        key = (text, json.dumps(rests_on, sort_keys=True))
        if key not in self._parsed:
            words = self.words(rests_on)
            self._parsed[key] = (parse(text, words), words)
        condition, words = self._parsed[key]
        return self.clause_of(session, condition, words, now)

    def clause_of(
        self, session: Session, condition: Condition, words: Words, now: datetime, *, of_everybody: bool = False
    ) -> Clause:
        """A condition as a clause on `contact`; `of_everybody` if it is asked of all contacts and not of a few."""
        vocabulary = store.vocabulary(words.fields, of_everybody=of_everybody)
        for lend in self.lenders:
            vocabulary |= lend(session, now)
        return to_clause(condition, vocabulary)


def rests_on(texts: Sequence[str], words: Words, further: Iterable[str] = ()) -> dict[str, Any]:
    """What these conditions, which parse, and `further` fields need to keep their meaning."""
    parts = [part for text in texts for part in walk(parse(text, words))]
    fields = {part.field for part in parts if isinstance(part, Compare | OneOf | Missing)} | set(further)
    segments = {name for text in texts for name in segments_in(text, words)}
    return {
        "fields": {name: str(words.fields[name].type) for name in sorted(fields - set(BUILT_IN))},
        "segments": {name: words.segments[name] for name in sorted(segments)},
    }


def segment_texts(folder: Path) -> dict[str, str]:
    """The texts of a workspace's segments.yaml as far as they can be read; its kind complains about the rest."""
    path = folder / "campaigns" / FILE
    if not path.is_file():
        return {}
    try:
        found = plain_yaml().load(path.read_text(encoding="utf-8-sig"))
    except (YAMLError, UnicodeDecodeError):
        return {}
    segments = found.get("segments") if isinstance(found, dict) else None
    named = segments.items() if isinstance(segments, dict) else ()
    return {name: text for name, text in named if isinstance(text, str)}


class SegmentsDefinition(FileDefinition):
    """The whole file."""

    segments: dict[str, str] = Described({}, description="A name and the condition it stands for.")


class SegmentsKind:
    """Reads, checks and freezes the saved conditions."""

    name = KIND

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        path = workspace.campaigns / FILE
        if not path.exists():
            return []
        file = open_yaml(workspace, path, problems)
        definition = read_definition(file, SegmentsDefinition) if file else None
        if file is None or definition is None:
            return []
        good = [
            text
            for name, text in definition.segments.items()
            if file.read_condition(("segments", name), text, workspace.words) is not None
        ]
        content = {"segments": definition.segments, "rests_on": rests_on(good, workspace.words)}
        return [Unit(KIND, NAME, file.name, content)]

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        return dict(content["segments"])

    def count_people(self, session: Session, name: str) -> int:
        return 0
