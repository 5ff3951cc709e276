"""Recognise numbers that mean "no value": all bits set, the sign bit alone, -999.

Many devices set all bits of a register to report "no value". A driver that does not know this
stores 4294967295, or 429496729.5 if the register counts tenths. Some loggers write -999. A meter
model lists such values of its own registers (`Device.no_values`). This module lists common ones.

Laws:

1. A positive number is a sentinel if it is one of the listed register values, or such a value
   divided by 10, 100 or 1000.
2. A register may reach such a number by counting. So a sentinel is kept as a reading if it is
   between the readings before and after it. The first or last reading has only one neighbour; it is
   kept if it differs from this neighbour by at most a tenth.
"""

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: All bits set, and only the sign bit set, for 32 and 64 bits; also the next numbers, to which a
#: float may round them.
_LONG_CONTENTS: Final = (2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**64 - 1)
#: All 16 bits set. Many meters reach this number by counting, so callers also check its neighbours.
_SHORT_CONTENT: Final = 2**16 - 1
_SCALES: Final = (1.0, 0.1, 0.01, 0.001)
#: Numbers that loggers write, and values of signed registers.
_NEGATIVE: Final = (
    *(-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, -999999.0, -99.9, -999.9),
    *(-content * scale for content in (2**15, 2**31) for scale in _SCALES),
)
#: Relative difference up to which two numbers are equal.
_EQUAL: Final = 1e-9
#: Largest relative distance of a first or last reading from its only neighbour (law 2).
_NEAR: Final = 0.1

LONG_SENTINELS: Final = np.sort(
    [content * scale for content in _LONG_CONTENTS for scale in _SCALES]
)
SHORT_SENTINELS: Final = np.sort(np.multiply(_SHORT_CONTENT, _SCALES))
NEGATIVE_SENTINELS: Final = np.sort(_NEGATIVE)
_POSITIVE_SENTINELS: Final = np.append(SHORT_SENTINELS, LONG_SENTINELS)
_SORTED_SENTINELS: Final = tuple(sorted(_POSITIVE_SENTINELS.tolist()))


def is_one_of(
    values: "NDArray[np.float64]", sentinels: "NDArray[np.float64]"
) -> "NDArray[np.bool_]":
    """Return True for each value that is one of the sentinels, shape (n,)."""
    found = np.zeros(len(values), dtype=np.bool_)
    if not len(values):
        return found
    low, high = float(values.min()), float(values.max())
    tolerance = np.abs(sentinels) * _EQUAL
    in_reach = (sentinels + tolerance >= low) & (sentinels - tolerance <= high)
    for sentinel in sentinels[in_reach].tolist():
        found |= np.abs(values - sentinel) <= abs(sentinel) * _EQUAL
    return found


def is_positive_sentinel(register: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """Return True for each positive register value that is a sentinel, shape (n,)."""
    return is_one_of(register, _POSITIVE_SENTINELS)


def has_sentinel(stored: "NDArray[np.float64]", ratio: float) -> bool:
    """Return True if a register that never falls may have a sentinel among its values.

    Args:
        stored: shape (n,), register times ratio, positive and not falling.
        ratio: transformer ratio.
    """
    sentinels = _POSITIVE_SENTINELS * ratio
    low = stored.searchsorted(sentinels * (1 - 2 * _EQUAL))
    high = stored.searchsorted(sentinels * (1 + 2 * _EQUAL), side="right")
    return bool((low < high).any())


def is_sentinel(value: float) -> bool:
    """Return True if a positive register value is a sentinel."""
    near = bisect_left(_SORTED_SENTINELS, value * (1 - 2 * _EQUAL))
    return any(
        abs(value - sentinel) <= sentinel * _EQUAL
        for sentinel in _SORTED_SENTINELS[near : near + 3]
    )


def is_no_reading(register: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """Return True for each reading that is a sentinel and no value of the register (law 2).

    Args:
        register: shape (n,), readings by time, not negative.
    """
    found = is_positive_sentinel(register)
    index = np.flatnonzero(found)
    if not len(index):
        return found
    others = np.append(register[~found], np.nan)
    following = np.searchsorted(np.flatnonzero(~found), index)
    after, before = others[following], others[following - 1]  # NaN at the beginning and the end
    value = register[index]
    before, after = (
        np.where(np.isnan(before) & (after <= value * (1 + _NEAR)), value, before),
        np.where(np.isnan(after) & (before >= value * (1 - _NEAR)), value, after),
    )
    found[index] = ~((before <= value) & (value <= after))
    return found
