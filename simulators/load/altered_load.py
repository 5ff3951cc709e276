"""Add outages and leaks to a load. Pure, except for the method `alter`.

Law: outages and leaks change the true flow only here. All loads above it in the meter tree are sums
of such loads, so their meters count the change, too. The truth folder contains it as well.
"""

from collections.abc import Iterable

import msgspec
import numpy as np

from simulators.load.load import HOUR_MS, Load, LoadPart
from simulators.load.seeded_noise import Floats, Ints


class Outage(msgspec.Struct, frozen=True, order=True):
    """A period in which nothing flows, UTC ms."""

    begin_ms: int
    end_ms: int


class LeakPeriod(msgspec.Struct, frozen=True):
    """A period (UTC ms) with an additional flow of `rate` [canonical unit an hour]."""

    begin_ms: int
    end_ms: int
    rate: float

    def outside(self, outages: Iterable[Outage]) -> "list[LeakPeriod]":
        """Return the parts of this leak that lie outside all outages."""
        parts, begin_ms = list[LeakPeriod](), self.begin_ms
        for outage in _merged(outages):
            if begin_ms < min(outage.begin_ms, self.end_ms):
                parts.append(LeakPeriod(begin_ms, min(outage.begin_ms, self.end_ms), self.rate))
            begin_ms = max(begin_ms, outage.end_ms)
        if begin_ms < self.end_ms:
            parts.append(LeakPeriod(begin_ms, self.end_ms, self.rate))
        return parts


class AlteredLoad:
    """A load (see `load.Load`) with outages and leaks applied.

    Attributes:
        load: the load without any outage or leak.
    """

    def __init__(self, load: Load) -> None:
        self.load = load
        self._as_part = (LoadPart(1.0, load),)
        self._outages: tuple[Outage, ...] = ()
        self._leaks: tuple[LeakPeriod, ...] = ()

    @property
    def is_unaltered(self) -> bool:
        """Return True if the load has neither outages nor leaks."""
        return not self._outages and not self._leaks

    def parts(self) -> tuple[LoadPart, ...]:
        """See `Load`."""
        return self._as_part if self.is_unaltered else ()

    def alter(self, outages: Iterable[Outage], leaks: Iterable[LeakPeriod]) -> None:
        """Replace all outages and leaks, for the past as well as for the future."""
        self._outages = tuple(_merged(outages))
        self._leaks = tuple(leaks)

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        consumed = self.load.consumption(t_ms)
        for outage in self._outages:
            before = self.load.consumption(np.minimum(t_ms, outage.begin_ms))
            consumed = consumed - (self.load.consumption(np.minimum(t_ms, outage.end_ms)) - before)
        for leak in self._leaks:
            lasted_ms = np.clip(t_ms, leak.begin_ms, leak.end_ms) - leak.begin_ms
            consumed = consumed + leak.rate * lasted_ms / HOUR_MS
        return consumed

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        rates = self.load.rate(t_ms)
        for outage in self._outages:
            rates = np.where((t_ms >= outage.begin_ms) & (t_ms < outage.end_ms), 0.0, rates)
        for leak in self._leaks:
            in_leak = (t_ms >= leak.begin_ms) & (t_ms < leak.end_ms)
            rates = rates + np.where(in_leak, leak.rate, 0.0)
        return rates


def _merged(outages: Iterable[Outage]) -> list[Outage]:
    """Return the outages in order of time, with overlapping or touching ones joined."""
    merged: list[Outage] = []
    for outage in sorted(outages):
        if merged and outage.begin_ms <= merged[-1].end_ms:
            last = merged[-1]
            merged[-1] = Outage(last.begin_ms, max(last.end_ms, outage.end_ms))
        else:
            merged.append(outage)
    return merged
