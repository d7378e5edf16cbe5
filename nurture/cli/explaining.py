"""`nurture preview --explain`: how much of a mail is written once for all of its readers, and what is not."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nurture.cli.output import emit, say, warn
from nurture.figures import counted

if TYPE_CHECKING:
    from nurture.app.house import App
    from nurture.rendering.explaining import Explained
    from nurture.rendering.loading import Reading


def show_shares(house: "App", name: str, *, as_json: bool) -> None:
    """Explain one mail, or each mail below a folder."""
    from nurture.errors import NotAllowed
    from nurture.rendering.explaining import explain

    shares: list[Explained] = []
    unread = 0
    for path, reading in _readings(house, name):
        if reading.compiled is None:
            unread += 1
            # A warning may stand in front of it, and would not have kept the mail out.
            why = next((problem for problem in reading.problems if problem.severity == "error"), "")
            warn(f"{path}: left out. {why}")
        else:
            shares.append(explain(reading.compiled))
    if not shares:
        raise NotAllowed(f"{name}: there is no mail that can be read; `nurture check` says what is wrong with it.")
    if as_json:
        emit([share.to_json() for share in shares])
        return
    for share in shares:
        _say_share(share)
    whole = sum(not share.why_plain and not share.regions for share in shares)
    parted = sum(bool(share.regions) for share in shares)
    say(
        f"\n{counted(len(shares), 'mail')}: {whole} written ahead as a whole, {parted} but for regions, {unread} left out."
    )


def _say_share(share: "Explained") -> None:
    if share.why_plain:
        say(f"{share.template}: rendered anew for each reader: {share.why_plain}.")
        return
    say(f"{share.template}: {share.share:.1%} the same for all, {share.expressions} expressions")
    for region in share.regions:
        file, line, column = region.place
        say(f"  {file}:{line}:{column}: `{region.tag}`: {region.why}")


def _readings(house: "App", name: str) -> Iterator[tuple[Path, "Reading"]]:
    from nurture.cli.trying import find_mail
    from nurture.cli.workspace import folder
    from nurture.errors import NotFound
    from nurture.rendering.compiling import compile_mail
    from nurture.rendering.explaining import read_file, read_folder
    from nurture.rendering.loading import Reading
    from nurture.rendering.source import MailSource

    templates = house.workspace().templates
    stem = name.removeprefix("templates/").removesuffix(".mjml").removesuffix(".md")
    if (found := folder() / name).is_dir() or (found := templates / stem).is_dir():
        yield from read_folder(templates, found)
        return
    for path in (templates / f"{stem}.mjml", templates / f"{stem}.md"):
        if path.is_file():
            yield path, read_file(templates, templates, path)
            return
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise NotFound(
            f"{name}: there is no such folder; name any folder with mails in it, or a mail of this workspace."
        )
    wanted = find_mail(house, name)
    source = MailSource.from_json(wanted.unit.content["mails"][wanted.mail])
    yield Path(source.template), Reading(source, {}, (), compiled=compile_mail(source))
