"""`nurture tasks`: what sequences ask colleagues to do."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, read_id, say, table
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.contacts.store import Contact, Operator
    from nurture.handoff.store import Task

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    tasks = typer.Typer(invoke_without_command=True)
    tasks.callback()(show_tasks)
    tasks.command("done")(done)
    app.add_typer(tasks, name="tasks")


def show_tasks(
    context: typer.Context,
    owner: Annotated[str, typer.Option(metavar="EMAIL", help="Only those of this colleague.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also those that are done.")] = False,
    as_json: Json = False,
) -> None:
    """List what is to be done about whom, the most urgent first.

    Example: nurture tasks --owner luis@acme.example
    """
    if context.invoked_subcommand:
        return
    from nurture.contacts.store import list_operators
    from nurture.errors import NotFound, did_you_mean
    from nurture.handoff.store import list_tasks

    with opened() as house:
        now = house.clock.now()
        with house.database.reading() as session:
            known = [one.email for one in list_operators(session).values()]
            if owner and owner.lower() not in {one.lower() for one in known}:
                raise NotFound(f"{owner} is no operator of settings.toml.{did_you_mean(owner, known)}")
            found = list_tasks(session, owner=owner, with_done=everything)
    if as_json:
        emit([as_document(*one) for one in found])
        return
    table(
        ("id", "who", "what", "for", "due", "because"),
        [
            (
                str(task.id),
                contact.email if contact else task.domain,
                task.what,
                operator.name if operator else "nobody yet",
                _due(task, now),
                task.because,
            )
            for task, contact, operator in found
        ],
        empty="Nothing to do. A `task` step of a sequence leaves work here, and so does a target account.",
    )


def _due(task: "Task", now: Any) -> str:
    from nurture.timing import in_words

    if task.done_at is not None:
        return f"done {task.done_at:%Y-%m-%d %H:%M}"
    return f"in {in_words(task.due_at - now)}" if task.due_at >= now else f"overdue by {in_words(now - task.due_at)}"


def as_document(task: "Task", contact: "Contact | None", operator: "Operator | None") -> dict[str, Any]:
    """A task as scripts read it; one about a company has no address."""
    return {
        "id": str(task.id), "email": contact.email if contact else None, "company": task.domain, "owner": operator.email if operator else None, "what": task.what,
        "because": task.because, "created_at": task.created_at, "due_at": task.due_at, "done_at": task.done_at,
    }  # fmt: skip


def done(
    task: Annotated[str, typer.Argument(help="The task's id.")],
    as_json: Json = False,
) -> None:
    """Say that a task is done.

    Example: nurture tasks done 195964323924347425
    """
    from nurture.handoff.tasks import complete

    number = read_id(task, "task", "nurture tasks")
    with opened() as house, house.database.writing() as session:
        completed = complete(session, number, house.clock.now())
    if as_json:
        emit({"id": str(completed.id), "done_at": completed.done_at})
    else:
        say(f"Done: {completed.what}")
