"""The command line: one module per noun, gathered here. Everything heavy is imported by the command that needs it."""

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer

from nurture import __version__
from nurture.cli import (
    accounts,
    agreeing,
    allowing,
    booking,
    calendar,
    checking,
    complaining,
    connecting,
    consenting,
    contacts,
    deliveries,
    domains,
    forms,
    graphing,
    holding,
    house,
    leads,
    mails,
    outgoing,
    pausing,
    people,
    privacy,
    publishing,
    relays,
    running,
    schemas,
    segments,
    signing,
    simulating,
    suppressing,
    tasks,
    touching,
    trying,
    warming,
)
from nurture.cli.usage import keep_examples_whole, sentence_of
from nurture.cli.workspace import remember
from nurture.errors import NurtureError

app = typer.Typer(
    name="nurture",
    help="Self-hosted e-mail nurture and newsletters that sales and marketing both trust.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="The folder with settings.toml.", envvar="NURTURE_WORKSPACE")
    ] = Path(),
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,
) -> None:
    """Self-hosted e-mail nurture and newsletters that sales and marketing both trust."""
    if version:
        typer.echo(f"nurture {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)
    remember(workspace)


for module in (
    house,
    connecting,
    relays,
    contacts,
    segments,
    checking,
    schemas,
    publishing,
    people,
    suppressing,
    privacy,
    consenting,
    domains,
    accounts,
    touching,
    holding,
    agreeing,
    trying,
    signing,
    simulating,
    graphing,
    forms,
    booking,
    calendar,
    deliveries,
    mails,
    leads,
    tasks,
    outgoing,
    running,
    pausing,
    allowing,
    warming,
    complaining,
):
    module.register(app)
keep_examples_whole(app)


def run() -> None:
    """Run the command line; what went wrong is one sentence on stderr, exit 1 (2 for wrong usage)."""
    try:
        # Not standalone, so that wrong usage comes here and is told like everything else.
        sys.exit(app(standalone_mode=False) or 0)
    except NurtureError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except typer.TyperException as error:
        sys.stderr.write(f"{sentence_of(error)}\n")
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        # Ctrl-C, or Ctrl-D where something was asked.
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        sentence = _of_the_machine(error)
        if sentence is None:
            raise
        sys.stderr.write(f"{sentence}\n")
        sys.exit(1)


_OF_FILES = {
    errno.EACCES: "this user may not read or write it; give them the right to",
    errno.EPERM: "this user may not read or write it; give them the right to",
    errno.EROFS: "the disk is mounted read-only; mount it for writing",
    errno.ENOSPC: "the disk is full; make room, then type this again",
    errno.EDQUOT: "the disk quota is used up; make room, then type this again",
}


def _of_the_machine(error: Exception) -> str | None:
    """The sentence for a disk or a database that fails us, None if the error is a bug of ours."""
    if isinstance(error, OSError):
        what = _OF_FILES.get(error.errno or 0)
        return f"{error.filename or 'the disk'}: {what}." if what else None
    if "sqlalchemy" not in sys.modules:
        return None
    from nurture.database.failing import failure_of

    failure = failure_of(error)
    return str(failure) if failure else None
