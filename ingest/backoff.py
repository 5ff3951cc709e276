"""Compute the wait before the next attempt, in real seconds, even if a clock is simulated."""

import random
from typing import Final

_FIRST_S: Final = 0.5
_LONGEST_S: Final = 15.0


def backoff_s(failures: int) -> float:
    """Return the wait after a number of failures in a row [s].

    It is a random 50 to 100 % of 0.5 s, 1 s, 2 s ... 15 s. It is random so that several ingest
    processes do not all try at the same moment.
    """
    longest_s = min(_FIRST_S * 2.0 ** min(failures - 1, 16), _LONGEST_S)
    return longest_s * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret
