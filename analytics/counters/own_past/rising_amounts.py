"""Find amounts that never fall: a register that was imported as consumption.

Law: consumption falls after a working day, a week or a warm month. If it has fallen neither in
sixty steps in a row nor in thirteen steps of more than a year, the amounts are those of a register,
and nothing bounds the error.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.counters.own_past.day_history import DayHistory
from analytics.counters.register_finding import RegisterFinding
from jieneng.metering.findings import Finding

#: Least number of steps that rise in a row.
_STEPS: Final = 60
#: The same for a row of at least so many days.
_LONG_STEPS: Final = 13
_LONG_DAYS: Final = 380


def rising_amounts(meter: str, history: DayHistory) -> Iterator[RegisterFinding]:
    """Yield a finding for each row of steps without a fall that is too long for consumption.

    Args:
        meter: id of the meter.
        history: consumption of the meter, of its whole history.
    """
    steps = history.steps
    if not len(steps.rate):
        return
    ends = steps.first + steps.days
    breaks = np.flatnonzero(np.diff(steps.rate) < 0) + 1
    bounds = [0, *breaks.tolist(), len(steps.rate)]
    for low, high in pairwise(bounds):
        days = int(steps.days[low:high].sum())
        if high - low < _STEPS and not (high - low >= _LONG_STEPS and days >= _LONG_DAYS):
            continue
        yield RegisterFinding(
            Finding.of(
                "looks_like_register",
                meter,
                first=float(steps.rate[low]),
                last=float(steps.rate[high - 1]),
            ),
            int(history.edges_ms[steps.first[low]]),
            int(history.edges_ms[ends[high - 1]]),
            math.nan,
        )
