"""Samples, and the batches, acknowledgements and statuses in which they travel.

Laws: the time of a `Sample` is the moment of the meter's reply and is never replaced. A value that
is not known is NaN, never 0.
"""

from collections.abc import Mapping
from enum import IntFlag
from typing import Final

import msgspec


class Quality(IntFlag):
    """Reasons to doubt a sample, as flags; 0 is none. A doubted value is kept, not dropped."""

    GOOD = 0
    STALE = 1  # every bit is repeated, though the measured quantity never stands still
    FLAT = 2  # a counter stands still for longer than is plausible
    OUT_OF_RANGE = 4  # a value exceeds the nameplate
    TOO_FAST = 8  # a counter grew faster than the rated maximum
    CLOCK = 16  # stamped while the agent's clock could not be trusted
    MANUAL = 32  # read by a person, or imported from a file
    ESTIMATED = 64  # not read: the file that it comes from calls it estimated


#: Milliseconds in a second; times are milliseconds since 1970-01-01T00:00:00Z.
MILLISECONDS: Final = 1000


class Sample(msgspec.Struct, frozen=True, gc=False):
    """The values of one poll of a meter.

    Attributes:
        meter: id of the meter in `site.toml`.
        time_ms: time of the meter's reply [UTC, ms since 1970].
        quality: flags of `Quality`, as a number.
        quantities: names of rows of `quantities.py`. Samples of one plan share one tuple.
        values: a value for each quantity, in canonical units; NaN if the meter had none.
    """

    meter: str
    time_ms: int
    quality: int
    quantities: tuple[str, ...]
    values: tuple[float, ...]


class PollReport(msgspec.Struct, frozen=True, gc=False):
    """Outcome of a poll of a meter, reported whether or not anything was read.

    Attributes:
        meter: id of the meter in `site.toml`.
        time_ms: time of its sample, or of its end if there is none [UTC, ms since 1970].
        ok: True if every request was answered correctly.
        duration_ms: time from the first request to the last reply or timeout; if none could be
            sent, the time for which that was tried [ms].
        attempts: number of requests sent, repeated ones included.
    """

    meter: str
    time_ms: int
    ok: bool
    duration_ms: int
    attempts: int


class Batch(msgspec.Struct, frozen=True):
    """Samples in transit, numbered by the agent that read them.

    Attributes:
        agent: id of the agent.
        boot: id of one run of the agent: 8 hex digits, new at each start.
        seq: sequence number 1, 2, 3 ... within the boot.
        samples: the samples.
        polls: reports of the polls. A batch has at least one sample or one report.
    """

    agent: str
    boot: str
    seq: int
    samples: tuple[Sample, ...]
    polls: tuple[PollReport, ...] = ()


class Ack(msgspec.Struct, frozen=True):
    """Acknowledgement of batches of one boot of an agent by the ingest.

    Attributes:
        stored: closed ranges of sequence numbers that are in the store.
        quarantined: (sequence number, reason) of batches set aside whole, on the ingest's disk.
        partly: (sequence number, reason, number of samples) of samples set aside of batches that
            are in `stored`: the rest of these batches is in the store.
    """

    boot: str
    stored: tuple[tuple[int, int], ...] = ()
    quarantined: tuple[tuple[int, str], ...] = ()
    partly: tuple[tuple[int, str, int], ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """State of an agent: the retained message on the broker, and its last will.

    Counts are of samples since the spool was created:
    `read = stored + quarantined + pending + dropped`.

    Attributes:
        uptime_s: time since the agent started [s].
        spool_bytes: size of the payloads on its disk [bytes].
        spool_age_s: age of the oldest batch there; 0 if there is none [s].
        clock_ok: True if its clock can be trusted.
        clock_jumps: jumps of the system's clock noticed since the start.
        bus_load: share of the time since the last status in which a bus was busy, by bus.
        unacknowledged_s: time for which batches were published and none was acknowledged [s].
        spool_share: size of the payloads on its disk, as share of the spool's limit; None if it is
            not known, as from an earlier agent.
        disk_used: used share of the disk of the spool, 0 to 1; None if it is not known.
        certificate_days: days until the certificate of the broker or of the agent expires,
            whichever is first, below 0 afterwards; None without TLS or if it is not known.
    """

    agent: str
    boot: str
    online: bool
    time_ms: int = 0
    read: int = 0
    stored: int = 0
    quarantined: int = 0
    pending: int = 0
    dropped: int = 0
    uptime_s: float = 0.0
    spool_bytes: int = 0
    spool_age_s: float = 0.0
    clock_ok: bool = True
    clock_jumps: int = 0
    bus_load: Mapping[str, float] = {}
    unacknowledged_s: float = 0.0
    spool_share: float | None = None
    disk_used: float | None = None
    certificate_days: float | None = None
