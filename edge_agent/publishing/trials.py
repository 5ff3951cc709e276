"""Retries of parked batches: a few at a time, round after round. Pure.

Laws:

1. A round passes over the parked batches, the oldest first, and tries each, at most `TRIALS` at a
   time. They have places of their own: a live batch never waits for a parked one.
2. After a round without an acknowledgement the wait doubles, up to 20 minutes; after any other
   round it begins again with one plain time-out.
"""

import math
from collections.abc import Sequence
from typing import Final

from edge_agent.spool.queued_batch import QueueEntry

TRIALS: Final = 8  # parked batches in flight at a time
_LONGEST_WAIT_S: Final = 1200.0
_BEFORE_ALL: Final = -(2**63)  # below every row id


class Trials:
    """The rounds of one connection. The first begins at once: an earlier run may have parked.

    Attributes:
        next_round_s: time of the next round; infinity while nothing is known to be parked.
        is_any_parked: True if some batch was parked when it was last looked.
    """

    def __init__(self, ack_timeout_s: float) -> None:
        self.next_round_s = -math.inf
        self.is_any_parked = False
        self._first_wait_s = ack_timeout_s
        self._wait_s = ack_timeout_s
        self._after = _BEFORE_ALL  # row id of the last batch tried in this round
        self._acked_in_round = False

    def wanted(self, in_flight: int, now_s: float) -> tuple[int, int] | None:
        """Return which parked batches are needed: row id behind which, and largest number."""
        if now_s < self.next_round_s or in_flight >= TRIALS:
            return None
        return self._after, TRIALS - in_flight

    def take(self, found: Sequence[QueueEntry], now_s: float) -> None:
        """Record which batches are tried now; none: the round is over."""
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
