"""Read and write digests of the rows from which results were computed: the measurement `basis`.

Law: the latest digest of each result counts. Earlier digests are kept, and show when rows changed.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final, TypeAlias

from analytics import periods
from analytics.pipeline.consumption_store import ConsumptionStore
from jieneng.metering import schema
from jieneng.metering.schema import Point
from jieneng.metering.site import Site
from jieneng.storage import Store

#: Kind of result, and the id of its meter or of the site.
ResultKey: TypeAlias = tuple[str, str]

#: Kinds of results of `consumption`; the others are the names of steps.
REGISTER: Final = "register"
SUMS: Final = "sums"


class BasisStore:
    """The stored digests of a site.

    Args:
        site: the site.
        store: the store, prepared.
    """

    def __init__(self, site: Site, store: Store) -> None:
        self._site = site
        self._store = store

    async def digests(self) -> dict[ResultKey, str]:
        """Return the latest digest of each result."""
        where = {"site": self._site.id}
        span = await self._store.span(schema.BASIS, where=where)
        if span is None:
            return {}
        found = await self._store.read_text(
            schema.BASIS, schema.DIGEST, where=where, start_ms=span[0], end_ms=span[1] + 1
        )
        return {
            (one.tags["result"], one.tags["scope"]): one.values[max(one.values)] for one in found
        }

    async def record(self, digests: Mapping[ResultKey, str], today: date) -> None:
        """Store digests.

        Raises:
            PointsRefused: the store rejects some of the digests.
        """
        where = {"site": self._site.id}
        span = await self._store.span(schema.BASIS, where=where)
        time_ms = periods.midnight_ms(today, self._site.zone)
        if span is not None:  # the new digest must be the latest, even after a clock that was ahead
            time_ms = max(time_ms, span[1])
        points = [
            Point.of(
                schema.BASIS,
                (("result", result), ("scope", scope), ("site", self._site.id)),
                ((schema.DIGEST, digest),),
                time_ms,
            )
            for (result, scope), digest in digests.items()
        ]
        await ConsumptionStore(self._site, self._store).write_figures(points)
