"""What is known of somebody one of many mails is for, before it is queued."""

from enum import IntEnum
from typing import TypeAlias


class Verdict(IntEnum):
    """What was found out about somebody when the mails were queued."""

    NOT_MEANT = 0
    MEANT = 1  # and may not be mailed now: the rule says why
    MAY_BE_MAILED = 2


#: A contact, the verdict, and where they live as far as their mail's hour goes by it: time zone, country. There are so many
#: of these that they are plain tuples, as the database hands them over.
Judged: TypeAlias = tuple[int, int, str | None, str | None]
