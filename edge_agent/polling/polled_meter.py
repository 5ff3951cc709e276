"""Plan the reads of one meter, and turn its replies into a sample. Pure.

Laws:

1. A poll gives one sample. Its time stamp is that of the reply with the consumption counter; if
   this reply is missing, that of the last reply. A value is NaN if it was not read, or if it is not
   a finite number. Replies may be decoded later, but in the order of the polls.
2. A poll reads the quantities that are due in it (`PollPlan`). A quantity that could not be read is
   due again in the next poll.
3. A transformer ratio is valid from the start of its local day. A sample is computed with the
   ratios valid at its own time stamp. The first ratio also applies to all earlier days; otherwise
   the counter would jump on the day from which the ratio is given.
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
from jieneng.metering.quantities import CONSUMPTION, GROWTH_PER_HOUR, QUANTITIES, Medium
from jieneng.metering.read_plan import PollPlan
from jieneng.metering.reading import MILLISECONDS, PollReport, Sample
from jieneng.metering.site import Meter, value_in_force

#: Quantity that is the momentary rate of each medium. The nameplate's `rated_max` limits it.
_RATE_QUANTITIES: Final[Mapping[Medium, str]] = {
    "electricity": "power_kw",
    "water": "flow_m3_h",
    "gas": "flow_m3_h",
    "heat": "power_kw",
}


class _Layout(msgspec.Struct, frozen=True):
    """The reads of a poll, and the positions of counter and rate among its values.

    Attributes:
        reads: the reads, in the order in which they are requested.
        quantities: names of all values, in the same order.
        unknown: for each read, one NaN for each of its values, used if the read has no reply.
        counter_read: index of the read that holds the consumption counter.
        counter: index of the consumption counter among the values.
        rate: index of the momentary rate among the values; None if it is not read.
    """

    reads: tuple[Read, ...]
    quantities: tuple[str, ...]
    unknown: tuple[tuple[float, ...], ...]
    counter_read: int
    counter: int
    rate: int | None


class _Plan:
    """A read plan, shared by all meters of the same model, cadences and ratios.

    Attributes:
        polls: plan of the reads that are due in each poll.
        step: smallest step of the counter's register [canonical unit]; 0 for a float register.
        float_step: smallest step of a float register divided by its value; 0 for other types.
    """

    def __init__(self, model: Model, every: Mapping[str, int], ct: Fraction, pt: Fraction) -> None:
        medium = model.model.medium
        self._counter = CONSUMPTION[medium]
        self._rate = _RATE_QUANTITIES[medium]
        row = next(row for row in model.point if row.quantity == self._counter)
        self.polls: Final = PollPlan(model, {"ct": ct, "pt": pt}, every)
        self.step: Final = row.step(ct, pt)
        self.float_step: Final = row.float_step
        self._layouts: dict[tuple[int, ...], _Layout] = {}

    def layout(self, due: tuple[int, ...]) -> _Layout:
        """Return the layout of a poll in which these cadences are due; layouts are cached."""
        layout = self._layouts.get(due)
        if layout is None:
            layout = self._layouts[due] = self._make_layout(self.polls.reads(due))
        return layout

    def _make_layout(self, reads: tuple[Read, ...]) -> _Layout:
        quantities = tuple(name for read in reads for name in read.quantities)
        return _Layout(
            reads,
            quantities,
            tuple((math.nan,) * len(read.quantities) for read in reads),
            next(index for index, read in enumerate(reads) if self._counter in read.quantities),
            quantities.index(self._counter),
            quantities.index(self._rate) if self._rate in quantities else None,
        )


class PolledMeter:
    """A meter with its read plan, and with the checks that give its samples quality codes.

    Attributes:
        id: id of the meter.
        site_meter: row of the meter in `site.toml`.
        model: id of its model.
        protocol: protocol of the meter.
        interval_s: time from one poll to the next.
        definition: all settings that decide what is read and how it is decoded.
        due_cadences: cadences that are due in the latest poll.
    """

    __slots__ = (
        "_complete_slot",
        "_counter_check",
        "_has_cadences",
        "_layout",
        "_model",
        "_plan",
        "_ratio_changes_ms",
        "_ratio_days",
        "_repetition_checks",
        "_since_ms",
        "_slot",
        "_until_ms",
        "definition",
        "due_cadences",
        "id",
        "interval_s",
        "model",
        "protocol",
        "site_meter",
    )

    def __init__(self, meter: Meter, model: Model, zone: ZoneInfo) -> None:
        self.id: Final = meter.id
        self.site_meter: Final = meter
        self.model: Final = model.id
        self.protocol: Final = model.protocol
        self.interval_s: Final = meter.interval_s
        # Leave the model's test vectors out, because they do not affect polling.
        self._model = model.for_polling()
        self.definition: Final = (meter, self._model, zone)
        self._ratio_days = sorted({row.from_ for row in (*meter.ct, *meter.pt)})
        self._ratio_changes_ms = [
            _start_ms(datetime(day.year, day.month, day.day, tzinfo=zone))
            for day in self._ratio_days
        ]
        self._counter_check = CounterCheck(
            meter.rated_max, GROWTH_PER_HOUR[QUANTITIES[CONSUMPTION[meter.medium]].unit]
        )
        self._repetition_checks: dict[tuple[int, ...], RepetitionCheck] = {}
        self._slot = 0  # slot number of the latest poll
        self._complete_slot: int | None = None  # slot number of the latest complete poll
        self._apply_ratios_of(EARLIEST_MS)
        self.due_cadences: tuple[int, ...] = self._plan.polls.cadences
        self._has_cadences = len(self.due_cadences) > 1
        self._layout = self._plan.layout(self.due_cadences)

    @property
    def bus_address(self) -> dict[str, int | str]:
        """Address on the bus, under the key by which `site.toml` gives it."""
        return self.site_meter.bus_address

    def reads_due(self, slot_number: int) -> tuple[Read, ...]:
        """Return the reads of the poll in a slot. Their requests do not depend on the ratios.

        Args:
            slot_number: number of the slot (`schedule.Slot`).
        """
        self._slot = slot_number
        if (
            self._has_cadences
            and (due := self._plan.polls.due(slot_number, self._complete_slot)) != self.due_cadences
        ):
            self.due_cadences, self._layout = due, self._plan.layout(due)
        return self._layout.reads

    def timestamp_reply(self, replies: Sequence[Reply | None]) -> Reply | None:
        """Return the reply that gives the sample its time stamp (law 1); None without replies."""
        counter = replies[self._layout.counter_read]
        return counter or next(filter(None, reversed(replies)), None)

    def sample(self, result: "PollResult") -> Sample | None:
        """Return the sample of a poll; None if there was no reply at all."""
        if not result.answered:
            return None
        time_ms = result.time_ms
        if not self._since_ms <= time_ms < self._until_ms:
            # A time before EARLIEST_MS is implausible: use the ratios of the first plausible day.
            self._apply_ratios_of(max(time_ms, EARLIEST_MS))
            self._layout = self._plan.layout(self.due_cadences)
        due = result.due_cadences
        layout = self._layout if due is self.due_cadences else self._plan.layout(due)
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
        """Mark the latest poll as complete: its cadences are not due again before their time."""
        self._complete_slot = self._slot

    def _apply_ratios_of(self, time_ms: int) -> None:
        """Use the ratios that are valid at a UTC time."""
        changes = bisect_right(self._ratio_changes_ms, time_ms)
        limits_ms = [-math.inf, *self._ratio_changes_ms, math.inf]
        self._since_ms, self._until_ms = limits_ms[changes], limits_ms[changes + 1]
        every = tuple(sorted(self.site_meter.every.items()))
        self._plan = _plan(self._model, every, **self._ratios(changes))

    def _ratios(self, changes: int) -> dict[str, Fraction]:
        """Return the CT and PT ratios that are valid after the first `changes` dated rows.

        If the site states no ratio, it is 1.
        """
        day = self._ratio_days[changes - 1] if changes else date.min
        ratios = dict[str, Fraction]()
        for name, rows in (("ct", self.site_meter.ct), ("pt", self.site_meter.pt)):
            value = value_in_force(rows, day, rows[0].value if rows else 1.0)
            ratios[name] = Fraction(str(value))  # via text, so that 0.1 becomes exactly 1/10
        return ratios


class PollResult(msgspec.Struct, frozen=True, gc=False):
    """The replies of one poll, not yet decoded, and the statistics of the poll.

    Attributes:
        meter: the meter.
        due_cadences: cadences that were due.
        replies: reply to each read; None for a read without one.
        time_ms: time of the sample, or of the poll's end if there is none [UTC, ms since 1970].
        ok: True if every read was answered correctly.
        duration_ms: time from the first request to the last reply or timeout [ms]. If no request
            could be sent, the time spent on trying to send one.
        attempts: number of requests sent, repeated ones included.
    """

    meter: PolledMeter
    due_cadences: tuple[int, ...]
    replies: Sequence[Reply | None]
    time_ms: int
    ok: bool
    duration_ms: int
    attempts: int

    @property
    def answered(self) -> bool:
        """True if there is a sample."""
        return any(self.replies)

    def with_time(self, time_ms: int) -> "PollResult":
        """Return the result with another time stamp."""
        return msgspec.structs.replace(self, time_ms=time_ms)

    def sample(self) -> Sample | None:
        """Return the decoded sample."""
        return self.meter.sample(self)

    def report(self) -> PollReport:
        """Return the report of the poll."""
        return PollReport(self.meter.id, self.time_ms, self.ok, self.duration_ms, self.attempts)


@lru_cache(maxsize=1024)
def _plan(model: Model, every: tuple[tuple[str, int], ...], ct: Fraction, pt: Fraction) -> _Plan:
    """Return the shared plan of a model, its cadences and its ratios."""
    return _Plan(model, dict(every), ct, pt)


def _start_ms(midnight: datetime) -> int:
    return round(midnight.astimezone(UTC).timestamp() * MILLISECONDS)
