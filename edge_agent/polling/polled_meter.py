"""Plan the reads of one meter, and turn its replies into a sample. Pure.

Laws:

1. A poll is one sample, stamped with the reply that holds the consumption counter, or with the
   last reply where that one is missing. What was not answered, or is no finite number, is NaN.
   Polls may be understood later than they were heard, but in the same order.
2. What is asked for in a poll is what is due in it (`PollPlan`), and due again until it was got.
3. A ratio holds from the start of its local day: a sample is computed with those in force at its
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

from edge_agent.polling.quality import CounterCheck, RepetitionCheck
from edge_agent.protocols.request_reply import Reply
from edge_agent.timekeeping.clock_trust import EARLIEST_MS
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.catalog.planned_read import Read
from jieneng.metering.quantities import AN_HOUR, CONSUMPTION, QUANTITIES, Medium
from jieneng.metering.read_plan import PollPlan
from jieneng.metering.reading import MILLISECONDS, PollReport, Sample
from jieneng.metering.site import Meter, value_on

#: The rate that a nameplate's maximum bounds.
_RATES: Final[Mapping[Medium, str]] = {
    "electricity": "power_kw",
    "water": "flow_m3_h",
    "gas": "flow_m3_h",
    "heat": "power_kw",
}


class _Layout(msgspec.Struct, frozen=True):
    """The reads of a poll, and the indexes of counter and rate among its values.

    Attributes:
        reads: what to ask for.
        quantities: what they hold.
        unknown: the values of each where it was not answered.
        counter_read: which of the reads holds the consumption counter ...
        counter: ... and where that is among the values.
        rate: where the momentary rate is; None where it is not asked for.
    """

    reads: tuple[Read, ...]
    quantities: tuple[str, ...]
    unknown: tuple[tuple[float, ...], ...]
    counter_read: int
    counter: int
    rate: int | None


class _Plan:
    """The read plan between two changes of a ratio, shared by all meters that are alike.

    Attributes:
        polls: what is due when.
        step: of the counter's register, in its canonical unit; 0 for a float ...
        float_step: ... which has this share of its value.
    """

    def __init__(self, model: Model, every: Mapping[str, int], ct: Fraction, pt: Fraction) -> None:
        medium = model.model.medium
        self._counter = CONSUMPTION[medium]
        self._rate = _RATES[medium]
        row = next(row for row in model.point if row.quantity == self._counter)
        self.polls: Final = PollPlan(model, {"ct": ct, "pt": pt}, every)
        self.step: Final = row.step(ct, pt)
        self.float_step: Final = row.float_step
        self._layouts: dict[tuple[int, ...], _Layout] = {}

    def layout(self, due: tuple[int, ...]) -> _Layout:
        """Return the layout of a poll in which these cadences are due; made once."""
        layout = self._layouts.get(due)
        if layout is None:
            layout = self._layouts[due] = self._laid_out(self.polls.reads(due))
        return layout

    def _laid_out(self, reads: tuple[Read, ...]) -> _Layout:
        quantities = tuple(name for read in reads for name in read.quantities)
        return _Layout(
            reads,
            quantities,
            tuple((math.nan,) * len(read.quantities) for read in reads),
            next(n for n, read in enumerate(reads) if self._counter in read.quantities),
            quantities.index(self._counter),
            quantities.index(self._rate) if self._rate in quantities else None,
        )


class PolledMeter:
    """A meter, what to ask it for, and what it is judged by.

    Attributes:
        id: of the meter.
        on_site: the meter as `site.toml` has it.
        model: id of its model.
        protocol: that it speaks.
        interval_s: between two polls.
        made_of: all that decides what it is asked for, and how that is understood.
        due: the cadences of the poll that was asked for last.
    """

    __slots__ = (
        "_catalog",
        "_changes_ms",
        "_complete",
        "_counter_check",
        "_days",
        "_is_mixed",
        "_layout",
        "_number",
        "_plan",
        "_repetition_checks",
        "_since_ms",
        "_until_ms",
        "due",
        "id",
        "interval_s",
        "made_of",
        "model",
        "on_site",
        "protocol",
    )

    def __init__(self, meter: Meter, model: Model, zone: ZoneInfo) -> None:
        self.id: Final = meter.id
        self.on_site: Final = meter
        self.model: Final = model.id
        self.protocol: Final = model.protocol
        self.interval_s: Final = meter.interval_s
        # What a plan is made of, and no more: a model's vectors are no matter of the agent's.
        self._catalog = model.for_polling()
        self.made_of: Final = (meter, self._catalog, zone)
        self._days = sorted({row.from_ for row in (*meter.ct, *meter.pt)})
        self._changes_ms = [
            _start_ms(datetime(day.year, day.month, day.day, tzinfo=zone)) for day in self._days
        ]
        self._counter_check = CounterCheck(
            meter.rated_max, AN_HOUR[QUANTITIES[CONSUMPTION[meter.medium]].unit]
        )
        self._repetition_checks: dict[tuple[int, ...], RepetitionCheck] = {}
        self._number = 0  # of the poll that was asked for ...
        self._complete: int | None = None  # ... and of the last that got what was due
        self._apply_ratios_of(EARLIEST_MS)
        self.due: tuple[int, ...] = self._plan.polls.cadences
        self._is_mixed = len(self.due) > 1
        self._layout = self._plan.layout(self.due)

    @property
    def bus_address(self) -> dict[str, int | str]:
        """Address on the bus, under the key by which `site.toml` gives it."""
        return self.on_site.bus_address

    def ask(self, number: int) -> tuple[Read, ...]:
        """Return the reads that are `due` in a poll.

        What a read asks for is the same whatever ratios are in force.

        Args:
            number: of its interval on the clock's face.
        """
        self._number = number
        if self._is_mixed and (due := self._plan.polls.due(number, self._complete)) != self.due:
            self.due, self._layout = due, self._plan.layout(due)
        return self._layout.reads

    def stamp(self, replies: Sequence[Reply | None]) -> Reply | None:
        """Return the reply whose arrival is the time of the poll."""
        counter = replies[self._layout.counter_read]
        return counter or next(filter(None, reversed(replies)), None)

    def sample(self, result: "PollResult") -> Sample | None:
        """Return the sample of a poll; None if there was no reply at all."""
        if not result.answered:
            return None
        time_ms = result.time_ms
        if not self._since_ms <= time_ms < self._until_ms:
            # A clock that can't be believed yet tells no day: the earliest it could is nearest.
            self._apply_ratios_of(max(time_ms, EARLIEST_MS))
            self._layout = self._plan.layout(self.due)
        due = result.due
        layout = self._layout if due is self.due else self._plan.layout(due)
        data: list[bytes | None] = []
        values: tuple[float, ...] = ()
        for number, reply in enumerate(result.replies):
            if reply is None:
                data.append(None)
                values += layout.unknown[number]
            else:
                data.append(reply.data)
                values += layout.reads[number].decode(reply.data)
        if not math.isfinite(sum(values)):
            values = tuple([value if math.isfinite(value) else math.nan for value in values])
        counter = values[layout.counter]
        rate = math.nan if layout.rate is None else values[layout.rate]
        step = self._plan.step + self._plan.float_step * abs(counter)
        repetition_check = self._repetition_checks.get(due)
        if repetition_check is None:
            repetition_check = self._repetition_checks[due] = RepetitionCheck(layout.quantities)
        quality = self._counter_check.quality(time_ms, counter, rate, step)
        quality |= repetition_check.quality(time_ms, data, values)
        return Sample(self.id, time_ms, quality, layout.quantities, values)

    def mark_complete(self) -> None:
        """Mark the last poll as complete: what was due is not due any more."""
        self._complete = self._number

    def _apply_ratios_of(self, time_ms: int) -> None:
        """Use the ratios that are in force at a UTC time."""
        number = bisect_right(self._changes_ms, time_ms)
        edges = [-math.inf, *self._changes_ms, math.inf]
        self._since_ms, self._until_ms = edges[number], edges[number + 1]
        every = tuple(sorted(self.on_site.every.items()))
        self._plan = _plan(self._catalog, every, **self._ratios(number))

    def _ratios(self, number: int) -> dict[str, Fraction]:
        """CT and PT after that many changes; 1 where there is no row at all."""
        day = self._days[number - 1] if number else date.min
        ratios = dict[str, Fraction]()
        for name, rows in (("ct", self.on_site.ct), ("pt", self.on_site.pt)):
            value = value_on(rows, day, rows[0].value if rows else 1.0)
            ratios[name] = Fraction(str(value))  # through text: 0.1 is meant as a tenth
        return ratios


class PollResult(msgspec.Struct, frozen=True, gc=False):
    """The replies of one poll, which are decoded later, and its statistics.

    Attributes:
        meter: that was asked.
        due: for which of its cadences.
        replies: one a read; None where there is none.
        time_ms: UTC, milliseconds since 1970: of the reply that tells it, or of the poll's end.
        ok: whether every read was answered as it should.
        duration_ms: from the first question to the last answer or time-out; where none could be
            sent, for as long as that was tried.
        attempts: questions asked, repeated ones included.
    """

    meter: PolledMeter
    due: tuple[int, ...]
    replies: Sequence[Reply | None]
    time_ms: int
    ok: bool
    duration_ms: int
    attempts: int

    @property
    def answered(self) -> bool:
        """True if there is a sample."""
        return any(self.replies)

    def at(self, time_ms: int) -> "PollResult":
        """Return the result with another time stamp."""
        return msgspec.structs.replace(self, time_ms=time_ms)

    def sample(self) -> Sample | None:
        """Return the decoded sample."""
        return self.meter.sample(self)

    def poll(self) -> PollReport:
        """Return the report of the poll."""
        return PollReport(self.meter.id, self.time_ms, self.ok, self.duration_ms, self.attempts)


@lru_cache(maxsize=1024)
def _plan(model: Model, every: tuple[tuple[str, int], ...], ct: Fraction, pt: Fraction) -> _Plan:
    """Shared by all meters of one model, the same cadences and the same ratios."""
    return _Plan(model, dict(every), ct, pt)


def _start_ms(midnight: datetime) -> int:
    return round(midnight.astimezone(UTC).timestamp() * MILLISECONDS)
