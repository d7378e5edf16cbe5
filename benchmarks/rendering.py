"""What a message costs: written ahead, against sandboxed Jinja and the standard library's EmailMessage.

`python -m benchmarks.rendering` writes a newsletter of 30 kB with 12 links to 400 readers, every value of theirs of its own
and beyond ASCII, both ways by turns on one core, and prints the processor time a message takes and the ratio.

`python -m benchmarks.rendering FOLDER` takes every MJML and HTML file below a folder for a newsletter, greets its reader by
name, fills `{{ fields }}`, and prints for each whether it can be written ahead, how much of it is the same for all, the
ratio, and whether both ways read the same.
"""

import email
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path
from time import process_time_ns
from typing import Any

from nurture.delivery.printed_urls import make_urls
from nurture.rendering.compiling import CompiledMail, Urls, compile_mail
from nurture.rendering.loading import read_template
from nurture.rendering.message import Headers, Letterhead
from nurture.rendering.source import MailSource, TemplateError
from nurture.rendering.wire import WireMail, compile_wire
from nurture.tokens import TokenKeys

KEYS = TokenKeys(["a secret of nobody"])
LETTERHEAD = Letterhead(
    "Bob Ray",
    "bob@uptime.example",
    datetime(2026, 3, 10, 9, 30, tzinfo=UTC),
    (("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"), ("List-Id", "<letter.uptime.example>")),
)
READERS = 400
ROUNDS = 5
STEMS = ("Жанна", "Søren", "Łukasz", "Βασιλική", "Zoë", "François", "Jürgen", "Nuño")
ARTICLE = """\
<mj-text><h2>Question {n}: what does {{{{ contact.company }}}} do when the plan breaks?</h2></mj-text>
<mj-text>{{{{ contact.first_name }}}}, we asked two hundred plants how they find the orders that still may move, and who says so.
In {{{{ contact.city | fallback("your town") }}}} nobody has to be told that a plan is broken by ten o'clock: what matters is what
is done next, by whom, and how often. Most of what was written about it tells what a plan should be; we wanted to know what is
left of it on a Tuesday, when a machine stands still, two people are ill and the steel comes a day late. Three of those plants changed one thing each, and wrote down what became of it. Read <a
href="https://uptime.example/plants/{n}?from=letter&amp;part=1">what the first one did</a>, and <a
href="https://uptime.example/plants/{n}/numbers">their numbers</a> before and after it.</mj-text>
<mj-button href="https://uptime.example/questions/{n}">Read about question {n}</mj-button>
{{% if contact.industry == "metal" %}}<mj-text>For metal works: set-up times count double here.</mj-text>{{% endif %}}
"""
LETTER = (
    "<mjml><mj-body>"
    "<mj-section><mj-column><mj-text>Hello {{ contact.first_name }} {{ contact.last_name }},</mj-text>"
    "</mj-column></mj-section>"
    + "".join(
        f"<mj-section><mj-column>{ARTICLE.format(n=n)}</mj-column></mj-section>" for n in range(1, 5)
    )
    + '<mj-section><mj-column><mj-text>{{ sender.name }}<br />{{ sender.postal_address }}</mj-text><mj-text><a '
    'href="{{ preferences_url }}">What you get</a> · <a href="{{ leave_url }}">Leave</a></mj-text></mj-column></mj-section>'
    "</mj-body></mjml>"
)  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """One of many, with addresses as a delivery has them."""

    context: Mapping[str, Mapping[str, Any]]
    urls: Urls
    headers: Headers


def reader(number: int, fields: frozenset[str] = frozenset()) -> Reader:
    """Everything of theirs is theirs alone."""
    token = f"{number:032x}"[::-1]
    stem = STEMS[number % len(STEMS)]
    return Reader(
        {
            "contact": dict.fromkeys(fields, f"{stem} {number}")
            | {
                "first_name": f"{stem}{number}",
                "last_name": f"О’Нил-{number}",
                "company": f"Gebrüder {stem} & Söhne {number}",
                "city": f"Łódź {number}",
                "industry": "metal" if number % 2 else "food",
            },
            "owner": {},
            "sender": {"name": "Bob Ray", "postal_address": "Uptime Ltd, 1 Dock Road, London"},
            "mail": {},
        },
        make_urls(KEYS, "https://news.uptime.example", number, token, is_tracked=True),
        Headers(
            LETTERHEAD,
            to_name=f"{stem} {number}",
            to_email=f"reader{number}@plant.example",
            message_id=f"<{token}@uptime.example>",
            extra=(("List-Unsubscribe", f"<https://news.uptime.example/u/{token}{token[:24]}>"),),
        ),
    )


def by_the_standard_library(mail: CompiledMail, to: Reader) -> bytes:
    """The plain path."""
    rendered = mail.render(to.context, to.urls)
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{LETTERHEAD.from_name} <{LETTERHEAD.from_email}>"
    message["To"] = f"{to.headers.to_name} <{to.headers.to_email}>"
    message["Subject"] = rendered.subject
    message["Date"] = LETTERHEAD.date
    message["Message-ID"] = to.headers.message_id
    for name, value in (*to.headers.extra, *LETTERHEAD.shared):
        message[name] = value
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    return message.as_bytes()


def parsed(content: bytes) -> tuple[str, str, str]:
    """Subject, HTML and text as a mail program reads them."""
    message = email.message_from_bytes(content, policy=default)
    found = [part.get_content() for part in message.walk() if not part.is_multipart()]
    text, page = (content.replace("\r\n", "\n").rstrip("\n") for content in found)
    return str(message["Subject"]), page, text


@dataclass(frozen=True)
class Measured:
    """Microseconds of the processor a message takes, both ways; `alike` of how many read the same."""

    plain: float
    ahead: float
    size: int
    alike: int


def measure(mail: CompiledMail, wire: WireMail, readers: list[Reader], rounds: int) -> Measured:
    """Both ways by turns; the quietest round of each counts."""
    plain, ahead = [], []
    few = readers[:: max(1, len(readers) // 40)]  # what costs milliseconds is asked less often
    for _ in range(rounds):
        began = process_time_ns()
        for to in few:
            by_the_standard_library(mail, to)
        between = process_time_ns()
        for to in readers:
            wire.write(to.context, to.urls, to.headers)
        ahead.append((process_time_ns() - between) / 1000 / len(readers))
        plain.append((between - began) / 1000 / len(few))
    alike = sum(parsed(message_of(wire, to)) == parsed(by_the_standard_library(mail, to)) for to in readers)
    return Measured(min(plain), min(ahead), len(message_of(wire, readers[0])), alike)


def message_of(wire: WireMail, to: Reader) -> bytes:
    """The message written ahead."""
    return wire.write(to.context, to.urls, to.headers).content


def newsletter() -> None:
    """The one of 30 kB."""
    mail = compile_mail(MailSource("letter.mjml", "{{ contact.first_name }}, four questions", "For you", LETTER))
    began = process_time_ns()
    wire = compile_wire(mail)
    spent = (process_time_ns() - began) / 1e6
    found = measure(mail, wire, [reader(number) for number in range(READERS)], ROUNDS)
    print(f"{found.size:,} bytes, {len(mail.links)} links, {wire.expressions} expressions, {wire.share:.1%} the same")
    print(f"compiled in {spent:.1f} ms, once per version")
    print(f"Jinja and the standard library   {found.plain:8.1f} µs a message")
    print(f"written ahead                    {found.ahead:8.1f} µs a message")
    print(f"ratio                            1/{found.plain / found.ahead:.0f}   alike {found.alike}/{READERS}")


# Any folder.


def mails_of(folder: Path) -> Iterator[tuple[Path, MailSource | str]]:
    """Each file as a mail, or why it is none."""
    subject = "{{ contact.first_name }}, a letter"
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        try:
            if path.suffix == ".mjml":
                found = read_template(
                    folder, name.removesuffix(".mjml"), subject=subject, is_campaign=False
                ).get_source()
                greeted = re.sub(r"<mj-text\b[^>]*(?<!/)>", r"\g<0>{{ contact.first_name }}: ", found.body, count=1)
                yield path, replace(found, body=greeted, subject=subject)
            elif path.suffix in {".html", ".htm"}:
                text = path.read_text(encoding="utf-8", errors="replace")
                inner = re.sub(r"(?is).*?<body\b[^>]*>|</body\s*>.*", "", text)
                inner = re.sub(r"\{\{[#/^!>][^}]*\}\}|\{\{\{?\s*else\s*\}?\}\}", "", inner)
                inner = re.sub(r"\{\{\{?\s*([\w.]+)[^}]*\}?\}\}", _as_field, inner)
                body = f"<mjml><mj-body><mj-raw><p>{{{{ contact.first_name }}}}</p>{inner}</mj-raw></mj-body></mjml>"
                yield path, MailSource(name, subject, "", body)
        except TemplateError as error:
            yield path, str(error.problems[0])


def _as_field(found: re.Match[str]) -> str:
    return f"{{{{ contact.{found[1].replace('.', '_')} }}}}"


def of_the_wild(folder: Path) -> None:
    """Every newsletter of a folder."""
    count = compiled = ahead = alike = 0
    print(f"{'file':44} {'bytes':>7} {'links':>5} {'same':>6} {'µs':>7} {'ratio':>6} alike")
    for path, source in mails_of(folder):
        count += 1
        shown = path.relative_to(folder).as_posix()[-44:]
        try:
            if isinstance(source, str):
                raise ValueError(source)  # noqa: TRY004  # it is what is wrong with the file
            mail = compile_mail(source)
        except (TemplateError, ValueError) as error:
            print(f"{shown:44} no mail: {str(error).splitlines()[0][:90]}")
            continue
        compiled += 1
        wire = compile_wire(mail)
        fields = frozenset(name.removeprefix("contact.") for name in mail.uses if name.startswith("contact."))
        readers = [reader(number, fields) for number in range(20)]
        found = measure(mail, wire, readers, 2)
        ahead += not wire.why_plain
        alike += found.alike == len(readers)
        print(
            f"{shown:44} {found.size:7,} {len(mail.links):5} {wire.share:6.1%} {found.ahead:7.1f} "
            f"1/{found.plain / found.ahead:4.0f} {found.alike}/{len(readers)} {wire.why_plain}"
        )
    print(f"{count} files, {compiled} are mails, {ahead} of them written ahead, {alike} alike")


if __name__ == "__main__":
    of_the_wild(Path(sys.argv[1])) if len(sys.argv) > 1 else newsletter()
