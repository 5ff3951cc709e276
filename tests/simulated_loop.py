"""An event loop whose time jumps to the next timer: an hour of time-outs passes in a moment.

Laws:

1. Code on this loop must not wait for a thread or a process. Each run is the same, also on a busy
   machine: no timer fires while a task can run.
2. Sockets are between tasks of the loop itself. The loop waits for bytes in transit before it moves
   the time on.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

_IN_FLIGHT_S: Final = 0.002  # real time in which bytes pass from one socket to another
_STUCK_S: Final = 5.0  # real time after which nothing comes any more, if no timer is set


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
        """Return what is ready; if nothing is, return as if the time-out had passed."""
        ready = list(super().select(0))
        has_sockets = len(self.get_map()) > 1  # one is the loop's own, to be woken by threads
        if not ready and timeout != 0 and has_sockets:
            ready = list(super().select(_IN_FLIGHT_S if timeout is not None else _STUCK_S))
        if not ready:
            if timeout is None:
                raise RuntimeError("everything waits, and nothing will ever happen")
            self._loop.advance(timeout)
        return ready


def run_simulated(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(coroutine)
