"""Remember batches that can't be acknowledged yet, so that their repetitions cost no work. Pure.

Laws:

- A repetition of the batch is dropped until the next attempt is due. The time between two attempts
  doubles, up to a limit.
- Memory is bounded: beyond the limit, the batches that were added first are forgotten. A forgotten
  batch costs one more attempt.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

_LONGEST_S: Final = 300.0
_MAX_POSTPONED: Final = 10_000

#: Agent, boot, sequence number.
BatchKey: TypeAlias = tuple[str, str, int]


class _Attempt(NamedTuple):
    due_s: float
    wait_s: float


class Postponed:
    """The batches that were written and could not be acknowledged.

    Args:
        now_s: a clock that never goes back, such as `loop.time` [s].
        first_s: time until the second attempt for a batch [s].
        most: largest number of batches remembered.
    """

    def __init__(
        self, now_s: Callable[[], float], first_s: float, most: int = _MAX_POSTPONED
    ) -> None:
        self._now_s = now_s
        self._first_s = first_s
        self._most = most
        self._attempts: dict[BatchKey, _Attempt] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def is_due(self, key: BatchKey) -> bool:
        """Return True if the next attempt for a batch is due."""
        if not self._attempts:
            return True
        attempt = self._attempts.get(key)
        return attempt is None or attempt.due_s <= self._now_s()

    def postpone(self, key: BatchKey) -> None:
        """Postpone the next attempt for a batch."""
        before = self._attempts.pop(key, None)
        wait_s = min(2 * before.wait_s, _LONGEST_S) if before else self._first_s
        if len(self._attempts) >= self._most:
            del self._attempts[next(iter(self._attempts))]
        self._attempts[key] = _Attempt(self._now_s() + wait_s, wait_s)

    def forget(self, key: BatchKey) -> None:
        """Forget a batch that was acknowledged."""
        if self._attempts:
            self._attempts.pop(key, None)

    def clear(self) -> None:
        """Make every batch due, because the cause of their postponement may have ended."""
        self._attempts.clear()
