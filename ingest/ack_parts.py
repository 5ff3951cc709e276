"""Split an acknowledgement into several small messages. Pure.

Law: every sequence number is in exactly one part, with the same result as in the whole. The counts
of quarantined samples of a stored batch are in the same part as the batch, because agents read them
only there.
"""

from typing import Final

from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack

#: Largest payload of an acknowledgement [bytes]: so small that every broker accepts it.
MAX_PART_BYTES: Final = 1024


def encoded_parts(ack: Ack) -> list[bytes]:
    """Return payloads of at most `MAX_PART_BYTES`; the payload of a single batch may be larger."""
    payload = mqtt_messages.encode_ack(ack)
    numbers = [number for span in ack.stored for number in span]
    numbers += [number for number, _ in ack.quarantined]
    if len(payload) <= MAX_PART_BYTES or not numbers or min(numbers) == max(numbers):
        return [payload]
    middle = (min(numbers) + max(numbers)) // 2
    return [
        *encoded_parts(_between(ack, min(numbers), middle)),
        *encoded_parts(_between(ack, middle + 1, max(numbers))),
    ]


def _between(ack: Ack, first: int, last: int) -> Ack:
    """Return the part of an acknowledgement that names sequence numbers from `first` to `last`."""
    return Ack(
        ack.boot,
        tuple(
            (max(begin, first), min(end, last))
            for begin, end in ack.stored
            if begin <= last and first <= end
        ),
        tuple(one for one in ack.quarantined if first <= one[0] <= last),
        tuple(one for one in ack.partly if first <= one[0] <= last),
    )
