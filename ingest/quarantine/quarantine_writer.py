"""Write to the quarantine, and report its state in the log, in the metrics and in `/health`.

Laws:

- If a write fails, none of its items is added and none of its batches is acknowledged.
- A refusal is logged once for each reason and meter, with the server's message and the command that
  shows the entries. A quarantine that is full or can't be written is logged once too.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ingest.metrics import Metrics
from ingest.quarantine.quarantine_entry import QuarantineItem
from ingest.quarantine.quarantine_file import Quarantine
from jieneng.clock import Clock
from jieneng.metering.errors import QuarantineUnavailable
from jieneng.observe import Log, SevereFault

#: Interval at which the quarantine is read, because other processes may change it [s].
_LOOK_S: Final = 1.0
#: Largest number of pairs of reason and meter that are logged; it limits memory and log.
_MAX_LOGGED: Final = 1000
#: Largest number of meters named in one log line.
_METERS_NAMED: Final = 20


class QuarantineWriter:
    """Writes to the quarantine of one copy of the ingest.

    Args:
        quarantine: the quarantine.
        metrics: metrics to count in.
        clock: clock of the ingest.
        log: logger of the ingest.
    """

    def __init__(self, quarantine: Quarantine, *, metrics: Metrics, clock: Clock, log: Log) -> None:
        self._quarantine = quarantine
        self._metrics = metrics
        self._clock = clock
        self._log = log
        self._logged: set[tuple[str, str]] = set()
        self._full = SevereFault(
            log,
            "quarantine is full",
            fix="fix the cause, then run: jieneng ingest quarantine replay. Or drop what is not "
            "needed (jieneng ingest quarantine drop), or raise max_bytes in [quarantine]. Until "
            "then the agents keep what is refused",
        )
        self._broken = SevereFault(log, "quarantine can't be written")
        self._unreadable = SevereFault(log, "quarantine can't be read")

    async def write(
        self, batches: Sequence[Sequence[QuarantineItem]], others: Sequence[QuarantineItem]
    ) -> Sequence[bool]:
        """Write items durably.

        Args:
            batches: acknowledged items by batch.
            others: items that are not acknowledged.

        Returns:
            For each batch, True if all its samples are now in the quarantine.
        """
        try:
            result = await asyncio.to_thread(
                self._quarantine.add, batches, others, self._clock.now_ms()
            )
        except QuarantineUnavailable as error:
            self._broken.report(error)
            self._metrics.quarantine_lost.inc(len(others))
            return [False] * len(batches)
        self._broken.clear()
        self._metrics.quarantine_lost.inc(result.lost)
        taken = [
            item
            for items, is_taken in zip(batches, result.taken, strict=True)
            if is_taken
            for item in items
        ]
        self._log_once([*taken, *others])
        for item in (*taken, *others):
            self._metrics.set_aside.labels(item.reason).inc(max(1, item.samples))
        if not all(result.taken):
            self._full.report(f"{result.taken.count(False)} batches did not fit")
            self._metrics.quarantine_full.set(1)
        return result.taken

    async def watch(self, on_room: Callable[[], None]) -> None:
        """Update the metrics until cancelled; call `on_room` when there is room again."""
        while True:
            try:
                is_full = await asyncio.to_thread(self._measure)
            except QuarantineUnavailable as error:
                self._unreadable.report(error)
            else:
                self._unreadable.clear()
                self._metrics.quarantine_full.set(is_full)
                if self._full.occurrences and not is_full:
                    self._full.clear()
                    on_room()
            await asyncio.sleep(_LOOK_S)

    def faults(self) -> list[str]:
        """Return the present faults that a person has to fix."""
        states = {
            "the quarantine is full": self._full,
            "the quarantine can't be written": self._broken,
            "the quarantine can't be read": self._unreadable,
        }
        return [name for name, fault in states.items() if fault.occurrences]

    def _measure(self) -> bool:
        for kind, acknowledged in (("acknowledged", True), ("other", False)):
            usage = self._quarantine.usage(acknowledged=acknowledged)
            self._metrics.quarantine_samples.labels(kind).set(usage.samples)
            self._metrics.quarantine_bytes.labels(kind).set(usage.bytes)
        return self._quarantine.is_full()

    def _log_once(self, items: Iterable[QuarantineItem]) -> None:
        new: defaultdict[str, dict[str, QuarantineItem]] = defaultdict(dict)
        for item in items:
            key = (item.reason, item.meter or item.agent)
            if key not in self._logged and len(self._logged) < _MAX_LOGGED:
                self._logged.add(key)
                new[item.reason][key[1]] = item
        for reason, found in new.items():
            first = next(iter(found.values()))
            line = self._log.error if first.acknowledged else self._log.warning
            line(
                "samples are quarantined" if first.samples else "a message is quarantined",
                reason=reason,
                detail=first.detail,
                meters=sorted(filter(None, found))[:_METERS_NAMED],
                topic=first.topic,
                show=f"jieneng ingest quarantine list --reason {reason}",
            )
