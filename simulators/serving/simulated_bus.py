"""Decide how a simulated bus answers a request. No socket: a request in, a reply plan out.

Laws:

1. Values are computed at the moment of the request, by the clock passed in. Nothing runs between
   requests.
2. A device refuses or answers a request by the rules of its own protocol; devices of several
   protocols may share a bus.
3. For a request to a device that does not exist, the protocol's codec decides: no reply, or the
   refusal that a gateway sends.
4. Every request leaves a record with the true value of the register and the value that was served.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from jieneng.clock import Clock
from jieneng.metering.catalog.model_forms import DEFAULT_PROTOCOL
from jieneng.metering.site import LinkKind
from simulators.faults.register_faults import SlipContext, SlipFault
from simulators.faults.reply_faults import ReplyFault, ReplyPlan, RequestContext
from simulators.protocols import PROTOCOLS
from simulators.protocols.simulated_protocol import (
    BusAddress,
    BusRequest,
    Codec,
    Register,
    ShownUnits,
)
from simulators.registers.simulated_meter import SimulatedMeter
from simulators.scripting.fault_script import FaultScript
from simulators.verdict import Verdict

#: Share of the bus's `timeout_s` within which every reader must take an answer.
_IN_TIME: Final = 0.7


class ReceivedRequest(msgspec.Struct, frozen=True):
    """A request that was taken from a line.

    Attributes:
        protocol: protocol in whose frames it came.
        request: the request.
    """

    protocol: str
    request: BusRequest

    @property
    def key(self) -> tuple[str, BusAddress]:
        """The protocol and the address of the device that is asked."""
        return self.protocol, self.request.device


class ExchangeRecord(msgspec.Struct, frozen=True):
    """A request and its reply.

    Attributes:
        time_ms: when the last byte of the reply was sent, or, without a reply, when the request
            arrived; UTC.
        bus: the bus's id.
        meter: the meter's id; None if no meter has the address.
        peer: the master's address, host:port.
        request: the request.
        verdict: "good" if a reader must keep the values of the reply, "doubtful" if it may keep
            them, "bad" if it must not keep them.
        faults: ids of the faults that affected the reply, without the state faults of the device.
        sent: bytes of the reply.
        value: consumption counter according to the reply [canonical unit]; None if the reply does
            not hold it.
        register: value that the register would have had without faults; None without a counter.
    """

    time_ms: int
    bus: str
    meter: str | None
    peer: str
    request: BusRequest
    verdict: Verdict = "bad"
    faults: tuple[str, ...] = ()
    sent: bytes = b""
    value: float | None = None
    register: float | None = None


#: A function that is called with each exchange once it is over.
ExchangeListener = Callable[[ExchangeRecord], None]


def ignore_exchange(_: ExchangeRecord) -> None:
    """Do nothing: the listener of a bus whose exchanges nobody needs."""


class PlannedReply(msgspec.Struct, frozen=True):
    """The steps of a reply, and the record of the exchange to complete when they are done."""

    plan: ReplyPlan
    record: ExchangeRecord


class SimulatedBus:
    """The meters behind one link.

    Attributes:
        name: the bus's id.
        codecs: codecs of the protocols that its meters speak, by protocol.
        clock: time of the simulation.
        script: faults; None if there are none.
        timeout_s: the bus's time-out according to the site [real s].
    """

    def __init__(
        self,
        name: str,
        meters: Iterable[tuple[BusAddress, SimulatedMeter]],
        clock: Clock,
        link: LinkKind,
        *,
        script: FaultScript | None = None,
        timeout_s: float = math.inf,
    ) -> None:
        """Make a bus of these meters, each with its address."""
        self._meters = {
            (protocol, address): meter for address, meter in meters for protocol in meter.protocols
        }
        spoken = {protocol for protocol, _ in self._meters} or {DEFAULT_PROTOCOL}
        self.name: Final = name
        self.codecs: Final[Mapping[str, Codec]] = {
            protocol: form.new_codec(link)
            for protocol, form in PROTOCOLS.items()
            if protocol in spoken
        }
        self.clock: Final = clock
        self.script: Final = script
        self.timeout_s: Final = timeout_s
        self._link = link
        self._read_counts = Counter[tuple[str, BusAddress]]()

    @property
    def has_no_power(self) -> bool:
        """Return True while the power of the whole bus is cut."""
        return self.script is not None and self.script.bus_has_no_power(
            self.name, self.clock.now_ms()
        )

    def reply_to(
        self, received: ReceivedRequest, nth_on_connection: int, peer: str
    ) -> PlannedReply:
        """Return the reply to a request.

        Args:
            received: the request.
            nth_on_connection: number of requests to this device on this connection, this one
                included.
            peer: the master's address.
        """
        now_ms = self.clock.now_ms()
        meter = self._meter(received, now_ms)
        record = ExchangeRecord(
            now_ms, self.name, meter.id if meter else None, peer, received.request
        )
        if self.has_no_power or (meter is not None and self._meter_has_no_power(meter, now_ms)):
            return PlannedReply(ReplyPlan((), "bad", has_no_data=True), record)
        faults = self._reply_faults(meter, received.protocol, now_ms)
        if meter is None:
            code = self.codecs[received.protocol].missing_device_code
            return self._refuse(received, code, faults, record)
        code = meter.device(now_ms).refusal_code(received.request)
        if code is not None:
            return self._refuse(received, code, faults, record)
        return self._answer(meter, received, nth_on_connection, faults, record)

    def _meter(self, received: ReceivedRequest, now_ms: int) -> SimulatedMeter | None:
        """Return the meter that is asked; None if no device there speaks the protocol now."""
        meter = self._meters.get(received.key)
        return meter if meter and meter.protocol(now_ms) == received.protocol else None

    def _refuse(
        self,
        received: ReceivedRequest,
        code: int | None,
        faults: tuple[ReplyFault, ...],
        record: ExchangeRecord,
    ) -> PlannedReply:
        """Return a refusal with a code, or silence if the code is None."""
        codec = self.codecs[received.protocol]
        answered = _answered_request(received.request, faults)
        steps = () if code is None else (codec.refusal(answered, code),)
        plan = ReplyPlan(steps, "bad", has_no_data=True)
        return _apply_faults(plan, RequestContext(codec, answered, 0), faults, record)

    def _answer(
        self,
        meter: SimulatedMeter,
        received: ReceivedRequest,
        nth_on_connection: int,
        faults: tuple[ReplyFault, ...],
        record: ExchangeRecord,
    ) -> PlannedReply:
        """Return the reply to a request that the meter does not refuse."""
        self._read_counts[received.key] += 1
        nth_of_meter, now_ms = self._read_counts[received.key], record.time_ms
        codec, device, request = (
            self.codecs[received.protocol],
            meter.device(now_ms),
            received.request,
        )
        slips = self._slips(meter, received.protocol, now_ms)
        served: Any = request
        for slip in slips:
            served = slip.redirected(served)
        shown = _with_slips(meter, now_ms, slips, nth_on_connection, nth_of_meter)
        contents = device.contents(served, shown)
        answered = _answered_request(request, faults)
        plan = ReplyPlan(
            (codec.reply(answered, contents),), "good" if answered == request else "bad"
        )
        counter = meter.counter_register(now_ms)
        value = counter.value(device.decode(counter, request, contents))
        known_value = None if math.isnan(value) else value
        disturbed = known_value is not None and bool(slips or meter.states)
        record = msgspec.structs.replace(
            record,
            faults=tuple(slip.id or "" for slip in slips),
            value=known_value,
            register=meter.counter_without_faults(now_ms) if disturbed else known_value,
        )
        return _apply_faults(plan, RequestContext(codec, answered, nth_of_meter), faults, record)

    def _meter_has_no_power(self, meter: SimulatedMeter, now_ms: int) -> bool:
        return self.script is not None and self.script.meter_has_no_power(meter.id, now_ms)

    def _slips(self, meter: SimulatedMeter, protocol: str, now_ms: int) -> tuple[SlipFault, ...]:
        if self.script is None:
            return ()
        drawn = self.script.slip_faults(meter.id, now_ms)
        return tuple(fault for fault in drawn if fault.is_possible(self._link, protocol))

    def _reply_faults(
        self, meter: SimulatedMeter | None, protocol: str, now_ms: int
    ) -> tuple[ReplyFault, ...]:
        """Return the active faults of a meter's replies; for None, those of the whole bus."""
        if self.script is None:
            return ()
        drawn = (
            self.script.bus_reply_faults(self.name, now_ms)
            if meter is None
            else self.script.reply_faults(meter.id, now_ms)
        )
        return tuple(fault for fault in drawn if fault.is_possible(self._link, protocol))


def _answered_request(request: BusRequest, faults: tuple[ReplyFault, ...]) -> BusRequest:
    """Return the request that the reply will claim to answer."""
    for fault in faults:
        request = fault.answered_request(request)
    return request


def _apply_faults(
    plan: ReplyPlan,
    context: RequestContext,
    faults: tuple[ReplyFault, ...],
    record: ExchangeRecord,
) -> PlannedReply:
    """Return the reply after the faults have changed the correct one."""
    for fault in faults:
        plan = fault.change_plan(plan, context)
    cleared = {"value": None, "register": None} if plan.has_no_data else {}
    ids = tuple(fault.id or "" for fault in faults)
    return PlannedReply(
        plan,
        msgspec.structs.replace(
            record, verdict=plan.verdict, faults=record.faults + ids, **cleared
        ),
    )


def _with_slips(
    meter: SimulatedMeter,
    now_ms: int,
    slips: tuple[SlipFault, ...],
    nth_on_connection: int,
    nth_of_meter: int,
) -> ShownUnits:
    """Return the units that the meter's registers show in one reply, with its slips."""
    shown = meter.shown_units(now_ms)
    if not slips:
        return shown

    def slipped(register: Register) -> float:
        is_counter = register.quantity == meter.counter_quantity
        context = SlipContext(register, is_counter, nth_on_connection, nth_of_meter)
        units = shown(register)
        for slip in slips:
            if slip.affects(context):
                units = slip.changed_units(units, context)
        return units

    return slipped


def timeliness(waited_s: float, timeout_s: float) -> Verdict:
    """Return "good" for an answer sent well within the time-out, "doubtful" for any later one.

    A late answer is never "bad", because its values are true. A reader that waits longer than the
    site's `timeout_s` may store them; the agent does so with gateways that it has found to be slow.

    Args:
        waited_s: from the request to the last byte of its answer [real s].
        timeout_s: the bus's time-out [real s].
    """
    return "good" if waited_s <= _IN_TIME * timeout_s else "doubtful"
