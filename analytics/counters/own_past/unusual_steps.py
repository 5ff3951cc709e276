"""Find unusual steps: increases of a register far above all other increases of the meter.

Causes are a mistyped digit, or a meter that was replaced without a record. An example, monthly
readings of a meter that counts about 10,000 kWh in a month:

    read    1 Oct     1 Nov     1 Dec     31 Dec
    shown   190,000   200,500   210,000   242,000

The last step is 32,000 kWh, three times the largest other step. The nameplate allows it, but
220,000 was meant. The step is kept as consumption, because it may be right. The part above the
largest usual step, about 21,000 kWh, is reported as the doubt.

Laws:

1. A step of N days is compared with the largest consumption of the meter in any other N consecutive
   days, among steps of about the same length or shorter. It is unusual if it is at least R times as
   large. R is 2, or the ratio of that largest consumption to the median consumption if this is
   more: if consumption has varied much in the past, larger steps are usual.
2. There is a finding only if the doubt is at least 0.5 % of a year's consumption.
3. Unusual steps occur singly. If three days, or two longer steps, in a row are unusual, they are
   usual consumption at a new level, and no finding: for example more people in the building, or the
   beginning of the heating season.
4. At most one step in thirty is unusual, or three steps if that is more.
5. The past must be known for at least thirty days, and for five times the length of the step. An
   unusual step at the end of the known days may be the beginning of a season. There, R is 5; it is
   30 for gas and heat with a past of less than ten months.
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

#: Smallest ratio R of an unusual step to the largest usual consumption (law 1); then the same for
#: the newest days, and for the newest days of seasonal media (law 5).
_LEAST_RATIO: Final = 2.0
_LEAST_RATIO_NEWEST: Final = 5.0
_LEAST_RATIO_SEASON: Final = 30.0
#: Largest number of unusual steps: this number, or this share of all steps if that is more (law 4).
_FEW: Final = 3
_FEW_SHARE: Final = 1 / 30
#: Smallest length of the past [days]; and the same as a multiple of the step's length (law 5).
_LEAST_PAST_DAYS: Final = 30
_LEAST_PAST: Final = 5
#: Number of newest days for which law 5 applies; and length of a past that contains all seasons
#: [days].
_NEWEST_DAYS: Final = 3
_SEASON_DAYS: Final = 300
#: Largest number of unusual days in a row that are still a finding (law 3).
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
    """Return the largest usual rate if a step is unusual; None if the step is usual.

    Args:
        history: consumption of the meter.
        chosen: numbers of the steps that are possibly unusual; they are left out of the comparison.
        step: number of the step to judge.
        seasonal: True if consumption follows the seasons.
    """
    steps = history.steps
    days, rate = int(steps.days[step]), float(steps.rate[step])
    # The last element is for days with unknown consumption.
    is_other = np.ones(len(steps.rate) + 1, dtype=np.bool_)
    is_other[chosen] = False
    past = history.known & is_other[steps.number] & steps.has_resolution(days)
    flowing = history.rate[past & (history.rate > 0)]
    known_days = int(past.sum())
    if known_days < max(_LEAST_PAST_DAYS, _LEAST_PAST * days) or not len(flowing):
        return None
    usual = _greatest_mean(np.where(past, history.rate, np.nan), days)
    if 0 <= rate < _LEAST_RATIO * usual:  # true of most steps; only the others need the median
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
    """Return the largest mean rate of `days` consecutive days without NaN.

    If there are no such days, the number of days is halved until there are some.

    Args:
        rate: shape (days,), consumption in 24 hours; NaN for days that are left out.
        days: number of consecutive days.
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
    """Yield a finding for each sequence of unusual steps that occurs singly (law 3)."""
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
    """Yield the sequences of steps that follow each other without a day between them."""
    row: list[int] = []
    for number in numbers:
        if row and int(first[row[-1]] + days[row[-1]]) != int(first[number]):
            yield row
            row = []
        row.append(number)
    if row:
        yield row


def _has_edges(row: list[int], days: "NDArray[np.int64]") -> bool:
    """Return True if a sequence is one longer step with at most a day before and after it.

    The consumption of these days belongs in part to the longer step.
    """
    longer = [step for step in row if days[step] > 1]
    return len(longer) == 1 and len(row) <= len(longer) + 2
