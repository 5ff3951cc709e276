"""Tell a silent meter or agent from a failure of the intake. Pure.

The intake is the path from the agents to the store: broker, ingest and database. If the intake
fails, no reading is stored, although meters and agents work. When it works again, the agents send
their backlog, the oldest readings first.

Laws:

1. The age of the last message of a meter or agent is known only while the intake works: the ingest
   reports that it stores readings. After a failure, ages are known again `HOLD_S` after the first
   report, because the agents have sent their statuses by then.
2. The age of a meter's last reading is reduced by the age of its agent's backlog.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from analytics.alerts.alert import SignalValues

#: Signals whose values grow while no message is stored.
AGE_SIGNALS: Final = frozenset({"reading_age", "agent_age"})
#: Time without a report of the ingest after which the intake is down [s]; a report is made each
#: minute.
GAP_S: Final = 150.0
#: Time from the first report after a failure until ages are known again [s]. An agent reconnects
#: to its broker within a minute, and then sends its status.
HOLD_S: Final = 120.0


class Intake:
    """The state of the intake, by the reports of the ingest in the store.

    Args:
        gap_s: time without a report after which the intake is down [s].
        hold_s: time from the first report after a failure until ages are known again [s].
    """

    def __init__(self, gap_s: float = GAP_S, hold_s: float = HOLD_S) -> None:
        self._gap_s = gap_s
        self._hold_s = hold_s
        self._newest_ms: int | None = None
        self._changed_s = -np.inf
        self._returned_s = -np.inf

    def note(self, newest_ms: int | None, now_s: float) -> None:
        """Record the time of the newest report.

        Args:
            newest_ms: time of the newest report, by any clock [UTC, ms]. None without any report:
                then the site has no ingest, and ages are known.
            now_s: monotonic time [s].
        """
        if newest_ms != self._newest_ms:
            is_first = self._newest_ms is None
            if not is_first and now_s - self._changed_s > self._gap_s:
                self._returned_s = now_s
            # The first report that is read may be old.
            self._changed_s = -np.inf if is_first else now_s
            self._newest_ms = newest_ms

    def knows_ages(self, now_s: float) -> bool:
        """Return True if an old last message means that its sender is silent."""
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
    """Return the values of a signal, without ages that grew only because the intake failed.

    Args:
        signal: name of the signal.
        values: values of the signal.
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
