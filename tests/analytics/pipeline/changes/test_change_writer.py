"""Changes by cause and further comparisons are stored once a day, and withdrawn later."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from analytics import periods
from analytics.pipeline.changes.change_writer import ChangeWriter
from analytics.pipeline.pipeline import Pipeline
from analytics.site_analytics import load_rules
from jieneng.metering import schema
from jieneng.metering.schema import Point
from jieneng.metering.site import Site
from jieneng.storage import Store
from tests.analytics.sites import folder as site_folder

BLOCK = """
[[area]]
id = "block"
name = "block"
floor_area_m2 = [{from = 2019-01-01, value = 1000.0}]

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"

[[meter]]
id = "w"
name = "w"
medium = "water"
area = "block"
"""
ANNEX = """
[[area]]
id = "annex"
name = "annex"
floor_area_m2 = [{from = 2023-07-01, value = 500.0}]

[[meter]]
id = "e-annex"
name = "e-annex"
medium = "electricity"
area = "annex"
installed = 2023-07-01
"""
BASELINE = """
[[baseline]]
id = "usual"
from = 2019
reason = "offices were closed in 2020"
"""
FACTORS = """
[[factor]]
id = "of-2020"
kind = "carbon"
medium = "electricity"
region = "320800"
value = 0.7
unit = "kgCO2/kWh"
from = 2019-01-01
to = 2020-12-31
source = "an example for a test"
confidence = "recalled"

[[factor]]
id = "of-2025"
kind = "carbon"
medium = "electricity"
region = "320800"
value = 0.5
unit = "kgCO2/kWh"
from = 2025-01-01
source = "an example for a test"
confidence = "recalled"
"""
HEAD = """
[site]
id = "centre"
name = "centre"
division = "320800"
"""
END_MS = 2**43
Stored = Mapping[tuple[str, ...], Mapping[str, object]]


def consumption(site: Site, meter: str, first: date, end: date, a_day: float) -> list[Point]:
    medium = site.meters[meter].medium
    tags = {"kind": "meter", "scope": meter, "medium": medium, "interval": "day"}
    field = "volume_m3" if medium == "water" else "energy_kwh"
    fields = {field: a_day, schema.COVERAGE: 1.0, schema.BOUNDED: 1.0}
    return [
        point
        for time_ms in periods.edges_ms(first, end, "day", site.zone)[:-1].tolist()
        if (point := schema.point(schema.CONSUMPTION, {"site": site.id, **tags}, fields, time_ms))
    ]


async def filled(path: Path, store: Store) -> Pipeline:
    """Return the pipeline of a site: 200 kWh a day in 2019 and 2020, 150 in 2025, and an annex."""
    (path / "plan.toml").write_text(BASELINE, encoding="utf-8")
    (path / "factors.toml").write_text(FACTORS, encoding="utf-8")
    folder = site_folder(path, BLOCK + ANNEX, HEAD)
    site = folder.site
    for year, a_day in ((2019, 240.0), (2020, 200.0), (2025, 150.0)):
        days = date(year, 1, 1), date(year + 1, 1, 1)
        await store.write(consumption(site, "e", *days, a_day))
        await store.write(consumption(site, "w", *days, 10.0))
        if year == 2025:
            await store.write(consumption(site, "e-annex", *days, 100.0))
    return Pipeline(folder, load_rules(path, site=site), store)


async def stored(store: Store, measurement: str, **where: str) -> Stored:
    """Return the fields of each point, by the values of the tags that are not in `where`."""
    found: dict[tuple[str, ...], dict[str, object]] = {}

    def add(tags: Mapping[str, str], field: str, rows: list[tuple[int, object]]) -> None:
        [(time_ms, value)] = rows
        names = [tag for tag in schema.TAGS[measurement] if tag not in {"site", *where}]
        fields = found.setdefault(tuple(tags[name] for name in names), {"time_ms": time_ms})
        assert fields["time_ms"] == time_ms, "only the latest point"
        fields[field] = value

    for field in schema.FIELDS[measurement]:
        if field in schema.TEXT_FIELDS:
            for text in await store.read_text(
                measurement, field, where=where, start_ms=0, end_ms=END_MS
            ):
                add(text.tags, field, list(text.values.items()))
        else:
            for one in await store.read(measurement, field, where=where, start_ms=0, end_ms=END_MS):
                rows = zip(one.times_ms.tolist(), one.values.tolist(), strict=True)
                add(one.tags, field, list(rows))
    return found


@pytest.fixture
def carbon_of_2025() -> dict[str, str]:
    return {"scope": "block", "indicator": "carbon_total", "period": "2025"}


async def test_the_effects_of_a_year_add_up_to_its_change_by_source_and_in_sum(
    tmp_path: Path, store: Store, carbon_of_2025: dict[str, str]
) -> None:
    """366 x 200 kWh at 0.7 become 365 x 150 at 0.5: activity (54,750 - 73,200) x 0.6, in t."""
    pipeline = await filled(tmp_path, store)
    await ChangeWriter(pipeline, store).update(date(2026, 1, 3), ())
    found = await stored(store, schema.CARBON_CHANGE, **carbon_of_2025)
    assert set(found) == {("all",), ("grid",)}
    whole = found["all",]
    assert whole["base_period"] == "2020"
    assert (whole["base"], whole["value"]) == pytest.approx((51.24, 27.375))
    assert whole["activity_effect"] == pytest.approx((54.75 - 73.2) * 0.6)
    assert whole["factor_effect"] == pytest.approx(-0.2 * (54.75 + 73.2) / 2)
    assert whole["change"] == pytest.approx(27.375 - 51.24)
    assert (whole["status"], whole["coverage"]) == ("split", 1.0)
    assert "area_effect" not in whole
    assert found["grid",]["change"] == pytest.approx(27.375 - 51.24)
    last_day_ms = periods.midnight_ms(date(2025, 12, 31), pipeline.folder.site.zone)
    assert whole["time_ms"] == last_day_ms


async def test_each_step_begins_where_the_one_before_it_ends(
    tmp_path: Path, store: Store, carbon_of_2025: dict[str, str]
) -> None:
    pipeline = await filled(tmp_path, store)
    await ChangeWriter(pipeline, store).update(date(2026, 1, 3), ())
    where = carbon_of_2025 | {"indicator": "carbon_per_floor_area"}
    found = await stored(store, schema.CARBON_STEP, **where)
    steps = sorted(found.items(), key=lambda step: float(str(step[1]["place"])))
    names = ["base", "activity", "supply", "factor", "area", "value"]
    assert [key[0] for key, _ in steps] == names
    level = 0.0
    for (name,), step in steps[:-1]:
        total, below, up, down = (
            float(str(step[field])) for field in ("total", "below", "increase", "decrease")
        )
        assert min(up, down) == 0.0
        if name == "base":
            assert below == up == down == 0.0
            level = total
        else:
            assert total == 0.0
            assert below == pytest.approx(level - down)
            level += up - down
    assert level == pytest.approx(float(str(steps[-1][1]["total"])))


async def test_a_change_that_is_not_split_says_why_and_has_no_steps(
    tmp_path: Path, store: Store
) -> None:
    pipeline = await filled(tmp_path, store)
    await ChangeWriter(pipeline, store).update(date(2026, 1, 3), ())
    where = {"scope": "block", "indicator": "carbon_total", "period": "2020"}
    found = await stored(store, schema.CARBON_CHANGE, **where)
    assert (found["all",]["status"], found["all",]["value"]) == ("no_baseline", 51.24)
    assert not {"change", "activity_effect"} & set(found["all",])
    assert await stored(store, schema.CARBON_STEP, **where) == {}


async def test_like_for_like_and_a_further_baseline_stand_beside_the_plain_change(
    tmp_path: Path, store: Store
) -> None:
    """Site: 91,250 kWh against 73,200 in 2020; without the annex 54,750, and 87,600 in 2019."""
    pipeline = await filled(tmp_path, store)
    await ChangeWriter(pipeline, store).update(date(2026, 1, 3), ())
    where = {"scope": "centre", "indicator": "electricity", "period": "2025"}
    found = await stored(store, schema.COMPARISON, **where)
    assert set(found) == {("like_for_like",), ("usual",)}
    plain = pytest.approx(100 * (91_250 / 73_200 - 1), abs=1e-6)
    alike, usual = found["like_for_like",], found["usual",]
    assert alike["plan_change_pct"] == usual["plan_change_pct"] == plain
    assert alike["change_pct"] == pytest.approx(100 * (54_750 / 73_200 - 1), abs=1e-6)
    assert usual["change_pct"] == pytest.approx(100 * (91_250 / 87_600 - 1), abs=1e-6)
    assert (alike["left_out_areas"], usual["left_out_areas"]) == (1.0, 0.0)
    assert (alike["baseline_period"], usual["baseline_period"]) == ("2020", "2019")
    gone = await stored(store, schema.LEFT_OUT_AREA, scope="centre", period="2025")
    [(key, annex)] = gone.items()
    assert key == ("annex", "joined")
    joined_ms = periods.midnight_ms(date(2023, 7, 1), pipeline.folder.site.zone)
    assert (annex["day_ms"], annex["unmetered"]) == (float(joined_ms), "water")


async def test_a_comparison_that_no_longer_holds_is_withdrawn(tmp_path: Path, store: Store) -> None:
    """The annex is taken out of the site, and the baseline out of the plan."""
    pipeline = await filled(tmp_path, store)
    await ChangeWriter(pipeline, store).update(date(2026, 1, 3), ())
    assert await stored(store, schema.LEFT_OUT_AREA, period="2025")
    (tmp_path / "plan.toml").write_text("", encoding="utf-8")
    folder = site_folder(tmp_path, BLOCK, HEAD)
    rules = load_rules(tmp_path, site=folder.site)
    await ChangeWriter(Pipeline(folder, rules, store), store).update(date(2026, 1, 3), ())
    assert await stored(store, schema.COMPARISON, period="2025") == {}
    assert await stored(store, schema.LEFT_OUT_AREA, period="2025") == {}
    assert await stored(store, schema.CARBON_CHANGE, period="2025", scope="annex") == {}
    assert await stored(store, schema.CARBON_CHANGE, period="2025", scope="block")


async def test_a_second_writer_stores_the_same_bytes(tmp_path: Path, store: Store) -> None:
    pipeline = await filled(tmp_path, store)
    found = []
    for _ in range(2):
        await ChangeWriter(pipeline, store).update(date(2025, 9, 3), ())
        found.append(
            [
                await stored(store, measurement, period="2025")
                for measurement in (
                    *(schema.CARBON_CHANGE, schema.CARBON_STEP),
                    *(schema.COMPARISON, schema.LEFT_OUT_AREA),
                )
            ]
        )
    assert found[0] == found[1]
    assert all(found[0])


async def test_a_running_year_is_written_once_a_day_and_keeps_its_latest_point(
    tmp_path: Path, store: Store, carbon_of_2025: dict[str, str]
) -> None:
    pipeline = await filled(tmp_path, store)
    zone = pipeline.folder.site.zone
    writer = ChangeWriter(pipeline, store)

    async def value() -> tuple[object, object]:
        found = await stored(store, schema.CARBON_CHANGE, **carbon_of_2025)
        return found["all",]["value"], found["all",]["time_ms"]

    for today in (date(2025, 2, 1), date(2025, 2, 2)):
        days = (today - date(2025, 1, 1)).days
        for changed in ((), (date(2025, 1, 5),)):
            await writer.update(today, changed)
            expected = pytest.approx(days * 150 * 0.5 / 1000)
            assert await value() == (expected, periods.midnight_ms(today, zone))


async def test_a_changed_base_year_rewrites_the_years_that_are_compared_with_it(
    tmp_path: Path, store: Store, carbon_of_2025: dict[str, str]
) -> None:
    pipeline = await filled(tmp_path, store)
    writer = ChangeWriter(pipeline, store)
    await writer.update(date(2027, 3, 3), ())
    site = pipeline.folder.site
    await store.write(consumption(site, "e", date(2020, 1, 1), date(2021, 1, 1), 100.0))
    await writer.update(date(2027, 3, 4), [date(2020, 6, 1)])
    found = await stored(store, schema.CARBON_CHANGE, **carbon_of_2025)
    assert found["all",]["base"] == pytest.approx(36.6 * 0.7)
