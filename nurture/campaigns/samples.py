"""Readers nobody is: a mail is rendered for them before anybody gets it, so that what only shows in the result is found.

One has every field, with values as long as real ones; one has only what no contact is without. The addresses are as
long as real ones, too. `mails` asks here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nurture.conditions import Field, FieldType, Value
from nurture.rendering.compiling import CompiledMail, RenderedMail, Urls
from nurture.rendering.rules import NEVER_EMPTY
from nurture.rendering.source import RenderError

#: What every mail of a campaign knows about itself.
CAMPAIGN_MAIL = frozenset({"title", "kind", "reason", "topic_label"})

POSTAL_ADDRESS = "Northwind Trading, 12 Example Street, 10115 Berlin"
OWNER: Mapping[str, str] = {"name": "Dana Reed", "email": "dana@sample.example", "signature": "Dana Reed"}
SENDER: Mapping[str, str] = {**OWNER, "postal_address": POSTAL_ADDRESS}

_OURS = "https://news.sample.example"
_TOKEN = "Arg0g6wpCiHfyfV8rSLRwUAH"  # noqa: S105 — as long as a real one, and opens nothing
URLS = Urls(
    is_tracked=True,
    open=f"{_OURS}/o/{_TOKEN}.gif",
    click=lambda number: f"{_OURS}/c/{_TOKEN}/{number}",
    leave=f"{_OURS}/u/AgK4NIOsKQohAAAAAAAAAAAAAAAAAAAAAHcfB_CsftSAOOA",
    preferences=f"{_OURS}/preferences/{_TOKEN}",
    view=f"{_OURS}/view/{_TOKEN}",
    wish=lambda kind: f"{_OURS}/wish/{_TOKEN}/{kind}",
    answer=lambda number: f"{_OURS}/answer/{_TOKEN}/{number}",
    form=lambda name: f"{_OURS}/subscribe/{name}/for/{_TOKEN}",
    share=lambda name: f"{_OURS}/subscribe/{name}?from=referral",
)

_BY_NAME: Mapping[str, Value] = {
    "first_name": "Alexandra", "last_name": "Montgomery", "company": "Northwind Trading", "domain": "northwind.example",
    "email": "alexandra@northwind.example", "job_title": "Head of Operations", "country": "DE", "language": "en",
    "timezone": "Europe/Berlin", "owner": OWNER["email"], "stage": "lead", "source": "event", "fit": "B",
    "interest": "information",
}  # fmt: skip
_BY_TYPE: Mapping[FieldType, Value] = {
    FieldType.TEXT: "sample", FieldType.NUMBER: 7, FieldType.DATE: "2026-01-31", FieldType.FLAG: True,
}  # fmt: skip


@dataclass(frozen=True)
class Samples:
    """One mail, for somebody who has every field and for somebody who has none that may be missing."""

    full: RenderedMail
    bare: RenderedMail | None  # None: it cannot be rendered for them
    why_not: str = ""


def render_samples(compiled: CompiledMail, fields: Mapping[str, Field], about_mail: Mapping[str, Any]) -> Samples:
    """The mail for both; raises RenderError when even somebody who has everything could not get it."""
    everything = {name: _BY_NAME.get(name, _BY_TYPE[field.type]) for name, field in fields.items()}
    full = compiled.render(_context(everything, about_mail), URLS)
    nothing = {name: value if name in NEVER_EMPTY else None for name, value in everything.items()}
    try:
        return Samples(full, compiled.render(_context(nothing, about_mail), URLS))
    except RenderError as error:
        return Samples(full, None, str(error).removeprefix(f"{compiled.template}: "))


def _context(contact: Mapping[str, Any], about_mail: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "contact": contact,
        "owner": OWNER,
        "sender": SENDER,
        "mail": {**dict.fromkeys(CAMPAIGN_MAIL, "sample"), **about_mail},
    }
