"""Check messages from MQTT: which points to store, and what to quarantine.

Pure: topic and bytes in, a `CheckedMessage` out.

Laws:

1. Any bytes result in a `CheckedMessage`, never in an exception.
2. A sample that does not fit is quarantined alone; its neighbours are stored. A batch whose form is
   wrong (`mqtt_messages`) is quarantined whole, and its agent is told why.
3. No agent speaks for another: its messages come on its own topics, and hold readings of meters on
   its own buses. Polls of other agents' meters and the load of other agents' buses are ignored.
4. Quarantined samples can be sent again: they are kept as the payload of a batch.
5. Nothing is acknowledged to an agent that the site does not know: whoever sends in its name keeps
   what it has, and can't fill the part of the quarantine that counts.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ingest import ledger
from ingest.quarantine.quarantine_entry import QuarantineItem, samples_item, unreadable_item
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import WireError
from jieneng.metering.quantities import QUANTITIES, Medium
from jieneng.metering.reading import Sample, Status
from jieneng.metering.schema import Point, poll_point, reading_point
from jieneng.metering.site import Site


class CheckedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The result of checking one message.

    Attributes:
        topic: topic of the message.
        agent: agent of the topic; "" if the topic has none.
        batch_id: boot and sequence number to acknowledge; None if there is nothing to acknowledge.
        rejection: reason why the whole message is quarantined; None if its points are to be stored.
        samples: number of samples of the batch, those in `to_quarantine` included.
        points: points for the store.
        status: the status that the points come from; None if they come from a batch.
        to_quarantine: items for the quarantine.
    """

    topic: str = ""
    agent: str = ""
    batch_id: tuple[str, int] | None = None
    rejection: str | None = None
    samples: int = 0
    points: tuple[Point, ...] = ()
    status: Status | None = None
    to_quarantine: tuple[QuarantineItem, ...] = ()


class MessageChecker:
    """Checks messages against the site's meters, buses and agents."""

    def __init__(self, site: Site) -> None:
        self._site: Final = site.id
        self._media: dict[str, dict[str, Medium]] = {bus.agent: {} for bus in site.bus}
        for meter in site.meter:
            if meter.bus is not None:
                self._media[site.buses[meter.bus].agent][meter.id] = meter.medium
        self._buses: dict[str, set[str]] = {}
        for bus in site.bus:
            self._buses.setdefault(bus.agent, set()).add(bus.id)
        self._known: Final = frozenset(site.meters)
        self._misfit_reasons: dict[tuple[Medium, tuple[str, ...]], str | None] = {}

    def check(self, topic: str, payload: bytes, now_ms: int) -> CheckedMessage:
        """Return what to do with a message that arrived at `now_ms`."""
        agent, meters = "", None
        try:
            site, agent, channel = mqtt_messages.parse_topic(topic)
            if site != self._site:
                raise WireError("other_site", "site {site} is not ours", site=site)
            meters = self._media.get(agent)
            if meters is None:
                raise WireError("unknown_agent", "no bus names agent {agent}", agent=agent)
            if channel == "status":
                return self._status(agent, topic, payload, now_ms)
            return self._batch(agent, meters, topic, payload)
        except WireError as error:
            return _refused_whole(topic, agent if meters is not None else "", payload, error)

    def _status(self, agent: str, topic: str, payload: bytes, now_ms: int) -> CheckedMessage:
        if not payload:  # MQTT's way to delete a retained message
            return CheckedMessage(topic=topic, agent=agent)
        status = mqtt_messages.decode_status(payload)
        _require_same_agent(agent, status.agent)
        buses = self._buses[agent]
        load = {bus: share for bus, share in status.bus_load.items() if bus in buses}
        status = msgspec.structs.replace(status, bus_load=load)
        points = ledger.status_points(self._site, status, now_ms)
        return CheckedMessage(topic=topic, agent=agent, points=points, status=status)

    def _batch(
        self, agent: str, meters: Mapping[str, Medium], topic: str, payload: bytes
    ) -> CheckedMessage:
        batch = mqtt_messages.decode_batch(payload)
        _require_same_agent(agent, batch.agent)
        points: list[Point] = []
        misfits: dict[tuple[str, str], list[Sample]] = {}
        for sample in batch.samples:
            medium = meters.get(sample.meter)
            reason = self._misfit_reason(sample, medium)
            if medium is None or reason is not None:
                # A batch with thousands of invented meters must not become thousands of entries.
                name = sample.meter if len(misfits) < _MAX_PARTS else ""
                misfits.setdefault((reason or "unknown_meter", name), []).append(sample)
            elif point := reading_point(self._site, medium, sample):
                points.append(point)
        points += [poll_point(self._site, poll) for poll in batch.polls if poll.meter in meters]
        return CheckedMessage(
            topic=topic,
            agent=agent,
            batch_id=(batch.boot, batch.seq),
            samples=len(batch.samples),
            points=tuple(points),
            to_quarantine=tuple(
                samples_item(topic, batch, samples, reason, f"meter {meter[:64]}", meter=meter)
                for (reason, meter), samples in misfits.items()
            ),
        )

    def _misfit_reason(self, sample: Sample, medium: Medium | None) -> str | None:
        if medium is None:
            return "other_agent" if sample.meter in self._known else "unknown_meter"
        key = (medium, sample.quantities)
        if key not in self._misfit_reasons:
            if len(self._misfit_reasons) > _MAX_LAYOUTS:
                self._misfit_reasons.clear()
            fits = all(medium in QUANTITIES[name].media for name in sample.quantities)
            self._misfit_reasons[key] = None if fits else "quantity"
        return self._misfit_reasons[key]


#: Layouts cached. A site has a few dozen, and a hostile sender must not fill the memory.
_MAX_LAYOUTS: Final = 4096

#: Reason and meter pairs of a batch that become entries of their own.
_MAX_PARTS: Final = 100

#: Reasons for which a payload can't be read at all.
_UNREADABLE: Final = frozenset({"topic", "too_large", "not_json"})


class _BatchHead(msgspec.Struct):
    boot: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}\Z")]
    seq: Annotated[int, Meta(ge=1, lt=2**53)]
    samples: msgspec.Raw = msgspec.Raw(b"[]")


_decode_head: Final = msgspec.json.Decoder(_BatchHead).decode
_decode_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _refused_whole(topic: str, agent: str, payload: bytes, error: WireError) -> CheckedMessage:
    """Return a message of which nothing is stored.

    Args:
        topic: topic of the message.
        agent: the agent, if the site knows it; "" if not, and then nothing is acknowledged.
        payload: the message.
        error: the reason.
    """
    detail = str(error)
    if error.reason in _UNREADABLE:  # its agent, if it has one, is not told to forget it
        item = unreadable_item(topic, agent, error.reason, detail, payload)
        return CheckedMessage(
            topic=topic, agent=agent, rejection=error.reason, to_quarantine=(item,)
        )
    head = _head(payload) if agent and topic.endswith("/batch") else None
    item = QuarantineItem(
        topic=topic,
        agent=agent,
        boot=head.boot if head else "",
        seq=head.seq if head else 0,
        reason=error.reason,
        detail=detail[:500],
        payload=payload,
        size=len(payload),
        samples=_length(head.samples) if head else 0,
        acknowledged=head is not None,
    )
    return CheckedMessage(
        topic=topic,
        agent=agent,
        batch_id=(head.boot, head.seq) if head else None,
        rejection=error.reason,
        samples=item.samples,
        to_quarantine=(item,),
    )


def _head(payload: bytes) -> _BatchHead | None:
    """Return boot and sequence number if a message that is otherwise wrong has them."""
    try:
        return _decode_head(payload)
    except _DECODE_ERRORS:
        return None


def _length(array: msgspec.Raw) -> int:
    """Return the length of a JSON array; 0 if it is none."""
    try:
        return len(_decode_list(array))
    except _DECODE_ERRORS:
        return 0


def _require_same_agent(topic: str, payload: str) -> None:
    if topic != payload:
        raise WireError(
            "other_agent", "{payload} on the topic of {topic}", payload=payload[:64], topic=topic
        )
