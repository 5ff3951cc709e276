"""A spool of the default size holds 30 days without a link, of the largest usual site."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.batches import Row
from edge_agent.config import SpoolSettings
from edge_agent.spool_file import SpoolFile
from jieneng import observe
from jieneng.metering import wire
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.reading import Batch, Sample

METERS, DAYS, POLLS_A_DAY = 64, 30, 96
POLLS = DAYS * POLLS_A_DAY
BOUND = 256 * 1024 * 1024
NAMES = tuple(sorted(name for name, row in QUANTITIES.items() if "electricity" in row.media)[:20])
START_MS, QUARTER_MS = 1_795_000_000_000, 900_000
BOOT = "0123abcd"


def as_float32(value: float) -> float:
    """As a float register gives it: 231.7 is 231.6999969482422, 18 characters on the wire."""
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


def samples(number: int, chance: random.Random) -> tuple[Sample, ...]:
    """One round of polls, in the longest usual form: counters of six figures, gauges of four."""
    time_ms = START_MS + number * QUARTER_MS
    noise = [as_float32(chance.uniform(0.1, 500.0)) for _ in range(40)]
    return tuple(
        Sample(
            f"building-12-electricity-{meter:02}",
            time_ms + meter * 14_000,
            0,
            NAMES,
            (as_float32(812_345.67 + number), *noise[meter % 20 : meter % 20 + len(NAMES) - 1]),
        )
        for meter in range(METERS)
    )


def rows(in_batch: int) -> Iterator[list[Row]]:
    """All rounds, some at a time."""
    chance, seq = random.Random(1), 0
    for _ in range(DAYS):
        day = []
        for _ in range(POLLS_A_DAY):
            of_round = samples(seq // (METERS // in_batch), chance)
            for first in range(0, METERS, in_batch):
                seq += 1
                some = of_round[first : first + in_batch]
                payload = wire.encode_batch(Batch("agent-1", BOOT, seq, some))
                day.append(Row(BOOT, seq, len(some), payload))
        yield day


@pytest.mark.parametrize("in_batch", [METERS, 1], ids=["read together", "each read alone"])
def test_30_days_of_64_meters_fit_within_256_mb(tmp_path: Path, in_batch: int) -> None:
    """Read alone, a sample carries the names of its quantities: polls are spread over the quarter,
    so that this is the usual case, and the dearest."""
    settings = SpoolSettings()
    assert settings.max_bytes <= BOUND
    file = SpoolFile(
        tmp_path / "spool",
        settings.max_bytes,
        observe.log("test"),
        max_age_s=settings.max_age_s,
    )
    for day in rows(in_batch):
        file.put(day)
    counts = file.known
    file.close()
    on_disk = sum(one.stat().st_size for one in tmp_path.iterdir())
    print(f"{counts.size_bytes / 2**20:.1f} MB of payload, {on_disk / 2**20:.1f} MB on the disk")
    assert counts.read == counts.pending == METERS * POLLS
    assert counts.dropped == 0
    assert counts.size_bytes <= BOUND
    assert on_disk <= BOUND
