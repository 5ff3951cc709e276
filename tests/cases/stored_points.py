"""The stored values of a meter of a case, by local time."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

from jieneng.metering.quantities import CONSUMPTION, Medium
from jieneng.storage import StoreSettings, open_store
from tests.cases.case_site import CaseSite

MEDIA: dict[str, Medium] = {"e": "electricity", "w": "water", "g": "gas", "h": "heat"}
ZONE = ZoneInfo("Asia/Shanghai")


def stored(
    site: CaseSite, meter_id: str, measurement: str, field: str | None = None
) -> dict[str, float]:
    """Return the values of a field by local time, such as `2025-02-01 00:00`.

    Args:
        site: the site.
        meter_id: the meter.
        measurement: electricity, interval, ...
        field: the field; the consumption quantity of the meter if omitted.
    """
    name = field or CONSUMPTION[MEDIA[meter_id[0]]]

    async def read() -> dict[str, float]:
        store = open_store(StoreSettings(), site.folder)
        try:
            found = await store.read(
                measurement, name, where={"meter": meter_id}, start_ms=0, end_ms=4 * 10**12
            )
            return {
                f"{datetime.fromtimestamp(time_ms / 1000, ZONE):%Y-%m-%d %H:%M}": float(value)
                for series in found
                for time_ms, value in zip(series.times_ms, series.values, strict=True)
            }
        finally:
            await store.close()

    return asyncio.run(read())
