"""Compute the consumption of many meters on several grids of intervals. Pure.

First it is decided for each meter which readings are believed, then the consumption of several
meters is computed at once (`line_batch`).

Laws:

1. The results of a meter do not depend on the order and the number of the meters.
2. Meters of one time zone are computed together, with at most `_READINGS` readings, or one meter if
   it has more. So the memory needed does not grow with the number of meters, and the arrays stay in
   the processor's cache.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from analytics.counters.batch.line_batch import Distributed, GridEdges, distributed
from analytics.counters.batch.lone_strays import without_lone_strays
from analytics.counters.batch.plain_register import plain_register
from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import Consumption, consumption_of_line, divided_at
from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.intervals.profiled_gaps import (
    history_from_ms,
    profiled_gaps,
    with_profiles,
)
from analytics.counters.intervals.register_line import RegisterLine, line_of
from analytics.counters.meter_devices import ALWAYS, MeterDevices
from analytics.counters.register_finding import RegisterFinding
from analytics.periods import Interval

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import numpy as np
    from numpy.typing import NDArray


#: Largest number of readings that are computed together.
_READINGS: Final = 200_000


class MeterReadings(msgspec.Struct, frozen=True):
    """The readings of one register, and what is recorded of the meter.

    Attributes:
        devices: devices of the meter.
        times_ms: shape (n,), times of the readings [UTC, ms], in any order.
        values: shape (n,), the stored register [kWh, m3 or GJ]; NaN if unknown.
        window: time span from which the readings were read, context included [UTC, ms]; None if
            there are no more readings.
        imported: believed imported intervals; None for none.
    """

    devices: MeterDevices
    times_ms: "NDArray[np.int64]"
    values: "NDArray[np.float64]"
    window: tuple[int, int] | None = None
    imported: ImportedConsumption | None = None


class MeterOutcome(msgspec.Struct, frozen=True):
    """The consumption of one register.

    Attributes:
        consumption: consumption by length of the intervals.
        findings: findings about the readings, those of the context included.
        stable_ms: (first, last time) of the span in which readings outside the window can't change
            which readings are believed [UTC, ms]; None if there is no such span.
        history_ms: time from which believed readings determine the distribution in gaps [UTC, ms];
            None if no gap is distributed by a profile.
    """

    consumption: Mapping[Interval, Consumption]
    findings: tuple[RegisterFinding, ...]
    stable_ms: tuple[int, int] | None
    history_ms: int | None = None


class _Judged(NamedTuple):
    """A meter whose readings are judged.

    Attributes:
        line: line of the believed readings.
        stable_ms: as in `MeterOutcome`.
        findings: findings about the readings.
        imported: believed imported intervals; None if there are none.
    """

    line: RegisterLine
    stable_ms: tuple[int, int] | None
    findings: tuple[RegisterFinding, ...]
    imported: ImportedConsumption | None


def consumption_of_meters(
    meters: Sequence[MeterReadings], grids: "Mapping[Interval, NDArray[np.int64]]"
) -> list[MeterOutcome]:
    """Return the consumption of each meter, in the order of the meters.

    Args:
        meters: readings of the meters.
        grids: edges of the intervals by their length, shape (intervals + 1,), UTC ms, strictly
            ascending.
    """
    outcomes: list[MeterOutcome] = []
    edges = GridEdges.of(grids)
    for part in _parts(meters):
        judged = [_judged(meter) for meter in part]
        zone = part[0].devices.zone
        together = [meter.line for meter in judged if meter.imported is None]
        by_register = iter(distributed(together, edges, zone))
        for meter in judged:
            found = (
                next(by_register)
                if meter.imported is None
                else _with_imports(meter.line, meter.imported, edges, zone)
            )
            outcomes.append(
                MeterOutcome(found.consumption, meter.findings, meter.stable_ms, found.history_ms)
            )
    return outcomes


def _parts(meters: Sequence[MeterReadings]) -> Iterator[Sequence[MeterReadings]]:
    """Yield the meters in parts of one time zone and few readings (law 2)."""
    first, readings = 0, 0
    for number, meter in enumerate(meters):
        is_full = readings + len(meter.times_ms) > _READINGS
        if number > first and (is_full or meter.devices.zone is not meters[first].devices.zone):
            yield meters[first:number]
            first, readings = number, 0
        readings += len(meter.times_ms)
    if first < len(meters):
        yield meters[first:]


def _judged(meter: MeterReadings) -> _Judged:
    """Return a meter with the readings that are believed: by the cheapest way that is proven."""
    window = meter.window or ALWAYS
    imported = meter.imported
    if imported is not None and not len(imported.start_ms):
        imported = None
    plain = plain_register(meter.times_ms, meter.values, meter.devices, window)
    if plain is not None:
        return _Judged(plain.line, plain.stable_ms, (), imported)
    others = without_lone_strays(meter.times_ms, meter.values, meter.devices, window)
    if others is not None:
        return _Judged(others.line, others.stable_ms, others.findings, imported)
    register = believed_register(meter.times_ms, meter.values, meter.devices, window)
    return _Judged(line_of(register), register.stable_ms, register.findings, imported)


def _with_imports(
    line: RegisterLine, imported: ImportedConsumption, edges: GridEdges, zone: "ZoneInfo | None"
) -> Distributed:
    """Return the consumption of a meter that has imported intervals."""
    history_ms = None
    if zone is not None:
        gaps = profiled_gaps(line, divided_at(edges.all_ms, imported))
        history_ms = history_from_ms(line, gaps)
        line = with_profiles(line, gaps, zone)
    return Distributed(
        {
            interval: consumption_of_line(line, edges_ms, imported)
            for interval, (edges_ms, _) in edges.grids.items()
        },
        history_ms,
    )
