"""The clock that is passed in. Nothing else in the project asks the operating system for the time.

Law: `monotonic()` never jumps, whatever happens to the system's clock; schedules live on it.
`now_ms()` is UTC and stamps. `up_ms()` never jumps either, and goes on from one process to the next
as long as `machine_boot()` is the same: what one of them has noted, another can place in time.
`is_set()` is false only where something is there to set the clock and has not: a box starts with
the time at which it was last switched off, which looks as right as any.
Links keep their time-outs in real seconds: a socket does not know that a demonstration runs faster
than life.
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

# Where the services are seen that set clocks, while they run: systemd-timesyncd, chrony, ntpd.
_TIME_SERVICES: Final = ("systemd/timesync", "chrony", "ntpd*")
_RUN: Final = Path("/run")
_UNSURE_US: Final = 16_000_000  # where the kernel stops to count how wrong the clock may be
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")  # random(4)


class Clock(Protocol):
    """Source of wall-clock and monotonic time."""

    def now_ms(self) -> int:
        """UTC, milliseconds since 1970-01-01."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    def up_ms(self) -> int:
        """Milliseconds since the machine started, those in which it slept included."""

    def machine_boot(self) -> str:
        """The name of that start of the machine."""

    def is_set(self) -> bool:
        """Return True if UTC is as right as it can be known to be."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""


class SystemClock:
    """The real one."""

    def now_ms(self) -> int:
        """UTC, milliseconds since 1970-01-01."""
        return time.time_ns() // 1_000_000

    #: Seconds since the machine started.
    monotonic = staticmethod(time.monotonic)

    def up_ms(self) -> int:
        """Milliseconds since the machine started, those in which it slept included."""
        return _up_ns() // 1_000_000

    def machine_boot(self) -> str:
        """Return the kernel's boot id; outside Linux, an id of this process alone."""
        return _machine_boot()

    def is_set(self) -> bool:
        """Return True if the time service has set the clock, or if none runs."""
        return set_by_its_service(_RUN, kernels_error_us)

    async def sleep(self, seconds: float) -> None:
        """`asyncio.sleep`."""
        await asyncio.sleep(seconds)


class FastClock:
    """Faster than life: shows `start_ms` at the real moment `origin_ms`, then runs `speed` times.

    Processes that are given the same three numbers show the same time.
    """

    def __init__(self, start_ms: int, speed: float, origin_ms: int | None = None) -> None:
        if speed <= 0:
            raise ValueError(f"a clock's speed is above 0, not {speed}")
        real_ms = time.time_ns() // 1_000_000
        self.start_ms = start_ms
        self.speed = speed
        self.origin_ms = real_ms if origin_ms is None else origin_ms
        # Read once: from here on only the monotonic clock counts.
        self._real_s = time.monotonic() - (real_ms - self.origin_ms) / 1000

    def now_ms(self) -> int:
        """UTC of the fast world, milliseconds since 1970-01-01."""
        return self.start_ms + round(self.monotonic() * 1000)

    def monotonic(self) -> float:
        """Fast seconds since `origin_ms`."""
        return (time.monotonic() - self._real_s) * self.speed

    def up_ms(self) -> int:
        """Fast milliseconds since `origin_ms`."""
        return round(self.monotonic() * 1000)

    def machine_boot(self) -> str:
        """The three numbers."""
        return f"{self.start_ms} {self.speed} {self.origin_ms}"

    def is_set(self) -> bool:
        """Always: nobody sets it."""
        return True

    async def sleep(self, seconds: float) -> None:
        """Return after that many fast seconds."""
        await asyncio.sleep(seconds / self.speed)


def _up_ns() -> int:
    # CLOCK_MONOTONIC stands still while the machine sleeps, and UTC does not.
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


@cache
def _machine_boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return secrets.token_hex(16)


def set_by_its_service(run: Path, error_us: Callable[[], int | None]) -> bool:
    """Return True if the time service has set the clock, or if none runs.

    Args:
        run: the folder in which what runs is seen.
        error_us: tells how wrong the kernel takes its clock to be; None where it does not say.
    """
    if not any(next(run.glob(one), None) for one in _TIME_SERVICES):
        return True
    error = error_us()
    return error is None or error < _UNSURE_US


def kernels_error_us() -> int | None:
    """Return the kernel's bound on its clock error [us]; None if unknown (adjtimex(2)).

    From `_UNSURE_US` on, nobody has set it, or not for hours. The status STA_UNSYNC would say as
    much, but chrony without `rtcsync` leaves that standing for ever.
    """
    if sys.platform != "linux":
        return None
    told = _Timex()
    if ctypes.CDLL(None).adjtimex(ctypes.byref(told)) < 0:  # forbidden, as in some containers
        return None
    return int(told.maxerror)


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`, and room for the rest. All zero, it sets nothing."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_char * 512),
    )
