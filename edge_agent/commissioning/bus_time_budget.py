"""How long a bus takes for one round of its meters, before it is ever polled. Pure.

Law: what is predicted is what the link's arithmetic allows. A question costs its bytes, the silence
that separates frames, the device's own time, and the reply's bytes; one question is under way at a
time, so a round is the sum. Where a figure is assumed, it stands below with its source, and a key
of the bus goes before it.
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

FULL: Final = 1.0  # share of its time past which a bus can't do what it is asked for
BUSY: Final = 0.7  # ... and past which one retry or one slow meter costs others their slot

# A device's own time, from the last byte of the question to the first of the reply. Manuals bound
# it by 200 ms (Multitek M812, page 53) to 300 ms (Lumel ND25, Modbus section); the 1,810 requests a
# minute that the users of mbmd measured leave 8 ms beside the bytes of 9600 baud. Between them:
_TURNAROUND_S: Final = 0.02
_NETWORK_S: Final = 0.002  # there and back in a building's network

_ROUNDING: Final = 1e-9  # of a quotient of intervals: 0.3 / 0.1 is 3
_POLLS: Final = 3600  # after so many polls any mixture of cadences has shown its average


class Round(msgspec.Struct, frozen=True):
    """What is to be expected of a bus.

    Attributes:
        bus: its id.
        meters: on it.
        questions: of one round.
        cycle_s: one round in which every meter is asked once and answers.
        load: share of its time that the bus is busy, each meter being asked at its interval.
        fullest_s: what is asked for within one interval when all slow quantities fall due in it,
            of the interval that this fills most. Whose poll ends after it loses the next slot ...
        within_s: ... and this is that interval.
        silent_s: what one silent meter costs the others when it is asked.
        dark_s: one round in which nobody answers.
        shortest_s: the shortest interval of its meters.
    """

    bus: str
    meters: int
    questions: int
    cycle_s: float
    load: float
    fullest_s: float
    within_s: float
    silent_s: float
    dark_s: float
    shortest_s: float

    @property
    def fits(self) -> bool:
        """Whether every poll has its time as long as everybody answers."""
        return self.load <= FULL and self.fullest_s <= FULL * self.within_s


def rounds(site: Site, models: Mapping[str, Model]) -> list[Round]:
    """Of every bus that has meters with a model, in the order of the site's file."""
    found = []
    for bus in site.bus:
        polled = [
            (meter, models[meter.model])
            for meter in site.meter
            if meter.bus == bus.id and meter.model is not None and meter.model in models
        ]
        if polled:
            found.append(round_of(bus, polled))
    return found


def round_of(bus: Bus, polled: Sequence[tuple[Meter, Model]]) -> Round:
    """Of one bus, given its meters and their models, at least one."""
    alike = {
        (model.id, *sorted(meter.every.items())): (model, meter.every) for meter, model in polled
    }
    costs = {key: _cost(bus, *one) for key, one in alike.items()}
    own = [
        (costs[model.id, *sorted(meter.every.items())], meter.interval_s) for meter, model in polled
    ]
    silences_s = [_silent_s(bus, model) for _, model in polled]
    fullest_s, within_s = _fullest(own)
    return Round(
        bus=bus.id,
        meters=len(polled),
        questions=sum(one.questions for one, _ in own),
        cycle_s=sum(one.of(1) for one, _ in own),
        load=sum(one.usual_s / interval_s for one, interval_s in own),
        fullest_s=fullest_s,
        within_s=within_s,
        silent_s=max(silences_s),
        dark_s=sum(silences_s),
        shortest_s=min(interval_s for _, interval_s in own),
    )


class _Cost(NamedTuple):
    """What polls of a meter take, from one on in which everything is due.

    Attributes:
        questions: of that one.
        sums_s: of the first none, one, two ... polls, until they begin anew.
    """

    questions: int
    sums_s: tuple[float, ...]

    @property
    def usual_s(self) -> float:
        """A poll on average."""
        return self.sums_s[-1] / (len(self.sums_s) - 1)

    def of(self, polls: int) -> float:
        """The first so many polls."""
        times, rest = divmod(polls, len(self.sums_s) - 1)
        return times * self.sums_s[-1] + self.sums_s[rest]


def _cost(bus: Bus, model: Model, every: Mapping[str, int]) -> _Cost:
    names = cadences(model, every)
    different = set(names.values())

    @cache  # most polls are alike
    def together_s(due: frozenset[int]) -> float:
        wanted = [name for name, cadence in names.items() if cadence in due]
        return sum(question_s(bus, read, model.protocol) for read in plan(model, None, wanted))

    polls = range(min(math.lcm(*different), _POLLS))
    each_s = (together_s(frozenset(n for n in different if poll % n == 0)) for poll in polls)
    return _Cost(len(plan(model)), tuple(accumulate(each_s, initial=0.0)))


def _fullest(own: Sequence[tuple[_Cost, float]]) -> tuple[float, float]:
    """What falls due within the interval that is filled most, and that interval.

    Who has the shorter interval goes first (`schedule`, law 4), so an interval has in it what those
    with one as long or shorter are asked for, these several times.
    """
    lasting = {
        within_s: sum(
            one.of(int(within_s / interval_s + _ROUNDING))
            for one, interval_s in own
            if interval_s <= within_s
        )
        for _, within_s in own
    }
    return max(((s, within_s) for within_s, s in lasting.items()), key=lambda one: one[0] / one[1])


def _silent_s(bus: Bus, model: Model) -> float:
    """What a silent meter costs its neighbours.

    Where replies carry no number the link waits for one more time-out, so that what comes late
    reaches nobody (`links`, law 2).
    """
    return (1 if framing(model.protocol, bus.link).numbered else 2) * bus.timeout_s


def question_s(bus: Bus, read: Read, protocol: str) -> float:
    """From one question to the moment at which the next may be asked, if it is answered."""
    own_s = _TURNAROUND_S if bus.turnaround_s is None else bus.turnaround_s
    if not bus.has_line:
        return own_s + _NETWORK_S + bus.delay_s
    line = bus.line_baud, bus.parity, bus.stop_bits
    wire_s = PROTOCOLS[protocol].line_bytes(read) * character_s(*line)
    # One silence tells the device where the question ends. Another tells where the reply does: on a
    # port of ours the delay runs meanwhile, a gateway hands the reply on after it.
    silent_s = frame_gap_s(*line)
    if bus.link == "rtu":
        return wire_s + own_s + silent_s + max(silent_s, bus.delay_s)
    return wire_s + own_s + 2 * silent_s + bus.delay_s + _NETWORK_S


# --- what a person is told ----------------------------------------------------------------------


def problems(site: Site, models: Mapping[str, Model]) -> Iterator[Problem]:
    """Buses that can't be polled as often as their meters ask for."""
    places = {bus.id: number for number, bus in enumerate(site.bus)}
    for one in rounds(site, models):
        if one.load > FULL:
            yield Problem(
                text="bus {bus} can't keep up: a round of its {meters} meters takes {cycle} s by "
                "calculation, and their intervals ask for {load} % of its time.",
                fix="Write interval_s = {interval} or more at its meters, raise the baud rate, or "
                "split the bus.",
                values={**_told(one), "interval": _enough_s(one)},
                path=("bus", places[one.bus]),
            )
        elif not one.fits:
            yield Problem(
                text="bus {bus} can't keep up in rounds in which all slow quantities (every) are "
                "due: what is asked for within {within} s then takes {fullest} s by calculation.",
                fix="Write interval_s = {interval} or more at its meters, leave quantities out, "
                "raise the baud rate, or split the bus.",
                values={
                    **_told(one),
                    "within": f"{one.within_s:g}",
                    "fullest": f"{one.fullest_s:.2f}",
                    "interval": _enough_s(one),
                },
                path=("bus", places[one.bus]),
            )


def warnings(site: Site, models: Mapping[str, Model]) -> Iterator[Problem]:
    """Buses that can be polled, but not when something goes wrong."""
    places = {bus.id: number for number, bus in enumerate(site.bus)}
    for one in rounds(site, models):
        if not one.fits:
            continue
        if one.load > BUSY:
            yield Problem(
                text="bus {bus} is busy for {load} % of its time: a round of its {meters} meters "
                "takes {cycle} s by calculation.",
                fix="A retry or a slow meter will cost others their slot: interval_s = {interval} "
                "leaves room.",
                values={**_told(one), "interval": _enough_s(one)},
                path=("bus", places[one.bus]),
            )
        elif one.meters > 1 and one.cycle_s + one.silent_s > one.shortest_s:
            yield Problem(
                text="one silent meter on bus {bus} costs the others {silent} s, and a round takes "
                "{cycle} s by calculation: together more than the shortest interval, {shortest} s.",
                fix="Lower timeout_s of the bus, or ask less often.",
                values={**_told(one), "silent": f"{one.silent_s:g}", "shortest": one.shortest_s},
                path=("bus", places[one.bus]),
            )


def _told(one: Round) -> dict[str, object]:
    return {
        "bus": one.bus,
        "meters": one.meters,
        "cycle": f"{one.cycle_s:.2f}",
        "load": f"{100 * one.load:.0f}",
    }


def _enough_s(one: Round) -> int:
    """An interval at which all meters of the bus leave it room."""
    return math.ceil(one.cycle_s / BUSY)
