"""Define samples, and the batches, acknowledgements and statuses between agent and ingest.

Laws: the time of a `Sample` is the moment of the meter's reply, and is never replaced. An unknown
value is NaN, never 0.
"""

from collections.abc import Mapping
from enum import IntFlag
from typing import Final

import msgspec


class Quality(IntFlag):
    """Reasons to doubt a sample, as flags; 0 for none. Doubtful values are stored, not dropped."""

    GOOD = 0
    STALE = 1  # all values are repeated exactly, although some of them always vary
    FLAT = 2  # a counter stands still for longer than is plausible
    OUT_OF_RANGE = 4  # a value exceeds the nameplate
    TOO_FAST = 8  # a counter grew faster than the rated maximum
    CLOCK = 16  # the time stamp was given while the agent's clock could not be trusted
    MANUAL = 32  # read by a person, or imported from a file
    ESTIMATED = 64  # the imported file marks the value as estimated


#: Milliseconds in a second; times are milliseconds since 1970-01-01T00:00:00Z.
MILLISECONDS: Final = 1000


class Sample(msgspec.Struct, frozen=True, gc=False):
    """The values of one poll of a meter.

    Attributes:
        meter: id of the meter in `site.toml`.
        time_ms: time of the meter's reply [UTC, ms since 1970].
        quality: flags of `Quality`, as a number.
        quantities: names of quantities (`quantities.py`). Samples with the same read plan share one
            tuple.
        values: a value for each quantity, in canonical units; NaN if it is unknown.
    """

    meter: str
    time_ms: int
    quality: int
    quantities: tuple[str, ...]
    values: tuple[float, ...]


class PollReport(msgspec.Struct, frozen=True, gc=False):
    """The result of a poll of a meter. There is a report even if nothing was read.

    Attributes:
        meter: id of the meter in `site.toml`.
        time_ms: time of the sample; without a sample, end of the poll [UTC, ms since 1970].
        ok: True if every request was answered correctly.
        duration_ms: time from the first request to the last reply or timeout [ms]. If no request
            could be sent, the time spent on trying to send one.
        attempts: number of requests sent, including repeated ones.
    """

    meter: str
    time_ms: int
    ok: bool
    duration_ms: int
    attempts: int


class Batch(msgspec.Struct, frozen=True):
    """Samples and poll reports, numbered by the agent, in one message.

    Attributes:
        agent: id of the agent.
        boot: boot id, which identifies a run of the agent: 8 hex digits, new at each start.
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
        stored: ranges (first, last) of sequence numbers of stored batches.
        quarantined: (sequence number, reason) of batches that were quarantined as a whole.
        partly: (sequence number, reason, number of quarantined samples) of batches in `stored` that
            were stored only in part.
    """

    boot: str
    stored: tuple[tuple[int, int], ...] = ()
    quarantined: tuple[tuple[int, str], ...] = ()
    partly: tuple[tuple[int, str, int], ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """State of an agent: the content of its retained status message, and of its last will.

    The counts are numbers of samples since the spool was created:
    `read = stored + quarantined + pending + dropped`.

    Attributes:
        uptime_s: time since the agent started [s].
        spool_bytes: size of the payloads in the spool [bytes].
        spool_age_s: age of the oldest batch in the spool; 0 if there is none [s].
        clock_ok: True if the agent's clock can be trusted.
        clock_jumps: number of jumps of the system clock since the start.
        bus_load: share of the time since the last status in which a bus was busy, by bus.
        unacknowledged_s: time for which published batches have not been acknowledged [s].
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
