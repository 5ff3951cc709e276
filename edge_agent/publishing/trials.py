"""Decide when parked batches are sent again: a few at a time, in rounds. Pure.

Laws:

1. In a round, each parked batch is sent once, oldest first, at most `TRIALS` at a time. These
   batches take no place in the window of `in_flight`, so that other batches never wait for them.
2. After a round without any acknowledgement, the wait before the next round doubles, up to 20
   minutes. After any other round, the wait is one time-out.
"""

import math
from collections.abc import Sequence
from typing import Final

from edge_agent.spool.queued_batch import QueueEntry

TRIALS: Final = 8  # parked batches in flight at a time
_LONGEST_WAIT_S: Final = 1200.0
_BEFORE_ALL: Final = -(2**63)  # smaller than every row id


class Trials:
    """The rounds on one connection.

    The first round begins at once, because batches may have been parked in an earlier run.

    Attributes:
        next_round_s: time of the next round; infinity if no batch is known to be parked.
        is_any_parked: True if any batch was parked at the last query of the spool.
    """

    def __init__(self, ack_timeout_s: float) -> None:
        self.next_round_s = -math.inf
        self.is_any_parked = False
        self._first_wait_s = ack_timeout_s
        self._wait_s = ack_timeout_s
        self._after = _BEFORE_ALL  # row id of the last batch tried in this round
        self._acked_in_round = False

    def wanted(self, in_flight: int, now_s: float) -> tuple[int, int] | None:
        """Return the parked batches to query: those after a row id, up to a number; None if none.

        Args:
            in_flight: number of parked batches that are being tried now.
            now_s: the loop's clock.

        Returns:
            (row id, number).
        """
        if now_s < self.next_round_s or in_flight >= TRIALS:
            return None
        return self._after, TRIALS - in_flight

    def take(self, found: Sequence[QueueEntry], now_s: float) -> None:
        """Record the batches that are tried now; an empty sequence ends the round."""
        if found:
            self._after = found[-1].row_id
            self.is_any_parked = True
            return
        if self._after == _BEFORE_ALL:
            self.clear()
            return
        self._wait_s = (
            self._first_wait_s if self._acked_in_round else min(2 * self._wait_s, _LONGEST_WAIT_S)
        )
        self._after, self._acked_in_round = _BEFORE_ALL, False
        self.next_round_s = now_s + self._wait_s

    def acknowledged(self) -> None:
        """Record that a parked batch was acknowledged."""
        self._acked_in_round = True

    def clear(self) -> None:
        """Record that nothing is parked."""
        self.next_round_s, self._wait_s, self._after = math.inf, self._first_wait_s, _BEFORE_ALL
        self.is_any_parked = self._acked_in_round = False

    def parked(self, now_s: float) -> None:
        """Record that batches were parked."""
        self.is_any_parked = True
        self.next_round_s = min(self.next_round_s, now_s + self._wait_s)
