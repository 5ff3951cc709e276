"""Compute the consumption of many meters on several grids of intervals. Pure.

The registers of several meters with few readings are laid one after the other on one time axis. All
of their intervals are then computed at once. For this, each meter is moved in time by more than the
whole span of readings and intervals. The time between two meters counts as unknown, so no interval
uses the readings of another meter.

Laws:

1. The results of a meter do not depend on the order and the number of the meters.
2. Times are only subtracted from each other. So a meter has the same digits if it is moved in time.
3. At most `_READINGS` readings are laid together, or one meter if it has more. So the memory needed
   does not grow with the number of meters, and the arrays stay in the processor's cache.
4. A meter with many readings and no gap is computed alone. This is faster than to copy its readings
   to the common time axis.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import astuple

from analytics.counters.batch.lone_strays import without_lone_strays
from analytics.counters.batch.plain_register import plain_register
from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import (
    Consumption,
    RegisterAtEdges,
    consumption_by_edges,
    consumption_of_line,
    divided_at,
    register_at_edges,
)
from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.intervals.interval_pieces import ascending
from analytics.counters.intervals.profiled_gaps import (
    history_from_ms,
    profiled_gaps,
    with_profiles,
)
from analytics.counters.intervals.register_line import RegisterLine, joined_lines, line_of
from analytics.counters.meter_devices import ALWAYS, MeterDevices
from analytics.counters.register_finding import RegisterFinding
from analytics.periods import Interval

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray


#: Largest number of readings that are computed together.
_READINGS: Final = 131_072
#: Smallest number of readings of a meter that is computed alone if it has no gap.
_MANY_READINGS: Final = 8192


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
        history_ms: as in `MeterOutcome`.
    """

    line: RegisterLine
    stable_ms: tuple[int, int] | None
    findings: tuple[RegisterFinding, ...]
    imported: ImportedConsumption | None
    history_ms: int | None = None


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
    edges = _Edges.of(grids)
    for part in _parts(meters):
        judged = [
            _with_profiles(_judged(meter), edges.all_ms, meter.devices.zone) for meter in part
        ]
        together = [meter.line for meter in judged if meter.imported is None]
        by_register = iter(_of_lines(together, edges))
        outcomes += [
            MeterOutcome(
                next(by_register) if meter.imported is None else _with_imports(meter, grids),
                meter.findings,
                meter.stable_ms,
                meter.history_ms,
            )
            for meter in judged
        ]
    return outcomes


def _parts(meters: Sequence[MeterReadings]) -> Iterator[Sequence[MeterReadings]]:
    """Yield the meters in parts, so that a part has few readings (law 3)."""
    first, readings = 0, 0
    for number, meter in enumerate(meters):
        if number > first and readings + len(meter.times_ms) > _READINGS:
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


def _with_profiles(
    meter: _Judged, edges_ms: "NDArray[np.int64]", zone: "ZoneInfo | None"
) -> _Judged:
    """Return a meter whose consumption is distributed in the gaps that edges divide.

    Args:
        meter: the meter.
        edges_ms: all edges of intervals [UTC, ms], ascending.
        zone: time zone of the site; None to distribute all gaps evenly.
    """
    if zone is None:
        return meter
    line = meter.line
    gaps = profiled_gaps(line, divided_at(edges_ms, meter.imported))
    if not len(gaps):
        return meter
    return meter._replace(
        line=with_profiles(line, gaps, zone), history_ms=history_from_ms(line, gaps)
    )


def _with_imports(
    meter: _Judged, grids: "Mapping[Interval, NDArray[np.int64]]"
) -> dict[Interval, Consumption]:
    """Return the consumption of a meter that has imported intervals."""
    return {
        interval: consumption_of_line(meter.line, edges_ms, meter.imported)
        for interval, edges_ms in grids.items()
    }


class _Edges(NamedTuple):
    """The edges of several grids.

    Attributes:
        all_ms: shape (n,), all edges, ascending, each once [UTC, ms].
        grids: edges of the intervals by their length, and the indexes of these edges in `all_ms`.
    """

    all_ms: "NDArray[np.int64]"
    grids: "Mapping[Interval, tuple[NDArray[np.int64], NDArray[np.intp] | slice]]"

    @classmethod
    def of(cls, grids: "Mapping[Interval, NDArray[np.int64]]") -> "_Edges":
        """Return the edges of grids."""
        none = np.zeros(0, dtype=np.int64)
        all_ms = ascending(np.concatenate([none, *grids.values()]))
        return cls(
            all_ms,
            {
                interval: (
                    edges_ms,
                    all_ms.searchsorted(edges_ms) if len(edges_ms) < len(all_ms) else slice(None),
                )
                for interval, edges_ms in grids.items()
            },
        )


def _of_lines(lines: Sequence[RegisterLine], edges: _Edges) -> list[dict[Interval, Consumption]]:
    """Return the consumption of each line by length of the intervals."""
    if not edges.grids:
        return [{} for _ in lines]
    is_alone = [len(line.known) == 1 and len(line.times_ms) >= _MANY_READINGS for line in lines]
    others = [line for line, alone in zip(lines, is_alone, strict=True) if not alone]
    joined = iter(_of_joined_lines(others, edges) if len(others) > 1 else ())
    return [
        _of_line(line, edges) if alone or len(others) == 1 else next(joined)
        for line, alone in zip(lines, is_alone, strict=True)
    ]


def _of_line(line: RegisterLine, edges: _Edges) -> dict[Interval, Consumption]:
    """Return the consumption of one line by length of the intervals."""
    shown, spread = register_at_edges(line, edges.all_ms)
    return {
        interval: consumption_by_edges(line, edges_ms, RegisterAtEdges(shown[index], spread[index]))
        for interval, (edges_ms, index) in edges.grids.items()
    }


def _of_joined_lines(
    lines: Sequence[RegisterLine], edges: _Edges
) -> list[dict[Interval, Consumption]]:
    """Join several lines on one time axis, and return the consumption of each line."""
    found: list[dict[Interval, Consumption]] = [{} for _ in lines]
    ends = [
        edges.all_ms[[0, -1]],
        *(line.edges_ms[[0, -1]] for line in lines if len(line.edges_ms)),
    ]
    span_ms = int(np.max(ends)) - int(np.min(ends)) + 1
    shifts_ms = np.arange(len(lines)) * span_ms
    joined = joined_lines(lines, shifts_ms.tolist())
    all_ms = _moved(edges.all_ms, shifts_ms)
    at_edges = register_at_edges(joined, all_ms)
    shown, spread = (column.reshape(len(lines), -1) for column in at_edges)
    for interval, (edges_ms, index) in edges.grids.items():
        of_grid = RegisterAtEdges(shown[:, index].ravel(), spread[:, index].ravel())
        moved_ms = all_ms if isinstance(index, slice) else _moved(edges_ms, shifts_ms)
        whole = consumption_by_edges(joined, moved_ms, of_grid)
        for number, of_line in enumerate(found):
            part = slice(number * len(edges_ms), (number + 1) * len(edges_ms) - 1)
            of_line[interval] = Consumption(*(column[part] for column in astuple(whole)))
    return found


def _moved(edges_ms: "NDArray[np.int64]", shifts_ms: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Return the edges for each of several meters, one meter after the other."""
    return (shifts_ms[:, None] + edges_ms).ravel()
