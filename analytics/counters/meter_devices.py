"""What is known of the devices that hung, one after the other, in a meter's place.

From it follows what a register may do: how fast it may grow, where it wraps, how fine it reads,
and what of a stored value is the transformer ratio. Pure: a site's meter and its models in.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from analytics.periods import midnight_ms
from jieneng.metering.catalog.meter_model import SINGLE_FLOAT_STEP, Model, Point
from jieneng.metering.quantities import CONSUMPTION, Medium
from jieneng.metering.site import Dated, Meter, value_on

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

HOUR_MS: Final = 3_600_000

#: What a nameplate's 1 kW (electricity, heat) or 1 m3/h (water, gas) adds to the register in an
#: hour, in the register's unit. 1 kWh = 0.0036 GJ.
_PER_HOUR: Final[Mapping[Medium, float]] = {
    "electricity": 1.0,
    "water": 1.0,
    "gas": 1.0,
    "heat": 0.0036,
}

_ALWAYS_MS: Final = 2**62


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One device: one life of the register.

    "Register" below means what the device itself counts, in the canonical unit, before CT and PT;
    what is stored is register times ratio.

    Attributes:
        from_ms: when it was put in; the first device: always.
        until_ms: when it was taken out; the last one: never.
        initial: what was stored of it first, where its beginning is recorded; else NaN.
        final: what was stored of it last, where its end is recorded; else NaN.
        ratios: (from when, CT times PT in force from then on), the first one from always.
        modulus: where the register wraps; infinity where that is not known.
        step: its resolution; 0 where that is not known.
        single: whether it is a 32-bit float, whose resolution falls as it grows.
    """

    from_ms: int = -_ALWAYS_MS
    until_ms: int = _ALWAYS_MS
    initial: float = math.nan
    final: float = math.nan
    ratios: tuple[tuple[int, float], ...] = ((-_ALWAYS_MS, 1.0),)
    modulus: float = math.inf
    step: float = 0.0
    single: bool = False

    def ratio(self, times_ms: "NDArray[np.int64]") -> "NDArray[np.float64]":
        """The ratio in force at each time."""
        since, ratios = zip(*self.ratios, strict=True)
        found: NDArray[np.float64] = np.array(ratios)[
            np.searchsorted(np.array(since), times_ms, side="right") - 1
        ]
        return found

    def resolution(self, register: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The smallest step that it can show where it stands."""
        if not self.single:
            return np.full_like(register, self.step)
        shown = np.abs(register / self.step).astype(np.float32)
        return np.spacing(shown).astype(np.float64) * self.step


class Place(msgspec.Struct, frozen=True):
    """A meter's place and its devices.

    Attributes:
        meter: its id.
        devices: by time, without gaps.
        rate_max: the most that the stored value may grow in an hour; infinity where the nameplate
            is not known.
    """

    meter: str
    devices: tuple[Device, ...] = (Device(),)
    rate_max: float = math.inf


def place(meter: Meter, models: Mapping[str, Model], zone: "ZoneInfo") -> Place:
    """The devices of a meter, as `site.toml` records them.

    A device's model is that of its `replaced` row; the first device's is taken to be the one that
    hangs there now, as it was before rows were written.
    """
    moments = [round(row.at.timestamp() * 1000) for row in meter.replaced]
    bounds = [-_ALWAYS_MS, *moments, _ALWAYS_MS]
    model_ids = [meter.model, *(row.model or meter.model for row in meter.replaced)]
    initials = [math.nan, *(row.initial for row in meter.replaced)]
    finals = [*(row.final for row in meter.replaced), math.nan]
    rate = math.inf if meter.rated_max is None else meter.rated_max * _PER_HOUR[meter.medium]
    return Place(
        meter.id,
        tuple(
            _device(meter, _register(models.get(model or ""), meter.medium), zone, ends)
            for model, ends in zip(
                model_ids,
                zip(pairwise(bounds), zip(initials, finals, strict=True), strict=True),
                strict=True,
            )
        ),
        rate,
    )


def _register(model: Model | None, medium: Medium) -> Point | None:
    if model is None:
        return None
    return next((row for row in model.point if row.quantity == CONSUMPTION[medium]), None)


def _device(
    meter: Meter,
    row: Point | None,
    zone: "ZoneInfo",
    ends: tuple[tuple[int, int], tuple[float, float]],
) -> Device:
    (from_ms, until_ms), (initial, final) = ends
    # Without a model nobody says that the ratio is not in the register, and then it is written
    # down because the values were multiplied by it.
    applied = ("ct", "pt") if row is None else row.ratio
    dated = {"ct": meter.ct, "pt": meter.pt}
    single = row is not None and row.float_step == SINGLE_FLOAT_STEP
    return Device(
        from_ms=from_ms,
        until_ms=until_ms,
        initial=initial,
        final=final,
        ratios=_ratios([dated[name] for name in applied if dated[name]], zone),
        modulus=math.inf if row is None or row.modulus is None else row.modulus,
        step=_step(row, single=single),
        single=single,
    )


def _step(row: Point | None, *, single: bool) -> float:
    """A register's smallest step; of a single float what its last digit is a multiple of."""
    if row is None:
        return 0.0
    return float(row.canonical_scale()) if single else row.step()


def _ratios(dated: "list[tuple[Dated, ...]]", zone: "ZoneInfo") -> tuple[tuple[int, float], ...]:
    """The product of dated ratios. Before its first day a ratio was what it was on that day."""
    changes = sorted({row.from_ for rows in dated for row in rows[1:]})
    first = math.prod(rows[0].value for rows in dated)
    return (
        (-_ALWAYS_MS, first),
        *(
            (
                midnight_ms(day, zone),
                math.prod(value_on(rows, day, rows[0].value) or 1.0 for rows in dated),
            )
            for day in changes
        ),
    )
