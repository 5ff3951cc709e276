"""After rows of a site's files changed, the service stores what a new store would get from them."""

import asyncio
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest

from analytics import app, figure_queries, periods
from analytics.pipeline.consumption_windows import ConsumptionWindows
from analytics.pipeline.costs.cost_writer import CostWriter
from analytics.pipeline.metered_amounts import MeterPeriod
from analytics.publications import publication_files
from analytics.settings import AnalyticsSettings
from analytics.site_analytics import daily_writers
from analytics.site_analytics import opened as opened_analytics
from jieneng.metering import schema
from jieneng.metering.errors import StoreUnavailable
from jieneng.metering.schema import Point
from jieneng.site_folder import load
from jieneng.storage import Store
from tests.analytics.pipeline.quotas.test_quota_figures import QUOTAS
from tests.analytics.sites import HEAD, two_part_price
from tests.analytics.test_app import NO_ALERTS, opened, running
from tests.stepped_clock import SteppedClock

HOUR_MS = 3_600_000
ZONE = ZoneInfo("Asia/Shanghai")
FIRST, TODAY = date(2025, 12, 23), date(2026, 2, 3)
SETTINGS = AnalyticsSettings(every_s=3600, alerts=NO_ALERTS, detail_days=3)

SITE = """
[[area]]
id = "block"
name = "block"
institutions = ["bureau"]
floor_area_m2 = [{from = 2020-01-01, value = 1000.0}]
headcount = [{from = 2020-01-01, value = 10}]

[[area]]
id = "annex"
name = "annex"
institutions = ["office"]
floor_area_m2 = [{from = 2020-01-01, value = 500.0}]

[[meter]]
id = "main"
name = "main"
medium = "electricity"
area = "block"

[[meter]]
id = "canteen"
name = "canteen"
medium = "electricity"
area = "block"
parent = "main"
item = "special"

[[meter]]
id = "net"
name = "net"
medium = "electricity"
area = "block"
parent = "main"
formula = "main - canteen"
item = "hvac"
"""
TARIFFS = """
[[account]]
id = "3208001"
meters = ["main"]
tariff = [{from = 2025-01-01, value = "jiangsu-two-part"}]
""" + two_part_price(2025)
MOVED = 'account = [{from = 2026-01-01, value = "3208001"}]'
PLAN = """
[[baseline]]
id = "usual"
from = 2025
reason = "an example"
"""
FACTORS = """
[[factor]]
id = "own"
kind = "carbon"
medium = "electricity"
region = "320800"
value = 0.7
unit = "kgCO2/kWh"
from = 2019-01-01
source = "an example for a test"
confidence = "recalled"
"""
FILES = {
    "site.toml": HEAD + SITE,
    "tariffs.toml": TARIFFS,
    "quotas.toml": QUOTAS,
    "plan.toml": PLAN,
    "factors.toml": FACTORS,
    "alerts.toml": "[hours]\nholiday = [2026-01-05]\n",
}
RATIOS = "ct = [{from = 2026-01-08, value = 1.0}, {from = 2026-01-20, value = 2.0}]\n"
#: Changes of the files: file, old and new text.
CHANGES = {
    "formula": ("site.toml", '"main - canteen"', '"main - 0.5 * canteen"'),
    "sub-item": ("site.toml", 'item = "hvac"', 'item = "lighting"'),
    "area of a meter": ("site.toml", 'area = "block"\nparent', 'area = "annex"\nparent'),
    "ratio": ("site.toml", 'parent = "main"\nitem', 'parent = "main"\n' + RATIOS + 'item'),
    "floor area": ("site.toml", "value = 1000.0", "value = 900.0"),
    "price": ("tariffs.toml", "flat = 0.64", "flat = 0.7"),
    "account of a meter": ("site.toml", 'name = "main"', 'name = "main"\n' + MOVED),
    "account": ("tariffs.toml", '"3208001"', '"3208002"'),
    "calendar": ("alerts.toml", "2026-01-05", "2025-12-25"),
    "factor": ("factors.toml", "value = 0.7", "value = 0.6"),
    "baseline": ("plan.toml", PLAN, ""),
    "quota": ("quotas.toml", "value = 36_500.0", "value = 30_000.0"),
    "id of a quota": ("quotas.toml", 'id = "block"', 'id = "whole"'),
}  # fmt: skip
#: The others are tested in long runs only.
SHORT = ("formula", "price")


def made(path: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a site."""
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text, encoding="utf-8")
    return path


async def write_readings(store: Store) -> None:
    """Write 10 kWh an hour of the main, 4 of the canteen, with a few that are missing."""
    start_ms, end_ms = (periods.midnight_ms(day, ZONE) for day in (FIRST, TODAY))
    times = np.arange(start_ms, end_ms + 12 * HOUR_MS, HOUR_MS).tolist()
    points = [
        Point(
            "electricity",
            (("meter", meter), ("site", "centre")),
            ("energy_kwh", "quality"),
            (1000.0 + kwh * number + number % 5, 0.0),
            time_ms,
        )
        for meter, kwh in (("main", 10.0), ("canteen", 4.0))
        for number, time_ms in enumerate(times)
        if not (meter == "canteen" and 500 <= number < 530)
    ]
    await store.write(points)


def noon() -> SteppedClock:
    """Return a clock at noon of the last day."""
    return SteppedClock(periods.midnight_ms(TODAY, ZONE) + 12 * HOUR_MS, sleepers=1)


async def serve(path: Path, *, hours: int = 4) -> None:
    """Run the service at noon of the last day, as long as anything is left to write."""
    folder = load(path)
    clock = noon()
    async with running(folder, SETTINGS, clock):
        await clock.run_until(clock.now_ms() + hours * HOUR_MS)


async def first_day(path: Path) -> None:
    """Compute all results of a new store, as the commands and the service do."""
    folder = load(path)
    async with opened(folder, SETTINGS.store) as store:
        await write_readings(store)
    await app.backfill(folder, SETTINGS, FIRST, TODAY, noon(), lambda _: None)
    async with opened_analytics(folder, SETTINGS) as (store, pipeline):
        writers = daily_writers(folder, pipeline, store)
        await writers["quality"].update(date(2026, 1, 1), ())
    await serve(path, hours=1)


async def stored(path: Path) -> dict[tuple[object, ...], float | str]:
    """Return everything that the analytics stored, apart from digests and marks."""
    left_out = {schema.BASIS, schema.RECOMPUTED_DAY, "electricity"}
    found: dict[tuple[object, ...], float | str] = {}
    async with opened(load(path), SETTINGS.store) as store:
        for name in sorted(schema.MEASUREMENTS - left_out):
            for field in sorted(schema.FIELDS[name]):
                where: dict[str, Any] = {"where": {"site": "centre"}, "start_ms": 0}
                where["end_ms"] = 2**42
                if field in schema.TEXT_FIELDS:
                    for text in await store.read_text(name, field, **where):
                        tags = tuple(sorted(text.tags.items()))
                        found |= {(name, tags, field, at): v for at, v in text.values.items()}
                    continue
                for one in await store.read(name, field, **where):
                    tags = tuple(sorted(one.tags.items()))
                    rows = zip(one.times_ms.tolist(), one.values.tolist(), strict=True)
                    found |= {(name, tags, field, at): v for at, v in rows}
    return found


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose results are all stored."""
    path = made(tmp_path_factory.mktemp("computed") / "site", FILES)
    asyncio.run(first_day(path))
    return path


async def test_published_figures_do_not_change(computed: Path, tmp_path: Path) -> None:
    path = tmp_path / "site"
    shutil.copytree(computed, path)
    publication, _ = await figure_queries.publication(load(path), SETTINGS, "2025", noon())
    file = publication_files.write(path, msgspec.structs.replace(publication, by="a person"))
    published = file.read_bytes()
    made(path, {"site.toml": FILES["site.toml"].replace("- canteen", "- 0.5 * canteen")})
    await serve(path)
    assert file.read_bytes() == published
    now, _ = await figure_queries.publication(load(path), SETTINGS, "2025", noon())
    assert now.consumption != publication.consumption, "the difference is shown"


async def test_a_command_does_not_need_the_service(computed: Path, tmp_path: Path) -> None:
    """10 - 4 kWh an hour before, 10 - 0.5 * 4 after."""
    path = tmp_path / "site"
    shutil.copytree(computed, path)
    made(path, {"site.toml": FILES["site.toml"].replace("- canteen", "- 0.5 * canteen")})
    december = MeterPeriod(("net",), date(2025, 12, 25), date(2025, 12, 26))
    [found] = await figure_queries.metered(load(path), SETTINGS, [december], noon())
    assert found.amount == pytest.approx(8.0 * 24, abs=4)


async def test_a_new_name_computes_nothing_again(
    computed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site"
    shutil.copytree(computed, path)
    made(path, {"site.toml": FILES["site.toml"].replace('name = "canteen"', 'name = "食堂"')})
    capsys.readouterr()
    await serve(path, hours=1)
    assert "computed again" not in capsys.readouterr().out


async def test_work_that_was_interrupted_is_repeated(
    computed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The store is not available during the consumption, and then during the costs."""
    path = tmp_path / "site"
    shutil.copytree(computed, path)
    made(path, {"site.toml": FILES["site.toml"].replace("- canteen", "- 0.5 * canteen")})

    async def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("connection refused")

    for where, name in ((ConsumptionWindows, "recompute"), (CostWriter, "write")):
        with monkeypatch.context() as patched:
            patched.setattr(where, name, fail)
            await serve(path, hours=0)
    capsys.readouterr()
    await serve(path)
    done = [line for line in capsys.readouterr().out.splitlines() if "again: done" in line]
    assert any("costs" in line for line in done)
    assert not any("indicators" in line for line in done), "they were done before"
    await first_day(
        made(tmp_path / "new", {**FILES, "site.toml": (path / "site.toml").read_text()})
    )
    assert await stored(path) == await stored(tmp_path / "new")


@pytest.mark.parametrize(
    "change",
    [pytest.param(one, marks=() if one in SHORT else pytest.mark.long) for one in CHANGES],
)
async def test_results_of_all_days_follow_a_changed_row(
    computed: Path, tmp_path: Path, change: str
) -> None:
    name, old, new = CHANGES[change]
    assert old in FILES[name]
    changed = {**FILES, name: FILES[name].replace(old, new, 1)}
    path = tmp_path / "changed"
    shutil.copytree(computed, path)
    before = await stored(path)
    made(path, changed)
    await serve(path)
    after = await stored(path)
    await first_day(made(tmp_path / "new", changed))
    expected = await stored(tmp_path / "new")
    differs = {
        key[0] for key in expected.keys() | before.keys() if expected.get(key) != before.get(key)
    }
    assert differs, "the change matters"
    wrong = {key for key in expected.keys() | after.keys() if expected.get(key) != after.get(key)}
    assert not wrong, (
        len(wrong),
        sorted({str(key[0]) for key in wrong}),
        sorted(wrong, key=repr)[:4],
    )
