"""The clock that is passed in. Nothing else in the project asks the operating system for the time.

Law: `monotonic()` never jumps, whatever happens to the system's clock; schedules live on it.
`now_ms()` is UTC and stamps. Links keep their time-outs in real seconds: a socket does not know
that a demonstration runs faster than life.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time."""

    def now_ms(self) -> int:
        """UTC, milliseconds since 1970-01-01."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""


class SystemClock:
    """The real one."""

    def now_ms(self) -> int:
        """UTC, milliseconds since 1970-01-01."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

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

    async def sleep(self, seconds: float) -> None:
        """Return after that many fast seconds."""
        await asyncio.sleep(seconds / self.speed)
