"""Run the ingest service. Any number of copies may run; no data is lost with any of them."""

import asyncio
from contextlib import suppress

from ingest.admission.current_checker import CurrentChecker
from ingest.metrics import Metrics
from ingest.quarantine.quarantine_file import Quarantine
from ingest.quarantine.quarantine_writer import QuarantineWriter
from ingest.receipts.receipt_file import ReceiptFile
from ingest.receipts.receipt_reporter import ReceiptReporter
from ingest.receiver import Receiver
from ingest.settings import IngestSettings, QuarantineSettings
from ingest.storing.batcher import Batcher
from ingest.storing.late_days import LateDays
from ingest.storing.point_writer import PointWriter
from jieneng import observe
from jieneng.clock import Clock
from jieneng.metering.errors import StoreUnavailable
from jieneng.mqtt import broker
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store, open_store
from jieneng.storage.retention import find_short_retention


async def run(folder: SiteFolder, settings: IngestSettings, clock: Clock) -> None:
    """Receive, store and acknowledge until cancelled.

    Raises:
        ConfigError: the file of a secret can't be read.
        UsageError: the port of the metrics is taken.
    """
    broker.check_files(settings.broker)
    log = observe.log("ingest").bind(site=folder.site.id)
    metrics = Metrics()
    store = open_store(settings.store, folder.path)
    quarantine = open_quarantine(folder, settings.quarantine)
    writer = QuarantineWriter(quarantine, metrics=metrics, clock=clock, log=log)
    receipts = open_receipts(folder, settings.quarantine)
    reporter = ReceiptReporter(folder.site.id, receipts, quarantine, clock, log)
    late_days = LateDays(folder.site, clock)
    points = PointWriter(
        store, late_days, asyncio.get_running_loop().time, metrics=metrics, log=log
    )
    checker = CurrentChecker(folder, clock, log)
    metrics.last_readings.current_site = lambda: checker.site
    receiver = Receiver(settings, folder.site.id, metrics=metrics, log=log)
    batcher = Batcher(
        settings.batch,
        points,
        writer.write,
        receiver.acknowledge,
        reporter.record,
        metrics=metrics,
    )
    try:
        with suppress(StoreUnavailable):  # the first write logs it, and waits for the store
            await store.prepare()
        async with (
            observe.serving_metrics(
                settings.metrics,
                metrics.registry,
                log,
                lambda: [*points.faults(), *writer.faults(), *receiver.faults()],
            ),
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(writer.watch(batcher.retry_postponed), name="quarantine")
            tasks.create_task(batcher.run(), name="batcher")
            tasks.create_task(reporter.run(batcher.add_points), name="receipts")
            tasks.create_task(_check_retention(store, clock, log), name="retention")
            tasks.create_task(receiver.run(checker, batcher), name="receiver")
    finally:
        await store.close()
        quarantine.close()
        receipts.close()


async def _check_retention(store: Store, clock: Clock, log: observe.Log) -> None:
    """Log an error if the store deletes readings; skipped if the account may not read that."""
    with suppress(StoreUnavailable):
        if short := await find_short_retention(store, clock.now_ms()):
            log.error(
                "the store deletes readings: its retention is shorter than its history",
                retention_days=round(short.kept_s / 86400),
                oldest_days=round(short.oldest_s / 86400),
            )


def open_quarantine(folder: SiteFolder, settings: QuarantineSettings) -> Quarantine:
    """Return the quarantine of a site."""
    return Quarantine(folder.path / settings.path, settings.max_bytes, settings.max_other_bytes)


def open_receipts(folder: SiteFolder, settings: QuarantineSettings) -> ReceiptFile:
    """Return the file that records the batches received on this machine."""
    return ReceiptFile(folder.path / settings.path)
