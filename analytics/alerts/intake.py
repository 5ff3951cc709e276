"""Tell whether silence in the store means silence of meters and agents. Pure.

Nothing that comes in may be the fault of the broker, the ingest or the database: that is no silence
of any meter or agent, and after it the agents send their backlog, the oldest readings first.

Laws:

1. Ages of messages are known only while the ingest reports that it stores something, and from
   `HOLD_S` after it reports again: by then the agents have sent their statuses.
2. The age of a meter's last reading counts from the time up to which its agent has no backlog.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from analytics.alerts.alert import SignalValues

#: Signals whose values grow while nothing comes in.
AGE_SIGNALS: Final = frozenset({"reading_age", "agent_age"})
#: Time without a report of the ingest, which makes one each minute, after which it is down [s].
GAP_S: Final = 150.0
#: Time from the first report after that until ages are known again [s]. An agent tries to reach
#: its broker again within a minute, and sends its status then.
HOLD_S: Final = 120.0


class Intake:
    """The reports of the ingest, as they are seen in the store.

    Args:
        gap_s: time without a report after which the ingest is down [s].
        hold_s: time from the first report after that until ages are known again [s].
    """

    def __init__(self, gap_s: float = GAP_S, hold_s: float = HOLD_S) -> None:
        self._gap_s = gap_s
        self._hold_s = hold_s
        self._newest_ms: int | None = None
        self._changed_s = -np.inf
        self._returned_s = -np.inf

    def note(self, newest_ms: int | None, now_s: float) -> None:
        """Take in the time of the newest report.

        Args:
            newest_ms: time of the newest report, by any clock [UTC, ms]; None if there is none at
                all: the site has no ingest, and ages are known.
            now_s: monotonic time [s].
        """
        if newest_ms != self._newest_ms:
            is_first = self._newest_ms is None
            if not is_first and now_s - self._changed_s > self._gap_s:
                self._returned_s = now_s
            # The first report that is seen may be an old one.
            self._changed_s = -np.inf if is_first else now_s
            self._newest_ms = newest_ms

    def knows_ages(self, now_s: float) -> bool:
        """Return True if the age of a message tells the silence of its sender."""
        return self._newest_ms is None or (
            now_s - self._changed_s <= self._gap_s and now_s - self._returned_s >= self._hold_s
        )


def without_unknown_ages(
    signal: str,
    values: SignalValues,
    *,
    knows_ages: bool,
    backlog_s: Mapping[str, float],
) -> SignalValues:
    """Return the values of a signal, without what an outage behind the meters only pretends.

    Args:
        signal: name of the signal.
        values: its values.
        knows_ages: result of `Intake.knows_ages`.
        backlog_s: age of the oldest reading that the agent of a meter has not sent yet, by meter
            [s].
    """
    if signal not in AGE_SIGNALS:
        return values
    if not knows_ages:
        return msgspec.structs.replace(values, values=np.full_like(values.values, np.nan))
    if signal != "reading_age":
        return values
    missing_s = np.array([backlog_s.get(subject, 0.0) for subject in values.subjects])
    ages_s = np.maximum(values.values - missing_s[:, np.newaxis], 0.0)
    return msgspec.structs.replace(values, values=ages_s)
