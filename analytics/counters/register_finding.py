"""Findings about a meter's register, with their time span and their doubt.

Laws:

1. The doubt is the largest amount by which the consumption in the time span may be wrong, in the
   unit of the meter's consumption. It is 0 if no error is possible, and NaN if the error has no
   known limit.
2. A finding depends only on the readings around it. So each window that contains its first time
   gives the same finding.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from analytics.counters.meter_devices import OWN_PAST_MS
from jieneng.metering.findings import Finding, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Smallest number of steps that the own past must have.
_OWN_PAST_STEPS: Final = 5


class RegisterFinding(msgspec.Struct, frozen=True, gc=False):
    """A finding about a register or an imported interval, with its time and its doubt.

    Attributes:
        finding: the finding. Its values are numbers, and its subject is the meter.
        first_ms: start of the time span [UTC, ms].
        until_ms: end of the time span [UTC, ms], at least `first_ms`.
        doubt: largest amount by which the consumption in the time span may be wrong [kWh, m3 or
            GJ]; 0 if no error is possible, NaN if no limit is known.
        count: number of findings with the same code and meter that were merged into this one.
    """

    finding: Finding
    first_ms: int
    until_ms: int
    doubt: float = math.nan
    count: int = 1

    @property
    def is_doubt(self) -> bool:
        """True if consumption may be wrong."""
        return self.doubt != 0

    def shown(self, weight: float | None = None, **values: Value) -> Finding:
        """Return the finding with time span, count and doubt as values for its sentence.

        Args:
            weight: doubt as a share of the figure, 0 to 1; None if it is not known.
            values: further values for its sentence.
        """
        of_time: Mapping[str, Value] = {
            "first_ms": self.first_ms,
            "until_ms": self.until_ms,
            "count": self.count,
            "doubt": math.inf if math.isnan(self.doubt) else self.doubt,
        }
        named = {**values, **dict(self.finding.values), **of_time}
        return Finding(self.finding.code, self.finding.subject, tuple(named.items()), weight)


def merged(found: Sequence[RegisterFinding]) -> RegisterFinding:
    """Merge findings of the same code and meter into one.

    The result has the values of the finding with the largest doubt, and the sum of all doubts.

    Args:
        found: at least one finding, in order of time.
    """
    heaviest = max(found, key=lambda one: math.inf if math.isnan(one.doubt) else one.doubt)
    return RegisterFinding(
        heaviest.finding,
        min(one.first_ms for one in found),
        max(one.until_ms for one in found),
        math.fsum(one.doubt for one in found),
        sum(one.count for one in found),
    )


def merged_by_code(found: Iterable[RegisterFinding]) -> list[RegisterFinding]:
    """Merge findings (given in order of time) into one for each meter and code."""
    groups: dict[tuple[str, str], list[RegisterFinding]] = {}
    for one in found:
        groups.setdefault((one.finding.subject, one.finding.code), []).append(one)
    return [merged(group) for group in groups.values()]


def greatest_rate(
    times_ms: "NDArray[np.int64]",
    steps: "NDArray[np.float64]",
    count: int,
) -> float:
    """Return the largest rate of a meter in its past [stored unit per ms].

    Args:
        times_ms: shape (n,), times of the believed readings [UTC, ms], ascending.
        steps: shape (n - 1,), growth of the stored value from each reading to the next one; NaN
            if unknown.
        count: number of readings that belong to the past.

    Returns:
        The rate; NaN if the past is unknown, or if the register did not grow in it. A register that
        stood still gives no hint of the possible rate.
    """
    if count < 2:
        return math.nan
    last_ms = times_ms[count - 1]
    first = int(times_ms.searchsorted(last_ms - OWN_PAST_MS))
    first = max(min(first, count - 1 - _OWN_PAST_STEPS), 0)
    lengths = times_ms[first + 1 : count] - times_ms[first : count - 1]
    is_known = (steps[first : count - 1] > 0) & (lengths > 0)
    rates = steps[first : count - 1][is_known] / lengths[is_known]
    return float(rates.max()) if len(rates) else math.nan
