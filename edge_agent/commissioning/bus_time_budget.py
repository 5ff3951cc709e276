"""Predict how long a bus takes to poll all its meters once (a round), from its settings. Pure.

Law: the duration of a request is the sum of the time of its bytes on the line, the silence between
two frames, the device's reaction time, and the time of the reply's bytes. Requests are made one
after the other, so a round takes the sum of its requests. Times that the site does not state are
assumed; the constants below name the sources. A key of the `[[bus]]` takes precedence over them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec

from edge_agent.links.serial_timing import character_s, frame_gap_s
from edge_agent.protocols import PROTOCOLS, framing
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.catalog.planned_read import Read
from jieneng.metering.errors import Problem
from jieneng.metering.read_plan import cadences, plan
from jieneng.metering.site import Bus, Meter, Site

OVERLOADED: Final = 1.0  # load above which a bus can't make all its polls
BUSY: Final = 0.7  # load above which one retry or one slow meter makes other meters miss polls

# Reaction time of a device, from the last byte of the request to the first byte of the reply.
# Manuals state maxima of 200 ms (Multitek M812, page 53) and 300 ms (Lumel ND25, Modbus section).
# Users of mbmd measured 1,810 requests a minute; at 9600 baud, this leaves 8 ms for a device. The
# assumed time lies between these values.
_TURNAROUND_S: Final = 0.02
_NETWORK_S: Final = 0.002  # round-trip time in a building's network

_ROUNDING: Final = 1e-9  # tolerance for float errors in a quotient of intervals: 0.3 / 0.1 is 3
_MAX_CYCLE_POLLS: Final = 3600  # number of polls over which the average bus time is computed


class BusBudget(msgspec.Struct, frozen=True):
    """The predicted load of one bus.

    Attributes:
        bus: id of the bus.
        meters: number of its meters.
        requests: number of requests in a round in which every quantity is due.
        cycle_s: duration of such a round if every meter replies [s].
        load: share of time in which the bus is busy if each meter is polled at its interval.
        peak_s: bus time of all polls within `peak_interval_s`, when all slow quantities are due
            [s]. If it is longer than that interval, some polls are missed.
        peak_interval_s: the polling interval for which `peak_s` is the largest share [s].
        silent_s: bus time of a poll of a silent meter; the other meters must wait for it [s].
        all_silent_s: duration of a round in which no meter replies [s].
        shortest_s: shortest polling interval of the meters [s].
    """

    bus: str
    meters: int
    requests: int
    cycle_s: float
    load: float
    peak_s: float
    peak_interval_s: float
    silent_s: float
    all_silent_s: float
    shortest_s: float

    @property
    def fits(self) -> bool:
        """True if all polls end within their intervals, provided that every meter replies."""
        return self.load <= OVERLOADED and self.peak_s <= OVERLOADED * self.peak_interval_s


def bus_budgets(site: Site, models: Mapping[str, Model]) -> list[BusBudget]:
    """Return the budget of every bus that has meters with a model, in the order of `site.toml`."""
    budgets = []
    for bus in site.bus:
        polled = [
            (meter, models[meter.model])
            for meter in site.meter
            if meter.bus == bus.id and meter.model is not None and meter.model in models
        ]
        if polled:
            budgets.append(bus_budget(bus, polled))
    return budgets


def bus_budget(bus: Bus, polled: Sequence[tuple[Meter, Model]]) -> BusBudget:
    """Return the budget of one bus from its meters, of which there must be at least one."""
    kinds = {
        (model.id, *sorted(meter.every.items())): (model, meter.every) for meter, model in polled
    }
    cost_of_kind = {key: _poll_cost(bus, model, every) for key, (model, every) in kinds.items()}
    costs = [
        (cost_of_kind[model.id, *sorted(meter.every.items())], meter.interval_s)
        for meter, model in polled
    ]
    silences_s = [_silent_s(bus, model) for _, model in polled]
    peak_s, peak_interval_s = _peak_interval(costs)
    return BusBudget(
        bus=bus.id,
        meters=len(polled),
        requests=sum(cost.requests for cost, _ in costs),
        cycle_s=sum(cost.total_s(1) for cost, _ in costs),
        load=sum(cost.average_s / interval_s for cost, interval_s in costs),
        peak_s=peak_s,
        peak_interval_s=peak_interval_s,
        silent_s=max(silences_s),
        all_silent_s=sum(silences_s),
        shortest_s=min(interval_s for _, interval_s in costs),
    )


class _PollCost(NamedTuple):
    """The bus time of a meter's polls. In the first poll, every quantity is due.

    Attributes:
        requests: number of requests in the first poll.
        sums_s: total bus time of the first 0, 1, 2 ... polls, until the sequence repeats [s].
    """

    requests: int
    sums_s: tuple[float, ...]

    @property
    def average_s(self) -> float:
        """Average bus time of one poll [s]."""
        return self.sums_s[-1] / (len(self.sums_s) - 1)

    def total_s(self, polls: int) -> float:
        """Return the bus time of the first `polls` polls [s]."""
        cycles, rest = divmod(polls, len(self.sums_s) - 1)
        return cycles * self.sums_s[-1] + self.sums_s[rest]


def _poll_cost(bus: Bus, model: Model, every: Mapping[str, int]) -> _PollCost:
    cadence_by_quantity = cadences(model, every)
    different_cadences = set(cadence_by_quantity.values())

    @cache  # in most polls the same quantities are due
    def poll_s(due: frozenset[int]) -> float:
        wanted = [quantity for quantity, cadence in cadence_by_quantity.items() if cadence in due]
        return sum(request_s(bus, read, model.protocol) for read in plan(model, None, wanted))

    polls = range(min(math.lcm(*different_cadences), _MAX_CYCLE_POLLS))
    each_s = (
        poll_s(frozenset(cadence for cadence in different_cadences if poll % cadence == 0))
        for poll in polls
    )
    return _PollCost(len(plan(model)), tuple(accumulate(each_s, initial=0.0)))


def _peak_interval(costs: Sequence[tuple[_PollCost, float]]) -> tuple[float, float]:
    """Return `peak_s` and `peak_interval_s` of a `BusBudget`.

    For each polling interval, the bus time within it is the sum of one poll of each meter with this
    interval, and of all polls of meters with shorter intervals: these are polled first (`schedule`,
    law 4).
    """
    due_s = {
        peak_interval_s: sum(
            cost.total_s(int(peak_interval_s / interval_s + _ROUNDING))
            for cost, interval_s in costs
            if interval_s <= peak_interval_s
        )
        for _, peak_interval_s in costs
    }
    return max(
        ((busy_s, peak_interval_s) for peak_interval_s, busy_s in due_s.items()),
        key=lambda row: row[0] / row[1],
    )


def _silent_s(bus: Bus, model: Model) -> float:
    """Return the bus time of a poll of a silent meter [s].

    It is one time-out. If replies carry no transaction number, the link waits for a second
    time-out, so that a late reply is not taken for the reply of another meter (`links.link`,
    law 2). The longer waits for gateways that were late before (`links.reply_timeout`) can't be
    predicted, and are not included.
    """
    return (1 if framing(model.protocol, bus.link).numbered else 2) * bus.timeout_s


def request_s(bus: Bus, read: Read, protocol: str) -> float:
    """Return the time from a request to the next one, provided that the device replies [s]."""
    device_s = _TURNAROUND_S if bus.turnaround_s is None else bus.turnaround_s
    if not bus.has_line:
        return device_s + _NETWORK_S + bus.delay_s
    line = bus.line_baud, bus.parity, bus.stop_bits
    wire_s = PROTOCOLS[protocol].line_bytes(read) * character_s(*line)
    # One silence marks the end of the request, another one the end of the reply. On a serial port
    # of this machine, `delay_s` begins together with the second silence. Behind a gateway it begins
    # later, because the gateway forwards the reply only after that silence.
    silence_s = frame_gap_s(*line)
    if bus.link == "rtu":
        return wire_s + device_s + silence_s + max(silence_s, bus.delay_s)
    return wire_s + device_s + 2 * silence_s + bus.delay_s + _NETWORK_S


# --- reports ------------------------------------------------------------------------------------


def problems(site: Site, models: Mapping[str, Model]) -> Iterator[Problem]:
    """Yield a problem for each bus that is too slow for the polling intervals of its meters."""
    bus_indexes = {bus.id: index for index, bus in enumerate(site.bus)}
    for budget in bus_budgets(site, models):
        if budget.load > OVERLOADED:
            yield Problem(
                text="bus {bus} is too slow: polling all its meters ({meters}) once takes"
                " {cycle} s by calculation, and their intervals require {load} % of its"
                " time.",
                fix="Write interval_s = {interval} or more at its meters, raise the baud rate, or "
                "split the bus.",
                values={**_problem_values(budget), "interval": _sufficient_interval_s(budget)},
                path=("bus", bus_indexes[budget.bus]),
            )
        elif not budget.fits:
            yield Problem(
                text="bus {bus} is too slow when all slow quantities (every) are due at once:"
                " the requests within {within} s then take {fullest} s by calculation.",
                fix="Write interval_s = {interval} or more at its meters, leave quantities out, "
                "raise the baud rate, or split the bus.",
                values={
                    **_problem_values(budget),
                    "within": f"{budget.peak_interval_s:g}",
                    "fullest": f"{budget.peak_s:.2f}",
                    "interval": _sufficient_interval_s(budget),
                },
                path=("bus", bus_indexes[budget.bus]),
            )


def warnings(site: Site, models: Mapping[str, Model]) -> Iterator[Problem]:
    """Yield a warning for each bus that misses polls as soon as a request has to be repeated."""
    bus_indexes = {bus.id: index for index, bus in enumerate(site.bus)}
    for budget in bus_budgets(site, models):
        if not budget.fits:
            continue
        if budget.load > BUSY:
            yield Problem(
                text="bus {bus} is busy for {load} % of its time: polling all its meters"
                " ({meters}) once takes {cycle} s by calculation.",
                fix="One retry or one slow meter would make other meters miss their polls:"
                " interval_s = {interval} leaves enough time.",
                values={**_problem_values(budget), "interval": _sufficient_interval_s(budget)},
                path=("bus", bus_indexes[budget.bus]),
            )
        elif budget.meters > 1 and budget.cycle_s + budget.silent_s > budget.shortest_s:
            yield Problem(
                text="a silent meter on bus {bus} delays the others by {silent} s, and"
                " polling all meters once takes {cycle} s by calculation: together more"
                " than the shortest interval, {shortest} s.",
                fix="Lower timeout_s of the bus, or poll its meters less often.",
                values={
                    **_problem_values(budget),
                    "silent": f"{budget.silent_s:g}",
                    "shortest": budget.shortest_s,
                },
                path=("bus", bus_indexes[budget.bus]),
            )


def _problem_values(budget: BusBudget) -> dict[str, object]:
    return {
        "bus": budget.bus,
        "meters": budget.meters,
        "cycle": f"{budget.cycle_s:.2f}",
        "load": f"{100 * budget.load:.0f}",
    }


def _sufficient_interval_s(budget: BusBudget) -> int:
    """Return an interval for all meters at which the load of the bus is below `BUSY` [s]."""
    return math.ceil(budget.cycle_s / BUSY)
