"""`nurture forms`: how many sign up and confirm; a form for another site; a form as a QR code."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli.output import emit, say, table, warn, write
from nurture.cli.workspace import opened

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.forms.rules import Form

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Name = Annotated[str, typer.Argument(metavar="FORM", help="The form, by its name in forms.yaml.")]
Label = Annotated[
    str, typer.Option("--from", metavar="LABEL", help="Where the link stands, such as booth, signature, linkedin.")
]
Owner = Annotated[str, typer.Option("--owner", metavar="OPERATOR", help="Whose page it is, by address.")]
Language = Annotated[str, typer.Option("--language", help="One of the form's; default: its first.")]


def register(app: typer.Typer) -> None:
    forms = typer.Typer()
    forms.callback(invoke_without_command=True)(list_forms)
    forms.command("embed")(embed)
    forms.command("qr")(qr)
    app.add_typer(forms, name="forms")


def list_forms(context: typer.Context, as_json: Json = False) -> None:
    """How many sent each form, and how many of them confirmed it. Who only looked is not counted.

    Example: nurture forms
    """
    if context.invoked_subcommand is not None:
        return
    from nurture.campaigns import store as campaigns
    from nurture.figures import rate
    from nurture.forms import store
    from nurture.forms.kind import KIND
    from nurture.web.badges import address_of

    with opened() as house:
        base = house.settings.web.base_url
        with house.database.reading() as session:
            names = [one.name for one in campaigns.list_campaigns(session, KIND)]
            counts = store.counts(session)
            labels = {name: dict(store.labels_of(session, name)) for name in names}
        found = []
        for name in names:
            sent, confirmed, waiting = counts.get(name, (0, 0, 0))
            found.append((name, sent, confirmed, waiting, rate(confirmed, sent - waiting), address_of(base, name)))
        if as_json:
            emit(
                [
                    {
                        "form": name, "submitted": sent, "confirmed": confirmed, "waiting": waiting,
                        "rate": asdict(among), "confirmed_from": labels[name], "address": address,
                    }
                    for name, sent, confirmed, waiting, among, address in found
                ]
            )  # fmt: skip
            return
        table(
            ("form", "sent", "confirmed", "waiting", "of those settled", "address"),
            [
                (name, sent, confirmed, waiting, str(among), address)
                for name, sent, confirmed, waiting, among, address in found
            ],
            empty="No form is published. Write campaigns/forms.yaml and type `nurture publish`.",
        )


def embed(name: Name, owner: Owner = "", label: Label = "", language: Language = "", as_json: Json = False) -> None:
    """Print a form as plain HTML for another site: no script, nothing fetched; it posts to the form's own page.

    Example: nurture forms embed newsletter --from website
    """
    from nurture.web.embedding import embed as embedded

    with opened() as house:
        form = _form(house, name)
        spoken = _language(form, language)
        rep = _rep(house, owner)
        html = embedded(form, spoken, house.keys, house.settings.web.base_url, rep=rep, label=_label(label))
        _warn_of_home(house)
    if as_json:
        emit({"form": name, "language": spoken, "html": html})
    else:
        typer.echo(html, nl=False)


def qr(
    name: Name,
    owner: Owner = "",
    label: Label = "",
    language: Language = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write it here: .svg is the code alone, .html a page to print.")
    ] = None,
    as_json: Json = False,
) -> None:
    """A form as a QR code: whoever signs up there belongs to its owner, and comes from where it hung.

    Example: nurture forms qr newsletter --owner luis@acme.example --from booth --out booth.svg
    """
    from nurture.errors import BadInput
    from nurture.web.badges import address_of, page, picture

    place = out or Path(f"{name}.svg")
    if place.suffix not in {".svg", ".html"}:
        raise BadInput(f"{place}: say .svg for the code alone, or .html for a page to print.")
    with opened() as house:
        form = _form(house, name)
        spoken = _language(form, language)
        rep = _rep(house, owner)
        address = address_of(house.settings.web.base_url, name, rep, _label(label))
        who = next(
            (one["name"] for one in house.declared.operators if rep and one["email"].lower() == owner.lower()), ""
        )
        text = picture(address) if place.suffix == ".svg" else page(address, form.text("title", spoken), who, spoken)
        write(place, text)
        _warn_of_home(house)
    if as_json:
        emit({"form": name, "address": address, "file": str(place)})
    else:
        say(f"{place} leads to {address}")


def _form(house: "App", name: str) -> "Form":
    from nurture.campaigns.store import get_campaign
    from nurture.errors import NotFound
    from nurture.forms.actions import find_form
    from nurture.forms.kind import KIND

    with house.database.reading() as session:
        get_campaign(session, KIND, name)
        found = find_form(session, name)
    if found is None:
        raise NotFound(f'no form "{name}" is published.')
    return found


def _language(form: "Form", wanted: str) -> str:
    from nurture.errors import BadInput

    if wanted and wanted not in form.languages:
        raise BadInput(f"{form.name} is not written in {wanted}; it is in {', '.join(form.languages)}.")
    return wanted or form.languages[0]


def _rep(house: "App", owner: str) -> str:
    """How the address of a page names an operator; empty for nobody's."""
    from nurture.errors import NotFound, did_you_mean
    from nurture.forms.rules import rep_names

    if not owner:
        return ""
    emails = [one["email"] for one in house.declared.operators]
    by_email = {email.lower(): name for name, email in rep_names(emails).items()}
    if owner.lower() not in by_email:
        raise NotFound(f"{owner} is no operator of settings.toml.{did_you_mean(owner.lower(), by_email)}")
    return by_email[owner.lower()]


def _label(text: str) -> str:
    from nurture.errors import BadInput
    from nurture.forms.rules import LABEL

    if text and not LABEL.fullmatch(text):
        raise BadInput(f'--from "{text}": write small letters, digits and hyphens, such as booth or spring-fair.')
    return text


def _warn_of_home(house: "App") -> None:
    """What is printed now leads there for good."""
    if not house.settings.web.base_url.startswith("https://"):
        warn(f"It leads to {house.settings.web.base_url}, as web.base_url says; set that to your public address first.")
