"""How settings write lengths of time and days, and how large a number may be."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from nurture.errors import BadInput
from nurture.timing import parse_day_span, parse_length


def _read_by(parse: Callable[[str], object]) -> AfterValidator:
    """A text that `parse` can read; it stays as it is written."""

    def check(text: str) -> str:
        try:
            parse(text)
        except BadInput as error:
            # Whoever shows the mistake says what was written, and ends the sentence.
            raise ValueError(str(error).removeprefix(f'"{text}" ').removesuffix(".")) from None
        return text

    return AfterValidator(check)


#: A length of time that no calendar has to make exact.
Length = Annotated[str, _read_by(parse_length)]
#: The same, or empty.
LengthIfAny = Annotated[str, _read_by(lambda text: text and parse_length(text))]
#: A day, or the first and the last of several.
Days = Annotated[str, _read_by(parse_day_span)]
#: How many: more than anybody has, and few enough for every column of a database.
Count = Annotated[int, Field(le=1_000_000_000)]
#: How many in a second.
Rate = Annotated[float, Field(le=1_000_000)]
