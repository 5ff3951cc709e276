"""Measure the basic cost of a reading: decoding, encoding, line protocol."""

import struct
from collections.abc import Iterator

from jieneng.metering import line_protocol, mqtt_messages, schema
from jieneng.metering.catalog.modbus_points import ModbusHead, ModbusModel, PointRow
from jieneng.metering.catalog.modbus_reads import plan
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.reading import Batch, Sample
from tests.bench.result import Result, seconds

_NAMES = sorted(name for name, row in QUANTITIES.items() if "electricity" in row.media)[:20]
_ROUNDS = 2000


def results() -> Iterator[Result]:
    """One poll is a meter with 20 float registers; one message is 20 such polls."""
    head = ModbusHead(
        id="bench", name="bench", medium="electricity", source="made for this bench",
        confidence="manual",
    )  # fmt: skip
    points = tuple(
        PointRow(quantity=name, function=3, address=2 * i, type="f32")
        for i, name in enumerate(_NAMES)
    )
    [read] = plan(ModbusModel(model=head, point=points))
    block = struct.pack(">20f", *[float(i) + 0.5 for i in range(20)])
    yield _each("registers.decode_20_floats", lambda: read.decode(block), "us")

    values = read.decode(block)
    samples = tuple(
        Sample(f"e-{n}", 1_795_000_000_000 + n, 0, read.quantities, values) for n in range(20)
    )
    batch = Batch("agent-1", "6f1c2a9e", 1, samples)
    payload = mqtt_messages.encode_batch(batch)
    per_message = "us"
    yield _each("wire.encode_batch", lambda: mqtt_messages.encode_batch(batch), per_message)
    yield _each("wire.decode_batch", lambda: mqtt_messages.decode_batch(payload), per_message)

    rows = [row for s in samples if (row := schema.reading_point("site", "electricity", s))]
    yield _each("line_protocol.encode", lambda: line_protocol.encode(rows), per_message)


def _each(name: str, work: object, unit: str) -> Result:
    assert callable(work)

    def many() -> None:
        for _ in range(_ROUNDS):
            work()

    return Result(bench=name, value=seconds(many) / _ROUNDS * 1e6, unit=unit)
