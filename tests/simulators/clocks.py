"""A clock that stands still, so that a test knows the moment of every request."""

import asyncio


class StillClock:
    """Shows `time_ms` until it is set again."""

    def __init__(self, time_ms: int) -> None:
        self.time_ms = time_ms

    def now_ms(self) -> int:
        return self.time_ms

    def monotonic(self) -> float:
        return self.time_ms / 1000

    def up_ms(self) -> int:
        return self.time_ms

    def machine_boot(self) -> str:
        return "still"

    def is_set(self) -> bool:
        return True

    async def sleep(self, seconds: float) -> None:
        self.time_ms += round(seconds * 1000)
        await asyncio.sleep(0)
