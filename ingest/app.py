"""Run the ingest service. Any number of copies may run; none holds data that would be missed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from ingest.admission import MessageChecker, QuarantineItem
from ingest.batcher import Batcher
from ingest.metrics import Metrics
from ingest.quarantine import Quarantine, new_entry
from ingest.receiver import Receiver
from ingest.settings import IngestSettings
from jieneng import observe
from jieneng.clock import Clock
from jieneng.metering.errors import StoreUnavailable
from jieneng.site_folder import SiteFolder
from jieneng.storage import open_store
from jieneng.storage.retention import find_short_retention


async def run(folder: SiteFolder, settings: IngestSettings, clock: Clock) -> None:
    """Receive, store and acknowledge until cancelled.

    Raises:
        ConfigError: the file of a secret can't be read.
        UsageError: the port of the metrics is taken.
    """
    log = observe.log("ingest").bind(site=folder.site.id)
    metrics = Metrics()
    store = open_store(settings.store, folder.path)
    quarantine = Quarantine(folder.path / settings.quarantine.path, settings.quarantine.max_bytes)

    async def write_quarantine(items: Sequence[QuarantineItem]) -> None:
        now_ms = clock.now_ms()
        entries = [
            new_entry(now_ms, item.topic, item.reason, item.detail, item.payload) for item in items
        ]
        metrics.quarantine_lost.inc(await asyncio.to_thread(quarantine.append, entries))

    receiver = Receiver(settings, folder.site.id, metrics=metrics, clock=clock, log=log)
    batcher = Batcher(
        settings.batch, store, write_quarantine, receiver.acknowledge, metrics=metrics, log=log
    )
    try:
        with suppress(StoreUnavailable):  # the first write logs it, and waits for the store
            await store.prepare()
            if short := await find_short_retention(store, clock.now_ms()):
                log.error(
                    "the store deletes readings: its retention is shorter than its history",
                    retention_days=round(short.kept_s / 86400),
                    oldest_days=round(short.oldest_s / 86400),
                )
        async with (
            observe.serving_metrics(settings.metrics, metrics.registry, log),
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(batcher.run(), name="batcher")
            tasks.create_task(receiver.run(MessageChecker(folder.site), batcher), name="receiver")
    finally:
        await store.close()
