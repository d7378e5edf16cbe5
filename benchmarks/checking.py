"""How fast `nurture check` reads a large workspace, against parsing its YAML and compiling its MJML alone.

`python -m benchmarks.checking [SEQUENCES] [TEMPLATES]` writes a workspace of so many sequences (1,000) that send three
mails each out of so many templates (1,000, Markdown and MJML by halves, in the starter's layouts), checks it as the
command does, twice and once more after a tenth of the templates changed, and prints the processor time of all processes,
files per second of it, and the ratio to `ruamel.yaml` and `mjml-python` alone on the same files.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from mjml import mjml2html
from ruamel.yaml import YAML

from nurture.app import open_app
from nurture.campaigns.publishing import Reading
from nurture.cli.starter import write_starter
from nurture.rendering.loading import read_template

SEQUENCE = """\
format: 1
sequence: sequence-{n}
name: The sequence number {n}
topic: product-insights
enroll: {{when: in_list("list-{n}"), again: never}}
exit:
  - {{when: replied(), as: replied}}
  - {{when: stage >= "sales_ready", as: promoted}}
window: {{days: mon-fri, hours: "09:00-17:00", timezone: contact}}
late: {{within: 2 days, otherwise: skip}}
steps:
  - {{id: first, send: sequences/many/mail-{a}, kind: value}}
  - wait: 3 days
  - id: interested
    if: clicked("first")
    then:
      - {{id: second, send: sequences/many/mail-{b}, kind: value}}
    else:
      - {{tag: quiet}}
  - wait: 4 days
  - {{id: third, send: sequences/many/mail-{c}, kind: value}}
  - wait: 7 days
  - {{tag: finished-{n}}}
"""
WORDS = """\
here is what [plant number {n}](https://acme.example/plants/{n}) changed in its weekly plan, in which order, and what did
not work. You may know most of it; the third step surprised their planner.

- First they wrote down which orders really may move.
- Then they froze Wednesday to Friday, and told sales.
- Only then did they look at software.

Which of the three would you try in your own week?
"""
MARKDOWN = (
    '---\nsubject: What plant {n} changed in its week\n---\nHello {{{{ contact.first_name | fallback("there") }}}},\n\n'
    + WORDS
)
MJML = """\
---
subject: "{{{{ contact.first_name | fallback('Hello') }}}}, the plan of plant {n}"
---
{{% extends "layouts/letter.mjml" %}}
{{% block content %}}
<mj-text>Hello {{{{ contact.first_name | fallback("there") }}}},</mj-text>
<mj-text>here is what <a href="https://acme.example/plants/{n}">plant number {n}</a> changed in its weekly plan, in which
order, and what did not work. You may know most of it; the third step surprised their planner.</mj-text>
<mj-image src="https://acme.example/plants/{n}.png" alt="The week of plant {n}, before and after" />
<mj-text>Which of the three would you try in your own week?</mj-text>
{{% endblock %}}
"""


def make_workspace(folder: Path, sequences: int, templates: int) -> None:
    """The starter's settings, layouts and parts, and many sequences."""
    write_starter(folder, "Acme, 12 Example Street, Berlin")
    shutil.rmtree(folder / "templates" / "sequences")
    place = folder / "templates" / "sequences" / "many"
    place.mkdir(parents=True)
    for path in (folder / "campaigns" / "sequences").iterdir():
        path.unlink()
    shutil.rmtree(folder / "campaigns" / "newsletters")
    for n in range(templates):
        text, ending = ((MARKDOWN, "md"), (MJML, "mjml"))[n % 2]
        (place / f"mail-{n}.{ending}").write_text(text.format(n=n), encoding="utf-8")
    for n in range(sequences):
        a, b, c = ((3 * n + k) % templates for k in range(3))
        text = SEQUENCE.format(n=n, a=a, b=b, c=c)
        (folder / "campaigns" / "sequences" / f"sequence-{n}.yaml").write_text(text, encoding="utf-8")


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Processor seconds of this process and those it began: others on the machine do not count."""
    began = sum(os.times()[:4])
    result = work()
    return sum(os.times()[:4]) - began, result


def change(folder: Path) -> None:
    """Edit every tenth template."""
    for path in sorted((folder / "templates" / "sequences" / "many").iterdir())[::10]:
        path.write_text(path.read_text(encoding="utf-8").replace("changed in", "has changed in"), encoding="utf-8")


def parse_yaml(folder: Path) -> None:
    for path in (folder / "campaigns").rglob("*.yaml"):
        YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def flat_documents(folder: Path) -> list[str]:
    """The MJML of each template, as the compiler gets it."""
    templates = folder / "templates"
    names = (path.relative_to(templates).as_posix() for path in sorted((templates / "sequences").rglob("*.*")))
    sources = (read_template(templates, name).get_source() for name in names)
    return [source.body[source.body.index("<mjml") :] for source in sources]


def compile_mjml(documents: list[str]) -> None:
    for document in documents:
        mjml2html(document, fonts={})


def main() -> None:
    """Make, measure, print."""
    sequences = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    templates = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_workspace(folder, sequences, templates)
        files = sequences + templates
        documents = flat_documents(folder)
        yaml, _ = timed(lambda: parse_yaml(folder))
        mjml, _ = timed(lambda: compile_mjml(documents))
        print(f"{sequences:,} sequences, {templates:,} templates")
        print(f"parsing the YAML alone   {yaml:6.2f} s")
        print(f"compiling the MJML alone {mjml:6.2f} s")
        house = open_app(folder)
        try:
            for what in ("check", "check, unchanged", "check, a tenth changed"):
                if what == "check, a tenth changed":
                    change(folder)
                seconds, reading = timed(lambda: house.read_files(from_memory=True))
                assert isinstance(reading, Reading)
                if reading.problems:
                    raise SystemExit("\n".join(map(str, reading.problems[:5])))
                ratio = seconds / (yaml + mjml)
                print(f"{what:24} {seconds:6.2f} s   {files / seconds:6,.0f} files a second   ratio {ratio:.2f}")
        finally:
            house.close()


if __name__ == "__main__":
    main()
