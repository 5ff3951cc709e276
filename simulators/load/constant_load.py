"""A load with a constant rate, so that its readings can be calculated by hand. Pure."""

import numpy as np

from simulators.load.load import HOUR_MS
from simulators.load.seeded_noise import Floats, Ints


class ConstantLoad:
    """A load (see `load.Load`) with a constant rate from a given moment on."""

    def __init__(self, rate: float, begin_ms: int) -> None:
        """Start flowing at `begin_ms`, with a constant `rate` [canonical unit an hour]."""
        self._rate = rate
        self._begin_ms = begin_ms

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        return np.asarray(self._rate * np.maximum(t_ms - self._begin_ms, 0) / HOUR_MS)

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        return np.where(t_ms >= self._begin_ms, self._rate, 0.0)
