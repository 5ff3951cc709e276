"""Decide which parts of written messages are acknowledged, and which are quarantined. Pure.

Laws:

1. A batch of which every sample was refused is acknowledged as quarantined. Any other batch is
   acknowledged as stored, after the store has confirmed its other samples; the acknowledgement
   contains the number of refused samples by reason.
2. A batch with a point that is neither stored nor refused is not acknowledged.
3. Polls and the status of an agent are not samples. If the store refuses them, they are quarantined
   but not counted, and they do not delay the acknowledgement.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

import msgspec

from ingest.admission.message_checker import CheckedMessage
from ingest.quarantine.quarantine_entry import (
    QuarantineItem,
    polls_item,
    samples_item,
)
from jieneng.metering import mqtt_messages
from jieneng.metering.quantities import MEDIA
from jieneng.metering.reading import Ack, Batch, PollReport, Sample, Status
from jieneng.metering.schema import POLL, poll_of, sample_of
from jieneng.storage import RejectedPoint


class Settlement(msgspec.Struct, frozen=True):
    """The outcome of a message.

    Attributes:
        message: the message.
        items: samples to acknowledge as quarantined once the quarantine has them on disk.
        others: items to quarantine that are not counted as samples.
        is_decided: False if a point is neither stored nor refused.
    """

    message: CheckedMessage
    items: tuple[QuarantineItem, ...]
    others: tuple[QuarantineItem, ...]
    is_decided: bool


def settle(
    messages: Sequence[CheckedMessage], rejected: Sequence[RejectedPoint], undecided: Set[int]
) -> list[Settlement]:
    """Return the outcome of each message.

    Args:
        messages: messages whose points were written, in this order.
        rejected: points that the store refused for good; `index` counts the points of all messages.
        undecided: indices of points that are not stored now, but may be stored later.
    """
    refused: dict[int, list[RejectedPoint]] = {}
    undecided_messages: set[int] = set()
    if rejected or undecided:
        owners = [number for number, one in enumerate(messages) for _ in one.points]
        for one in rejected:
            refused.setdefault(owners[one.index], []).append(one)
        undecided_messages = {owners[index] for index in undecided}
    return [
        _settlement(message, refused.get(number, ()), is_decided=number not in undecided_messages)
        for number, message in enumerate(messages)
    ]


def acks(settled: Iterable[Settlement]) -> list[tuple[str, Ack]]:
    """Return one acknowledgement for each run of each agent, with the messages that are safe."""
    stored: dict[tuple[str, str], list[int]] = {}
    quarantined: dict[tuple[str, str], list[tuple[int, str]]] = {}
    partly: dict[tuple[str, str], list[tuple[int, str, int]]] = {}
    for one in settled:
        message = one.message
        if message.batch_id is None:
            continue
        boot, seq = message.batch_id
        sender = (message.agent, boot)
        aside = _samples_by_reason(one.items)
        if message.rejection or (message.samples and sum(aside.values()) == message.samples):
            reason = message.rejection or aside.most_common(1)[0][0]
            quarantined.setdefault(sender, []).append((seq, reason))
        else:
            stored.setdefault(sender, []).append(seq)
            partly.setdefault(sender, []).extend(
                (seq, reason, samples) for reason, samples in aside.items()
            )
    return [
        (
            sender[0],
            Ack(
                sender[1],
                ranges(stored.get(sender, ())),
                tuple(quarantined.get(sender, ())),
                tuple(partly.get(sender, ())),
            ),
        )
        for sender in dict.fromkeys([*stored, *quarantined])
    ]


def ranges(numbers: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return the closed ranges that hold exactly these numbers, ascending."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return tuple(found)


def _samples_by_reason(items: Iterable[QuarantineItem]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for item in items:
        if item.samples:
            counts[item.reason] += item.samples
    return counts


def _settlement(
    message: CheckedMessage, refused: Sequence[RejectedPoint], *, is_decided: bool
) -> Settlement:
    if not refused and not message.to_quarantine:
        return Settlement(message, (), (), is_decided)
    samples: dict[tuple[str, str], list[Sample]] = {}
    polls: dict[tuple[str, str], list[PollReport]] = {}
    words: dict[str, str] = {}
    others: list[QuarantineItem] = []
    for one in refused:
        words.setdefault(one.code, one.reason)
        key = (one.code, dict(one.point.tags).get("meter", ""))
        if one.point.measurement in MEDIA:
            samples.setdefault(key, []).append(sample_of(one.point))
        elif one.point.measurement == POLL:
            polls.setdefault(key, []).append(poll_of(one.point))
        elif message.status and not others:  # all its points come from it, so it is kept whole
            others.append(_status_item(message, message.status, one))
    items = list(message.to_quarantine) + _samples_items(message, samples, words)
    others += _polls_items(message, polls, words)
    return Settlement(
        message,
        tuple([item for item in items if item.acknowledged]),
        (*others, *(item for item in items if not item.acknowledged)),
        is_decided,
    )


def _samples_items(
    message: CheckedMessage,
    samples: Mapping[tuple[str, str], Sequence[Sample]],
    words: Mapping[str, str],
) -> list[QuarantineItem]:
    return [
        samples_item(message.topic, _batch(message), found, code, words[code], meter=meter)
        for (code, meter), found in samples.items()
    ]


def _polls_items(
    message: CheckedMessage,
    polls: Mapping[tuple[str, str], Sequence[PollReport]],
    words: Mapping[str, str],
) -> list[QuarantineItem]:
    return [
        polls_item(message.topic, _batch(message), found, code, words[code])
        for (code, _), found in polls.items()
    ]


def _batch(message: CheckedMessage) -> Batch:
    """Return the batch of a message, without its content."""
    boot, seq = message.batch_id or ("", 0)
    return Batch(message.agent, boot, seq, ())


def _status_item(message: CheckedMessage, status: Status, refused: RejectedPoint) -> QuarantineItem:
    payload = mqtt_messages.encode_status(status)
    return QuarantineItem(
        topic=message.topic,
        agent=message.agent,
        reason=refused.code,
        detail=refused.reason,
        payload=payload,
        size=len(payload),
    )
