"""List the devices of a meter in order of time, from `site.toml` and the meter models.

The device determines the largest possible growth of the register, its resolution, the value at
which it rolls over, and the transformer ratio by which stored values were multiplied.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.periods import midnight_ms
from jieneng.metering.catalog.meter_model import SINGLE_FLOAT_STEP, Model, Point
from jieneng.metering.quantities import CONSUMPTION, Medium
from jieneng.metering.site import DatedValue, Meter, Resets, value_in_force

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

HOUR_MS: Final = 3_600_000
#: Length of the past in which the largest rate of a meter without a known nameplate is determined
#: [ms]. A week contains working days and days off.
OWN_PAST_MS: Final = 7 * 24 * HOUR_MS

#: Growth of a register in an hour at a rate of 1 kW (electricity, heat) or 1 m3/h (water, gas), in
#: the register's unit. 1 kWh = 0.0036 GJ.
_PER_HOUR: Final[Mapping[Medium, float]] = {
    "electricity": 1.0,
    "water": 1.0,
    "gas": 1.0,
    "heat": 0.0036,
}

_ALWAYS_MS: Final = 2**62
#: Time span that contains all readings [UTC, ms].
ALWAYS: Final = (-_ALWAYS_MS, _ALWAYS_MS)

#: Relative difference up to which a stored value counts as a "no value" number.
_NO_VALUE_TOLERANCE: Final = 1e-8


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device of a meter, from its installation to its removal.

    "Register" means the value in the device itself, in the canonical unit, before CT and PT. The
    stored value is the register times the ratio.

    Attributes:
        from_ms: time of the installation [UTC, ms]; the distant past for the first device.
        until_ms: time of the removal [UTC, ms]; the distant future for the last device.
        initial: first stored value; NaN if it is not recorded.
        final: last stored value; NaN if it is not recorded.
        ratios: (time [UTC, ms], product of CT and PT from then on) pairs, by time.
        modulus: value at which the register rolls over to 0; infinity if unknown.
        step: resolution of the register; 0 if unknown.
        is_float32: True if the register is a 32-bit float: its resolution gets coarser as it grows.
        no_values: register values that mean "no value".
    """

    from_ms: int = -_ALWAYS_MS
    until_ms: int = _ALWAYS_MS
    initial: float = math.nan
    final: float = math.nan
    ratios: tuple[tuple[int, float], ...] = ((-_ALWAYS_MS, 1.0),)
    modulus: float = math.inf
    step: float = 0.0
    is_float32: bool = False
    no_values: tuple[float, ...] = ()

    def ratio_in_force(self, time_ms: int) -> float:
        """Return the ratio valid at a time [UTC, ms]."""
        return self.ratios[bisect_right(self.ratios, (time_ms, math.inf)) - 1][1]

    def has_one_ratio(self, first_ms: int, last_ms: int) -> bool:
        """Return True if the ratio does not change after the first time, up to the last one."""
        return not any(first_ms < since_ms <= last_ms for since_ms, _ in self.ratios)

    def ratio(self, times_ms: "NDArray[np.int64]") -> "NDArray[np.float64]":
        """Return the ratio valid at each time."""
        if len(self.ratios) == 1:
            return np.full(len(times_ms), self.ratios[0][1])
        since, ratios = zip(*self.ratios, strict=True)
        found: NDArray[np.float64] = np.array(ratios)[
            np.searchsorted(np.array(since), times_ms, side="right") - 1
        ]
        return found

    def resolution(self, register: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Return the resolution at each register value."""
        if not self.is_float32:
            return np.full_like(register, self.step)
        scaled = np.abs(register / self.step).astype(np.float32)
        return np.spacing(scaled).astype(np.float64) * self.step

    def is_no_value(self, register: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Return True for each register value that means "no value".

        There is a tolerance, because such a value may be stored with a small error: it may have
        been imported with few decimals, or rounded after multiplication with the ratio. The
        tolerance may include a few true readings near the end of the register's range. Leaving them
        out changes no consumption, because the next reading contains it.
        """
        found = np.zeros(len(register), dtype=np.bool_)
        for value, tolerance in self.no_value_tolerances():
            found |= np.abs(register - value) < tolerance
        return found

    def no_value_tolerances(self) -> Iterator[tuple[float, float]]:
        """Yield (value, tolerance) for each register value that means "no value"."""
        for value in self.no_values:
            yield value, max(self.step / 2, _NO_VALUE_TOLERANCE * abs(value))


class MeterDevices(msgspec.Struct, frozen=True):
    """The devices of a meter.

    Attributes:
        meter: id of the meter.
        devices: the devices by time, without gaps.
        rate_max_per_h: largest possible growth of the stored value in an hour; infinity if the
            nameplate is unknown.
        resets: period at which the register is reset to 0; None if it is not reset.
        zone: time zone of the site, in which periods of `resets` begin and hours of the week are
            counted; None to distribute all gaps evenly.
    """

    meter: str
    devices: tuple[Device, ...] = (Device(),)
    rate_max_per_h: float = math.inf
    resets: Resets | None = None
    zone: "ZoneInfo | None" = None

    @property
    def own_past_ms(self) -> int:
        """Length of the past on which findings depend [ms]; 0 if the nameplate is known."""
        return 0 if math.isfinite(self.rate_max_per_h) else OWN_PAST_MS


def devices_of(
    meter: Meter, models: Mapping[str, Model], zone: "ZoneInfo", quantity: str | None = None
) -> MeterDevices:
    """Return the devices of a meter, as `site.toml` records them.

    The model of a device is stated in its `replaced` row. The first device has the model of the
    meter.

    Args:
        meter: the meter.
        models: meter models by id.
        zone: time zone of the site.
        quantity: quantity of the register; None for the consumption. At a replacement, only the
            readings of the consumption register are recorded.
    """
    moments = [round(row.at.timestamp() * 1000) for row in meter.replaced]
    bounds = [-_ALWAYS_MS, *moments, _ALWAYS_MS]
    model_ids = [meter.model, *(row.model or meter.model for row in meter.replaced)]
    consumption = CONSUMPTION[meter.medium]
    counter = quantity or consumption
    is_recorded = counter == consumption
    initials = [math.nan, *(row.initial if is_recorded else math.nan for row in meter.replaced)]
    finals = [*(row.final if is_recorded else math.nan for row in meter.replaced), math.nan]
    rate = math.inf if meter.rated_max is None else meter.rated_max * _PER_HOUR[meter.medium]
    return MeterDevices(
        meter.id,
        tuple(
            _device(meter, _register(models.get(model or ""), counter), zone, ends)
            for model, ends in zip(
                model_ids,
                zip(pairwise(bounds), zip(initials, finals, strict=True), strict=True),
                strict=True,
            )
        ),
        rate,
        meter.resets,
        zone,
    )


def _register(model: Model | None, quantity: str) -> Point | None:
    if model is None:
        return None
    return next((row for row in model.point if row.quantity == quantity), None)


def _device(
    meter: Meter,
    row: Point | None,
    zone: "ZoneInfo",
    ends: tuple[tuple[int, int], tuple[float, float]],
) -> Device:
    (from_ms, until_ms), (initial, final) = ends
    # Readings of a meter without a model are entered by hand or imported. If the meter has a ratio,
    # they were already multiplied by it.
    applied = ("ct", "pt") if row is None else row.ratio
    dated = {"ct": meter.ct, "pt": meter.pt}
    is_float32 = row is not None and row.float_step == SINGLE_FLOAT_STEP
    return Device(
        from_ms=from_ms,
        until_ms=until_ms,
        initial=initial,
        final=final,
        ratios=_ratios([dated[name] for name in applied if dated[name]], zone),
        modulus=(row.modulus if row else None) or meter.display_modulus or math.inf,
        step=_step(row, is_float32=is_float32),
        is_float32=is_float32,
        no_values=() if row is None else row.no_values(),
    )


def _step(row: Point | None, *, is_float32: bool) -> float:
    """Return the resolution of a register; for a 32-bit float the unit of its significand."""
    if row is None:
        return 0.0
    return float(row.canonical_scale()) if is_float32 else row.step()


def _ratios(
    dated: "list[tuple[DatedValue, ...]]", zone: "ZoneInfo"
) -> tuple[tuple[int, float], ...]:
    """Return the product of dated ratios by time. The first also applies to all times before."""
    changes = sorted({row.from_ for rows in dated for row in rows[1:]})
    first = math.prod(rows[0].value for rows in dated)
    return (
        (-_ALWAYS_MS, first),
        *(
            (
                midnight_ms(day, zone),
                math.prod(value_in_force(rows, day, rows[0].value) or 1.0 for rows in dated),
            )
            for day in changes
        ),
    )
