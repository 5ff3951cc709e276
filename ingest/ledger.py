"""The agents' books: what each has read, and what became of it.

Law: `read = stored + pending + dropped` holds for each agent at each moment it speaks; a book that
does not balance is shown as it is.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from jieneng.metering.reading import Status
from jieneng.metering.schema import AGENT, LEDGER, Point, agent_point, bus_points, ledger_point

if TYPE_CHECKING:
    from jieneng.storage import Store

_FIELDS: Final = ("read", "stored", "pending", "dropped")


def points(site: str, status: Status, now_ms: int) -> tuple[Point, ...]:
    """A status as it is stored.

    Args:
        site: id of the site.
        status: as it came.
        now_ms: when it came. An agent that vanished is offline from then on: its last will was
            written when it connected, and can't know when.
    """
    at_ms = status.time_ms if status.online else now_ms
    return (
        ledger_point(site, status),
        agent_point(site, status, at_ms),
        *bus_points(site, status),
    )


class Account(msgspec.Struct, frozen=True):
    """An agent's book at the moment it spoke last.

    Attributes:
        time_ms: of that moment [ms since 1970].
        online: as it or the broker said last; None where neither did.
        read: samples, since the agent's spool was made; so are the others.
    """

    agent: str
    time_ms: int
    online: bool | None
    read: int
    stored: int
    pending: int
    dropped: int

    @property
    def holds(self) -> bool:
        """Return True if read = stored + pending + dropped."""
        return self.read == self.stored + self.pending + self.dropped


async def accounts(store: "Store", site: str, *, start_ms: int, end_ms: int) -> list[Account]:
    """The last account in `start_ms <= time < end_ms` of each agent, by name.

    Raises:
        StoreUnavailable
    """
    books = {field: await _last(store, LEDGER, field, site, start_ms, end_ms) for field in _FIELDS}
    online = await _last(store, AGENT, "online", site, start_ms, end_ms)
    found = []
    for agent, (time_ms, _) in sorted(books["read"].items()):
        counts = {field: round(books[field][agent][1]) for field in _FIELDS}
        state = bool(online[agent][1]) if agent in online else None
        found.append(Account(agent=agent, time_ms=time_ms, online=state, **counts))
    return found


async def _last(
    store: "Store", measurement: str, field: str, site: str, start_ms: int, end_ms: int
) -> Mapping[str, tuple[int, float]]:
    series = await store.read(
        measurement, field, where={"site": site}, start_ms=start_ms, end_ms=end_ms
    )
    return {one.tags["agent"]: (int(one.times_ms[-1]), float(one.values[-1])) for one in series}
