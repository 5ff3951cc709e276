"""Delay before the next try. Real seconds: networks know no faster clock."""

import random
from typing import Final

_FIRST_S: Final = 0.5
_LONGEST_S: Final = 15.0


def backoff_s(failures: int) -> float:
    """The wait after so many failures in a row: doubling, bounded, spread over the copies.

    Each is 50 to 100 % of 0.5 s, 1 s, 2 s ... 15 s.
    """
    longest_s = min(_FIRST_S * 2.0 ** min(failures - 1, 16), _LONGEST_S)
    return longest_s * random.uniform(0.5, 1)  # noqa: S311 - spreads copies, hides nothing
