"""Compute the past readings of simulated meters, many moments at a time. Pure.

Law: to the last digit, a value of the history equals the value that a poll at that moment would
have read.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import msgspec
import numpy as np

from jieneng.metering.site import Site
from simulators.load.load import HOUR_MS
from simulators.load.seeded_noise import Floats, Ints
from simulators.registers.device_history import midnight_ms
from simulators.simulated_site import SimulatedSite


class CounterSeries(msgspec.Struct, frozen=True):
    """Readings of a meter's counter [canonical unit].

    NaN before the meter was installed, and where its device lacks the quantity.
    """

    meter: str
    quantity: str
    times_ms: Ints
    values: Floats


def midnights(site: Site, first: date, last: date) -> Ints:
    """Return the local midnights at which the days from `first` to `last` begin, as UTC ms."""
    span = range((last - first).days + 1)
    return np.asarray([midnight_ms(site, first + timedelta(days)) for days in span])


def full_hours(begin_ms: int, end_ms: int) -> Ints:
    """Return the full hours from `begin_ms` to before `end_ms`, UTC ms."""
    return np.arange(-(-begin_ms // HOUR_MS), -(-end_ms // HOUR_MS)) * HOUR_MS


def readings(simulated: SimulatedSite, times_ms: Ints) -> Iterator[CounterSeries]:
    """Yield the readings of every counter of every meter at these moments."""
    for meter in simulated.meters.values():
        for quantity, values in meter.readings(times_ms).items():
            yield CounterSeries(meter.id, quantity, times_ms, values)
