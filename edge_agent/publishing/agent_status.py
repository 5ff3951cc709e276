"""Compose the status message of an agent: its health, and the counts of its spool."""

from collections.abc import Callable
from typing import Final

import msgspec

from edge_agent.health import AgentHealth
from edge_agent.spool.spool import Spool
from jieneng.clock import Clock
from jieneng.metering import mqtt_messages
from jieneng.metering.reading import Status

_DAY_MS: Final = 86_400_000


class AgentStatus:
    """Composes the status message of a running agent, with the current values."""

    def __init__(
        self,
        spool: Spool,
        health: AgentHealth,
        clock: Clock,
        unacknowledged_s: Callable[[], float],
        certificate_expiry_ms: Callable[[], int | None],
        *,
        agent: str,
        boot: str,
    ) -> None:
        self._spool = spool
        self._health = health
        self._clock = clock
        self._unacknowledged_s = unacknowledged_s
        self._certificate_expiry_ms = certificate_expiry_ms
        self._agent = agent
        self._boot = boot

    def encoded(self, *, online: bool) -> bytes:
        """Return the payload: counts, and also the health while the agent is online."""
        return mqtt_messages.encode_status(self._full() if online else self._ledger(online=False))

    def _full(self) -> Status:
        health, clock_trust = self._health, self._health.clock_trust
        return msgspec.structs.replace(
            self._ledger(online=True),
            uptime_s=health.uptime_s,
            spool_bytes=self._spool.counts.size_bytes,
            spool_age_s=self._spool.age_s,
            clock_ok=clock_trust.is_trusted,
            clock_jumps=clock_trust.jumps,
            bus_load=health.bus_load.measure(),
            unacknowledged_s=self._unacknowledged_s(),
            spool_share=self._spool.used_share,
            disk_used=self._spool.disk_used,
            certificate_days=self._certificate_days(),
        )

    def _certificate_days(self) -> float | None:
        """Return the days until a certificate expires; None if they can't be known."""
        expiry_ms = self._certificate_expiry_ms()
        if expiry_ms is None or not self._health.clock_trust.is_trusted:
            return None
        return (expiry_ms - self._clock.now_ms()) / _DAY_MS

    def _ledger(self, *, online: bool) -> Status:
        counts = self._spool.counts
        return Status(
            agent=self._agent,
            boot=self._boot,
            online=online,
            time_ms=self._clock.now_ms(),
            read=counts.read,
            stored=counts.stored,
            quarantined=counts.quarantined,
            pending=counts.pending,
            dropped=counts.dropped,
        )
