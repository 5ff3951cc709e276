"""A clock that stands still until all tasks sleep, then moves to the first time to wake.

So a run is as fast as its work, and is the same every time, also on a slow machine.
"""

import asyncio
import heapq
from itertools import count


class SteppedClock:
    """As `jieneng.clock.Clock`; moved by `run_until`."""

    def __init__(self, start_ms: int, sleepers: int) -> None:
        self._now_ms = start_ms
        self._start_ms = start_ms
        self._sleepers = sleepers
        self._waiting: list[tuple[float, int, asyncio.Event]] = []
        self._numbers = count()
        self._slept = asyncio.Condition()

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return (self._now_ms - self._start_ms) / 1000

    def up_ms(self) -> int:
        return self._now_ms - self._start_ms

    def machine_boot(self) -> str:
        return f"stepped from {self._start_ms}"

    def is_set(self) -> bool:
        return True

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        wake_ms = self._now_ms + max(seconds, 0.0) * 1000
        mine = (wake_ms, next(self._numbers), woken)
        heapq.heappush(self._waiting, mine)
        async with self._slept:
            self._slept.notify_all()
        try:
            await woken.wait()
        except asyncio.CancelledError:
            if not woken.is_set():
                self._waiting.remove(mine)
                heapq.heapify(self._waiting)
            raise

    async def run_until(self, end_ms: int) -> None:
        """Step from sleeper to sleeper; returns when all sleep past `end_ms`."""
        while True:
            async with self._slept:
                await self._slept.wait_for(lambda: len(self._waiting) >= self._sleepers)
            wake_ms, _, woken = self._waiting[0]
            if wake_ms > end_ms:
                return
            heapq.heappop(self._waiting)
            self._now_ms = max(self._now_ms, -int(-wake_ms // 1))
            woken.set()
