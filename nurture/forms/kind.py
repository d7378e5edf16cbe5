"""Reads, checks and freezes the forms of `campaigns/forms.yaml`: one unit per form, so that each has its own versions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml.error import YAMLError

from nurture.campaigns.complaints import Path_
from nurture.campaigns.declared import Topic
from nurture.campaigns.reading import (
    Problem,
    Problems,
    Unit,
    Workspace,
    YamlFile,
    open_yaml,
    read_definition,
)
from nurture.conditions import FieldType
from nurture.contacts.fields import DeclaredField
from nurture.database.engine import Session
from nurture.errors import did_you_mean
from nurture.forms.definition import FieldDefinition, FormDefinition, FormsDefinition
from nurture.forms.rules import MAY_BE_ASKED, Form, Question
from nurture.forms.store import count_pending
from nurture.yaml import plain_yaml

KIND = "form"
FILE = "forms.yaml"

_LANGUAGES = {"en": "English", "de": "German", "fr": "French", "es": "Spanish"}
_IN_LIST = re.compile(r"""\bin_list\(\s*["']([^"']+)["']|^\s*joined:\s*["']?([^"'#\n]+)""", re.MULTILINE)
_NAME = re.compile(r"""^sequence:\s*["']?([a-z0-9-]+)""", re.MULTILINE)
_FORM_URL = re.compile(r"""\b(?:form_url|share_url)\(\s*["']([^"']*)["']""")


@dataclass(frozen=True)
class Surroundings:
    """What settings.toml declares and a form may name."""

    topics: Mapping[str, Topic] = field(default_factory=dict)
    fields: Mapping[str, DeclaredField] = field(default_factory=dict)
    operators: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()  # ours: where a form may send people on to


class FormsKind:
    """campaigns/forms.yaml."""

    name = KIND

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        path = workspace.campaigns / FILE
        if not path.exists():
            self._check_mentions(workspace, problems, {})
            return []
        file = open_yaml(workspace, path, problems)
        definition = read_definition(file, FormsDefinition) if file else None
        if file is None or definition is None:
            return []
        named = _Named.of(workspace)
        units = []
        for name, form in definition.forms.items():
            before = len(problems.errors)
            self._check(file, ("forms", name), form, named)
            if len(problems.errors) == before:
                units.append(Unit(KIND, name, file.name, self._content(form)))
        self._check_mentions(workspace, problems, definition.forms)
        return units

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        rest = {key: value for key, value in content.items() if key not in {"fields", "rests_on"}}
        return {**{f"field {one['name']}": one for one in content["fields"]}, **rest}

    def count_people(self, session: Session, name: str) -> int:
        return count_pending(session, name)

    def _content(self, form: FormDefinition) -> dict[str, Any]:
        fields = {one.name: self._around.fields[one.name] for one in form.fields if one.name in self._around.fields}
        topics = {name: self._around.topics[name] for name in form.topics}
        return {
            **form.model_dump(mode="json", by_alias=True),
            "rests_on": {
                "fields": {name: {"type": str(one.type), "label": one.label} for name, one in fields.items()},
                "topics": {name: {"label": one.label, "description": one.description} for name, one in topics.items()},
            },
        }

    def _check(self, file: YamlFile, at: Path_, form: FormDefinition, named: "_Named") -> None:
        self._check_fields(file, at, form.fields)
        self._check_topics(file, at, form.topics)
        _check_languages(file, at, form)
        self._check_names(file, at, form, named)
        self._check_url(file, (*at, "thanks", "url"), form.thanks.url)

    def _check_topics(self, file: YamlFile, at: Path_, topics: Sequence[str]) -> None:
        for number, topic in enumerate(topics):
            if topic not in self._around.topics:
                hint = _hint(topic, self._around.topics, "none is declared")
                file.complain("NS205", (*at, "topics", number), f'settings.toml declares no topic "{topic}".', hint)
            elif topic in topics[:number]:
                file.complain("NS345", (*at, "topics", number), f'"{topic}" stands here twice; once is enough.')

    def _check_names(self, file: YamlFile, at: Path_, form: FormDefinition, named: "_Named") -> None:
        if form.enroll and form.enroll not in named.sequences:
            hint = _hint(form.enroll, named.sequences, "there is none")
            file.complain("NS215", (*at, "enroll"), f'there is no sequence "{form.enroll}".', hint)
        if form.owner and form.owner.lower() not in self._around.operators:
            hint = did_you_mean(form.owner.lower(), self._around.operators).strip()
            file.complain("NS320", (*at, "owner"), f'"{form.owner}" is no operator of settings.toml.', hint)
        if form.list_ and form.list_ not in named.lists and (near := did_you_mean(form.list_, named.lists).strip()):
            message = f'no file asks who is in the list "{form.list_}".'
            file.complain("NS341", (*at, "list"), message, near, severity="warning")

    def _check_fields(self, file: YamlFile, at: Path_, fields: Sequence[FieldDefinition]) -> None:
        may_be = (*MAY_BE_ASKED, *self._around.fields)
        seen: set[str] = set()
        for number, one in enumerate(fields):
            written = file.data["forms"][at[1]]["fields"][number]
            place = (*at, "fields", number) if isinstance(written, str) else (*at, "fields", number, "name")
            if one.name == "email":
                file.complain("NS340", place, "every form asks for the address by itself.", "Take it out.")
            elif one.name not in may_be:
                hint = _hint(one.name, may_be, "")
                file.complain("NS340", place, f'"{one.name}" is nothing a form can ask for.', hint)
            elif one.name in seen:
                file.complain("NS345", place, f'"{one.name}" stands here twice; once is enough.')
            seen.add(one.name)

    def _check_url(self, file: YamlFile, place: Path_, url: str) -> None:
        if not url:
            return
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        is_ours = any(host == one or host.endswith(f".{one}") for one in self._around.domains)
        if parts.scheme != "https" or not is_ours or not url.isprintable() or " " in url or "@" in parts.netloc:
            known = ", ".join(sorted(self._around.domains)) or "none is declared"
            message = f'"{url}" is no https address at a domain of yours.'
            file.complain("NS343", place, message, f"Yours, by settings.toml: {known}.")

    def _check_mentions(self, workspace: Workspace, problems: Problems, forms: Mapping[str, Any]) -> None:
        """A mail that leads to a form that is not there would lead its readers nowhere."""
        for path in _mails(workspace):
            text = _text_of(path)
            for found in _FORM_URL.finditer(text):
                if found[1] not in forms:
                    line = text.count("\n", 0, found.start(1)) + 1
                    column = found.start(1) - (text.rfind("\n", 0, found.start(1)) + 1) + 1
                    message = f'there is no form "{found[1]}".'
                    hint = _hint(found[1], forms, "campaigns/forms.yaml has none")
                    problems.add(Problem(workspace.name_of(path), line, column, "NS344", message, hint))
        for path in sorted((workspace.campaigns / "newsletters").glob("*/newsletter.yaml")):
            wanted = _loaded(path).get("sign_up")
            if isinstance(wanted, str) and wanted and wanted not in forms:
                file = open_yaml(workspace, path, Problems())
                if file is not None:
                    hint = _hint(wanted, forms, "campaigns/forms.yaml has none")
                    line, column = file.place(("sign_up",))
                    message = f'sign_up: there is no form "{wanted}".'
                    problems.add(Problem(file.name, line, column, "NS344", message, hint))


def _check_languages(file: YamlFile, at: Path_, form: FormDefinition) -> None:
    """A form speaks the languages of its consent, all of it: nobody agrees to what they cannot read."""
    for place, text in form.texts().items():
        missing = [_LANGUAGES[code] for code in form.consent if code not in text]
        if missing:
            message = f"there is no {' and no '.join(missing)}, and the consent is worded in it."
            file.complain("NS342", (*at, *place), message, "Write it beside, or take that language out everywhere.")
        for code in text:
            if code not in form.consent:
                message = f"there is no {_LANGUAGES[code]} wording of the consent, so nobody ever reads this."
                file.complain("NS342", (*at, *place, code), message, f"Add `{code}:` below consent.", at_key=True)


def load_form(content: Mapping[str, Any], name: str, version_id: int) -> Form:
    """A published form, ready for its visitors."""
    declared = {
        field_name: DeclaredField(field_name, FieldType(one["type"]), one["label"])
        for field_name, one in content["rests_on"]["fields"].items()
    }
    questions = tuple(
        Question(
            one["name"],
            one["required"],
            str(declared[one["name"]].type) if one["name"] in declared else "text",
            one["label"] or _declared_label(declared.get(one["name"])),
        )
        for one in content["fields"]
    )
    return Form(name, version_id, content, questions, declared)


def _declared_label(known: DeclaredField | None) -> Mapping[str, str]:
    """How settings.toml calls a field; a name such as company_size is for files, not for people."""
    return {"en": known.label} if known is not None and known.label != known.name else {}


@dataclass(frozen=True)
class _Named:
    """What the other files of a workspace call their own."""

    sequences: frozenset[str]
    lists: frozenset[str]

    @classmethod
    def of(cls, workspace: Workspace) -> "_Named":
        # Their texts are searched, not read: a workspace may have a thousand of them, each read once already.
        texts = {path: _text_of(path) for path in sorted(workspace.campaigns.rglob("*.y*ml"))}
        sequences = {
            found[1]
            for path, text in texts.items()
            if path.parent.name == "sequences" and (found := _NAME.search(text))
        }
        lists = {(one[1] or one[2]).strip() for text in texts.values() for one in _IN_LIST.finditer(text)}
        return cls(frozenset(sequences), frozenset(lists))


def _mails(workspace: Workspace) -> Iterator[Path]:
    for folder, endings in ((workspace.templates, ("*.md", "*.mjml")), (workspace.campaigns, ("*.md",))):
        for ending in endings:
            yield from sorted(folder.rglob(ending))


def _text_of(path: Path) -> str:
    try:
        # A pipe would be waited for.
        return path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return ""  # its own kind complains


def _loaded(path: Path) -> Mapping[str, Any]:
    try:
        found = plain_yaml().load(_text_of(path))
    except (YAMLError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _hint(name: str, known: Any, nothing: str) -> str:
    return did_you_mean(name, known).strip() or f"Known: {', '.join(known) or nothing}."
