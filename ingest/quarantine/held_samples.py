"""Find the samples of a batch that are already in the quarantine. Pure.

Law: two samples are equal if meter, time, quality code and values are equal; the reason of the
refusal does not matter.
"""

from collections.abc import Sequence, Set

import msgspec

from ingest.quarantine.quarantine_entry import QuarantineItem
from jieneng.metering import mqtt_messages
from jieneng.metering.errors import WireError
from jieneng.metering.reading import Sample


def not_held(items: Sequence[QuarantineItem], payloads: Set[bytes]) -> list[QuarantineItem]:
    """Return the items of a batch, after removal of samples that are already in the quarantine.

    Args:
        items: items of the batch.
        payloads: payloads of the same batch in the quarantine.
    """
    if not payloads:
        return list(items)
    held = {sample for payload in payloads for sample in _samples(payload)}
    left = []
    for item in items:
        if item.payload in payloads:
            continue
        samples = _samples(item.payload)
        new = tuple([sample for sample in samples if sample not in held])
        if samples and not new:
            continue
        left.append(_with_samples(item, new) if len(new) < len(samples) else item)
    return left


def _samples(payload: bytes) -> tuple[Sample, ...]:
    try:
        return mqtt_messages.decode_batch(payload, any_quantity=True).samples
    except WireError:
        return ()


def _with_samples(item: QuarantineItem, samples: tuple[Sample, ...]) -> QuarantineItem:
    batch = mqtt_messages.decode_batch(item.payload, any_quantity=True)
    payload = mqtt_messages.encode_batch(msgspec.structs.replace(batch, samples=samples))
    return msgspec.structs.replace(item, payload=payload, size=len(payload), samples=len(samples))
