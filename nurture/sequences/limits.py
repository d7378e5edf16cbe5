"""What a value of a sequence's file must be besides readable: names short and plain, lengths that leave time.

Asked when a file is read, not of what is published: a version that was right when it was published stays so. `kind`
asks here, as it asks `checks` for names that must exist.
"""

import re
from collections.abc import Iterator

from nurture.campaigns.complaints import shown
from nurture.campaigns.reading import YamlFile
from nurture.sequences.definition import SequenceDefinition
from nurture.sequences.numbering import Numbered, Place
from nurture.sequences.steps import NAME, LateDefinition, SplitStep
from nurture.timing import parse_length

#: Names stand in keys of the database, in addresses and in pictures.
_LONGEST_NAME = 60


def check_limits(file: YamlFile, definition: SequenceDefinition | None, every: list[Numbered]) -> None:
    """Complain about names that no key holds and about lengths of time that leave none."""
    if definition is not None:
        _check_name(file, ("sequence",), definition.sequence)
    for one in every:
        if one.step.id:
            _check_name(file, (*one.path, "id"), one.id)
        else:
            _check_name(file, one.path, one.id, "Give the step an id of its own.")
        if isinstance(one.step, SplitStep):
            _check_split(file, one, one.step)
    for path, late in _lateness(definition, every):
        if not parse_length(late.within):
            message = f'after "{late.within}" every mail is too late; write how late it may be, such as "2 days".'
            file.complain("NS004", path, message)


def _check_name(file: YamlFile, path: Place, name: str, hint: str = "", *, at_key: bool = False) -> None:
    if len(name) > _LONGEST_NAME:
        message = f"{shown(name)} has {len(name):,} characters; write at most {_LONGEST_NAME}."
        file.complain("NS004", path, message, hint, at_key=at_key)


def _check_split(file: YamlFile, one: Numbered, step: SplitStep) -> None:
    for arm in step.split:
        path = (*one.path, "split", arm)
        if re.fullmatch(NAME, arm):
            _check_name(file, path, arm, at_key=True)
        else:
            message = f"{shown(arm)} is no name; write small letters, digits and hyphens, such as short-2."
            file.complain("NS004", path, message, at_key=True)
    winner = step.winner
    if winner and winner.up_to and parse_length(winner.up_to) < parse_length(winner.after):
        message = f'the test ends after "{winner.up_to}", before anybody had "{winner.after}" for the goal.'
        file.complain("NS004", (*one.path, "winner", "up_to"), message, "Write at least what `after` says.")


def _lateness(definition: SequenceDefinition | None, every: list[Numbered]) -> Iterator[tuple[Place, LateDefinition]]:
    """Every place where a file says how late a mail may be."""
    if definition is not None and definition.late is not None:
        yield ("late", "within"), definition.late
    for one in every:
        if one.mail is not None and one.mail.late is not None:
            yield (*one.mail_path, "late", "within"), one.mail.late
