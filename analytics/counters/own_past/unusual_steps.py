"""Find steps of a register that are far above all others of the meter.

A digit that was keyed wrong, or a meter that was swapped without a record, counts what never
flowed. An example, monthly readings of a meter that counts about 10,000 kWh in a month:

    read    1 Oct     1 Nov     1 Dec     31 Dec
    shown   190,000   200,500   210,000   242,000

The last step is 32,000 kWh, three times the greatest other one, which the nameplate allows. 220,000
was meant. The step counts, because the counter may be right, and what is above the greatest usual
step is doubted: about 21,000 kWh.

Laws:

1. A step is compared with the greatest consumption in as many days without a break elsewhere,
   of steps that are about as short. It is unusual from twice that on, and from as many times as
   that is above the median: a meter whose past varies may well vary more.
2. Only what matters for a year is a finding: at least half a percent of a year's consumption.
3. Steps are unusual alone. Three days or two longer steps in a row are another level: a building
   that fills, a season that begins.
4. No more than a few steps are unusual, at most one in thirty.
5. The past is at least thirty days, and five times the step. A first day of more than usual, after
   which nothing is known yet, may be a season that begins. It needs five times the greatest day,
   or thirty times that for gas and heat without a past of ten months.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from analytics.counters.consumption import zero_where_unknown
from analytics.counters.own_past.day_history import LEAST_DAYS, DayHistory
from analytics.counters.register_finding import RegisterFinding
from jieneng.metering.findings import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Least ratio of an unusual step to the greatest usual one, and the same for the newest days.
_LEAST_RATIO: Final = 2.0
_LEAST_RATIO_NEWEST: Final = 5.0
_LEAST_RATIO_SEASON: Final = 30.0
#: Least number of unusual steps that are looked for, and their greatest share.
_FEW: Final = 3
_FEW_SHARE: Final = 1 / 30
#: Least past [days], and as a multiple of the step.
_LEAST_PAST_DAYS: Final = 30
_LEAST_PAST: Final = 5
#: Number of the newest days after which a level is known, and of days that contain a season.
_NEWEST_DAYS: Final = 3
_SEASON_DAYS: Final = 300
#: Greatest number of days, and of longer steps, in a row that are one unusual step.
_DAYS_IN_A_ROW: Final = 2


def unusual_steps(meter: str, history: DayHistory, *, seasonal: bool) -> Iterator[RegisterFinding]:
    """Yield a finding for each unusual step.

    Args:
        meter: id of the meter.
        history: consumption of the meter, of its whole history.
        seasonal: True if consumption follows the seasons: gas and heat.
    """
    steps = history.steps
    most = max(_FEW, int(len(steps.rate) * _FEW_SHARE))
    greatest = np.argsort(-steps.rate, kind="stable")[:most]
    for count in range(len(greatest), 0, -1):
        chosen = greatest[:count]
        usual = _usual_rate(history, chosen, int(chosen[-1]), seasonal=seasonal)
        if usual is not None:
            yield from _findings(meter, history, chosen, seasonal=seasonal)
            return


def _usual_rate(
    history: DayHistory, chosen: "NDArray[np.int64]", step: int, *, seasonal: bool
) -> float | None:
    """Return the greatest usual rate, if a step is unusual; None if it is usual.

    Args:
        history: consumption of the meter.
        chosen: numbers of the steps with which it is not compared.
        step: number of the step.
        seasonal: True if consumption follows the seasons.
    """
    steps = history.steps
    days, rate = int(steps.days[step]), float(steps.rate[step])
    is_other = np.ones(len(steps.rate) + 1, dtype=np.bool_)  # the last one: of unknown days
    is_other[chosen] = False
    past = history.known & is_other[steps.number] & steps.has_resolution(days)
    flowing = history.rate[past & (history.rate > 0)]
    known_days = int(past.sum())
    if known_days < max(_LEAST_PAST_DAYS, _LEAST_PAST * days) or not len(flowing):
        return None
    usual = _greatest_mean(np.where(past, history.rate, np.nan), days)
    if 0 <= rate < _LEAST_RATIO * usual:  # most are: the rest needs the median
        return None
    least = max(_LEAST_RATIO, usual / float(np.median(flowing)))
    last = np.flatnonzero(history.known)[-1]
    if days < _NEWEST_DAYS and int(steps.first[step]) + days > last + 1 - _NEWEST_DAYS:
        in_season = not seasonal or known_days >= _SEASON_DAYS
        least = max(least, _LEAST_RATIO_NEWEST if in_season else _LEAST_RATIO_SEASON)
    above = (rate - usual) * days
    is_unusual = rate >= least * usual and above >= LEAST_DAYS * float(np.mean(history.rate[past]))
    return usual if is_unusual else None


def _greatest_mean(rate: "NDArray[np.float64]", days: int) -> float:
    """Return the greatest mean of a number of known days in a row, or of fewer if there are none.

    Args:
        rate: shape (days,), consumption in 24 hours; NaN where it is not compared.
        days: the number.
    """
    if days > 1:
        total = np.append(0.0, np.cumsum(zero_where_unknown(rate)))
        known = np.append(0, np.cumsum(np.isfinite(rate)))
    while days > 1:
        complete = known[days:] - known[:-days] == days
        if complete.any():
            return float((total[days:] - total[:-days])[complete].max()) / days
        days = (days + 1) // 2
    return float(np.nanmax(rate))


def _findings(
    meter: str, history: DayHistory, chosen: "NDArray[np.int64]", *, seasonal: bool
) -> Iterator[RegisterFinding]:
    """Yield a finding for each row of unusual days that is one step (law 3)."""
    steps = history.steps
    usual = {
        step: found
        for step in sorted(chosen.tolist())
        if (found := _usual_rate(history, chosen, step, seasonal=seasonal)) is not None
    }
    for row in _rows(list(usual), steps.first, steps.days):
        days = sum(int(steps.days[step]) for step in row)
        if len(row) > 1 and days > _DAYS_IN_A_ROW and not _has_edges(row, steps.days):
            continue
        first, end = int(steps.first[row[0]]), int(steps.first[row[-1]] + steps.days[row[-1]])
        amount = float(np.nansum(history.amount[first:end]))
        expected = sum(usual[step] * float(steps.days[step]) for step in row)
        yield RegisterFinding(
            Finding.of("unusual_step", meter, amount=amount, usual=expected),
            int(history.edges_ms[first]),
            int(history.edges_ms[end]),
            amount - expected,
        )


def _rows(
    numbers: list[int], first: "NDArray[np.int64]", days: "NDArray[np.int64]"
) -> Iterator[list[int]]:
    """Yield the rows of steps between which no day lies."""
    row: list[int] = []
    for number in numbers:
        if row and int(first[row[-1]] + days[row[-1]]) != int(first[number]):
            yield row
            row = []
        row.append(number)
    if row:
        yield row


def _has_edges(row: list[int], days: "NDArray[np.int64]") -> bool:
    """Return True if a row is one longer step and the days at its edges, which it shares."""
    longer = [step for step in row if days[step] > 1]
    return len(longer) == 1 and len(row) <= len(longer) + 2
