"""The one currency: what a meter said, and when.

Law: a `Sample`'s time is the moment of the meter's reply, and nobody ever replaces it.
A value that is not known is NaN, never 0.
"""

from collections.abc import Mapping
from enum import IntFlag
from typing import Final

import msgspec


class Quality(IntFlag):
    """What is to be said against a sample; 0 is nothing. A doubted value is kept, not dropped."""

    GOOD = 0
    STALE = 1  # repeats itself in every bit, though what it measures never stands still
    FLAT = 2  # a counter that stands still for longer than it plausibly can
    OUT_OF_RANGE = 4  # past what the nameplate allows
    TOO_FAST = 8  # a counter that grew faster than the rated maximum
    CLOCK = 16  # stamped while the agent's clock was not to be trusted
    MANUAL = 32  # read by a person, or imported from a file


#: The agent stamps in milliseconds since 1970-01-01T00:00:00Z.
MILLISECONDS: Final = 1000


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One reply of one meter.

    Attributes:
        meter: id of the meter in `site.toml`.
        time_ms: UTC, milliseconds since 1970, of the meter's reply.
        quality: a `Quality` as its number.
        quantities: names, rows of `quantities.py`. The samples of one plan share one tuple.
        values: as many, in canonical units; NaN where the meter had none.
    """

    meter: str
    time_ms: int
    quality: int
    quantities: tuple[str, ...]
    values: tuple[float, ...]


class PollReport(msgspec.Struct, frozen=True, gc=False):
    """How one poll of one meter went; it reports itself whether or not anything was read.

    Attributes:
        meter: id of the meter in `site.toml`.
        time_ms: UTC, milliseconds since 1970: of its sample, or of its end where there is none.
        ok: whether every read was answered as it should.
        duration_ms: from the first question to the last answer or time-out; where none could be
            sent, for as long as that was tried.
        attempts: questions asked, repeated ones included.
    """

    meter: str
    time_ms: int
    ok: bool
    duration_ms: int
    attempts: int


class Batch(msgspec.Struct, frozen=True):
    """Samples on their way, numbered by the agent that read them.

    Attributes:
        agent: id of the agent.
        boot: one run of the agent: 8 hex digits, new at each start.
        seq: 1, 2, 3 ... within the boot.
        samples: what was read.
        polls: how it was read. A batch has at least one of both.
    """

    agent: str
    boot: str
    seq: int
    samples: tuple[Sample, ...]
    polls: tuple[PollReport, ...] = ()


class Ack(msgspec.Struct, frozen=True):
    """What the ingest did with batches of one boot of one agent.

    Attributes:
        stored: closed ranges of sequence numbers that are in the store.
        quarantined: (sequence number, reason): set aside whole, on the ingest's disk.
    """

    boot: str
    stored: tuple[tuple[int, int], ...] = ()
    quarantined: tuple[tuple[int, str], ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How an agent is: retained on the broker, and its last will.

    The counts are of samples, since the spool was made: `read = stored + pending + dropped`.

    Attributes:
        uptime_s: since the agent started.
        spool_bytes: payload on its disk.
        spool_age_s: of the oldest batch there; 0 where there is none.
        clock_ok: whether its clock may be believed.
        clock_jumps: jumps of the system's clock that it noticed, since it started.
        bus_load: share of the time in which a bus was busy, since the last status, by bus.
    """

    agent: str
    boot: str
    online: bool
    time_ms: int = 0
    read: int = 0
    stored: int = 0
    pending: int = 0
    dropped: int = 0
    uptime_s: float = 0.0
    spool_bytes: int = 0
    spool_age_s: float = 0.0
    clock_ok: bool = True
    clock_jumps: int = 0
    bus_load: Mapping[str, float] = {}
