"""Check messages from MQTT: return the points to store, and the items to quarantine.

Pure: topic and bytes in, a `CheckedMessage` out.

Laws:

1. Any bytes result in a `CheckedMessage`, never in an exception.
2. A sample that a row of `admission_rules` refuses is quarantined alone; its neighbours are stored.
   A batch whose form is wrong (`mqtt_messages`) is quarantined as a whole; its agent gets the
   reason.
3. An agent can only report its own meters: a message is admitted only on the agent's own topic, and
   a sample only if its meter is on one of the agent's buses. Polls of other agents' meters, and the
   load of other agents' buses, are ignored.
4. Quarantined samples are kept as the payload of a batch, so that they can be replayed.
5. A batch of an agent that the site does not know is never acknowledged, so the agent keeps it. The
   quarantine holds acknowledged batches in a part of their own, which such a sender can't fill.
"""

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from ingest import ledger
from ingest.admission import admission_rules
from ingest.admission.admission_rules import FUTURE_MS, MessageCase, MeterFacts, SampleCase
from ingest.quarantine.quarantine_entry import (
    QuarantineItem,
    cut_item,
    polls_item,
    samples_item,
)
from jieneng.metering import mqtt_messages
from jieneng.metering.catalog.meter_model import Model
from jieneng.metering.errors import WireError
from jieneng.metering.reading import Batch, PollReport, Sample, Status
from jieneng.metering.schema import Point, poll_point, reading_point
from jieneng.metering.site import Site

#: Facts of the meters of one agent, by meter.
_Meters: TypeAlias = Mapping[str, MeterFacts]


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
    """Checks messages against the site's meters, buses and agents.

    Args:
        site: the site.
        models: meter models by id.
    """

    def __init__(self, site: Site, models: Mapping[str, Model]) -> None:
        self._site: Final = site.id
        self._meters: Final = admission_rules.agent_meters(site, models)
        self._buses: dict[str, set[str]] = {}
        for bus in site.bus:
            self._buses.setdefault(bus.agent, set()).add(bus.id)
        self._known: Final = frozenset(site.meters)

    def check(self, topic: str, payload: bytes, now_ms: int) -> CheckedMessage:
        """Return the outcome for a message that arrived at `now_ms`."""
        agent, meters = "", None
        try:
            site, agent, channel = mqtt_messages.parse_topic(topic)
            self._require_admitted(site, agent, None)
            meters = self._meters[agent]
            if channel == "status":
                return self._status(agent, topic, payload, now_ms)
            return self._batch(agent, meters, topic, payload, now_ms + FUTURE_MS)
        except WireError as error:
            return _refused_whole(topic, agent if meters is not None else "", payload, error)

    def _require_admitted(self, site: str, agent: str, sender: str | None) -> None:
        admission_rules.require_admitted(MessageCase(site, agent, sender, self._site, self._meters))

    def _status(self, agent: str, topic: str, payload: bytes, now_ms: int) -> CheckedMessage:
        if not payload:  # MQTT's way to delete a retained message
            return CheckedMessage(topic=topic, agent=agent)
        status = mqtt_messages.decode_status(payload)
        self._require_admitted(self._site, agent, status.agent)
        buses = self._buses[agent]
        load = {bus: share for bus, share in status.bus_load.items() if bus in buses}
        # A time stamp far ahead would hide all later states of the agent: use the time of arrival.
        time_ms = status.time_ms if status.time_ms <= now_ms + FUTURE_MS else now_ms
        status = msgspec.structs.replace(status, bus_load=load, time_ms=time_ms)
        points = ledger.status_points(self._site, status, now_ms)
        return CheckedMessage(topic=topic, agent=agent, points=points, status=status)

    def _batch(
        self, agent: str, meters: _Meters, topic: str, payload: bytes, latest_ms: int
    ) -> CheckedMessage:
        batch = mqtt_messages.decode_batch(payload, any_quantity=True)
        self._require_admitted(self._site, agent, batch.agent)
        points, refused = self._sort(batch, meters, latest_ms)
        late: list[PollReport] = []
        for poll in batch.polls:
            if poll.meter in meters:
                if poll.time_ms > latest_ms:
                    late.append(poll)
                else:
                    points.append(poll_point(self._site, poll))
        items = [
            samples_item(
                topic, batch, samples, reason, admission_rules.detail(samples[0]), meter=meter
            )
            for (reason, meter), samples in refused.items()
        ]
        if late:
            items.append(polls_item(topic, batch, late, "future", f"poll of {late[0].meter}"))
        return CheckedMessage(
            topic=topic,
            agent=agent,
            batch_id=(batch.boot, batch.seq),
            samples=len(batch.samples),
            points=tuple(points),
            to_quarantine=tuple(items),
        )

    def _sort(
        self, batch: Batch, meters: _Meters, latest_ms: int
    ) -> tuple[list[Point], dict[tuple[str, str], list[Sample]]]:
        """Return the points of admitted samples, and the refused ones by reason and meter."""
        points: list[Point] = []
        refused: dict[tuple[str, str], list[Sample]] = {}
        second = admission_rules.second_values(batch.samples)
        for index, sample in enumerate(batch.samples):
            meter = meters.get(sample.meter)
            # This loop is most of the ingest's work, so a cheap test comes before the rules.
            if (
                meter is None
                or sample.quantities not in meter.admitted
                or not meter.installed_ms <= sample.time_ms <= latest_ms
                or index in second
            ):
                is_known = sample.meter in self._known
                reason = admission_rules.refusal(
                    SampleCase(sample, meter, is_known, latest_ms, index in second)
                )
                if meter is None or reason is not None:
                    # Thousands of invented meter ids must not become thousands of entries.
                    name = sample.meter if len(refused) < _MAX_PARTS else ""
                    refused.setdefault((reason or "other_agent", name), []).append(sample)
                    continue
                meter.remember(sample.quantities)
            if point := reading_point(self._site, meter.medium, sample):
                points.append(point)
        return points, refused


#: Largest number of (reason, meter) pairs of a batch that get separate entries.
_MAX_PARTS: Final = 100

#: Bytes kept of a payload that can't be read: its beginning shows its kind.
_MAX_UNREADABLE_BYTES: Final = 4096
#: Bytes kept of a payload of an unknown sender: enough for a usual batch. The sender still has it.
_MAX_UNKNOWN_SENDER_BYTES: Final = 65_536

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
    """Return the result for a message that is quarantined as a whole.

    Args:
        topic: topic of the message.
        agent: the agent; "" if the site does not know it. Without an agent nothing is acknowledged.
        payload: the message.
        error: the reason.
    """
    detail = str(error)
    is_readable = error.reason not in _UNREADABLE
    head = _head(payload) if agent and is_readable and topic.endswith("/batch") else None
    if head is None:  # its agent, if there is one, gets no acknowledgement
        max_bytes = (
            _MAX_UNKNOWN_SENDER_BYTES if not agent and is_readable else _MAX_UNREADABLE_BYTES
        )
        item = cut_item(topic, agent, error.reason, detail, payload, max_bytes)
        return CheckedMessage(
            topic=topic, agent=agent, rejection=error.reason, to_quarantine=(item,)
        )
    item = QuarantineItem(
        topic=topic,
        agent=agent,
        boot=head.boot,
        seq=head.seq,
        reason=error.reason,
        detail=detail[:500],
        payload=payload,
        size=len(payload),
        samples=_length(head.samples),
        acknowledged=True,
    )
    return CheckedMessage(
        topic=topic,
        agent=agent,
        batch_id=(head.boot, head.seq),
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
    """Return the length of a JSON array; 0 if the JSON text is not an array."""
    try:
        return len(_decode_list(array))
    except _DECODE_ERRORS:
        return 0
