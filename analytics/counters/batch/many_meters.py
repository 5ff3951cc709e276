"""Compute the consumption of many meters on several grids of intervals. Pure.

Law: the order and the number of the meters do not affect any number.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics.counters.believed_register import believed_register
from analytics.counters.consumption import Consumption, consumption_between
from analytics.counters.imported_consumption import ImportedConsumption
from analytics.counters.meter_devices import MeterDevices
from analytics.counters.register_finding import RegisterFinding
from analytics.periods import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
            the result [UTC, ms]; None if there is no such span.
    """

    consumption: Mapping[Interval, Consumption]
    findings: tuple[RegisterFinding, ...]
    stable_ms: tuple[int, int] | None


def consumption_of_meters(
    meters: Sequence[MeterReadings], grids: "Mapping[Interval, NDArray[np.int64]]"
) -> list[MeterOutcome]:
    """Return the consumption of each meter, in the order of the meters.

    Args:
        meters: readings of the meters.
        grids: edges of the intervals by their length, shape (intervals + 1,), UTC ms, strictly
            ascending.
    """
    return [_outcome(meter, grids) for meter in meters]


def _outcome(meter: MeterReadings, grids: "Mapping[Interval, NDArray[np.int64]]") -> MeterOutcome:
    register = believed_register(meter.times_ms, meter.values, meter.devices, meter.window)
    return MeterOutcome(
        {
            interval: consumption_between(register, edges, meter.imported)
            for interval, edges in grids.items()
        },
        register.findings,
        register.stable_ms,
    )
