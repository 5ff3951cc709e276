"""Guess the modulus of a register that rolled over, if its number of digits is not recorded.

A register of five digits goes from 99999 to 0. If the number of digits is not recorded, a fall from
just below a power of ten may be a rollover or a reset. A rollover is guessed if it gives a step of
usual size. Example: the monthly steps were 500 to 600, and then the register fell from 99980 to
540. With a rollover at 100000, this step is 560.

Laws:

1. A rollover at a power of ten is guessed only if the register fell from the last tenth of the
   range into the first tenth. The step must be at most three times as large as the meter's largest
   step over the same length of time nearby.
2. A guess leaves a doubt: if the register was really reset, the consumption is too large by up to
   the whole range of the register.
"""

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest modulus that is guessed: displays have at least three digits.
_LEAST_MODULUS: Final = 1000.0
#: A rollover is guessed only if the register falls from above the first share of its range to below
#: the second one.
_LAST_SHARE: Final = 0.9
_FIRST_SHARE: Final = 0.1
#: Largest step of a guessed rollover, as a multiple of the meter's largest usual step.
_USUAL_FACTOR: Final = 3.0


def guessed_modulus(before: float, after: float) -> float:
    """Return the power of ten at which a register may have rolled over; infinity if none fits.

    Args:
        before: register value before the fall.
        after: register value after it.
    """
    if before < _LEAST_MODULUS * _LAST_SHARE:
        return math.inf
    modulus = 10.0 ** math.ceil(math.log10(before))
    if before < _LAST_SHARE * modulus or after >= _FIRST_SHARE * modulus:
        return math.inf
    return modulus


def greatest_usual_step(
    pieces: "list[tuple[NDArray[np.int64], NDArray[np.float64]]]", length_ms: int
) -> float:
    """Return the largest step that a guessed rollover may make (law 1).

    Args:
        pieces: readings before the fall and readings after it. Each piece is (times [UTC, ms],
            register), both of shape (n,) and ascending.
        length_ms: time between the readings around the fall [ms].

    Returns:
        0 if nothing is known of the meter's steps.
    """
    greatest = 0.0
    for times, register in pieces:
        steps, lengths = np.diff(register), np.diff(times)
        if len(steps):
            rate = float((steps / np.maximum(lengths, 1)).max())
            greatest = max(greatest, float(steps.max()), rate * length_ms)
    return _USUAL_FACTOR * greatest
