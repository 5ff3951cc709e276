"""Judge MQTT messages. Pure: topic and bytes in, a `Delivery` out.

Laws:

1. Whatever the bytes are, the answer is a `Delivery`, never an exception.
2. A sample of a meter or medium that does not fit is set aside alone; its neighbours are stored. A
   batch of which nothing fits, or whose form is wrong (`wire`), is set aside whole, and its agent
   is told why.
3. Nobody speaks for another: an agent's messages come on its own topics, and hold readings of
   the meters on its own buses. What it says of polls or buses of others is passed over.
4. What is set aside can be sent again: it is kept as the payload of a batch.
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


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A message, or part of one, for the quarantine.

    Attributes:
        reason: short name, for counting.
        detail: what is wrong with it, in a sentence.
        payload: the message, or a batch of those of its samples that did not fit.
        samples: how many that are; 1 for a message that can't be read.
    """

    topic: str
    reason: str
    detail: str
    payload: bytes
    samples: int = 1


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A judged message.

    Attributes:
        agent: of the topic; "" where there is none.
        number: boot and sequence number to acknowledge; None where there is nothing to.
        refused: why all of it is set aside; None where its points are to be stored.
        points: for the store.
        aside: for the quarantine.
    """

    agent: str = ""
    number: tuple[str, int] | None = None
    refused: str | None = None
    points: tuple[Point, ...] = ()
    aside: tuple[SetAside, ...] = ()


class Gate:
    """Knows the site's meters and whose they are."""

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
        self._misfits: dict[tuple[Medium, tuple[str, ...]], str | None] = {}

    def judge(self, topic: str, payload: bytes, now_ms: int) -> Delivery:
        """Judge a message that came at `now_ms`."""
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
            whole = SetAside(topic=topic, reason=error.reason, detail=str(error), payload=payload)
            # What is too large to be kept whole is not acknowledged: its agent keeps it.
            kept = topic.endswith("/batch") and error.reason != "too_large"
            number = _number(payload) if kept else None
            return Delivery(agent=agent, number=number, refused=error.reason, aside=(whole,))

    def _status(self, agent: str, payload: bytes, now_ms: int) -> Delivery:
        if not payload:  # how MQTT takes back a retained message
            return Delivery(agent=agent)
        status = mqtt_messages.decode_status(payload)
        _same_agent(agent, status.agent)
        buses = self._buses[agent]
        load = {bus: share for bus, share in status.bus_load.items() if bus in buses}
        status = msgspec.structs.replace(status, bus_load=load)
        return Delivery(agent=agent, points=ledger.points(self._site, status, now_ms))

    def _batch(
        self, agent: str, meters: Mapping[str, Medium], topic: str, payload: bytes
    ) -> Delivery:
        batch = mqtt_messages.decode_batch(payload)
        _same_agent(agent, batch.agent)
        points: list[Point] = []
        misfits: dict[str, list[Sample]] = {}
        for sample in batch.samples:
            medium = meters.get(sample.meter)
            reason = self._against(sample, medium)
            if medium is None or reason is not None:
                misfits.setdefault(reason or "unknown_meter", []).append(sample)
            elif point := reading_point(self._site, medium, sample):
                points.append(point)
        if misfits and sum(map(len, misfits.values())) == len(batch.samples):
            reason, samples = next(iter(misfits.items()))
            raise WireError(reason, "meter {meter}; nothing fits", meter=samples[0].meter[:64])
        points += [poll_point(self._site, one) for one in batch.polls if one.meter in meters]
        return Delivery(
            agent=agent,
            number=(batch.boot, batch.seq),
            points=tuple(points),
            aside=tuple(_part(topic, batch, why, them) for why, them in misfits.items()),
        )

    def _against(self, sample: Sample, medium: Medium | None) -> str | None:
        if medium is None:
            return "other_agent" if sample.meter in self._known else "unknown_meter"
        key = (medium, sample.quantities)
        if key not in self._misfits:
            if len(self._misfits) > _LAYOUTS:
                self._misfits.clear()
            fits = all(medium in QUANTITIES[name].media for name in sample.quantities)
            self._misfits[key] = None if fits else "quantity"
        return self._misfits[key]


#: Layouts remembered; a site has a few dozen, and a hostile sender must not fill the memory.
_LAYOUTS: Final = 4096


class _Number(msgspec.Struct):
    boot: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}\Z")]
    seq: Annotated[int, Meta(ge=1, lt=2**53)]


_decode_number: Final = msgspec.json.Decoder(_Number).decode


def _number(payload: bytes) -> tuple[str, int] | None:
    """Boot and sequence number, where they can be read in a message that is otherwise wrong."""
    try:
        number = _decode_number(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return number.boot, number.seq


def _same_agent(topic: str, payload: str) -> None:
    if topic != payload:
        raise WireError(
            "other_agent", "{payload} on the topic of {topic}", payload=payload[:64], topic=topic
        )


def _part(topic: str, batch: Batch, reason: str, samples: Sequence[Sample]) -> SetAside:
    """The samples that did not fit for one reason, as a batch of their own."""
    return SetAside(
        topic=topic,
        reason=reason,
        detail=f"meter {samples[0].meter[:64]}",
        payload=mqtt_messages.encode_batch(
            msgspec.structs.replace(batch, samples=tuple(samples), polls=())
        ),
        samples=len(samples),
    )
