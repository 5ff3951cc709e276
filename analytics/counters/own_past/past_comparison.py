"""Compare a meter with its own past: all that this folder can find, in order of time.

Law: what is compared is a whole history. A part of it has another past, and may say otherwise.
"""

from typing import TYPE_CHECKING, Final

from analytics.counters.own_past.day_history import DayHistory
from analytics.counters.own_past.rising_amounts import rising_amounts
from analytics.counters.own_past.standstills import standstills
from analytics.counters.own_past.unusual_steps import unusual_steps
from analytics.counters.register_finding import RegisterFinding

if TYPE_CHECKING:
    from jieneng.metering.site import Meter

#: Media whose consumption follows the seasons.
_SEASONAL: Final = frozenset({"gas", "heat"})


def compare_with_past(meter: "Meter", history: DayHistory) -> list[RegisterFinding]:
    """Return what is unusual for a meter.

    Args:
        meter: the meter.
        history: its consumption by local day, of its whole history.
    """
    seasonal = meter.medium in _SEASONAL
    found = [
        *unusual_steps(meter.id, history, seasonal=seasonal),
        *standstills(meter.id, history, seasonal=seasonal),
        *rising_amounts(meter.id, history),
    ]
    return sorted(found, key=lambda one: one.first_ms)
