"""Find amounts that never fall, because readings of a register were imported as consumption.

Law: real consumption falls from time to time, for example after a working day or a warm month. If
the amounts have not fallen in sixty steps in a row, or in thirteen steps over more than a year,
they are reported as a register. The doubt is NaN, because the error has no limit.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np

from analytics.counters.own_past.day_history import DayHistory
from analytics.counters.register_finding import RegisterFinding
from jieneng.metering.findings import Finding

#: Number of steps in a row without a fall from which there is a finding.
_STEPS: Final = 60
#: A smaller number of steps is enough if they last for at least `_LONG_DAYS`.
_LONG_STEPS: Final = 13
_LONG_DAYS: Final = 380


def rising_amounts(meter: str, history: DayHistory) -> Iterator[RegisterFinding]:
    """Yield a finding for each sequence of steps that does not fall for too long.

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
