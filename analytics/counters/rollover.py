"""Guess the modulus of a register that rolled over, if its number of digits is not recorded.

A register of five digits goes from 99999 to 0. If the number of digits is not recorded, a fall from
just below a power of ten may be a rollover or a reset. A rollover is guessed if it gives a step of
usual size. Example: the monthly steps were 500 to 600, and then the register fell from 99980 to
540. With a rollover at 100000, this step is 560.

Laws:

1. A rollover at a power of ten is guessed only if the register fell from the last tenth of the
   range into the first tenth. The step must be at most three times as large as the meter's
   second-largest step over the same length of time nearby. The largest step does not count, because
   it may be the jump into a wrong reading.
2. No rollover is guessed soon after a jump, because the register may never have shown the readings
   before the fall. A jump is more than three times as large and as fast as any other step nearby;
   a single step may be one.
3. A guess leaves a doubt: if the register was really reset, the consumption is too large by up to
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
    before: "tuple[NDArray[np.int64], NDArray[np.float64]]",
    after: "tuple[NDArray[np.int64], NDArray[np.float64]]",
) -> float:
    """Return the largest step that a guessed rollover may make (laws 1 and 2).

    Args:
        before: readings before the fall, as (times [UTC, ms], register), both of shape (n,). Times
            ascend.
        after: readings after the fall, in the same form.

    Returns:
        0 if nothing is known of the meter's steps, or if they end in a jump.
    """
    length_ms = float(after[0][0] - before[0][-1])
    step, rate, may_jump = _second_largest_step(*before)
    if may_jump:
        return 0.0
    later_step, later_rate, _ = _second_largest_step(*after)
    return _USUAL_FACTOR * max(step, later_step, max(rate, later_rate) * length_ms)


def _second_largest_step(
    times_ms: "NDArray[np.int64]", register: "NDArray[np.float64]"
) -> tuple[float, float, bool]:
    """Return the second-largest step, its rate [per ms], and True if the largest may be a jump."""
    # Ignore spikes that fell again: growth counts only if no later reading is lower.
    steps = np.diff(np.minimum.accumulate(register[::-1])[::-1])
    if len(steps) < 2:
        return 0.0, 0.0, True
    rates = steps / np.maximum(np.diff(times_ms), 1)
    (step, max_step), (rate, max_rate) = np.sort(steps)[-2:], np.sort(rates)[-2:]
    may_jump = max_step > _USUAL_FACTOR * step and max_rate > _USUAL_FACTOR * rate
    return float(step), float(rate), bool(may_jump)
