"""The clock that is passed in. Nothing else in the project asks the operating system for the time.

Law: `monotonic()` never jumps, whatever happens to the system's clock; schedules live on it.
`now_ms()` is UTC and stamps. `up_ms()` never jumps either, and goes on from one process to the next
as long as `machine_boot()` is the same: what one of them has noted, another can place in time.
Links keep their time-outs in real seconds: a socket does not know that a demonstration runs faster
than life.
"""

import asyncio
import secrets
import sys
import time
from functools import cache
from pathlib import Path
from typing import Final, Protocol

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")  # random(4)


class Clock(Protocol):
    """What tells the time."""

    def now_ms(self) -> int:
        """UTC, milliseconds since 1970-01-01."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    def up_ms(self) -> int:
        """Milliseconds since the machine started, those in which it slept included."""

    def machine_boot(self) -> str:
        """The name of that start of the machine."""

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
        """As the kernel names it; elsewhere than on Linux of this process alone."""
        return _machine_boot()

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
