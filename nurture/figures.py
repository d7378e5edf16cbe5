"""Numbers with their uncertainty, and with what they count.

A rate is never shown alone: it comes with its 95 % interval (Wilson, 1927, which behaves at 0 and at small n, where the
textbook interval does not) and with what it was counted from. Under 30 observations it is too few to tell.
"""

import math
from dataclasses import dataclass

_Z = 1.959964  # 97.5 % quantile of the normal distribution: a 95 % interval
TOO_FEW = 30


@dataclass(frozen=True)
class Rate:
    """`count` of `base`, with the 95 % Wilson interval as shares between 0 and 1."""

    count: int
    base: int
    share: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.base < TOO_FEW:
            return f"{self.count} of {self.base} (too few to tell)"
        percent = [100 * value for value in (self.share, self.low, self.high)]
        return f"{percent[0]:.1f} % ({percent[1]:.1f}–{percent[2]:.1f} %), {self.count:,} of {self.base:,}"


def rate(count: int, base: int) -> Rate:
    """The share of `base` observations that were a hit."""
    if not 0 <= count <= base:
        raise ValueError(f"{count} of {base} is no share")
    if base == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    share = count / base
    center = share + _Z**2 / (2 * base)
    spread = _Z * math.sqrt(share * (1 - share) / base + _Z**2 / (4 * base**2))
    scale = 1 + _Z**2 / base
    # Rounding of floats must not push a bound past the share itself, which happens at none and at all.
    low, high = min(share, (center - spread) / scale), max(share, (center + spread) / scale)
    return Rate(count, base, share, max(0.0, low), min(1.0, high))


def counted(number: int, one: str, many: str = "") -> str:
    """`1 mail`, `1,204 mails`; `many` where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
