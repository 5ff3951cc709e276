"""An acknowledgement in parts has the content of the whole."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.ack_parts import MAX_PART_BYTES, encoded_parts
from ingest.storing.acknowledgement import ranges
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Ack

numbers = st.sets(st.integers(1, 5000), max_size=300)


@given(stored=numbers, quarantined=numbers, partly=numbers)
def test_the_parts_say_what_the_whole_says(
    stored: set[int], quarantined: set[int], partly: set[int]
) -> None:
    quarantined -= stored
    ack = Ack(
        "aaaaaaaa",
        ranges(stored),
        tuple((number, "unknown_meter") for number in sorted(quarantined)),
        tuple((number, "retention", 2) for number in sorted(partly & stored)),
    )
    payloads = encoded_parts(ack)
    parts = [mqtt_messages.decode_ack(one) for one in payloads]
    assert max(map(len, payloads)) <= MAX_PART_BYTES
    assert {
        number for one in parts for first, last in one.stored for number in range(first, last + 1)
    } == stored
    assert [one for part in parts for one in part.quarantined] == list(ack.quarantined)
    assert [one for part in parts for one in part.partly] == list(ack.partly)
    for part in parts:
        assert all(
            any(first <= number <= last for first, last in part.stored)
            for number, _, _ in part.partly
        )


def test_a_small_one_stays_whole() -> None:
    ack = Ack("aaaaaaaa", ((1, 2**53 - 1),))
    assert encoded_parts(ack) == [mqtt_messages.encode_ack(ack)]
