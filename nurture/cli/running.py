"""`nurture run` and `nurture demo`: the house at work."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli.output import emit, say, warn
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    app.command("run")(run)
    app.command("demo")(demo)


def run(
    once: Annotated[bool, typer.Option("--once", help="Do all that is due now, then exit.")] = False,
    host: Annotated[str, typer.Option(help="The address to listen on; default: web.host.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port to listen on; default: web.port, 0: any.")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=64, metavar="N", help="So many processes beside this one send; 0: this one does.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Run everything in one process: web server, scheduler and sender; stop it with Ctrl-C or SIGTERM.

    With --workers N this process decides and listens, and N more send, each over smtp.connections connections. One that
    dies is replaced; all of them end with this one.

    With --once it enrolls, scores, advances and sends until nothing is due at the instant it began with, and exits 0 even
    if mails failed; a cron job can drive the house that way. Windows, caps and pacing hold, and it says how many mails
    wait for them.

    Example: nurture run --once --json
    """
    from nurture.cli.logs import logging_on_stderr
    from nurture.errors import BadInput

    if once and workers:
        raise BadInput("--workers: with --once this process sends, and ends; leave one of the two out.")
    with opened() as house:
        level = house.settings.log.level
        with logging_on_stderr("warning" if once and level != "error" else level):
            if once:
                _run_once(house, as_json=as_json)
            else:
                web = house.settings.web
                _run(house, host or web.host, web.port if port is None else port, workers)


def _run_once(house: "App", *, as_json: bool) -> None:
    from nurture.cli.briefing import words_of_pause
    from nurture.delivery import store
    from nurture.delivery.waiting import list_waiting
    from nurture.engines.local import run_once

    now = house.clock.now()
    done = run_once(house.workshop(), now)
    with house.database.reading() as session:
        waiting = list_waiting(session, now)
        refused = store.count_settled_since(session, now, "refused")
        pause = words_of_pause(session)
    words = ("enrolled", "advanced", "sent", "deferred", "failed", "refused", "held", "uncertain")
    counts = {word: done.counts[word] for word in words}
    counts["refused"], counts["held"] = refused, sum(one.count for one in waiting)
    calls = {word: done.counts[word] for word in ("called", "calls_put_off", "calls_failed", "calls_refused")}
    if as_json:
        emit(counts | calls)
    else:
        say(", ".join(f"{counts[word]:,} {word}" for word in words) + ".")
        if any(calls.values()):
            say(", ".join(f"{count:,} {word.replace('_', ' ')}" for word, count in calls.items() if count) + ".")
    if pause:
        warn(pause)
    if done.caught_up:
        warn(str(done.caught_up))
    for one in waiting:
        warn(str(one))
    if done.relay_down:
        warn(f"The relay cannot be reached, so mail waits in the queue: {done.relay_down}.")


def _run(house: "App", host: str, port: int, workers: int) -> None:
    from nurture.cli.briefing import brief
    from nurture.cli.sending import keep_working, send
    from nurture.engines.local import LocalEngine
    from nurture.engines.processes import SenderProcesses
    from nurture.engines.stopping import Stopping
    from nurture.tracking.recorder import Recorder
    from nurture.web.server import WebServer, make_asgi

    stopping = Stopping()
    recorder = Recorder(house.database, house.clock)
    senders = SenderProcesses(workers, send, (house.folder, house.settings), house.clock) if workers else None
    at_work = [lambda: senders.in_words] if senders else []
    web = WebServer(make_asgi(house, recorder, at_work=at_work), host=host, port=port)
    listener = house.listener()
    doors: list[Any] = [recorder, web, *([listener] if listener else [])]
    started: list[Any] = []
    with stopping.on_signals():
        try:
            for part in doors:
                part.start()
                started.append(part)
            say(f"Listening on http://{host}:{web.port}. Ctrl-C stops.")
            brief(house, stopping)
            keep_working(
                lambda: LocalEngine(house.workshop(), sends=not workers, stopping=stopping), started, stopping, senders
            )
            say("Stopping: the messages at hand are finished first. A second signal ends it at once.")
        finally:
            # Nothing new is decided or sent first, then nobody is let in any more, then what they did is stored.
            for part in reversed(started):
                part.stop()


def demo(
    weeks: Annotated[int, typer.Option(min=2, max=52, help="How many weeks to live through.")] = 8,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Stay up afterwards, to look around.")] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port of the pages; 0: any.")] = 8000,
    as_json: Json = False,
) -> None:
    """Live through weeks of nurture in about a minute, with real SMTP and real HTTP.

    A few hundred invented people get the announcement, some leave, scanners fetch every link, people read and click, a few
    become sales-ready. Afterwards the inbox and the overview stay up until Ctrl-C.

    Example: nurture demo --weeks 4 --no-serve
    """
    from nurture.demo.story import play

    summary = play(weeks=weeks, port=port, serve=serve and not as_json, quiet=as_json)
    if as_json:
        emit(summary)
