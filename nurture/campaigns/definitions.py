"""What every file format is made of: strict, frozen models. `reading` makes them from YAML, versions from what they hold."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Definition(BaseModel):
    """One file format, or a part of one: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


class Silencing(Definition):
    """A part whose remarks may be silenced; what is silenced is no part of what is published."""

    silence: dict[str, str] = Field(
        {}, exclude=True, description="Remarks of `nurture check` not to be made here: a code and the reason."
    )


class FileDefinition(Silencing):
    """A whole file."""

    format: Literal[1]
