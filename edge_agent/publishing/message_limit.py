"""Keep the size of the largest message that the broker accepts. Pure.

Laws:

1. The limit is the smallest of three values: the configured one, the one that the broker states
   when the agent connects, and the one observed since the agent started.
2. A size is observed as too large if the broker refuses it, or if two connections in a row break
   while a message of this size is unanswered. MQTT 3.1.1 brokers close the connection instead of
   refusing a message. The new limit is half of this size, or the largest size that was accepted on
   the connection.
3. An observed limit is never below 1 KiB, so that a bad network can't make batches ever smaller.
"""

import math
from collections.abc import Collection
from typing import Final

_SMALLEST_OBSERVED: Final = 1024


class MessageLimit:
    """The limit of payloads in bytes, for one agent."""

    def __init__(self, configured_bytes: int | None = None) -> None:
        self._configured = math.inf if configured_bytes is None else configured_bytes
        self._stated = math.inf
        self._observed = math.inf
        self._passed = 0  # largest payload that was accepted on this connection
        self._suspect: int | None = None  # size that was unanswered when the last connection broke

    @property
    def payload_bytes(self) -> float:
        """Largest payload to send; infinity while no limit is known."""
        return min(self._configured, self._stated, self._observed)

    def connected(self, stated_bytes: float) -> None:
        """Record a new connection, and the limit that the broker states; infinity if none."""
        self._stated = stated_bytes
        self._passed = 0

    def passed(self, size_bytes: int) -> None:
        """Record a message that the broker accepted."""
        self._passed = max(self._passed, size_bytes)
        if self._suspect is not None and size_bytes >= self._suspect:
            self._suspect = None

    def refused(self, size_bytes: int) -> None:
        """Record that the broker refused a message because of its size."""
        self._observed = min(self._observed, max(self._passed, size_bytes // 2, _SMALLEST_OBSERVED))
        self._suspect = None

    def broke(self, unanswered_bytes: Collection[int]) -> bool:
        """Record that the connection broke while messages of these sizes were unanswered.

        Returns:
            True if the limit is lower now.
        """
        largest = max(unanswered_bytes, default=0)
        if largest <= max(self._passed, _SMALLEST_OBSERVED):
            return False
        if self._suspect is None:
            self._suspect = largest
            return False
        before = self.payload_bytes
        self.refused(min(self._suspect, largest))
        return self.payload_bytes < before
