"""Clocks, which are passed as arguments. No other module asks the operating system for the time.

Laws:

1. `monotonic()` never jumps, whatever happens to the system's clock. Schedules use it.
2. `now_ms()` is UTC. Time stamps use it.
3. `up_ms()` never jumps either. All processes see the same `up_ms()` as long as `machine_boot()` is
   the same. So a process can store such a time on disk for the next process.
4. `is_set()` is False only if a time service runs and has not set the clock yet. It is needed
   because a box without a battery starts with an old time that looks like any other.
5. The timeouts of links are in real seconds, even if a demo runs on a faster clock.
"""

import asyncio
import ctypes
import secrets
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, Protocol

# Paths below /run that exist while a time service runs: systemd-timesyncd, chrony, ntpd.
_TIME_SERVICES: Final = ("systemd/timesync", "chrony", "ntpd*")
_RUN: Final = Path("/run")
_UNSURE_US: Final = 16_000_000  # clock error at which the kernel stops counting [us]
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")  # random(4)


class Clock(Protocol):
    """Source of wall-clock and monotonic time."""

    def now_ms(self) -> int:
        """Return the time [UTC, ms since 1970-01-01]."""

    def monotonic(self) -> float:
        """Return the seconds since some moment; never goes back."""

    def up_ms(self) -> int:
        """Return the milliseconds since the machine started, including the time in suspend."""

    def machine_boot(self) -> str:
        """Return the id of the machine's latest start."""

    def is_set(self) -> bool:
        """Return True unless a time service runs and has not set the clock yet."""

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds of this clock."""


class SystemClock:
    """The operating system's clock."""

    def now_ms(self) -> int:
        """Return the time [UTC, ms since 1970-01-01]."""
        return time.time_ns() // 1_000_000

    #: Seconds since the machine started.
    monotonic = staticmethod(time.monotonic)

    def up_ms(self) -> int:
        """Return the milliseconds since the machine started, including the time in suspend."""
        return _up_ns() // 1_000_000

    def machine_boot(self) -> str:
        """Return the kernel's boot id; outside Linux, an id of this process."""
        return _machine_boot()

    def is_set(self) -> bool:
        """Return True if the time service has set the clock, or if none runs."""
        return is_clock_set(_RUN, kernel_clock_error_us)

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of real seconds."""
        await asyncio.sleep(seconds)


class FastClock:
    """A clock for demos and tests, which runs `speed` times as fast as the real one.

    At the real time `origin_ms`, it shows `start_ms`. Clocks with the same `start_ms`, `speed` and
    `origin_ms` show the same time in every process.
    """

    def __init__(self, start_ms: int, speed: float, origin_ms: int | None = None) -> None:
        if speed <= 0:
            raise ValueError(f"a clock's speed is above 0, not {speed}")
        real_ms = time.time_ns() // 1_000_000
        self.start_ms = start_ms
        self.speed = speed
        self.origin_ms = real_ms if origin_ms is None else origin_ms
        # The system's clock may jump, so it is read only once; the monotonic clock never jumps.
        self._real_s = time.monotonic() - (real_ms - self.origin_ms) / 1000

    def now_ms(self) -> int:
        """Return the fast time [UTC, ms since 1970-01-01]."""
        return self.start_ms + round(self.monotonic() * 1000)

    def monotonic(self) -> float:
        """Return the fast seconds since `origin_ms`."""
        return (time.monotonic() - self._real_s) * self.speed

    def up_ms(self) -> int:
        """Return the fast milliseconds since `origin_ms`."""
        return round(self.monotonic() * 1000)

    def machine_boot(self) -> str:
        """Return the three numbers that define this clock."""
        return f"{self.start_ms} {self.speed} {self.origin_ms}"

    def is_set(self) -> bool:
        """Return True: no service sets this clock."""
        return True

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of fast seconds."""
        await asyncio.sleep(seconds / self.speed)


def _up_ns() -> int:
    # CLOCK_MONOTONIC stands still while the machine is suspended, so it can't be used here.
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


@cache
def _machine_boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return secrets.token_hex(16)


def is_clock_set(run: Path, error_us: Callable[[], int | None]) -> bool:
    """Return True if the time service has set the clock, or if none runs.

    Args:
        run: folder in which running services leave files, `/run`.
        error_us: returns the kernel's bound on its clock error [us]; None if it is unknown.
    """
    if not any(next(run.glob(path), None) for path in _TIME_SERVICES):
        return True
    error = error_us()
    return error is None or error < _UNSURE_US


def kernel_clock_error_us() -> int | None:
    """Return the kernel's bound on its clock error [us]; None if unknown (adjtimex(2)).

    From `_UNSURE_US` on, the clock has not been set, or not for hours. The status STA_UNSYNC would
    mean the same, but chrony without `rtcsync` never clears it.
    """
    if sys.platform != "linux":
        return None
    timex = _Timex()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) < 0:  # forbidden, as in some containers
        return None
    return int(timex.maxerror)


class _Timex(ctypes.Structure):
    """Beginning of `struct timex`, and room for its rest.

    With zeros in all fields, it sets nothing.
    """

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_char * 512),
    )
