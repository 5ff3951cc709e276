"""List the devices of a meter over time, with their transformer ratios. Pure.

Law: the first device ends at its recorded final reading, and each later device begins at its
recorded initial reading. Between these a device counts the load's consumption. The last reading of
a middle device therefore follows from its initial reading and the load. If the final reading of the
first device is smaller than the consumption until then, the device shows 0 until the remaining
consumption equals the reading.
"""

from collections.abc import Mapping
from datetime import date, datetime, time
from fractions import Fraction
from typing import Final

import numpy as np

from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import DatedValue, Meter, Site, value_in_force
from simulators.load.load import DAY_MS, Load
from simulators.load.simulated_days import FIRST_DAY
from simulators.protocols import PROTOCOLS
from simulators.registers.device_period import CounterAnchor, DevicePeriod

_A_YEAR: Final = 365
_ALWAYS_MS: Final = 0  # beginning of meters without a recorded installation, UTC


def midnight_ms(site: Site, day: date) -> int:
    """Return the local midnight at which a day begins, as UTC ms."""
    return round(datetime.combine(day, time(), site.zone).timestamp() * 1000)


def device_periods(
    site: Site, models: Mapping[str, Model], meter: Meter, load: Load, *, replayed: bool = False
) -> list[DevicePeriod]:
    """Return the devices and transformers of a meter over time, from its installation on.

    Args:
        site: site of the meter.
        models: device models, by id.
        meter: a meter with a model.
        load: load of the meter.
        replayed: True if the load comes from a file; the first device then starts at 0.
    """
    first_ms = _ALWAYS_MS if meter.installed is None else midnight_ms(site, meter.installed)
    replaced_ms = [round(row.at.timestamp() * 1000) for row in meter.replaced]
    later_models = [row.model or meter.model or "" for row in meter.replaced]
    # The model of the first device is not recorded; it is assumed to be today's model.
    model_ids = [meter.model or "", *later_models]
    ratio_changes = [midnight_ms(site, row.from_) for row in (*meter.ct, *meter.pt)]
    periods: list[DevicePeriod] = []
    for number, begin_ms in enumerate([first_ms, *replaced_ms]):
        end = replaced_ms[number] if number < len(replaced_ms) else None
        model = models[model_ids[number]]
        anchor = _anchor(site, meter, load, model, number, replayed=replayed)
        inside = {at for at in ratio_changes if begin_ms < at and (end is None or at < end)}
        for at_ms in [begin_ms, *sorted(inside)]:
            ct, pt = transformer_ratios(site, meter, at_ms)
            periods.append(DevicePeriod(at_ms, model, ct, pt, begin_ms, anchor))
    return periods


def _anchor(
    site: Site, meter: Meter, load: Load, model: Model, number: int, *, replayed: bool
) -> CounterAnchor:
    """Return a moment of a device at which its reading is known, and that reading."""
    if number > 0:
        earlier = meter.replaced[number - 1]
        return CounterAnchor(round(earlier.at.timestamp() * 1000), earlier.initial)
    if meter.replaced:
        last = meter.replaced[0]
        at = round(last.at.timestamp() * 1000)
        # Half a step more: the register is rounded down, and shows the final reading at the end.
        return CounterAnchor(at, last.final + _half_step(site, meter, model, at))
    if meter.installed is None:
        return CounterAnchor()
    installed, epoch = midnight_ms(site, meter.installed), midnight_ms(site, FIRST_DAY)
    if replayed or installed >= epoch:
        return CounterAnchor(installed)
    per_day = _consumption_at(load, epoch + _A_YEAR * DAY_MS) / _A_YEAR
    return CounterAnchor(reading=per_day * (epoch - installed) / DAY_MS)


def _consumption_at(load: Load, time_ms: int) -> float:
    return float(load.consumption(np.asarray([time_ms]))[0])


def _half_step(site: Site, meter: Meter, model: Model, time_ms: int) -> float:
    """Return half a step of the consumption counter [canonical unit]; 0 for a float."""
    ct, pt = transformer_ratios(site, meter, time_ms - 1)
    device = PROTOCOLS[model.protocol].new_device(model, ct, pt, meter.id)
    quantity = CONSUMPTION[meter.medium]
    counter = next(one for one in device.registers if one.quantity == quantity)
    return 0.0 if counter.layout.kind == "f" else float(counter.step) / 2.0


def transformer_ratios(site: Site, meter: Meter, time_ms: int) -> tuple[Fraction, Fraction]:
    """Return the CT and PT ratios in force on the local day of a moment."""
    day = datetime.fromtimestamp(time_ms / 1000, site.zone).date()
    return _ratio(meter.ct, day), _ratio(meter.pt, day)


def _ratio(rows: tuple[DatedValue, ...], day: date) -> Fraction:
    return Fraction(str(value_in_force(rows, day, 1.0)))
