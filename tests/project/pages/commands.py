"""docs/cli.md: every command with its arguments, options and example, from the command line itself."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer
import typer.main

from nurture.cli.main import app
from tests.project.pages.markdown import NOTICE, code, fenced, table

_INTRODUCTION = """\
# Commands

`nurture` works on the workspace in the present folder; `nurture --workspace DIR …`, or `NURTURE_WORKSPACE=DIR`, names
another. Facts go to stdout and everything else to stderr. With `--json` stdout is one JSON document, or empty. What went
wrong is said on stderr: the exit code is 1, or 2 when the command itself was typed wrongly.
"""
#: How a value is asked for, where the command line itself would show a type of Python.
_VALUES = {
    "<str>": "TEXT", "<path>": "PATH", "<int>": "N", "<int range>": "N", "<float>": "NUMBER", "<float range>": "NUMBER",
    "<list[str]>": "TEXT", "<list[Path]>": "PATH", "<list[path]>": "PATH",
}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """An argument or an option as people type it, and what it is for."""

    typed: str
    meaning: str
    is_argument: bool
    is_required: bool


@dataclass(frozen=True)
class Command:
    """One command that can be typed."""

    name: str
    text: str
    example: str
    parameters: tuple[Parameter, ...]

    @property
    def usage(self) -> str:
        """The line that says what to type."""
        options = [one for one in self.parameters if not one.is_argument]
        words = [one.typed if one.is_required else f"[{one.typed}]" for one in self.parameters if one.is_argument]
        required = [one.typed for one in options if one.is_required]
        rest = ["[OPTIONS]"] if any(not one.is_required for one in options) else []
        return " ".join([self.name, *words, *required, *rest])


def every_command() -> list[Command]:
    """All commands, in the order in which `nurture --help` names them."""
    return list(_walk(*_root()))[1:]


def _root() -> tuple[Any, Any]:
    root = typer.main.get_command(app)
    return root, typer.Context(root, info_name="nurture")


def _walk(command: Any, context: Any) -> Iterator[Command]:
    """The command itself unless it only gathers others, then those below it."""
    below = getattr(command, "commands", {})
    if not below or getattr(command, "invoke_without_command", False):
        yield _read(command, context)
    for name, one in below.items():
        yield from _walk(one, typer.Context(one, info_name=name, parent=context))


def _read(command: Any, context: Any) -> Command:
    text, _, example = inspect.cleandoc(inspect.getdoc(command.callback) or "").partition("Example: ")
    parameters = tuple(_parameter(one, context) for one in command.get_params(context) if one.name != "help")
    return Command(context.command_path, text.strip(), " ".join(example.split()), parameters)


def _parameter(one: Any, context: Any) -> Parameter:
    typed, meaning = one.get_help_record(context)
    for shown, value in _VALUES.items():
        typed = typed.replace(f" {shown}", f" {value}")
    meaning = re.sub(r"\s*\[[^\]]*\]$", "", meaning)
    is_argument = one.param_type_name == "argument"
    if is_argument:
        typed = typed.split()[0].removesuffix("...").upper() + (" …" if one.nargs == -1 else "")
    default = one.default
    if isinstance(default, int | float | str) and not isinstance(default, bool) and default not in {"", -1}:
        meaning += f" Default: {code(str(default))}."
    if one.secondary_opts:
        meaning += f" Default: {code((one.opts if default else one.secondary_opts)[0])}."
    return Parameter(typed, meaning, is_argument, bool(one.required))


def _section(command: Command) -> str:
    parts = [f"## {command.name}", command.text, fenced(command.usage)]
    if command.parameters:
        parts.append(table(("", "what it is"), map(_row, command.parameters)))
    if command.example:
        parts += ["For example:", fenced(command.example, "sh")]
    return "\n\n".join(parts)


def _row(one: Parameter) -> tuple[str, str]:
    return code(one.typed), f"{one.meaning} Required." if one.is_required and not one.is_argument else one.meaning


def page() -> str:
    """The whole page."""
    commands = every_command()
    overview = table(("command", "what it does"), [(_link(one), _first_sentence(one.text)) for one in commands])
    general = table(("before any command", "what it is"), map(_row, _read(*_root()).parameters))
    return "\n\n".join([NOTICE, _INTRODUCTION.strip(), general, overview, *map(_section, commands)]) + "\n"


def _link(command: Command) -> str:
    return f"[{code(command.name)}](#{command.name.replace(' ', '-')})"


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\.)\s", " ".join(text.split()), maxsplit=1)[0]
