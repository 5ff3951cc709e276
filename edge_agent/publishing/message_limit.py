"""Largest message that the broker takes: as configured, as the broker states, or as observed. Pure.

Laws:

1. The least of what is set, said and shown holds. An observed limit holds as long as the agent
   runs.
2. A size is too large if the broker refuses it. It is also taken as too large if two connections in
   a row break while a message of this size is unanswered and only smaller ones have passed. Then
   half of it is the limit, or as much as passed. So an old broker without words is found out in a
   few connections.
3. A limit that was only shown is never below 1 KiB: a bad line must not grind batches to dust.
"""

import math
from collections.abc import Collection
from typing import Final

_LEAST_SHOWN: Final = 1024


class MessageLimit:
    """The limit of payloads in bytes, for one agent."""

    def __init__(self, set_bytes: int | None = None) -> None:
        self._set = math.inf if set_bytes is None else set_bytes
        self._said = math.inf
        self._shown = math.inf
        self._passed = 0  # largest payload that passed on this connection
        self._suspect: int | None = None  # size that was unanswered when the last one broke

    @property
    def payload_bytes(self) -> float:
        """Largest payload to send; infinity while no limit is known."""
        return min(self._set, self._said, self._shown)

    def connected(self, said_bytes: float) -> None:
        """Record a new connection, and the limit that the broker states; infinity if none."""
        self._said = said_bytes
        self._passed = 0

    def passed(self, size_bytes: int) -> None:
        """Record a message that the broker took."""
        self._passed = max(self._passed, size_bytes)
        if self._suspect is not None and size_bytes >= self._suspect:
            self._suspect = None

    def refused(self, size_bytes: int) -> None:
        """Record that the broker refused a message for its size."""
        self._shown = min(self._shown, max(self._passed, size_bytes // 2, _LEAST_SHOWN))
        self._suspect = None

    def broke(self, unanswered_bytes: Collection[int]) -> bool:
        """Record that the connection broke while messages of these sizes were unanswered.

        Returns:
            True if the limit is lower now.
        """
        largest = max(unanswered_bytes, default=0)
        if largest <= max(self._passed, _LEAST_SHOWN):
            return False
        if self._suspect is None:
            self._suspect = largest
            return False
        before = self.payload_bytes
        self.refused(min(self._suspect, largest))
        return self.payload_bytes < before
