"""Reads, checks and freezes newsletters and their issues, which are units of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from nurture.campaigns import store as campaigns
from nurture.campaigns.declared import Declared
from nurture.campaigns.definitions import Definition
from nurture.campaigns.mails import questions_asked, take_mail
from nurture.campaigns.reading import Problem, Problems, Unit, Workspace, YamlFile, open_yaml, read_definition
from nurture.contacts.segments import rests_on
from nurture.database.engine import Session
from nurture.errors import did_you_mean
from nurture.newsletters.definition import AnnouncementFrontMatter, IssueFrontMatter, NewsletterDefinition
from nurture.newsletters.store import ANNOUNCEMENT, closed_issues, count_readers
from nurture.rendering.loading import layout_path, read_markdown
from nurture.rendering.source import MailSource

NEWSLETTER = "newsletter"
ISSUE = "issue"
FOLDER = "newsletters"

FrontMatter = TypeVar("FrontMatter", bound=Definition)


class NewsletterKind:
    """campaigns/newsletters/<name>/newsletter.yaml with its announcement."""

    name = NEWSLETTER

    def __init__(self, declared: Declared, personal: frozenset[str] = frozenset()) -> None:
        """Hold what is declared; `personal` are the domains from which colleagues write themselves, once mail is real."""
        self._declared = declared
        self._personal = personal

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        found = (self._read(workspace, path, problems) for path in _files(workspace))
        return [unit for unit in found if unit is not None]

    def _read(self, workspace: Workspace, path: Path, problems: Problems) -> Unit | None:
        file = open_yaml(workspace, path, problems)
        definition = read_definition(file, NewsletterDefinition) if file else None
        if file is None or definition is None:
            return None
        before = len(problems.errors)
        operator = self._check_names(file, definition, workspace, path)
        good = file.read_condition(("audience",), definition.audience, workspace.words) is not None
        if not _is_bare(definition.announcement):
            file.complain(
                "NS224", ("announcement",), "name a file in this folder, such as announcement.md, without any folder."
            )
            return None
        place = path.parent / definition.announcement
        if not place.is_file():
            file.complain("NS220", ("announcement",), f"there is no file {definition.announcement} in this folder.")
            return None
        front, mail = _read_mail(workspace, place, "letter", AnnouncementFrontMatter, problems)
        if front is None or mail is None or len(problems.errors) > before:
            return None
        content = {
            "definition": definition.model_dump(mode="json"),
            "mails": {ANNOUNCEMENT: mail.to_json()},
            "announcement_is_ready": front.ready,
            "sender_zone": operator["timezone"] if operator else "UTC",
            "about": {"title": definition.name or definition.newsletter, "kind": NEWSLETTER},
            "rests_on": rests_on([definition.audience] if good else [], workspace.words),
            **questions_asked(workspace, {ANNOUNCEMENT: mail}),
        }
        return Unit(NEWSLETTER, definition.newsletter, file.name, content)

    def _check_names(
        self, file: YamlFile, definition: NewsletterDefinition, workspace: Workspace, path: Path
    ) -> Mapping[str, str] | None:
        if definition.newsletter != path.parent.name:
            file.complain(
                "NS221", ("newsletter",), f'the folder is called "{path.parent.name}"; give both the same name.'
            )
        if definition.topic not in workspace.topics:
            hint = did_you_mean(definition.topic, workspace.topics).strip()
            file.complain("NS205", ("topic",), f'settings.toml declares no topic "{definition.topic}".', hint)
        if definition.sender not in {"default", "owner", *workspace.senders}:
            hint = did_you_mean(definition.sender, ["default", "owner", *workspace.senders]).strip()
            file.complain("NS206", ("sender",), f'settings.toml declares no sender "{definition.sender}".', hint)
        operators = {one["email"].lower(): one for one in self._declared.operators}
        if definition.owner.lower() not in operators:
            hint = did_you_mean(definition.owner.lower(), operators).strip()
            file.complain("NS320", ("owner",), f'"{definition.owner}" is no operator of settings.toml.', hint)
        place = layout_path(definition.layout)
        if not (workspace.templates / place).is_file():
            # Told here, and not by the first issue weeks later.
            known = sorted(one.stem for one in (workspace.templates / "layouts").glob("*.mjml"))
            hint = did_you_mean(definition.layout, known).strip() or f"Write it, or one of: {', '.join(known)}."
            file.complain("NS223", ("layout",), f"there is no layout templates/{place} for issues.", hint)
        operator = operators.get(definition.owner.lower())
        self._advise(file, definition, operator)
        return operator

    def _advise(self, file: YamlFile, definition: NewsletterDefinition, operator: Mapping[str, str] | None) -> None:
        """A newsletter on a domain of its own costs colleagues nothing when readers complain."""
        named = self._declared.senders.get(definition.sender, self._declared.default_sender)
        email = operator["email"] if definition.sender == "owner" and operator else named.email
        domain = email.rpartition("@")[2].lower()
        if domain in self._personal:
            message = (
                f"it is written from {domain}, as your colleagues' own mail is, which suffers when readers complain."
            )
            hint = f"Write it from a domain below, such as news.{domain}, with SPF, DKIM and DMARC of its own."
            file.complain("NS017", ("newsletter",), message, hint, severity="warning")

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**content["definition"], ANNOUNCEMENT: content["mails"][ANNOUNCEMENT]}

    def count_people(self, session: Session, name: str) -> int:
        return count_readers(session, name)


class IssueKind:
    """campaigns/newsletters/<name>/*.md, each an issue but for the announcement."""

    name = ISSUE

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        return [unit for path in _files(workspace) for unit in self._read_all(workspace, path, problems)]

    def _read_all(self, workspace: Workspace, path: Path, problems: Problems) -> list[Unit]:
        # The newsletter's own kind complains about its file; here it is only asked for names.
        file = open_yaml(workspace, path, Problems())
        definition = read_definition(file, NewsletterDefinition) if file else None
        if definition is None or not _is_bare(definition.announcement):
            return []
        units: list[Unit] = []
        numbers: dict[int, str] = {}
        for place in sorted(path.parent.glob("*.md")):
            if place.name == definition.announcement:
                continue
            front, mail = _read_mail(workspace, place, definition.layout, IssueFrontMatter, problems)
            if front is None or mail is None:
                continue
            name = workspace.name_of(place)
            if front.number in numbers:
                message = f"{numbers[front.number]} is number {front.number} already; issues go out in that order."
                problems.add(Problem(name, 2, 1, "NS222", message))
            numbers[front.number] = place.name
            units.append(_unit(workspace, definition, name, place, front, mail))
        return units

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        mail = next(iter(content["mails"].values()))
        return {"text": mail, **content["front"]}

    def count_people(self, session: Session, name: str) -> int:
        return 0

    def is_closed(self, session: Session, name: str) -> bool:
        """An issue that has gone out is history; its file may go."""
        campaign = campaigns.find_campaign(session, ISSUE, name)
        return campaign is not None and campaign.id in closed_issues(session)


def _unit(
    workspace: Workspace,
    definition: NewsletterDefinition,
    name: str,
    place: Path,
    front: IssueFrontMatter,
    mail: MailSource,
) -> Unit:
    title = definition.name or definition.newsletter
    content = {
        "newsletter": definition.newsletter,
        "front": front.model_dump(mode="json"),
        "mails": {place.stem: mail.to_json()},
        "about": {
            "title": title,
            "kind": NEWSLETTER,
            "number": front.number,
            "subject": front.subject,
            **({"sign_up": definition.sign_up} if definition.sign_up else {}),
        },
        "rests_on": rests_on([front.audience] if front.audience else [], workspace.words),
        **questions_asked(workspace, {place.stem: mail}),
    }
    return Unit(ISSUE, f"{definition.newsletter}/{place.stem}", name, content)


def _files(workspace: Workspace) -> list[Path]:
    return sorted((workspace.campaigns / FOLDER).glob("*/newsletter.y*ml"))


def _is_bare(name: str) -> bool:
    """Whether this names a file and no way to one: whatever is read here is mailed."""
    return name == Path(name).name and "\0" not in name and "\\" not in name


def _read_mail(
    workspace: Workspace, path: Path, layout: str, model: type[FrontMatter], problems: Problems
) -> tuple[FrontMatter | None, MailSource | None]:
    """The front matter and the mail of a Markdown file; None for what could not be read, after complaining."""
    name = workspace.name_of(path)
    if not path.resolve().is_relative_to(path.parent.resolve()):
        problems.add(
            Problem(name, 1, 1, "NS224", "this is a link that leads out of its folder; put the text itself here.")
        )
        return None, None
    reading = read_markdown(workspace.templates, path, default_layout=layout)
    about_mail = {"number": 1, "subject": "sample", "sign_up": "newsletter"} if model is IssueFrontMatter else {}
    mail = take_mail(workspace, reading, problems, asked_at=(name, 1, 1), about_mail=about_mail)
    if mail is None:
        return None, None
    file = FrontMatterFile(name, path.read_text(encoding="utf-8-sig"), problems)
    front = read_definition(file, model) if file.data is not None else None
    audience = getattr(front, "audience", None)
    if audience and file.read_condition(("audience",), audience, workspace.words) is None:
        return None, mail
    return front, mail


class FrontMatterFile(YamlFile):
    """The YAML between the --- lines at the top of a Markdown file, with the lines of that file."""

    def __init__(self, name: str, text: str, problems: Problems) -> None:
        _, _, rest = text.partition("---")
        yaml, _, _ = rest.partition("\n---")
        super().__init__(name, yaml.lstrip("\r\n"), problems, first_line=2)
