"""Convert display values to primary values by the ratio of the meter's transformers. Pure.

A meter behind current or voltage transformers measures only a fraction of the consumption. Its
primary value is its display value times the transformer ratio in force at the time. Only primary
values are stored.

Laws:

1. This module never guesses whether a file holds display or primary values: both can look alike.
2. If the meter has a model, the model says which ratios (CT, PT) apply to its register. Without a
   model, the ratios of all its transformers apply. The analytics applies the same rule when it
   divides by the ratio.
"""

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import prod
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from ingest.importing.cells.local_days import time_of_local
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.site import DatedValue, Meter, value_in_force

#: (time [UTC, ms], ratio from then on), by time.
Ratios: TypeAlias = tuple[tuple[int, float], ...]

_ALWAYS_MS: Final = -(2**62)


def ratios_of(meter: Meter, quantity: str, models: Mapping[str, Model], zone: ZoneInfo) -> Ratios:
    """Return the ratios of primary value to display value, by time; () if they are always 1."""
    if QUANTITIES[quantity].kind != "counter":
        return ()
    model = models.get(meter.model or "")
    points = () if model is None else model.point
    point = next((point for point in points if point.quantity == quantity), None)
    applied = ("ct", "pt") if point is None else point.ratio
    dated = [rows for name in applied if (rows := _dated(meter, name))]
    changes = sorted({row.from_ for rows in dated for row in rows[1:]})
    ratios = (
        (_ALWAYS_MS, prod(rows[0].value for rows in dated)),
        *(
            (
                time_of_local(datetime(day.year, day.month, day.day), zone),  # noqa: DTZ001 - local
                prod(value_in_force(rows, day, rows[0].value) or 1.0 for rows in dated),
            )
            for day in changes
        ),
    )
    return () if all(ratio == 1 for _, ratio in ratios) else ratios


def _dated(meter: Meter, name: str) -> Sequence[DatedValue]:
    return {"ct": meter.ct, "pt": meter.pt}[name]


def to_primary(times_ms: Sequence[int], values: Sequence[float], ratios: Ratios) -> "array[float]":
    """Return the primary values of display values.

    Args:
        times_ms: times of the values [UTC, ms].
        values: the display values.
        ratios: ratios by time, at least one.
    """
    since = [since_ms for since_ms, _ in ratios]
    return array(
        "d",
        (
            value * ratios[bisect_right(since, time_ms) - 1][1]
            for time_ms, value in zip(times_ms, values, strict=True)
        ),
    )
