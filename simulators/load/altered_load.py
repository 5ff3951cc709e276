"""Change a load by power cuts and leaks. Pure, but for `alter`.

Law: the real flow changes here and nowhere else. Meters higher up in the meter tree therefore see
the change too, and the simulator's record of the truth includes it.
"""

from collections.abc import Iterable

import msgspec
import numpy as np

from simulators.load.load import HOUR_MS, Load, Part
from simulators.load.seeded_noise import Floats, Ints


class Outage(msgspec.Struct, frozen=True, order=True):
    """A period in which nothing flows, UTC ms."""

    begin_ms: int
    end_ms: int


class Leak(msgspec.Struct, frozen=True):
    """A period with an additional flow of `rate` [canonical unit an hour], UTC ms."""

    begin_ms: int
    end_ms: int
    rate: float

    def without(self, cuts: Iterable[Outage]) -> "list[Leak]":
        """Return the parts of this leak that lie outside all cuts."""
        left, begin_ms = list[Leak](), self.begin_ms
        for cut in _united(cuts):
            if begin_ms < min(cut.begin_ms, self.end_ms):
                left.append(Leak(begin_ms, min(cut.begin_ms, self.end_ms), self.rate))
            begin_ms = max(begin_ms, cut.end_ms)
        if begin_ms < self.end_ms:
            left.append(Leak(begin_ms, self.end_ms, self.rate))
        return left


class AlteredLoad:
    """A load (see `load.Load`) with cuts and leaks applied.

    Attributes:
        load: the load without any cut or leak.
    """

    def __init__(self, load: Load) -> None:
        self.load = load
        self._through = (Part(1.0, load),)
        self._cuts: tuple[Outage, ...] = ()
        self._leaks: tuple[Leak, ...] = ()

    @property
    def plain(self) -> bool:
        """Return True if the load has neither cuts nor leaks."""
        return not self._cuts and not self._leaks

    def parts(self) -> tuple[Part, ...]:
        """See `Load`."""
        return self._through if self.plain else ()

    def alter(self, cuts: Iterable[Outage], leaks: Iterable[Leak]) -> None:
        """Replace all cuts and leaks, for the past as well as for the future."""
        self._cuts = tuple(_united(cuts))
        self._leaks = tuple(leaks)

    def consumption(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        flowed = self.load.consumption(t_ms)
        for cut in self._cuts:
            begin = self.load.consumption(np.minimum(t_ms, cut.begin_ms))
            flowed = flowed - (self.load.consumption(np.minimum(t_ms, cut.end_ms)) - begin)
        for leak in self._leaks:
            lasted = np.clip(t_ms, leak.begin_ms, leak.end_ms) - leak.begin_ms
            flowed = flowed + leak.rate * lasted / HOUR_MS
        return flowed

    def rate(self, t_ms: Ints) -> Floats:
        """See `Load`."""
        flows = self.load.rate(t_ms)
        for cut in self._cuts:
            flows = np.where((t_ms >= cut.begin_ms) & (t_ms < cut.end_ms), 0.0, flows)
        for leak in self._leaks:
            leaking = (t_ms >= leak.begin_ms) & (t_ms < leak.end_ms)
            flows = flows + np.where(leaking, leak.rate, 0.0)
        return flows


def _united(cuts: Iterable[Outage]) -> list[Outage]:
    """Return the cuts in order of time, with overlapping or touching ones joined."""
    united: list[Outage] = []
    for cut in sorted(cuts):
        if united and cut.begin_ms <= united[-1].end_ms:
            last = united[-1]
            united[-1] = Outage(last.begin_ms, max(last.end_ms, cut.end_ms))
        else:
            united.append(cut)
    return united
