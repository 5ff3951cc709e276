"""Decide how many of the waiting messages are written at a time. Pure.

Laws:

- While writes succeed, all waiting messages are written together.
- Each failure halves the number of messages of the next write, down to one; each success doubles
  it. So a message that makes every write fail is soon written alone, and a store that is available
  again receives all messages in few writes.
- A message is the cause of a failure only if it fails alone, and other messages have succeeded
  since the last write of all messages. If every write fails, the cause is the store.
"""


class Portion:
    """The number of messages in the next write."""

    def __init__(self) -> None:
        self._size = 0  # 0: all
        self._others_passed = False

    def size(self, waiting: int) -> int:
        """Return the number of messages to write, of those that are waiting."""
        return min(self._size, waiting) if self._size else waiting

    def failed(self, count: int) -> bool:
        """Record a failed write of `count` messages; return True if a single one is the cause."""
        self._size = max(1, count // 2)
        return count == 1 and self._others_passed

    def succeeded(self, *, is_all: bool) -> None:
        """Record a successful write; `is_all` is True if no message is left to write."""
        if not self._size:
            return
        self._others_passed = True
        self._size *= 2
        if is_all:
            self._size, self._others_passed = 0, False
