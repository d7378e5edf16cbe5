"""What every command has in common: help with an example that works, and one sentence for what does not."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from nurture import __version__
from nurture.cli import main
from tests.cli.conftest import NUMBER
from tests.support.relays import SmtpRelay
from tests.support.terminals import Terminal


def all_commands() -> Iterator[tuple[str, ...]]:
    """Every command there is, as words."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, inner in getattr(command, "commands", {}).items():
            if not getattr(inner, "commands", {}) or inner.invoke_without_command:
                yield (*words, name)
            yield from walk(inner, (*words, name))

    yield from walk(get_command(main.app), ())


COMMANDS = sorted(all_commands())
#: Takes a minute, and has a test of its own.
SLOW = {("demo",)}
#: Only a lead that was accepted is won or lost, only a key that was made is used, only one that signs is replaced.
FIRST: dict[tuple[str, ...], list[tuple[str, ...]]] = {
    ("lead", "won"): [("lead", "accept", str(NUMBER))],
    ("lead", "lost"): [("lead", "accept", str(NUMBER))],
    ("dkim", "use"): [("dkim", "create")],
    ("dkim", "rotate"): [("dkim", "create"), ("dkim", "use", "--unseen")],
}
#: What it asks at a terminal, and the relay it talks to there, no test has.
ANSWERS = {("connect",): ("--username", "AKIA", "--password-file", "password.txt", "--no-test")}


def example_in(help_text: str) -> list[str]:
    """The words of the example, which stands on one line so that it can be copied."""
    found = re.search(r"^  Example: nurture (.+)$\n\s*$", help_text, re.MULTILINE)
    assert found is not None, help_text
    return shlex.split(found[1])


def test_the_commands_of_the_design_are_there() -> None:
    assert {" ".join(words) for words in COMMANDS} >= {
        "init", "demo", "check", "publish", "contacts import", "contacts add", "contacts show", "contacts list",
        "contacts tag", "contacts export", "enroll", "opt-out", "simulate", "preview", "send-test", "run", "deliveries",
        "deliveries resolve", "leads", "lead accept", "lead reject", "lead meeting", "lead won", "lead lost",
        "score explain", "pause", "resume", "doctor", "database upgrade",
    }  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_example_in_the_help_of_a_command_works(words: tuple[str, ...], house: Terminal, relay: SmtpRelay) -> None:
    out, err = house.type(*words, "--help")
    assert err == ""
    example = example_in(out)
    assert tuple(example[: len(words)]) == words
    if words in SLOW:
        return
    house.set(NURTURE_SMTP__PORT=str(relay.port))
    for first in FIRST.get(words, []):
        house.type(*first)
    if words == ("rollback",):
        path = house.workspace / "campaigns" / "sequences" / "evaluators.yaml"
        house.write(path.read_text(encoding="utf-8").replace("priority: 60", "priority: 61"), str(path))
        house.type("publish")
    house.write("email\ndan@reader.example\n", "customers.csv")
    if words == ("suppression", "import"):
        house.write("dan@reader.example\n", "do-not-mail.txt")
    if words == ("suppression", "lift"):
        house.type("suppression", "add", "competitor.example", "--because", "asked by their lawyer")
    if words in ANSWERS:
        house.write("hush", "password.txt")
        example += ANSWERS[words]
    code = {"doctor": 1}.get(example[0], 0)  # acme.example has no SPF record
    out, _ = house.type(*example, code=code)
    if "--json" in example:
        json.loads(out)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_fits_a_terminal_and_speaks_in_sentences(words: tuple[str, ...], terminal: Terminal) -> None:
    out, _ = terminal.type(*words, "-h")
    lines = [line for line in out.splitlines() if "Example: " not in line]
    assert max(map(len, lines)) <= 80
    assert re.search(r"\n\n  [A-Z][^\n]+", out)
    assert re.findall(r"^  -.+", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["chek"], 'nurture: there is no command "chek". Did you mean "check"? Type `nurture --help`.'),
        (["zzz"], 'nurture: there is no command "zzz". Type `nurture --help`.'),
        (["contacts", "improt"], 'nurture contacts: there is no command "improt". Did you mean "import"? Type `nurture contacts --help`.'),
        (["deliveries", "resolv", "1"], 'nurture deliveries: there is no command "resolv". Did you mean "resolve"? Type `nurture deliveries --help`.'),
        (["check", "--jsno"], 'nurture check: there is no option --jsno. Did you mean "--json"? Type `nurture check --help`.'),
        (["run", "--prot", "1"], 'nurture run: there is no option --prot. Did you mean "--port"? Type `nurture run --help`.'),
        (["enroll"], "nurture enroll: missing argument 'sequence'. Type `nurture enroll --help`."),
        (["send-test", "x"], "nurture send-test: missing option '--to'. Type `nurture send-test --help`."),
        (["pause", "weekly", "now"], "nurture pause: got unexpected extra argument(s) (now). Type `nurture pause --help`."),
        (["run", "--port", "eighty"], "nurture run: --port: write a whole number. Type `nurture run --help`."),
        (["run", "--port"], "nurture: option '--port' requires an argument. Type `nurture --help`."),
        (["contacts", "list", "--limit", "-1"], "nurture contacts list: --limit: write 0 or more. Type `nurture contacts list --help`."),
        (["deliveries", "--limit", "99999999999999999999"], "nurture deliveries: --limit: write 1000000000 or less. Type `nurture deliveries --help`."),
        (["run", "--port", "99999"], "nurture run: --port: write 65535 or less. Type `nurture run --help`."),
        (["run", "--port", "-1"], "nurture run: --port: write 0 or more. Type `nurture run --help`."),
        (["allow", "weekly", "--people", "99999999999999999999"], "nurture allow: --people: write 1000000000 or less. Type `nurture allow --help`."),
        (["rollback", "evaluators", "--to", "99999999999999999999"], "nurture rollback: --to: write 1000000000 or less. Type `nurture rollback --help`."),
        (["lead", "won", "1", "--amount", "inf"], "nurture lead won: --amount: write a number in digits. Type `nurture lead won --help`."),
        (["demo", "--port", "99999"], "nurture demo: --port: write 65535 or less. Type `nurture demo --help`."),
        (["demo", "--weeks", "99"], "nurture demo: --weeks: write 52 or less. Type `nurture demo --help`."),
        (["lead", "won", "1", "--amount", "much"], "nurture lead won: --amount: write a number. Type `nurture lead won --help`."),
        (["check", "--format", "jsno"], 'nurture check: --format: "jsno" is not one of text, json, github. Did you mean "json"? Type `nurture check --help`.'),
    ],
)  # fmt: skip
def test_wrong_usage_ends_with_one_sentence_and_exit_2(terminal: Terminal, words: list[str], sentence: str) -> None:
    assert terminal.refused(*words, code=2) == sentence


@pytest.mark.parametrize("words", [[], ["contacts"], ["lead"], ["score"], ["newsletter"], ["database"]])
def test_a_noun_without_a_verb_shows_its_verbs(terminal: Terminal, words: list[str]) -> None:
    out, err = terminal.type(*words, code=2)
    assert out == ""
    assert err.startswith("Usage: nurture")
    assert "Commands:" in err


def test_the_version_is_said(terminal: Terminal) -> None:
    assert terminal.type("--version")[0] == f"nurture {__version__}\n"


NEEDS_A_WORKSPACE = [
    ["check"], ["publish"], ["contacts", "list"], ["contacts", "show", "a@b.example"], ["enroll", "x", "a@b.example"],
    ["opt-out", "a@b.example"], ["deliveries"], ["leads"], ["run", "--once"], ["pause"], ["resume"], ["doctor"],
    ["preview", "report"], ["simulate", "evaluators"], ["newsletter", "show", "weekly"], ["lead", "accept", "1"],
]  # fmt: skip


@pytest.mark.parametrize("words", NEEDS_A_WORKSPACE, ids=" ".join)
def test_outside_a_workspace_every_command_says_how_to_make_one(terminal: Terminal, words: list[str]) -> None:
    (terminal.workspace / "settings.toml").unlink()
    said = terminal.refused(*words)
    assert said == f"{terminal.workspace}: there is no settings.toml here; `nurture init` makes a workspace."


def test_a_mistake_in_the_settings_stops_every_command_with_its_line(terminal: Terminal) -> None:
    terminal.edit("settings.toml", "[senders]", "[sneders]")
    assert terminal.refused("deliveries").startswith("settings.toml:2: sneders: there is no such setting.")


def test_a_variable_that_is_no_setting_is_named(terminal: Terminal) -> None:
    terminal.set(NURTURE_SMTP__PROT="25")
    said = terminal.refused("check")
    assert said == 'NURTURE_SMTP__PROT: there is no such setting. Did you mean "NURTURE_SMTP__PORT"?'


def test_a_moved_clock_is_said_on_stderr_by_every_command_and_leaves_json_alone(house: Terminal) -> None:
    house.set(NURTURE_CLOCK__OFFSET="21 days")
    out, err = house.type("deliveries", "--json")
    assert json.loads(out)
    assert re.fullmatch(r"Rehearsal: the present is moved by 21 days, to \d{4}-\d\d-\d\d \d\d:\d\d UTC\.\n", err)


WITH_TABLES = [["contacts", "list"], ["contacts", "show", "ana@reader.example"], ["deliveries"], ["leads"],
               ["newsletter", "left-out", "weekly"], ["score", "explain", "ana@reader.example"],
               ["simulate", "evaluators"]]  # fmt: skip


@pytest.mark.parametrize("words", WITH_TABLES, ids=" ".join)
def test_in_a_pipe_everything_is_plain_lines(house: Terminal, words: list[str]) -> None:
    out, _ = house.type(*words)
    assert out.strip()
    assert "\x1b" not in out
    assert all(line == line.rstrip() for line in out.splitlines())


def test_a_row_is_one_line_however_long_it_is(house: Terminal) -> None:
    company = "Reader and Sons " * 20
    house.type("contacts", "add", "eve@reader.example", "--company", company, "--first-name", "Eve")
    [line] = [line for line in house.type("contacts", "list")[0].splitlines() if "eve@reader.example" in line]
    assert company.strip() in line
