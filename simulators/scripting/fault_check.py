"""Check the rows of a fault script. Pure: rows and a simulated site in, problems out."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from jieneng.metering.errors import Msgid, Problem
from jieneng.metering.site import Site, children_of, descendants
from simulators.faults.connection_faults import OneConnection
from simulators.faults.fault import Fault, Span
from simulators.faults.flow_faults import Leak, PowerCut
from simulators.faults.register_faults import Rollover
from simulators.simulated_site import SimulatedSite

SCRIPT_FILE: Final = "faults.toml"
# Times before 1970, or from 9000 on, can't be written or shown [UTC ms].
_EARLIEST_MS: Final = 0
_LATEST_MS: Final = 221_845_392_000_000


class ScriptTimes(msgspec.Struct, frozen=True):
    """The moments with which the times of a script are compared.

    Attributes:
        begin_ms: beginning of the simulation, UTC.
        now_ms: the present moment, UTC; None if the simulation does not run yet.
    """

    begin_ms: int
    now_ms: int | None = None


class _Row(msgspec.Struct, frozen=True):
    """A fault with its place in a file.

    Attributes:
        fault: the fault.
        index: index of the row `[[fault]]` in its file, from 0.
        file: name of the file.
    """

    fault: Fault
    index: int
    file: str

    def problem(
        self, text: Msgid, fix: Msgid, key: str | None = None, /, **values: object
    ) -> Problem:
        """Return a problem of a key of the row, or of the whole row if no key is given."""
        path = ("fault", self.index)
        return Problem(
            text=text,
            fix=fix,
            values={"kind": self.fault.kind(), **values},
            path=path if key is None else (*path, key),
            file=self.file,
        )


def check(
    simulated: SimulatedSite, fault: Fault, index: int, file: str, times: ScriptTimes
) -> Iterator[Problem]:
    """Yield the problems of a fault: targets, times, links or registers that are impossible.

    Links, registers and the times themselves are checked only if the row has no simpler problem.

    Args:
        simulated: the simulated site.
        fault: the fault.
        index: index of the row `[[fault]]` in its file, from 0.
        file: name of the file.
        times: beginning of the simulation, and the present moment.
    """
    row = _Row(fault, index, file)
    problems = [*_target_problems(simulated.site, row), *_key_problems(row, times)]
    yield from problems
    if not problems:
        yield from _span_problems(row, times)
        yield from _link_problems(simulated, row)
        yield from _offset_problems(row)
        yield from _register_problems(simulated, row)


def duplicate_ids(faults: Sequence[Fault], taken: Iterable[str], file: str) -> Iterator[Problem]:
    """Yield a problem for each fault whose id is used more than once.

    Args:
        faults: the faults of the file.
        taken: ids of the faults that are in the script already.
        file: name of the file.
    """
    counts = Counter([*taken, *(fault.id for fault in faults if fault.id)])
    for index, fault in enumerate(faults):
        if fault.id and counts[fault.id] > 1:
            yield _Row(fault, index, file).problem(
                "two faults have the id {id}.", "Give each its own, or none.", "id", id=fault.id
            )


def _target_problems(site: Site, row: _Row) -> Iterator[Problem]:
    fault = row.fault
    known: dict[str, Collection[str]] = {
        "meter": site.meters,
        "bus": site.buses,
        "area": site.areas,
    }
    given = {name: getattr(fault, name) for name in known if getattr(fault, name) is not None}
    if len(given) > 1:
        yield row.problem(
            "a fault has one target, not {given}.",
            "Keep one of meter, bus and area, and write another [[fault]] for the rest.",
            given=" + ".join(given),
        )
    for name, target in given.items():
        if target not in known[name]:
            yield row.problem(
                "{key} = {target}, but {target} is not defined.",
                "Known are: {known}.",
                name,
                key=name,
                target=target,
                known=", ".join(sorted(known[name])),
            )
    if isinstance(fault, Leak) and "meter" not in given:
        yield row.problem("a leak needs the meter behind which it is.", "Name it: meter = ...")
    if isinstance(fault, OneConnection) and "meter" in given:
        yield row.problem(
            "{kind} affects a bus, not a meter.", "Name the meter's bus: bus = ...", "meter"
        )


def _key_problems(row: _Row, times: ScriptTimes) -> Iterator[Problem]:
    """Yield the problems of keys for time and chance that contradict each other or the kind."""
    fault = row.fault
    if fault.start is not None and fault.after_s is not None:
        yield row.problem(
            "start and after_s both say when the fault begins.", "Keep one of them.", "after_s"
        )
    if fault.start is not None and fault.start.tzinfo is None:
        yield row.problem(
            "start = {start} has no offset from UTC.",
            "Write it with its offset, like 2025-06-03T10:00:00+08:00.",
            "start",
            start=fault.start.isoformat(),
        )
    if fault.duration_s is not None and not fault.can_end:
        yield row.problem("{kind} does not end.", "Leave duration_s out.", "duration_s")
    if fault.probability != 1.0 and not fault.is_random:
        yield row.problem(
            "{kind} is a state that lasts, while probability is drawn for each answer.",
            "Leave probability out, and set after_s or start, and duration_s.",
            "probability",
        )
    if times.now_ms is not None and not fault.can_start_later:
        yield row.problem(
            "{kind} must be there from the start of the simulation: a running counter can't "
            "become older.",
            "Write it in the script: jieneng simulate --faults FILE.",
            "kind",
        )


def _span_problems(row: _Row, times: ScriptTimes) -> Iterator[Problem]:
    """Yield the problem of a fault that begins or ends too early or too late."""
    fault = row.fault
    try:
        span = fault.span(times.begin_ms)
    except OverflowError:
        span = None
    if span is None or not _is_possible(span, has_end=fault.duration_s is not None):
        yield row.problem(
            "the fault begins or ends outside of the years 1970 to 9000.",
            "Choose times between 1970 and 9000.",
            "start" if fault.start is not None else "after_s",
        )
    elif times.now_ms is not None and span.begin_ms < times.now_ms:
        yield row.problem(
            "the fault begins in the past, for which the truth is written already.",
            "Leave start and after_s out to begin now.",
            "start" if fault.start is not None else "after_s",
        )


def _is_possible(span: Span, *, has_end: bool) -> bool:
    times_ms = (span.begin_ms, span.end_ms) if has_end else (span.begin_ms,)
    return all(_EARLIEST_MS <= time_ms < _LATEST_MS for time_ms in times_ms)


def _link_problems(simulated: SimulatedSite, row: _Row) -> Iterator[Problem]:
    fault = row.fault
    if fault.layer == "flow":
        return
    meters = target_meters(simulated, fault)
    links = {simulated.site.buses[bus].link for bus in _buses_of(simulated.site, meters)}
    if not links & set(fault.links):
        yield row.problem(
            "{kind} needs a link that is {links}, and there is none among its targets.",
            "Choose another target or another kind.",
            "kind",
            links=" | ".join(fault.links),
        )
    protocols = {
        protocol
        for name, meter in simulated.meters.items()
        if name in meters
        for protocol in meter.protocols
    }
    if fault.protocols and not protocols & set(fault.protocols):
        yield row.problem(
            "{kind} needs a meter that speaks {protocols}, and there is none among its targets.",
            "Choose another target or another kind.",
            "kind",
            protocols=" | ".join(fault.protocols),
        )
    if isinstance(fault, OneConnection) and not any(
        {meter.id for meter in simulated.site.meter if meter.bus == bus.id} <= meters
        for bus in simulated.site.bus
    ):
        yield row.problem(
            "{kind} affects a whole bus, and no bus lies entirely in the area.",
            "Name it: bus = ...",
            "area",
        )


def _offset_problems(row: _Row) -> Iterator[Problem]:
    if getattr(row.fault, "offset", None) == 0:
        yield row.problem("offset = 0 changes nothing.", "Choose another offset.", "offset")


def _register_problems(simulated: SimulatedSite, row: _Row) -> Iterator[Problem]:
    fault = row.fault
    targets = target_meters(simulated, fault)
    meters = [meter for name, meter in sorted(simulated.meters.items()) if name in targets]
    quantity = getattr(fault, "quantity", None)
    shown_quantities = {name for meter in meters for name in meter.quantities}
    if quantity is not None and quantity not in shown_quantities:
        yield row.problem(
            "no register of the fault's targets holds {quantity}.",
            "They hold: {known}.",
            "quantity",
            quantity=quantity,
            known=", ".join(sorted(shown_quantities)),
        )
    if not isinstance(fault, Rollover):
        return
    if without_rollover := [
        meter.id for meter in meters if meter.rollover_value(_LATEST_MS) is None
    ]:
        yield row.problem(
            "the models of these meters do not say where the counter rolls over: {meters}.",
            "Choose meters whose model names a modulus or counts in whole numbers.",
            "kind",
            meters=", ".join(without_rollover),
        )
    if recorded := [meter.id for meter in meters if simulated.site.meters[meter.id].replaced]:
        yield row.problem(
            "these meters have recorded replacements, which fix their readings: {meters}.",
            "Choose meters that were not replaced.",
            "kind",
            meters=", ".join(recorded),
        )


def _buses_of(site: Site, meters: frozenset[str]) -> set[str]:
    return {meter.bus for meter in site.meter if meter.id in meters and meter.bus is not None}


def target_meters(simulated: SimulatedSite, fault: Fault) -> frozenset[str]:
    """Return the ids of the meters that a fault affects."""
    named = _named_meters(simulated.site, fault)
    if not isinstance(fault, PowerCut):
        return named
    # Electricity meters below a meter without power have no power either.
    meters = simulated.site.meter
    parents = {meter.id: meter.parent for meter in meters if meter.medium == "electricity"}
    tops = [meter_id for meter_id in parents if meter_id in named]
    without_power = descendants(children_of(parents), tops)
    return named | frozenset(without_power)


def _named_meters(site: Site, fault: Fault) -> frozenset[str]:
    """Return the ids of the meters of a fault's target, or of all meters if it names none."""
    if fault.meter is not None:
        return frozenset({fault.meter})
    if fault.bus is not None:
        return frozenset(meter.id for meter in site.meter if meter.bus == fault.bus)
    if fault.area is not None:
        inside = set(descendants(site.areas_below, [fault.area]))
        return frozenset(meter.id for meter in site.meter if meter.last_area in inside)
    return frozenset(meter.id for meter in site.meter)
