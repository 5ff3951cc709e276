"""Compute signals from the statuses of agents: ledger, spool, disk, clock. Pure."""

from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.alerts.signals.sampling import SignalInput, row_time_keys, sampled

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Time over which samples that an agent dropped are counted [ms].
DROPPED_SPAN_MS: Final = 3_600_000


def status(given: SignalInput) -> "NDArray[np.float64]":
    """Return a field of the statuses of each agent at each step, shape (m, n), in its unit."""
    return sampled(given, given.readings)


def clock_untrusted(given: SignalInput) -> "NDArray[np.float64]":
    """Return 1 while the clock of an agent is not trusted, 0 while it is, shape (m, n).

    The field is `clock_ok`.
    """
    return sampled(given, given.readings.with_values(1.0 - given.readings.values))


def ledger_gap(given: SignalInput) -> "NDArray[np.float64]":
    """Return the samples of each agent that are missing in its ledger, shape (m, n) [samples].

    Missing samples are samples that were read and are neither stored, quarantined, pending nor
    dropped. Samples that were dropped within the last hour are added. The fields are
    `LEDGER_FIELDS`.
    """
    readings = given.readings
    read, stored, quarantined, pending, dropped = readings.columns
    gap = np.abs(read - stored - quarantined - pending - dropped)
    hour_ago = row_time_keys(readings.rows, readings.times_ms - DROPPED_SPAN_MS)
    row_start = np.searchsorted(readings.rows, readings.rows, side="left")
    before = np.searchsorted(readings.keys, hour_ago, side="right") - 1
    # A new spool counts from 0: its count is the number of newly dropped samples.
    grown = dropped - dropped[np.maximum(before, row_start)]
    newly = np.where(grown < 0, dropped, grown)
    return sampled(given, readings.with_values(gap + newly))


#: Fields of `ledger` that `ledger_gap` takes, in this order.
LEDGER_FIELDS: Final = ("read", "stored", "quarantined", "pending", "dropped")
