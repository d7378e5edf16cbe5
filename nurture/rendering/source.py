"""What a mail is before it is anybody's: the frozen text that `publish` keeps, and what can be wrong with it.

A `MailSource` is one flat text: layouts, parts, front matter and Markdown are already in it, so that a published
version needs no file any more. Every problem names the file, line and column the author wrote, whichever file that was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from nurture.errors import BadInput, NurtureError

Severity: TypeAlias = Literal["error", "warning"]

#: What each code says, for the page that explains them. NT1: files, NT2: Jinja, NT3: MJML, NT4: the mail itself.
CODES: Mapping[str, str] = {
    "NT101": "a template, layout or part is not there",
    "NT102": "a name leads outside templates/",
    "NT103": "a file includes or extends itself",
    "NT104": "a layout or part must be named literally, so that it can be read when the version is published",
    "NT105": "a Jinja tag is not closed, or closes nothing",
    "NT106": "a block that no layout has, or that is written twice",
    "NT107": "text outside every block of a template that extends a layout: nobody would see it",
    "NT108": "a template grows too large with everything it includes",
    "NT109": "the front matter cannot be read",
    "NT110": "there is no subject",
    "NT201": "Jinja cannot read this",
    "NT202": "templates may not do this: they cannot reach code, files or the machine, nor run for long",
    "NT203": "a filter or test that does not exist here",
    "NT204": "a name that a mail does not know",
    "NT205": "a field that may be empty stands without a word to fall back on",
    "NT206": "a second question in one mail",
    "NT207": "a question that cannot be read, or that stands within a text",
    "NT301": "MJML has no such tag, or mails cannot use it",
    "NT302": "a tag is not closed, or closes nothing",
    "NT303": "a tag has no such attribute",
    "NT304": "a tag or text stands where MJML does not show it",
    "NT305": "tags are nested too deep",
    "NT306": "a tag, attribute or comment is written in a way that MJML cannot read",
    "NT307": "a Jinja block begins in one tag and ends in another",
    "NT308": "MJML drops this Jinja tag",
    "NT309": "MJML cannot be compiled",
    "NT401": "an image without an alternative text",
    "NT402": "no link to leave",
    "NT403": "no postal address",
    "NT404": "a preheader that is too short or too long",
    "NT405": "a mail that Gmail would cut off",
    "NT406": "a picture, font or style from somewhere you did not name",
    "NT407": "a link that no mail program follows",
}


@dataclass(frozen=True)
class TemplateProblem:
    """One thing wrong with a template: `file` as seen from the workspace, `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        told = f"{self.file}:{self.line}:{self.column}: {self.message}"
        return f"{told}; {self.hint}" if self.hint else f"{told}."


class TemplateError(NurtureError):
    """A template cannot be used as it is; it carries every problem that was found."""

    def __init__(self, problems: Iterable[TemplateProblem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.file, p.line, p.column, p.code, p.message)))
        super().__init__("\n".join(map(str, self.problems)))


class RenderError(NurtureError):
    """The mail cannot be made for this contact."""


@dataclass(frozen=True)
class MailSource:
    """A mail as it is published. `subject`, `preheader` and `body` are Jinja; `body` is flat MJML."""

    template: str  # where the author finds it, for messages: "templates/sequences/evaluators/report.mjml"
    subject: str
    preheader: str
    body: str
    language: str = "en"  # BCP 47
    questions: tuple[str, ...] = ()  # of which it asks the first that is still open for its reader

    def to_json(self) -> dict[str, Any]:
        """As `publish` keeps it."""
        kept = asdict(self)
        asked = list(kept.pop("questions"))
        return {**kept, "questions": asked} if asked else kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "MailSource":
        """The same mail again."""
        try:
            return cls(**{**kept, "questions": tuple(kept.get("questions", ()))})
        except TypeError:
            raise BadInput(f"this is not a published mail: its keys are {', '.join(sorted(kept))}") from None


class Findings:
    """Collects problems, so that an author sees them all at once."""

    def __init__(self) -> None:
        self.problems: list[TemplateProblem] = []

    def add(
        self, place: tuple[str, int, int], code: str, message: str, hint: str = "", severity: Severity = "error"
    ) -> None:
        """Note a problem at `place` (file, line, column)."""
        self.problems.append(TemplateProblem(*place, code, message, hint, severity))

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def raise_errors(self) -> None:
        """Stop here if anything found so far is an error; warnings travel along."""
        if self.has_errors:
            raise TemplateError(self.problems)
