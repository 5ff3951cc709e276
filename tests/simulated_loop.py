"""An event loop whose time jumps to the next timer: an hour of time-outs passes in a moment.

Law: nothing that runs on it waits for a socket, a thread or a process. Each run is the same.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop that never waits."""

    def __init__(self) -> None:
        self._simulated_s = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the simulated time [s]."""
        return self._simulated_s

    def advance(self, seconds: float) -> None:
        """Move the simulated time on."""
        self._simulated_s += seconds


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that moves the time of its loop on instead of waiting."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return at once, as if the time-out had passed."""
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        self._loop.advance(timeout)
        return list(super().select(0))


def run_simulated(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(coroutine)
