"""A spool of the default size holds 30 days without a link, of the largest usual site."""

import random
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from edge_agent.settings import SpoolSettings
from edge_agent.spool.queued_batch import QueuedBatch
from edge_agent.spool.sample_counts import SampleCounts
from edge_agent.spool.spool_file import SpoolFile
from jieneng import observe
from jieneng.metering import mqtt_messages
from jieneng.metering.quantities import QUANTITIES
from jieneng.metering.reading import Batch, PollReport, Sample

METERS, DAYS, POLLS_A_DAY = 64, 30, 96
POLLS = DAYS * POLLS_A_DAY
BOUND = 256 * 1024 * 1024
NAMES = tuple(sorted(name for name, row in QUANTITIES.items() if "electricity" in row.media)[:20])
START_MS, QUARTER_MS = 1_795_000_000_000, 900_000
BOOT = "0123abcd"


def as_float32(value: float) -> float:
    """Return the value of a float register: 231.7 is 231.6999969482422, 18 characters in JSON."""
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


def samples(number: int, chance: random.Random) -> tuple[Sample, ...]:
    """Return one round of polls, with the longest values that are usual."""
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


def batch(seq: int, some: Sequence[Sample], *failed: PollReport) -> QueuedBatch:
    polls = tuple(PollReport(one.meter, one.time_ms, True, 123, 1) for one in some) + failed
    payload = mqtt_messages.encode_batch(Batch("agent-1", BOOT, seq, tuple(some), polls))
    return QueuedBatch(BOOT, seq, len(some), payload)


def rows(in_batch: int, reports: int = 0, days: int = DAYS) -> Iterator[list[QueuedBatch]]:
    """Yield the batches of each day; `reports` failed polls come with each round."""
    chance, seq = random.Random(1), 0
    for number in range(days):
        day = []
        for of_day in range(POLLS_A_DAY):
            of_round = samples(number * POLLS_A_DAY + of_day, chance)
            for first in range(0, METERS, in_batch):
                seq += 1
                day.append(batch(seq, of_round[first : first + in_batch]))
            for at in range(reports):
                seq += 1
                time_ms = of_round[0].time_ms + at
                failed = PollReport("building-13-electricity-01", time_ms, False, 1003, 1)
                day.append(batch(seq, (), failed))
        yield day


def kept(folder: Path, days: Iterable[list[QueuedBatch]], parts: int = 1) -> SampleCounts:
    """Put all days into a spool of a fraction of the default size, and return the counts."""
    settings = SpoolSettings()
    assert settings.max_bytes <= BOUND
    file = SpoolFile(
        folder / "spool",
        settings.max_bytes // parts,
        observe.log("test"),
        max_age_s=settings.max_age_s,
    )
    for day in days:
        file.put(day)
    counts = file.known
    file.close()
    on_disk = sum(one.stat().st_size for one in folder.iterdir())
    print(f"{counts.size_bytes / 2**20:.1f} MB of payload, {on_disk / 2**20:.1f} MB on the disk")
    assert counts.size_bytes <= BOUND
    return counts


@pytest.mark.long
@pytest.mark.parametrize("in_batch", [METERS, 1], ids=["read together", "each read alone"])
def test_30_days_of_64_meters_fit_within_256_mb(tmp_path: Path, in_batch: int) -> None:
    """Read alone, a sample carries the names of its quantities: polls are spread over the quarter,
    so that this is the usual case, and the dearest."""
    counts = kept(tmp_path, rows(in_batch))
    assert counts.read == counts.pending == METERS * POLLS
    assert counts.dropped == 0
    assert sum(one.stat().st_size for one in tmp_path.iterdir()) <= BOUND


def test_30_days_fit_beside_ten_buses_that_are_down_all_the_time(tmp_path: Path) -> None:
    """Each attempt to open a link again causes a report in a batch of its own, 2,210 times a day.

    From day 24 on, these displaced readings. Here: three days, in a tenth of the space.
    """
    parts = 10
    reports = 10 * 2210 // POLLS_A_DAY
    counts = kept(tmp_path, rows(1, reports, DAYS // parts), parts)
    assert counts.read == counts.pending == METERS * POLLS // parts
    assert counts.dropped == 0
