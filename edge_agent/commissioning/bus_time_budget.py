"""Calculate how long a bus takes for one round of its meters, before it is ever polled. Pure.

Law: the prediction follows the arithmetic of the link. A request costs its bytes, the silence that
separates frames, the device's own time, and the bytes of the reply. One request is under way at a
time, so a round is the sum. Assumed figures stand below with their source; a key of the `[[bus]]`
takes precedence over them.
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

OVERLOADED: Final = 1.0  # share of its time past which a bus can't make all its polls
BUSY: Final = 0.7  # share past which one retry or one slow meter costs others their slot

# A device's own time, from the last byte of the request to the first of the reply. Manuals bound it
# by 200 ms (Multitek M812, page 53) to 300 ms (Lumel ND25, Modbus section). The 1,810 requests a
# minute that the users of mbmd measured leave 8 ms beside the bytes of 9600 baud. This is between:
_TURNAROUND_S: Final = 0.02
_NETWORK_S: Final = 0.002  # there and back in a building's network

_ROUNDING: Final = 1e-9  # absorbs float error in a quotient of intervals: 0.3 / 0.1 is 3
_MAX_CYCLE_POLLS: Final = 3600  # polls after which any mixture of cadences has shown its average


class BusBudget(msgspec.Struct, frozen=True):
    """The predicted load of one bus.

    Attributes:
        bus: id of the bus.
        meters: number of its meters.
        requests: number of requests in a round in which every quantity is due.
        cycle_s: duration of such a round when every meter replies [s].
        load: share of its time for which the bus is busy, with each meter polled at its interval.
        peak_s: bus time that one interval needs when all slow quantities are due in it; of the
            interval that is filled most [s]. A poll that ends after its interval loses the next
            slot.
        peak_interval_s: that interval [s].
        silent_s: bus time that each poll of a silent meter takes from the others [s].
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
        """Return True if all polls fit into their interval when every meter replies."""
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
    """Return the budget of one bus, given its meters and their models; at least one is needed."""
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
    """The bus time of a meter's polls, counted from a poll in which every quantity is due.

    Attributes:
        requests: number of requests in that poll.
        sums_s: bus time of the first 0, 1, 2 ... polls, until the sequence repeats [s].
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

    @cache  # most polls are alike
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
    """Return the bus time that falls due within the fullest interval, and that interval [s].

    The meter with the shorter interval goes first (`schedule`, law 4). Within an interval the bus
    therefore serves the meters whose interval is as long, and those with shorter ones repeatedly.
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
    """Return the bus time that a silent meter costs its neighbours [s].

    If replies are not numbered, the link waits for one more timeout. So a late reply is not taken
    for the reply of another meter (`links.link`, law 2). A gateway that was late before is waited
    for longer (`links.reply_timeout`); that can't be known beforehand.
    """
    return (1 if framing(model.protocol, bus.link).numbered else 2) * bus.timeout_s


def request_s(bus: Bus, read: Read, protocol: str) -> float:
    """Return the time from one request to the next one, if the device replies [s]."""
    device_s = _TURNAROUND_S if bus.turnaround_s is None else bus.turnaround_s
    if not bus.has_line:
        return device_s + _NETWORK_S + bus.delay_s
    line = bus.line_baud, bus.parity, bus.stop_bits
    wire_s = PROTOCOLS[protocol].line_bytes(read) * character_s(*line)
    # One silence marks the end of the request for the device, another one the end of its reply. On
    # a port of this machine the delay runs during that silence; a gateway forwards the reply later.
    silence_s = frame_gap_s(*line)
    if bus.link == "rtu":
        return wire_s + device_s + silence_s + max(silence_s, bus.delay_s)
    return wire_s + device_s + 2 * silence_s + bus.delay_s + _NETWORK_S


# --- reports ------------------------------------------------------------------------------------


def problems(site: Site, models: Mapping[str, Model]) -> Iterator[Problem]:
    """Yield a problem for each bus that can't be polled as often as its meters ask for."""
    bus_indexes = {bus.id: index for index, bus in enumerate(site.bus)}
    for budget in bus_budgets(site, models):
        if budget.load > OVERLOADED:
            yield Problem(
                text="bus {bus} can't keep up: a round of all meters ({meters}) takes {cycle} s by "
                "calculation, and their intervals ask for {load} % of its time.",
                fix="Write interval_s = {interval} or more at its meters, raise the baud rate, or "
                "split the bus.",
                values={**_problem_values(budget), "interval": _sufficient_interval_s(budget)},
                path=("bus", bus_indexes[budget.bus]),
            )
        elif not budget.fits:
            yield Problem(
                text="bus {bus} can't keep up in rounds in which all slow quantities (every) are "
                "due: the requests within {within} s then take {fullest} s by calculation.",
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
    """Yield a warning for each bus that keeps up only as long as nothing goes wrong."""
    bus_indexes = {bus.id: index for index, bus in enumerate(site.bus)}
    for budget in bus_budgets(site, models):
        if not budget.fits:
            continue
        if budget.load > BUSY:
            yield Problem(
                text="bus {bus} is busy for {load} % of its time: a round of all meters "
                "({meters}) takes {cycle} s by calculation.",
                fix="A retry or a slow meter will cost others their slot: interval_s = {interval} "
                "leaves room.",
                values={**_problem_values(budget), "interval": _sufficient_interval_s(budget)},
                path=("bus", bus_indexes[budget.bus]),
            )
        elif budget.meters > 1 and budget.cycle_s + budget.silent_s > budget.shortest_s:
            yield Problem(
                text="one silent meter on bus {bus} costs the others {silent} s, and a round takes "
                "{cycle} s by calculation: together more than the shortest interval, {shortest} s.",
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
    """Return an interval at which polling all meters leaves the bus room [s]."""
    return math.ceil(budget.cycle_s / BUSY)
