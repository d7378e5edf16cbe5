"""What `nurture run` writes down: a line of pairs for each event, and nobody's address."""

import logging
import re
import shlex
import signal
import urllib.error
import urllib.request

import pytest

from nurture.cli.logs import logging_on_stderr
from tests.support.commands import CommandLine
from tests.support.relays import SmtpRelay
from tests.support.terminals import Terminal

log = logging.getLogger("nurture.somewhere")


def pairs_of(line: str) -> dict[str, str]:
    """A line as it can be read by a program."""
    return dict(word.split("=", 1) for word in shlex.split(line))


def test_a_run_writes_down_what_it_did_and_which_routes_were_asked_for(working: Terminal, relay: SmtpRelay) -> None:
    token = "b3BlbiBzZXNhbWUsIG5vYm9keSBrbm93cw"
    process = CommandLine(working.workspace, {"NURTURE_SMTP__PORT": str(relay.port)}).start("run", "--port", "0")
    assert process.stdout is not None
    assert process.stderr is not None
    address = process.stdout.readline().split()[2].rstrip(".")
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{address}/u/{token}?e=ana@reader.example", timeout=10)
    lines: list[str] = []
    while not all(word in "".join(lines) for word in (" sent=", " route=", " advanced=")):
        lines.append(process.stderr.readline())
    process.send_signal(signal.SIGTERM)
    lines += process.communicate(timeout=30)[1].splitlines()
    found = [pairs_of(line) for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["time"]) for one in found)
    assert {one["level"] for one in found} == {"info"}
    assert {one["logger"].partition(".")[0] for one in found} == {"nurture"}
    [asked] = [one for one in found if one["logger"] == "nurture.web.access"]
    assert (asked["method"], asked["route"], asked["status"]) == ("GET", "/u/{token}", "404")
    assert sum(int(one.get("sent", 0)) for one in found) == len(relay.arrived) > 0
    assert token not in "".join(lines)
    assert "@" not in "".join(lines)


def test_a_run_that_is_told_to_warn_only_says_nothing_of_what_goes_well(working: Terminal, relay: SmtpRelay) -> None:
    environment = {"NURTURE_SMTP__PORT": str(relay.port), "NURTURE_LOG__LEVEL": "warning"}
    process = CommandLine(working.workspace, environment).start("run", "--port", "0")
    assert process.stdout is not None
    address = process.stdout.readline().split()[2].rstrip(".")
    assert urllib.request.urlopen(f"{address}/healthz", timeout=10).status == 200
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[1] == ""


def test_running_once_tells_no_more_than_warnings(working: Terminal) -> None:
    working.set(NURTURE_LOG__LEVEL="debug")
    assert working.type("run", "--once", "--json")[1] == ""


def test_a_line_names_the_delivery_and_strikes_out_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_on_stderr("info"):
        try:
            raise ValueError('<ana@reader.example>: "no such user"')
        except ValueError:
            log.exception("it went wrong for %s", "ben@reader.example", extra={"delivery": 17})
    [line] = capsys.readouterr().err.splitlines()
    found = pairs_of(line)
    assert (found["level"], found["logger"], found["delivery"]) == ("error", "nurture.somewhere", "17")
    assert found["message"] == "it went wrong for …"
    assert found["traceback"].endswith('ValueError: <…>: "no such user"')


def test_afterwards_logging_is_as_it_was_before(capsys: pytest.CaptureFixture[str]) -> None:
    before = (logging.getLogger().handlers[:], logging.getLogger("nurture").level)
    with logging_on_stderr("debug"):
        log.debug("inside")
        logging.getLogger("apscheduler.executors").info("a line per second")
    assert (logging.getLogger().handlers, logging.getLogger("nurture").level) == before
    assert capsys.readouterr().err.count("\n") == 1
