"""One meter as the agent polls it. Pure: replies in, a sample out.

Laws:

1. A poll is one sample, stamped with the reply that holds the consumption counter, or with the
   last reply where that one is missing. What was not answered, or is no finite number, is NaN.
2. A ratio holds from the start of its local day: a sample is computed with those in force at its
   own time, even if it was asked for a moment before midnight. Before its first day a ratio was
   what it was on that day: a counter must not jump when a dated row comes into force.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.judge import Judge, Repetition
from edge_agent.protocols import Reply
from edge_agent.timekeeper import EARLIEST_MS
from jieneng.metering.catalog import Model
from jieneng.metering.quantities import CONSUMPTION, Medium
from jieneng.metering.read_plan import Read, plan
from jieneng.metering.reading import MILLISECONDS, Sample
from jieneng.metering.site import Meter, value_on

# The rate that a nameplate's maximum bounds, and what the consumption counter grows by in an hour
# at a rate of 1: 1 kW is 0.0036 GJ an hour.
_RATES: Final[Mapping[Medium, tuple[str, float]]] = {
    "electricity": ("power_kw", 1.0),
    "water": ("flow_m3_h", 1.0),
    "gas": ("flow_m3_h", 1.0),
    "heat": ("power_kw", 0.0036),
}
# Relative distance of neighbouring floats (IEEE 754): the step of a register that holds one.
_FLOAT_STEP: Final[Mapping[str, float]] = {"f32": 2.0**-23, "f64": 2.0**-52}


class _Plan(msgspec.Struct, frozen=True):
    """What holds between two changes of a ratio.

    Attributes:
        since_ms: from then on [ms since 1970] ...
        until_ms: ... and before then.
        step: of the counter's register, in its canonical unit; 0 for a float.
    """

    since_ms: float
    until_ms: float
    reads: tuple[Read, ...]
    quantities: tuple[str, ...]
    step: float


class PolledMeter:
    """A meter, its reads, and what it is judged by.

    Attributes:
        id: of the meter.
        unit: on its bus.
        model: id of its model.
        interval_s: between two polls.
        reads: what to ask for; the same whatever ratios are in force.
    """

    def __init__(self, meter: Meter, model: Model, zone: ZoneInfo) -> None:
        self.id: Final = meter.id
        self.unit: Final = meter.unit
        self.model: Final = model.id
        self.interval_s: Final = meter.interval_s
        self._meter = meter
        self._catalog = model
        days = sorted({row.from_ for row in (*meter.ct, *meter.pt)})
        self._changes_ms = [_start_ms(datetime(d.year, d.month, d.day, tzinfo=zone)) for d in days]
        self._days = days
        self._plan = self._plan_at(0)
        self.reads: Final = self._plan.reads
        counter = CONSUMPTION[meter.medium]
        rate, an_hour = _RATES[meter.medium]
        self._judge = Judge(meter.rated_max, an_hour)
        quantities = self._plan.quantities
        self._repetition = Repetition(quantities)
        self._counter = quantities.index(counter)
        self._rate = quantities.index(rate) if rate in quantities else None
        self._counter_read = next(
            number for number, read in enumerate(self.reads) if counter in read.quantities
        )
        kinds = {row.quantity: row.type for row in model.point}
        self._float_step = _FLOAT_STEP.get(kinds[counter], 0.0)
        self._unknown = tuple((math.nan,) * len(read.quantities) for read in self.reads)

    def sample(self, replies: Sequence[Reply | None]) -> Sample | None:
        """What the replies say, one a read; None where there is no reply at all."""
        stamp = replies[self._counter_read] or next(filter(None, reversed(replies)), None)
        if stamp is None:
            return None
        time_ms = stamp.time_ms
        # A clock that can't be believed yet tells no day: the earliest that it could is nearest.
        day_ms = max(time_ms, EARLIEST_MS)
        in_force = self._plan
        if not in_force.since_ms <= day_ms < in_force.until_ms:
            in_force = self._plan = self._plan_at(day_ms)
        values: tuple[float, ...] = ()
        for read, reply, unknown in zip(in_force.reads, replies, self._unknown, strict=True):
            values += unknown if reply is None else read.decode(reply.data)
        if not math.isfinite(sum(values)):
            values = tuple([value if math.isfinite(value) else math.nan for value in values])
        counter = values[self._counter]
        quality = self._judge.quality(
            time_ms,
            counter,
            math.nan if self._rate is None else values[self._rate],
            in_force.step + self._float_step * abs(counter),
        ) | self._repetition.quality(time_ms, values)
        return Sample(self.id, time_ms, quality, in_force.quantities, values)

    def _plan_at(self, time_ms: int) -> _Plan:
        number = bisect_right(self._changes_ms, time_ms)
        ratios = self._ratios(number)
        # What a plan is made of, and no more: a model's vectors are no matter of the agent's.
        catalog = self._catalog
        asked = Model(model=catalog.model, point=catalog.point, forbidden=catalog.forbidden)
        reads, quantities = _reads(asked, **ratios)
        counter = CONSUMPTION[self._meter.medium]
        row = next(row for row in self._catalog.point if row.quantity == counter)
        edges = [-math.inf, *self._changes_ms, math.inf]
        return _Plan(
            since_ms=edges[number],
            until_ms=edges[number + 1],
            reads=reads,
            quantities=quantities,
            step=row.step(**ratios),
        )

    def _ratios(self, number: int) -> dict[str, Fraction]:
        """CT and PT after that many changes; 1 where there is no row at all."""
        day = self._days[number - 1] if number else date.min
        ratios = dict[str, Fraction]()
        for name, rows in (("ct", self._meter.ct), ("pt", self._meter.pt)):
            value = value_on(rows, day, rows[0].value if rows else 1.0)
            ratios[name] = Fraction(str(value))  # through text: 0.1 is meant as a tenth
        return ratios


@lru_cache(maxsize=1024)
def _reads(model: Model, ct: Fraction, pt: Fraction) -> tuple[tuple[Read, ...], tuple[str, ...]]:
    """The reads and their quantities, shared by all meters of one model and the same ratios."""
    reads = plan(model, {"ct": ct, "pt": pt})
    return reads, tuple(name for read in reads for name in read.quantities)


def _start_ms(midnight: datetime) -> int:
    return round(midnight.astimezone(UTC).timestamp() * MILLISECONDS)
