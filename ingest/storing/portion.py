"""Decide how many of the waiting messages are written at a time. Pure.

Laws:

- All are written together while writes succeed.
- After a failure half as many are, down to one; after a success twice as many. So a message with
  which every write fails is soon alone, and few writes catch up with a store that was away.
- Only a message that fails alone, while others have passed since the last write of everything, is
  to blame for the failure. A store that takes nothing blames nobody.
"""


class Portion:
    """The number of messages in the next write."""

    def __init__(self) -> None:
        self._size = 0  # 0: all
        self._others_passed = False

    def size(self, waiting: int) -> int:
        """Return how many of the waiting messages are to be written."""
        return min(self._size, waiting) if self._size else waiting

    def failed(self, count: int) -> bool:
        """Record that this many messages failed; return True if a single one is to blame."""
        self._size = max(1, count // 2)
        return count == 1 and self._others_passed

    def succeeded(self, *, is_all: bool) -> None:
        """Record a success; `is_all` if nothing is left to write."""
        if not self._size:
            return
        self._others_passed = True
        self._size *= 2
        if is_all:
            self._size, self._others_passed = 0, False
