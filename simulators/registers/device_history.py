"""List the devices of a meter over time, with their transformer ratios. Pure.

Law: the first device ends at its recorded final reading; each later device begins at its recorded
initial reading. Between these a device counts the load's consumption. The end of a middle device
therefore follows from its initial reading and the load. If the final reading of the first device is
smaller than the consumption before it, that device shows 0 until the remaining consumption fits.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from fractions import Fraction
from typing import Final

import numpy as np

from jieneng.metering.catalog.modbus_points import ModbusModel
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import DatedValue, Meter, Site, value_in_force
from simulators.load.load import DAY_MS, Load
from simulators.load.simulated_days import FIRST_DAY
from simulators.registers.device_period import CounterAnchor, DevicePeriod
from simulators.registers.register_layout import registers

_A_YEAR: Final = 365
_ALWAYS_MS: Final = 0  # beginning of meters without a recorded installation, UTC


def midnight_ms(site: Site, day: date) -> int:
    """Return the local midnight at which a day begins, as UTC ms."""
    return round(datetime.combine(day, time(), site.zone).timestamp() * 1000)


def device_periods(
    site: Site, models: Mapping[str, ModbusModel], one: Meter, load: Load, *, replayed: bool = False
) -> list[DevicePeriod]:
    """Return the devices and transformers of a meter over time, from its installation on.

    Args:
        site: site of the meter.
        models: device models, by id.
        one: a meter with a model.
        load: load of the meter.
        replayed: True if the load comes from a file; the first device then starts at 0.
    """
    installed = _ALWAYS_MS if one.installed is None else midnight_ms(site, one.installed)
    swaps = [round(row.at.timestamp() * 1000) for row in one.replaced]
    hangs = [row.model or one.model or "" for row in one.replaced]
    # The model of the first device is not recorded; it is assumed to be today's model.
    names = [one.model or "", *hangs]
    ratio_changes = [midnight_ms(site, row.from_) for row in (*one.ct, *one.pt)]
    found: list[DevicePeriod] = []
    for number, begin in enumerate([installed, *swaps]):
        end = swaps[number] if number < len(swaps) else None
        model = models[names[number]]
        anchor = _anchor(site, one, load, model, number, replayed=replayed)
        inside = [at for at in ratio_changes if begin < at and (end is None or at < end)]
        found += [
            DevicePeriod(at, model, *ratios(site, one, at), since_ms=begin, anchor=anchor)
            for at in [begin, *sorted(set(inside))]
        ]
    return found


def _anchor(
    site: Site, one: Meter, load: Load, model: ModbusModel, number: int, *, replayed: bool
) -> CounterAnchor:
    """Return a moment of a device at which its reading is known, and that reading."""
    if number > 0:
        earlier = one.replaced[number - 1]
        return CounterAnchor(round(earlier.at.timestamp() * 1000), earlier.initial)
    if one.replaced:
        last = one.replaced[0]
        at = round(last.at.timestamp() * 1000)
        # Half a step more, so that the device shows its final reading before it is removed.
        return CounterAnchor(at, last.final + _half_step(site, one, model, at))
    if one.installed is None:
        return CounterAnchor()
    installed, epoch = midnight_ms(site, one.installed), midnight_ms(site, FIRST_DAY)
    if replayed or installed >= epoch:
        return CounterAnchor(installed)
    a_day = _flowed(load, epoch + _A_YEAR * DAY_MS) / _A_YEAR
    return CounterAnchor(shows=a_day * (epoch - installed) / DAY_MS)


def _flowed(load: Load, time_ms: int) -> float:
    return float(load.consumption(np.asarray([time_ms]))[0])


def _half_step(site: Site, one: Meter, model: ModbusModel, time_ms: int) -> float:
    stretch = DevicePeriod(time_ms, model, *ratios(site, one, time_ms - 1))
    counter = CONSUMPTION[one.medium]
    step = next(r for r in registers(stretch, one.medium) if r.row.quantity == counter)
    return 0.0 if step.layout.kind == "f" else float(step.step) / 2.0


def ratios(site: Site, one: Meter, time_ms: int) -> tuple[Fraction, Fraction]:
    """Return the CT and PT ratios in force on the local day of a moment."""
    day = datetime.fromtimestamp(time_ms / 1000, site.zone).date()
    return _ratio(one.ct, day), _ratio(one.pt, day)


def _ratio(rows: tuple[DatedValue, ...], day: date) -> Fraction:
    return Fraction(str(value_in_force(rows, day, 1.0)))
