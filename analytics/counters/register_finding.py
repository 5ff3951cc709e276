"""Findings about a meter's register: their time, and the consumption that they put in doubt.

Laws:

1. The doubt is the greatest amount by which the consumption between two times may be wrong, in the
   unit of the meter's consumption quantity. It is 0 where nothing can be wrong, and NaN where
   nothing bounds it.
2. A finding lies at its first time. It depends on the readings around it alone, so it is the same
   in every window that contains this time.
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

#: Least number of steps of the own past, for meters that are read less often.
_OWN_PAST_STEPS: Final = 5


class RegisterFinding(msgspec.Struct, frozen=True):
    """A finding about a register or an imported interval, with its time and its doubt.

    Attributes:
        finding: the finding; its values are numbers, and its subject is the meter.
        first_ms: first time that it concerns [UTC, ms].
        until_ms: last time that it concerns [UTC, ms], at least `first_ms`.
        doubt: greatest amount by which the consumption between the two times may be wrong [kWh, m3
            or GJ]; 0 if nothing can be wrong, NaN if nothing bounds it.
        count: number of findings of this code and meter that were merged to this one.
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
        """Return the finding with its times, its number and its doubt as values of its sentence.

        Args:
            weight: share of the figure that it concerns, 0 to 1; None if that is not known.
            values: further values of its sentence.
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
    """Return findings of one code and meter as one.

    It has the values of the finding with the greatest doubt, and the sum of all doubts.

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
    """Return findings, in order of time, as one for each meter and code."""
    groups: dict[tuple[str, str], list[RegisterFinding]] = {}
    for one in found:
        groups.setdefault((one.finding.subject, one.finding.code), []).append(one)
    return [merged(group) for group in groups.values()]


def greatest_rate(
    times_ms: "NDArray[np.int64]",
    steps: "NDArray[np.float64]",
    count: int,
) -> float:
    """Return the greatest rate of the own past of a meter [stored unit per ms].

    Args:
        times_ms: shape (n,), times of the believed readings [UTC, ms], ascending.
        steps: shape (n - 1,), growth of the stored value from each reading to the next one; NaN
            where it is unknown.
        count: number of the readings that lie in the past.

    Returns:
        NaN if nothing is known of the past, or if nothing flowed in it: a register that stood
        still says nothing about what could have flowed.
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
