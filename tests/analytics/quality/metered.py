"""Daily consumption of meters for tests, every day measured."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analytics.figures.site_consumption import MeterConsumption

Days = NDArray[np.float64]


def metered(by_meter: Mapping[str, Days | list[float]], *, spread: float = 0.0) -> MeterConsumption:
    """Return the consumption of meters; NaN is unknown.

    Args:
        by_meter: consumption by day, by id of the meter.
        spread: share of each day that lies at its midnights between distant readings.
    """
    amount = np.array([np.asarray(days, dtype=np.float64) for days in by_meter.values()])
    known = np.where(np.isfinite(amount), 1.0, 0.0)
    nothing = np.zeros_like(amount)
    at_edges = np.where(np.isfinite(amount), spread * np.nan_to_num(amount), 0.0)
    return MeterConsumption(
        tuple(by_meter), amount, known, nothing, known, at_edges, at_edges, nothing
    )
