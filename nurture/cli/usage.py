"""Wrong usage, told in one sentence with the nearest word there is."""

import inspect
import re
from typing import Any

import typer

from nurture.errors import did_you_mean

#: What the command line's own checks say, and what we say instead.
_WISHES = (
    (r"valid integer", "write a whole number"),
    (r"valid number", "write a number"),
    (r"greater than or equal to (\S+)", r"write {} or more"),
    (r"less than or equal to (\S+)", r"write {} or less"),
)


def keep_examples_whole(app: typer.Typer) -> None:
    """Leave the example of every command on one line, so that it can be copied."""
    for command in (*app.registered_commands, app.registered_callback):
        text = inspect.getdoc(command.callback) if command and command.callback else None
        if command and text and isinstance(command.help, str | None):
            command.help = text.replace("\nExample: ", "\n\b\nExample: ")
    for group in app.registered_groups:
        if group.typer_instance is not None:
            keep_examples_whole(group.typer_instance)


def sentence_of(error: typer.TyperException) -> str:
    """What to say about words that make no command."""
    context: Any = getattr(error, "ctx", None)
    said = error.format_message()
    if said.startswith("Usage:"):
        return said
    command = context.command_path if context is not None else "nurture"
    return f"{command}: {_wrong(error, context, said)} Type `{command} --help`."


def _wrong(error: typer.TyperException, context: Any, said: str) -> str:
    option = getattr(error, "option_name", "")
    if option and said.startswith("No such option"):
        known = [name for one in context.command.get_params(context) for name in one.opts]
        return f"there is no option {option}.{did_you_mean(option, known)}"
    if unknown := re.match(r"No such command '(.*?)'", said):
        return f'there is no command "{unknown[1]}".{did_you_mean(unknown[1], context.command.list_commands(context))}'
    if invalid := re.match(r"Invalid value for '?(.*?)'?: (.*)", said):
        wish = _wish(invalid[2])
        return f"{invalid[1]}: {wish}{'' if wish.endswith('?') else '.'}"
    return f"{said[:1].lower()}{said[1:].rstrip('.')}."


def _wish(said: str) -> str:
    for pattern, wish in _WISHES:
        if found := re.search(pattern, said):
            return wish.format(*found.groups())
    if choice := re.match(r"(?:Value error, )?'(.*)' is not one of (.*?)\.?$", said):
        known = re.findall(r"'(.*?)'", choice[2])
        return f'"{choice[1]}" is not one of {", ".join(known)}.{did_you_mean(choice[1], known)}'.rstrip(".")
    return said.rstrip(".")
