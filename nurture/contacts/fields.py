"""The words a condition and a template may use about a contact: the built-in ones and those settings.toml declares."""

from collections.abc import Mapping
from dataclasses import dataclass

from nurture.conditions import Argument, Field, FieldType, Predicate, Value
from nurture.contacts.cells import read_date, read_number, read_yes_or_no
from nurture.errors import BadInput, did_you_mean

#: From low to high; what is outside compares with `==` and `in` only.
STAGES = (
    "subscriber", "lead", "marketing_qualified", "sales_ready", "sales_accepted", "opportunity", "customer",
)  # fmt: skip
#: Whom sales has already; nobody is handed off again from there.
WITH_SALES = STAGES[STAGES.index("sales_ready") :]
STAGES_OUTSIDE = ("recycled", "disqualified")
INTERESTS = ("information", "demonstration", "need")
#: With these words somebody asks us, so that an answer is no ask of ours.
ASKS_US = ("demonstration", "need")
FIT_GRADES = ("D", "C", "B", "A")
#: Whether somebody can buy at all: may they decide, is there money, is it soon. Said by them or by a rep, never inferred.
ABILITIES = ("authority", "budget", "timing")
ABILITY_WORDS = ("yes", "no", "unknown")
UNKNOWN = "unknown"
SOURCES = (
    "website form", "newsletter", "whitepaper", "trade show", "event", "referral", "target account", "field", "crm",
    "purchased",
)  # fmt: skip

_TEXT = Field(FieldType.TEXT)

#: What every contact has, whatever settings.toml declares.
BUILT_IN: Mapping[str, Field] = {
    "email": _TEXT,
    "domain": _TEXT,
    "first_name": _TEXT,
    "last_name": _TEXT,
    "company": _TEXT,
    "job_title": _TEXT,
    "country": _TEXT,
    "language": _TEXT,
    "timezone": _TEXT,
    "owner": _TEXT,
    "source": Field(FieldType.TEXT, outside_scale=SOURCES),
    "stage": Field(FieldType.TEXT, STAGES, STAGES_OUTSIDE),
    "interest": Field(FieldType.TEXT, outside_scale=INTERESTS),
    "score": Field(FieldType.NUMBER),
    "fit": Field(FieldType.TEXT, FIT_GRADES),
    **dict.fromkeys(ABILITIES, Field(FieldType.TEXT, outside_scale=ABILITY_WORDS)),
}

PREDICATES: Mapping[str, Predicate] = {
    "has_tag": Predicate((Argument("tag", is_required=True),)),
    "in_list": Predicate((Argument("list", is_required=True),)),
}


@dataclass(frozen=True)
class DeclaredField:
    """A field of settings.toml."""

    name: str
    type: FieldType
    label: str
    headers: tuple[str, ...] = ()


def field_words(declared: Mapping[str, DeclaredField]) -> dict[str, Field]:
    """All field words, the built-in ones first."""
    return {**BUILT_IN, **{name: Field(field.type) for name, field in declared.items()}}


def read_value(text: str, field: DeclaredField) -> Value:
    """A value of a declared field from a text, such as a CSV cell or a form."""
    match field.type:
        case FieldType.NUMBER:
            found: Value | None = read_number(text)
        case FieldType.DATE:
            # ISO text sorts by time, in conditions and in JSON alike.
            day = read_date(text)
            found = day.isoformat() if day else None
        case FieldType.FLAG:
            found = read_yes_or_no(text)
        case _:
            found = text
    if found is None:
        raise BadInput(f'{field.name} is a {field.type}, and "{text}" is not')
    return found


def get_field(declared: Mapping[str, DeclaredField], name: str) -> DeclaredField:
    """The declared field of that name."""
    if name not in declared:
        raise BadInput(f'there is no contact field "{name}".{did_you_mean(name, declared)}')
    return declared[name]
