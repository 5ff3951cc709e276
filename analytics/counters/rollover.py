"""Rollovers of registers whose modulus nobody has recorded: a guess, and what bears it out.

A display of five digits goes from 99999 to 0. If nobody has recorded its digits, a fall from near a
power of ten may be a rollover or a reset. A guess is made if the step across is one that the meter
usually makes: 99980 to 540, with 500 to 600 in the months before.

Laws:

1. A guess is made from the last tenth below a power of ten into its first tenth, and for a step of
   at most three times the greatest one of the same length nearby.
2. A guess is a doubt: the whole range may have been counted too much.
"""

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Smallest register whose digits are guessed: displays have at least three.
_LEAST_MODULUS: Final = 1000.0
#: Shares of the range from which and into which a register rolls over by a guess.
_LAST_SHARE: Final = 0.9
_FIRST_SHARE: Final = 0.1
#: Greatest step across, as a multiple of the greatest usual one.
_USUAL_FACTOR: Final = 3.0


def guessed_modulus(before: float, after: float) -> float:
    """Return the power of ten at which a register may have rolled over; infinity if at none.

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
    """Return the greatest step that a guess may make in a time.

    Args:
        pieces: (times [UTC, ms], register) of readings before and after the fall, each ascending.
        length_ms: the time.

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
