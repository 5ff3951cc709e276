"""Collect all findings from comparing a meter with its own past, in order of time.

Law: the whole history must be given. A part of it may lead to other findings.
"""

from typing import TYPE_CHECKING, Final

from analytics.counters.own_past.day_history import DayHistory
from analytics.counters.own_past.rising_amounts import rising_amounts
from analytics.counters.own_past.standstills import standstills
from analytics.counters.own_past.unit_slips import unit_slips
from analytics.counters.own_past.unusual_steps import unusual_steps
from analytics.counters.register_finding import RegisterFinding

if TYPE_CHECKING:
    from jieneng.metering.site import Meter

#: Media whose consumption follows the seasons.
_SEASONAL: Final = frozenset({"gas", "heat"})


def compare_with_past(meter: "Meter", history: DayHistory) -> list[RegisterFinding]:
    """Return the findings about unusual consumption of a meter.

    Args:
        meter: the meter.
        history: daily consumption of the meter, of its whole history.
    """
    seasonal = meter.medium in _SEASONAL
    found = [
        *unusual_steps(meter.id, history, seasonal=seasonal),
        *standstills(meter.id, history, seasonal=seasonal),
        *rising_amounts(meter.id, history),
        *unit_slips(meter.id, history, seasonal=seasonal),
    ]
    return sorted(found, key=lambda one: one.first_ms)
