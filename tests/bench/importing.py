"""Measure the import of a file of history: reading, judging and writing.

The CSV has a million rows of 20 meters in the long layout, the XLSX 100,000 rows of 4 meters in the
wide one. Processor time of one core is measured; the store is the embedded one.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import openpyxl

from ingest.importing.forms.import_options import ImportOptions
from ingest.importing.importer import import_readings
from jieneng.clock import SystemClock
from jieneng.metering.site import Area, Meter, Site, SiteInfo
from jieneng.site_folder import SiteFolder
from jieneng.storage import StoreSettings, open_store
from tests.bench.result import Result

_ROWS: Final = 1_000_000
_SHEET_ROWS: Final = 100_000
_METERS: Final = [f"e-{number:02}" for number in range(20)]
_SHEET_METERS: Final = _METERS[:4]
_START: Final = datetime(2001, 1, 1)  # noqa: DTZ001 - files have local times


def results() -> Iterator[Result]:
    """Processor time of the check of a file (dry run), and of the whole import."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, file in (("csv", _csv(folder)), ("xlsx", _xlsx(folder))):
            yield Result(
                bench=f"import.{kind}_check", value=_import_s(folder, file, dry_run=True), unit="s"
            )
            yield Result(
                bench=f"import.{kind}",
                value=_import_s(folder, file, dry_run=False),
                unit="s",
                bar="<= 60" if kind == "csv" else "",
            )


def _import_s(folder: Path, file: Path, *, dry_run: bool) -> float:
    begin = time.process_time()
    asyncio.run(_import(folder, file, dry_run=dry_run))
    return time.process_time() - begin


async def _import(folder: Path, file: Path, *, dry_run: bool) -> None:
    store = open_store(StoreSettings(), folder)
    await store.prepare()
    try:
        report = await import_readings(
            file,
            SiteFolder(folder, _site(), {}),
            store,
            ImportOptions(dry_run=dry_run, replace=True),
            lambda _: None,
            SystemClock(),
        )
        assert report.problem_count == 0
    finally:
        await store.close()


def _site() -> Site:
    meters = tuple(
        Meter(id=meter, name=meter, medium="electricity", area="a", rated_max=4000.0)
        for meter in _METERS
    )
    identity = SiteInfo(id="s", name="s", timezone="Asia/Shanghai")
    return Site(site=identity, area=(Area(id="a", name="a"),), meter=meters)


def _csv(folder: Path) -> Path:
    path = folder / "long.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("time,meter,quantity,value\n")
        for step in range(_ROWS // len(_METERS)):
            moment = _START + timedelta(minutes=15 * step)
            file.writelines(
                f"{moment:%Y-%m-%d %H:%M},{meter},energy_kwh,{1000.25 + 1.5 * step}\n"
                for meter in _METERS
            )
    return path


def _xlsx(folder: Path) -> Path:
    path = folder / "wide.xlsx"
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("data")
    sheet.append(["time", *_SHEET_METERS])
    for step in range(_SHEET_ROWS):
        values = [50_000.25 + 1.5 * step + place for place in range(len(_SHEET_METERS))]
        sheet.append([_START + timedelta(minutes=5 * step), *values])
    book.save(path)
    return path
