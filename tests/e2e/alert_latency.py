"""The time from a change at a meter to its notice, at the usual intervals: polling every 10 s,
evaluation every 10 s, and 5 s in which a notice waits for others.

The heaters are switched on at times that are spread over the intervals. Without mosquitto there is
nothing to measure.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.result import Result
from tests.e2e.alert_chain import alert_chain
from tests.servers import Mosquitto

_METERS: Final = 8
_INTERVAL_S: Final = 10.0
#: Time until all services run, and the alerts have their lead [s].
_START_S: Final = 40.0


def results() -> Iterator[Result]:
    """Return the median and the longest of the times."""
    if shutil.which("mosquitto") is None and not Path("/usr/sbin/mosquitto").exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(Path(folder) / "mosquitto")
        broker.start()
        try:
            latencies_s = asyncio.run(_measure(Path(folder) / "site", broker))
        finally:
            broker.stop()
    yield Result(bench="alerts.latency_median", value=median(latencies_s), unit="s")
    yield Result(bench="alerts.latency", value=max(latencies_s), unit="s", bar="< 30")


async def _measure(folder: Path, broker: Mosquitto) -> list[float]:
    async with alert_chain(
        folder, broker, meters=_METERS, interval_s=_INTERVAL_S, every_s=10.0, wait_s=5.0
    ) as chain:
        await asyncio.sleep(_START_S)

        async def latency_s(number: int) -> float:
            await asyncio.sleep(number * 1.3 * _INTERVAL_S)
            switched_s = await chain.switch_on(number)
            return await chain.told(number) - switched_s

        return await asyncio.gather(*map(latency_s, range(1, _METERS + 1)))
