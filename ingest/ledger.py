"""Store and read the agents' ledgers: the samples that each agent has read, by their fate.

Laws:

- A ledger balances if `read = stored + quarantined + pending + dropped`. A ledger that does not
  balance is shown unchanged.
- Every sample that an agent counts as quarantined is still in a quarantine, was replayed, or was
  dropped by a person. The counts of quarantines on other machines come from the series `receipt`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from ingest.quarantine.quarantine_entry import AgentAccount
from jieneng.metering.reading import Status
from jieneng.metering.schema import (
    AGENT,
    LEDGER,
    RECEIPT,
    Point,
    agent_point,
    bus_points,
    ledger_point,
)

if TYPE_CHECKING:
    from jieneng.storage import Store

_FIELDS: Final = ("read", "stored", "quarantined", "pending", "dropped")


def status_points(site: str, status: Status, now_ms: int) -> tuple[Point, ...]:
    """Return the points of a status.

    Args:
        site: id of the site.
        status: the status as received.
        now_ms: time of arrival. An agent that vanished counts as offline from the arrival of its
            last will. The will itself was written when the agent connected, so it has an earlier
            time.
    """
    at_ms = status.time_ms if status.online else now_ms
    return (
        ledger_point(site, status),
        agent_point(site, status, at_ms),
        *bus_points(site, status),
    )


class AgentLedger(msgspec.Struct, frozen=True):
    """The ledger in an agent's latest status.

    Attributes:
        agent: the agent's id.
        time_ms: time of the status [ms since 1970].
        online: state according to the agent or its last will; None if unknown.
        read: number of samples read since the agent's spool was created.
        stored: number of these samples that are in the store.
        quarantined: number of these samples that the ingest quarantined.
        pending: number of these samples that wait in the spool.
        dropped: number of these samples that were dropped.
        unacknowledged_s: time for which the agent published and nothing was acknowledged [s].
        set_aside: counts of the quarantined samples by their fate.
    """

    agent: str
    time_ms: int
    online: bool | None
    read: int
    stored: int
    quarantined: int
    pending: int
    dropped: int
    unacknowledged_s: float = 0.0
    set_aside: AgentAccount = AgentAccount()

    @property
    def forgotten(self) -> int:
        """Number of samples counted as quarantined that no quarantine holds, replayed or dropped.

        It is 0 if the quarantines hold more samples than the agent counts: acknowledgements may
        still be on their way to the agent.
        """
        return max(0, self.quarantined - self.set_aside.total)

    @property
    def is_balanced(self) -> bool:
        """True if every sample that was read is accounted for."""
        known = self.stored + self.quarantined + self.pending + self.dropped
        return self.read == known and not self.forgotten


async def latest_ledgers(
    store: "Store",
    site: str,
    *,
    start_ms: int,
    end_ms: int,
    machine: str = "",
    accounts: Mapping[str, AgentAccount] | None = None,
) -> list[AgentLedger]:
    """Return the last ledger of each agent in `start_ms <= time < end_ms`, by agent id.

    Args:
        store: the store.
        site: id of the site.
        start_ms: start of the time span.
        end_ms: end of the time span, not included.
        machine: id of the quarantine on this machine.
        accounts: accounts in the file of that quarantine, which are newer than its series.

    Raises:
        StoreUnavailable: the store can't be read.
    """
    counts_by_field = {
        field: await _last(store, LEDGER, field, site, start_ms, end_ms) for field in _FIELDS
    }
    set_aside = await _set_aside(store, site, (start_ms, end_ms), machine, accounts or {})
    online, silence = [
        await _last(store, AGENT, field, site, start_ms, end_ms)
        for field in ("online", "unacknowledged_s")
    ]
    found = []
    for agent, (time_ms, _) in sorted(counts_by_field["read"].items()):
        # Points of an earlier version have no quarantined samples: these were counted as stored.
        counts = {
            field: round(counts_by_field[field].get(agent, (time_ms, 0.0))[1]) for field in _FIELDS
        }
        state = bool(online[agent][1]) if agent in online else None
        _, unacknowledged_s = silence.get(agent, (time_ms, 0.0))
        found.append(
            AgentLedger(
                agent=agent,
                time_ms=time_ms,
                online=state,
                **counts,
                unacknowledged_s=unacknowledged_s,
                set_aside=set_aside.get(agent, AgentAccount()),
            )
        )
    return found


async def _set_aside(
    store: "Store",
    site: str,
    span_ms: tuple[int, int],
    machine: str,
    accounts: Mapping[str, AgentAccount],
) -> dict[str, AgentAccount]:
    """Return what became of the quarantined samples on all machines, by agent."""
    fields = AgentAccount.__struct_fields__
    sums = {agent: Counter(msgspec.structs.asdict(one)) for agent, one in accounts.items()}
    for field in fields:
        for series in await store.read(
            RECEIPT, field, where={"site": site}, start_ms=span_ms[0], end_ms=span_ms[1]
        ):
            if series.tags["machine"] != machine:
                counts = sums.setdefault(series.tags["agent"], Counter())
                counts[field] += round(float(series.values[-1]))
    return {
        agent: AgentAccount(**{field: counts[field] for field in fields})
        for agent, counts in sums.items()
    }


async def _last(
    store: "Store", measurement: str, field: str, site: str, start_ms: int, end_ms: int
) -> Mapping[str, tuple[int, float]]:
    series = await store.read(
        measurement, field, where={"site": site}, start_ms=start_ms, end_ms=end_ms
    )
    return {
        agent.tags["agent"]: (int(agent.times_ms[-1]), float(agent.values[-1])) for agent in series
    }
