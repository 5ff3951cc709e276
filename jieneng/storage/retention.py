"""Compare the time for which a store keeps points with the readings that it holds.

Law: a server deletes only whole shards, so a point may be kept longer than the retention, by up to
the length of a shard. The comparison allows for this.
"""

from typing import Final

import msgspec

from jieneng.metering.quantities import MEDIA
from jieneng.storage.store import Store

#: Longest shard of a finite retention in InfluxDB 1.x and 2.x, and a day [ms].
_SHARD_MS: Final = 8 * 86_400_000
_DAY_S: Final = 86_400
#: Shortest retention [s] and the length of its shards [s], the defaults of InfluxDB.
_SHARDS_S: Final = ((180 * _DAY_S, 7 * _DAY_S), (2 * _DAY_S, _DAY_S), (0, 3600))


def shard_s(kept_s: int) -> int:
    """Return the length of the shards of a new database [s].

    A server opens each shard that a query or a write touches. Figures compare years, so shards of a
    database without end have a quarter of a year: a year of ten meters is read and written in two
    thirds of the time that it takes with InfluxDB's weeks. With an end, shards are short, because
    only whole shards are deleted.

    Args:
        kept_s: retention [s]; 0 for no end.
    """
    if not kept_s:
        return 91 * _DAY_S
    return next(length_s for least_s, length_s in _SHARDS_S if kept_s >= least_s)


class ShortRetention(msgspec.Struct, frozen=True):
    """A retention, and the age of the oldest reading, which is greater [s]."""

    kept_s: float
    oldest_s: float


def is_shorter(kept_s: float, since_ms: int, now_ms: int) -> bool:
    """Return True if a retention deletes points of the time `since_ms` [UTC, ms]."""
    return now_ms - since_ms > kept_s * 1000 + _SHARD_MS


async def find_short_retention(store: Store, now_ms: int) -> ShortRetention | None:
    """Return the retention of a store if it is shorter than the readings in it."""
    kept_s = await store.retention_s()
    if kept_s is None:
        return None
    spans = [await store.span(medium, where={}) for medium in MEDIA]
    first_ms = min((span[0] for span in spans if span), default=now_ms)
    if not is_shorter(kept_s, first_ms, now_ms):
        return None
    return ShortRetention(kept_s, (now_ms - first_ms) / 1000)
