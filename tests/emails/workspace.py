"""A workspace for mails: the starter's own layouts and parts, and whatever templates a test writes beside them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import copytree
from typing import Any

from hypothesis import HealthCheck, settings

from nurture.rendering.compiling import CompiledMail, RenderedMail, Urls, compile_mail
from nurture.rendering.loading import Reading, read_template
from nurture.rendering.source import MailSource

#: A property may take as long as a busy machine needs; how long is no part of what it promises.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

STARTER = Path(__file__).parents[2] / "templates"

CONTEXT: Mapping[str, Mapping[str, Any]] = {
    "contact": {"first_name": "Ana", "company": "Lee & Sons", "email": "ana@reader.example", "city": None},
    "owner": {"name": "Bob Ray", "email": "bob@sender.example", "signature": "Bob Ray\nUptime Ltd · +44 20 7946 0000"},
    "sender": {
        "name": "Bob Ray",
        "email": "bob@sender.example",
        "postal_address": "Uptime Ltd, 1 Dock Road, London E16 1AA",
        "signature": "Bob Ray\nUptime Ltd · +44 20 7946 0000",
    },
    "mail": {
        "title": "The Uptime Letter",
        "number": 12,
        "topic_label": "Maintenance",
        "reason": "You get this because you asked for our benchmark.",
        "question": {
            "text": "When would fewer stops help you most?",
            "answers": [{"label": "This quarter"}, {"label": "This year"}, {"label": "There is no date & no hurry"}],
        },
    },
}


def urls(*, is_tracked: bool = True, click: Callable[[int], str] | None = None) -> Urls:
    """Addresses that are easy to recognize in a rendered mail."""
    return Urls(
        is_tracked=is_tracked,
        open="https://n.example/o/T.gif",
        click=click or (lambda number: f"https://n.example/c/T/{number}"),
        leave="https://n.example/u/T",
        preferences="https://n.example/preferences/T",
        view="https://n.example/view/T",
        wish=lambda wish: f"https://n.example/wish/T/{wish}",
        answer=lambda number: f"https://n.example/answer/T/{number}",
        form=lambda name: f"https://n.example/subscribe/{name}/for/T",
        share=lambda name: f"https://n.example/subscribe/{name}?from=referral",
    )


class Mails:
    """A templates folder of its own for one test."""

    def __init__(self, folder: Path) -> None:
        self.templates = folder / "templates"
        for name in ("layouts", "parts"):
            copytree(STARTER / name, self.templates / name)

    def write(self, name: str, text: str) -> None:
        path = self.templates / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(self, name: str, text: str | None = None, **wanted: Any) -> Reading:
        """Read a mail, written first if its text is given."""
        if text is not None:
            self.write(name, text)
        stem = name.rsplit(".", 1)[0]
        return read_template(self.templates, stem, **({"subject": "Hello"} | wanted))

    def compile(self, name: str, text: str, **wanted: Any) -> CompiledMail:
        return compile_mail(self.read(name, text, **({"is_campaign": False} | wanted)).get_source())

    def problems(self, name: str, text: str | None = None, **wanted: Any) -> list[str]:
        """What is wrong with it, each as an author sees it, behind its code."""
        found = self.read(name, text, **({"is_campaign": False} | wanted)).problems
        return [f"{problem.code} {problem}" for problem in found]


def in_body(text: str) -> str:
    """A whole MJML document around the content of one column."""
    return f"<mjml><mj-body><mj-section><mj-column>{text}</mj-column></mj-section></mj-body></mjml>"


def compile_column(text: str, *, subject: str = "Hello", preheader: str = "") -> CompiledMail:
    """A compiled mail from the content of one column, without any file."""
    return compile_mail(MailSource("templates/x.mjml", subject, preheader, in_body(text)))


def render_column(
    text: str, context: Mapping[str, Any] = CONTEXT, *, subject: str = "Hello", is_tracked: bool = False
) -> RenderedMail:
    return compile_column(text, subject=subject).render(context, urls(is_tracked=is_tracked))
