"""Check messages from MQTT: which points to store, and what to quarantine.

Pure: topic and bytes in, a `CheckedMessage` out.

Laws:

1. Any bytes result in a `CheckedMessage`, never in an exception.
2. A sample whose meter or quantity does not fit is quarantined alone; its neighbours are stored. A
   batch of which nothing fits, or whose form is wrong (`mqtt_messages`), is quarantined whole, and
   its agent is told why.
3. No agent speaks for another: its messages come on its own topics, and hold readings of meters on
   its own buses. Polls of other agents' meters and the load of other agents' buses are ignored.
4. Quarantined samples can be sent again: they are kept as the payload of a batch.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from ingest import ledger
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import WireError
from jieneng.metering.quantities import QUANTITIES, Medium
from jieneng.metering.reading import Batch, Sample
from jieneng.metering.schema import Point, poll_point, reading_point
from jieneng.metering.site import Site


class QuarantineItem(msgspec.Struct, frozen=True, kw_only=True):
    """A message, or a part of it, that goes to the quarantine.

    Attributes:
        topic: topic of the message; "" for a point that the store rejected.
        reason: short name of the reason, for counting.
        detail: the reason in a sentence.
        payload: the message, or a batch of those of its samples that did not fit.
        samples: number of samples in the payload; 1 for a message that can't be read.
    """

    topic: str
    reason: str
    detail: str
    payload: bytes
    samples: int = 1


class CheckedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The result of checking one message.

    Attributes:
        agent: agent of the topic; "" if the topic has none.
        batch_id: boot and sequence number to acknowledge; None if there is nothing to acknowledge.
        rejection: reason why the whole message is quarantined; None if its points are to be stored.
        points: points for the store.
        to_quarantine: items for the quarantine.
    """

    agent: str = ""
    batch_id: tuple[str, int] | None = None
    rejection: str | None = None
    points: tuple[Point, ...] = ()
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
        agent = ""
        try:
            site, agent, channel = mqtt_messages.parse_topic(topic)
            if site != self._site:
                raise WireError("other_site", "site {site} is not ours", site=site)
            meters = self._media.get(agent)
            if meters is None:
                raise WireError("unknown_agent", "no bus names agent {agent}", agent=agent)
            if channel == "status":
                return self._status(agent, payload, now_ms)
            return self._batch(agent, meters, topic, payload)
        except WireError as error:
            whole = QuarantineItem(
                topic=topic, reason=error.reason, detail=str(error), payload=payload
            )
            # A message too large to be kept whole is not acknowledged: its agent keeps it.
            kept_whole = topic.endswith("/batch") and error.reason != "too_large"
            batch_id = _batch_id(payload) if kept_whole else None
            return CheckedMessage(
                agent=agent, batch_id=batch_id, rejection=error.reason, to_quarantine=(whole,)
            )

    def _status(self, agent: str, payload: bytes, now_ms: int) -> CheckedMessage:
        if not payload:  # MQTT's way to delete a retained message
            return CheckedMessage(agent=agent)
        status = mqtt_messages.decode_status(payload)
        _require_same_agent(agent, status.agent)
        buses = self._buses[agent]
        load = {bus: share for bus, share in status.bus_load.items() if bus in buses}
        status = msgspec.structs.replace(status, bus_load=load)
        return CheckedMessage(agent=agent, points=ledger.status_points(self._site, status, now_ms))

    def _batch(
        self, agent: str, meters: Mapping[str, Medium], topic: str, payload: bytes
    ) -> CheckedMessage:
        batch = mqtt_messages.decode_batch(payload)
        _require_same_agent(agent, batch.agent)
        points: list[Point] = []
        misfits: dict[str, list[Sample]] = {}
        for sample in batch.samples:
            medium = meters.get(sample.meter)
            reason = self._misfit_reason(sample, medium)
            if medium is None or reason is not None:
                misfits.setdefault(reason or "unknown_meter", []).append(sample)
            elif point := reading_point(self._site, medium, sample):
                points.append(point)
        if misfits and sum(map(len, misfits.values())) == len(batch.samples):
            reason, samples = next(iter(misfits.items()))
            raise WireError(reason, "meter {meter}; nothing fits", meter=samples[0].meter[:64])
        points += [poll_point(self._site, poll) for poll in batch.polls if poll.meter in meters]
        return CheckedMessage(
            agent=agent,
            batch_id=(batch.boot, batch.seq),
            points=tuple(points),
            to_quarantine=tuple(
                _quarantine_part(topic, batch, reason, samples)
                for reason, samples in misfits.items()
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


class _BatchId(msgspec.Struct):
    boot: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}\Z")]
    seq: Annotated[int, Meta(ge=1, lt=2**53)]


_decode_batch_id: Final = msgspec.json.Decoder(_BatchId).decode


def _batch_id(payload: bytes) -> tuple[str, int] | None:
    """Return boot and sequence number if a message that is otherwise wrong has them."""
    try:
        found = _decode_batch_id(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found.boot, found.seq


def _require_same_agent(topic: str, payload: str) -> None:
    if topic != payload:
        raise WireError(
            "other_agent", "{payload} on the topic of {topic}", payload=payload[:64], topic=topic
        )


def _quarantine_part(
    topic: str, batch: Batch, reason: str, samples: Sequence[Sample]
) -> QuarantineItem:
    """Return the samples that did not fit for one reason, as a batch of their own."""
    return QuarantineItem(
        topic=topic,
        reason=reason,
        detail=f"meter {samples[0].meter[:64]}",
        payload=mqtt_messages.encode_batch(
            msgspec.structs.replace(batch, samples=tuple(samples), polls=())
        ),
        samples=len(samples),
    )
