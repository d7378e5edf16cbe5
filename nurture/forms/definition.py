"""`campaigns/forms.yaml`: what a form asks, with which words, and what it does once somebody has confirmed.

There is no way to say that a box is ticked: consent somebody did not give with their own hand is none (CJEU C-673/17).
Every text may stand in several languages; a form speaks those in which its consent is worded.
"""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue

from nurture.campaigns.definitions import Definition, FileDefinition
from nurture.contacts.fields import SOURCES

Language: TypeAlias = Literal["en", "de", "fr", "es"]

#: What is bought is no form, and nobody came by themselves who was.
Source = Literal[
    "website form", "newsletter", "whitepaper", "trade show", "event", "referral", "target account", "field", "crm"
]
assert {*Source.__args__, "purchased"} == set(SOURCES)  # type: ignore[attr-defined]  # of a Literal, which mypy hides


_TICKED = frozenset({"checked", "ticked", "default", "selected", "on"})


def _in_languages(value: object) -> object:
    """A text alone is English."""
    if isinstance(value, dict) and (ticked := _TICKED & value.keys()):
        raise ValueError(
            f'"{min(ticked)}" cannot stand here: no box is ticked beforehand, people tick it themselves; take it out.'
        )
    return {"en": value} if isinstance(value, str) else value


Text = Annotated[
    dict[Language, Annotated[str, Field(min_length=1, max_length=2000)]],
    Field(min_length=1),
    BeforeValidator(_in_languages),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {code: {"type": "string"} for code in ("en", "de", "fr", "es")},
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class FieldDefinition(Definition):
    """Something a form asks for beside the address."""

    name: str = Field(description="A field of every contact, such as first_name, or one that settings.toml declares.")
    required: bool = Field(False, description="Whether nobody gets by without it; ask for little.")
    label: Text | None = Field(None, description="How the form calls it; left out: as settings.toml does.")


class _OrName:
    """Tells editors that a name alone will do."""

    def __get_pydantic_json_schema__(self, schema: Any, inner: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, inner(schema)]}


def _as_field(value: object) -> object:
    """A name alone is a field that may stay empty."""
    return {"name": value} if isinstance(value, str) else value


#: A field, or its name.
Asked = Annotated[
    FieldDefinition,
    BeforeValidator(_as_field),
    _OrName(),
]


class ThanksDefinition(Definition):
    """What they see when they have confirmed."""

    text: Text | None = Field(None, description="One paragraph; left out: that it worked.")
    url: str = Field("", description="Where to go on from there, at a domain of your own; https.")
    link: Text | None = Field(None, description="What the link says; left out: the domain.")


class FormDefinition(Definition):
    """One form."""

    title: Text = Field(description="What one signs up for; the title of the page.")
    intro: Text | None = Field(None, description="What they get, how often, from whom.")
    topics: list[str] = Field(
        min_length=1, description="What they get mail about. With more than one, each has a box of its own."
    )
    fields: list[Asked] = Field([], description="What is asked beside the address; of whom we know it, not again.")
    consent: Text = Field(description="What they agree to by ticking the box. The ledger keeps it word by word.")
    tracking: Text | None = Field(
        None, description="Asks, in a box of its own, whether opens and clicks may be recorded; left out: nobody asks."
    )
    call: Text | None = Field(
        None, description='Offers a call by a colleague in a box of its own, such as "Please call me about this".'
    )
    button: Text | None = Field(None, description="What the button says.")
    tags: list[str] = Field([], description="What they are tagged with.")
    list_: str = Field("", alias="list", description="The list they join.")
    enroll: str = Field("", description="The sequence they start in.")
    source: Source = Field("website form", description="Where they come from, as their lead source.")
    owner: str = Field("", description="The operator they belong to, if nobody's yet.")
    thanks: ThanksDefinition = Field(ThanksDefinition(), description="What they see when they have confirmed.")

    def texts(self) -> dict[tuple[str | int, ...], dict[Any, str]]:
        """Every text with its place in the form, but for the consent."""
        found: dict[tuple[str | int, ...], dict[Any, str] | None] = {
            ("title",): self.title,
            ("intro",): self.intro,
            ("tracking",): self.tracking,
            ("call",): self.call,
            ("button",): self.button,
            ("thanks", "text"): self.thanks.text,
            ("thanks", "link"): self.thanks.link,
            **{("fields", number, "label"): one.label for number, one in enumerate(self.fields)},
        }
        return {place: text for place, text in found.items() if text is not None}


FormName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]


class FormsDefinition(FileDefinition):
    """The whole file."""

    forms: dict[FormName, FormDefinition] = Field(
        description="Each by its name, which stands in its address: /subscribe/NAME."
    )
