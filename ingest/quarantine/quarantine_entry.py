"""Structs of the quarantine: items that go in, entries that come out, and filters. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Batch, PollReport, Sample

#: Longest topic and longest detail kept [characters].
_MAX_TEXT: Final = 500
#: Longest meter id kept [characters]; no valid id is longer.
_MAX_METER: Final = 64


class QuarantineItem(msgspec.Struct, frozen=True, kw_only=True):
    """A message, or a part of it, that goes to the quarantine.

    Attributes:
        topic: topic of the message.
        agent: agent that the topic names; "" if the site has no such agent.
        boot: boot of the batch; "" if the message is not a batch.
        seq: sequence number of the batch; 0 if the message is not a batch.
        meter: meter of the samples; "" if they can't be read.
        reason: short name of the reason, for counting.
        detail: the reason in a sentence, or the server's message if the store refused the point.
        payload: the message, or a batch that contains only the refused samples of the message.
        size: length of the payload before it was cut [bytes].
        samples: number of samples in the payload, as far as it can be read.
        acknowledged: True if the samples are acknowledged to their agent, which then deletes them.
    """

    topic: str
    agent: str = ""
    boot: str = ""
    seq: int = 0
    meter: str = ""
    reason: str
    detail: str
    payload: bytes
    size: int
    samples: int = 0
    acknowledged: bool = False

    @property
    def is_cut(self) -> bool:
        """True if only the beginning of the payload is kept."""
        return self.size > len(self.payload)


def cut_item(
    topic: str, agent: str, reason: str, detail: str, payload: bytes, max_bytes: int = 4096
) -> QuarantineItem:
    """Return the item of a message that is not acknowledged, cut to `max_bytes`."""
    return QuarantineItem(
        topic=topic[:_MAX_TEXT],
        agent=agent,
        reason=reason,
        detail=detail[:_MAX_TEXT],
        payload=payload[:max_bytes],
        size=len(payload),
    )


def samples_item(
    topic: str, batch: Batch, samples: Sequence[Sample], reason: str, detail: str, *, meter: str
) -> QuarantineItem:
    """Return the item of some samples of a batch: a smaller batch that can be replayed.

    Args:
        topic: topic of the batch.
        batch: the batch; only agent, boot and sequence number are kept of it.
        samples: the samples.
        reason: short name of the reason.
        detail: the reason in a sentence.
        meter: the samples' meter; "" if they are from several meters.
    """
    payload = mqtt_messages.encode_batch(
        msgspec.structs.replace(batch, samples=tuple(samples), polls=())
    )
    return QuarantineItem(
        topic=topic,
        agent=batch.agent,
        boot=batch.boot,
        seq=batch.seq,
        meter=meter[:_MAX_METER],
        reason=reason,
        detail=detail[:_MAX_TEXT],
        payload=payload,
        size=len(payload),
        samples=len(samples),
        acknowledged=True,
    )


def polls_item(
    topic: str, batch: Batch, polls: Sequence[PollReport], reason: str, detail: str
) -> QuarantineItem:
    """Return the item of some poll reports of a batch: a batch without samples."""
    payload = mqtt_messages.encode_batch(
        msgspec.structs.replace(batch, samples=(), polls=tuple(polls))
    )
    return QuarantineItem(
        topic=topic,
        agent=batch.agent,
        boot=batch.boot,
        seq=batch.seq,
        meter=polls[0].meter,
        reason=reason,
        detail=detail[:_MAX_TEXT],
        payload=payload,
        size=len(payload),
    )


class QuarantineEntry(msgspec.Struct, frozen=True):
    """An item in the quarantine.

    Attributes:
        id: number of the entry, never used again.
        time_ms: time of quarantine, UTC.
        replays: number of replays that were refused.
        item: the item.
    """

    id: int
    time_ms: int
    replays: int
    item: QuarantineItem


class EntryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions by which a person chooses entries; an entry must meet all of them.

    Attributes:
        ids: numbers of entries; any if empty.
        reason: reason of the entries.
        meter: meter of the entries.
        since_ms: earliest time of quarantine, UTC.
    """

    ids: tuple[int, ...] = ()
    reason: str | None = None
    meter: str | None = None
    since_ms: int | None = None


class EntryGroup(msgspec.Struct, frozen=True):
    """The entries of one reason and meter.

    Attributes:
        reason: reason of the entries.
        meter: meter of the entries; "" if they can't be read.
        entries: number of entries.
        samples: number of samples in them.
        first_ms: time of the first, UTC.
        last_ms: time of the last, UTC.
    """

    reason: str
    meter: str
    entries: int
    samples: int
    first_ms: int
    last_ms: int


class QuarantineUsage(msgspec.Struct, frozen=True):
    """Counts of the acknowledged entries in the quarantine, or of the unacknowledged ones.

    Attributes:
        entries: number of entries.
        samples: number of samples in them.
        bytes: size of the entries, as compared with the limit [bytes].
        lost: entries deleted since the file was made, to make room for newer ones; always 0 for
            acknowledged entries.
    """

    entries: int = 0
    samples: int = 0
    bytes: int = 0
    lost: int = 0


class AgentAccount(msgspec.Struct, frozen=True):
    """Account of the samples of an agent that were acknowledged as quarantined.

    Attributes:
        held: samples that the quarantine holds.
        replayed: samples that the store confirmed after a replay.
        dropped: samples that a person dropped.
    """

    held: int = 0
    replayed: int = 0
    dropped: int = 0

    @property
    def total(self) -> int:
        """Number of all samples of the agent that were ever quarantined and acknowledged."""
        return self.held + self.replayed + self.dropped
