"""Write the approved renderings anew: `python -m tests.emails.approve`, after looking at what has changed."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nurture.rendering.compiling import compile_mail
from nurture.rendering.message import Headers, Letterhead
from nurture.rendering.wire import compile_wire
from tests.emails.workspace import CONTEXT, Mails, urls

MAILS = Path(__file__).parent / "mails"
APPROVED = Path(__file__).parent / "approved"
SERVICE = frozenset({"service"})  # needs no way out

NOBODY: Mapping[str, Mapping[str, Any]] = {
    **CONTEXT,
    "contact": {"first_name": None, "company": None, "city": None, "email": "info@reader.example"},
    "mail": {**CONTEXT["mail"], "number": None, "reason": "", "question": None},
}


def renderings(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Each approved file by name, as it would be now; `folder` becomes a workspace."""
    mails = Mails(folder)
    for path in sorted(MAILS.iterdir()):
        reading = mails.read(
            path.name, path.read_text(encoding="utf-8"), subject=None, is_campaign=path.stem not in SERVICE
        )
        compiled = compile_mail(reading.get_source())
        for name, context in ((path.stem, CONTEXT), (f"{path.stem}.nobody", NOBODY)):
            is_tracked = context is CONTEXT and path.stem not in SERVICE
            addresses = urls(is_tracked=is_tracked)
            rendered = compiled.render(context, addresses)
            headers = Headers(
                Letterhead("Bob Ray, Uptime", "bob@sender.example", datetime(2026, 3, 10, 9, 0, tzinfo=UTC)),
                to_name=context["contact"]["first_name"] or "",
                to_email=context["contact"]["email"],
                message_id=f"<{name}@sender.example>",
                extra=(("List-Unsubscribe", "<https://n.example/u/T>"),) if path.stem not in SERVICE else (),
            )
            yield f"{name}.html", rendered.html.encode()
            yield f"{name}.txt", rendered.text.encode()
            yield f"{name}.eml", compile_wire(compiled).write(context, addresses, headers).content


def main() -> None:
    with TemporaryDirectory() as folder:
        written = dict(renderings(Path(folder)))
    for path in APPROVED.iterdir():
        if path.name not in written and path.suffix in {".html", ".txt", ".eml"}:
            path.unlink()
    for name, content in written.items():
        (APPROVED / name).write_bytes(content)


if __name__ == "__main__":
    main()
