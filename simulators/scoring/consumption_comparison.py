"""Consumption by interval: what flowed, and what a store says of that. Pure: arrays in.

Law: what is not known is no number. A day of which nothing is stored has no error, but coverage 0.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from simulators.load.seeded_noise import Floats, Ints


class Amounts(msgspec.Struct, frozen=True):
    """What flowed in intervals, each with its start, UTC, ascending [canonical unit]."""

    starts_ms: Ints
    values: Floats


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What flowed through a meter, and what the store says of that [canonical unit].

    Attributes:
        flowed: really.
        stored: consumption in the store; what it lacks counts as nothing. None: it lacks all.
        error: stored - flowed.
        error_pct: in percent of what flowed; None where nothing did.
        coverage: share of the intervals that the store has.
    """

    flowed: float
    stored: float | None
    error: float | None
    error_pct: float | None
    coverage: float


class Day(Compared, frozen=True, kw_only=True):
    """The part of a local day that lies in the run."""

    day: date


def consumption(
    flowed: Amounts, computed: Amounts, zone: ZoneInfo
) -> tuple[Compared | None, tuple[Day, ...]]:
    """The whole run, and each local day of it."""
    starts = flowed.starts_ms
    if not len(starts):
        return None, ()
    stored = at(starts, computed.starts_ms, computed.values)
    ordinals = np.asarray(
        [datetime.fromtimestamp(start / 1000, zone).toordinal() for start in starts.tolist()]
    )
    days = [_day(number, flowed.values, stored, ordinals) for number in np.unique(ordinals)]
    return _compared(flowed.values, stored), tuple(days)


def _day(number: int, flowed: Floats, stored: Floats, ordinals: Ints) -> Day:
    of = ordinals == number
    compared = _compared(flowed[of], stored[of])
    return Day(day=date.fromordinal(int(number)), **msgspec.structs.asdict(compared))


def regrouped(amounts: Amounts, length_ms: int, into_ms: int) -> Amounts:
    """Intervals of a length, summed to longer ones; those that are not wholly there are left out.

    Args:
        amounts: of intervals aligned to the clock.
        length_ms: of theirs.
        into_ms: a multiple of it.
    """
    numbers, inverse, counts = np.unique(
        amounts.starts_ms // into_ms, return_inverse=True, return_counts=True
    )
    sums = np.bincount(inverse, amounts.values, len(numbers))
    whole = counts == into_ms // length_ms
    return Amounts(numbers[whole] * into_ms, sums[whole])


def at(times_ms: Ints, known_ms: Ints, values: Floats) -> Floats:
    """The values of those times that are known, NaN at the others."""
    found = np.full(len(times_ms), np.nan)
    _, here, there = np.intersect1d(times_ms, known_ms, return_indices=True)
    found[here] = values[there]
    return found


def _compared(flowed: Floats, stored: Floats) -> Compared:
    known = ~np.isnan(stored)
    total = float(flowed.sum())
    there = float(stored[known].sum()) if known.any() else None
    error = None if there is None else there - total
    return Compared(
        flowed=total,
        stored=there,
        error=error,
        error_pct=100.0 * error / total if error is not None and total else None,
        coverage=float(known.mean()),
    )
