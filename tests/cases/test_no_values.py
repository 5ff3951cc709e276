"""Register contents by which a device says that it has no value.

The meter is of a model of the site's own, which counts tenths of a kWh, and is read each hour for a
week in which 10 kWh flow in an hour. At night it answers with such a content.
"""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cases.case_site import CaseSite, hours, meter

WEEK = hours(datetime(2025, 3, 3), datetime(2025, 3, 10, 1))
MODEL = """
[model]
id = "logger"
name = "logger"
medium = "electricity"
source = "made for a test of this project"
confidence = "manual"
limits = "none known"

[[point]]
quantity = "energy_kwh"
function = 3
address = 0
scale = 0.1
"""


def site_of(folder: Path, point: str, *keys: str) -> CaseSite:
    (folder / "logger.toml").write_text(MODEL + point, encoding="utf-8")
    return CaseSite(folder, meter("e-a", 'model = "logger"', *keys))


def week_with(night: float, ratio: float = 1.0) -> list[tuple[datetime, float | str]]:
    """Return the readings of the week; from 0 to 5 h the register holds `night`."""
    start = WEEK[0]
    return [
        (time, round(ratio * (night if time.hour < 6 else 1000 + 10 * at), 4))
        for time in WEEK
        for at in [(time - start) / timedelta(hours=1)]
    ]


@pytest.mark.parametrize(
    ("point", "night", "ratio"),
    [
        ('type = "u32"', 429496729.5, 1.0),
        ('type = "u32"\nmodulus = 429496729.6', 429496729.5, 1.0),
        ('type = "u16"', 6553.5, 1.0),
        ('type = "i32"\nunknown = 0x7FFFFFFF', 214748364.7, 1.0),
        ('type = "u32"\nunknown = [0xFFFFFFFE, 0xFFFFFFF0]', 429496728.0, 1.0),
        ('type = "u16"\nfraction = {address = 1, type = "u16", scale = 65536}', 429496729.5, 1.0),
        ('type = "u32"\nratio = ["ct"]', 429496729.5, 40.0),
        ('type = "u64"', 1844674407370955161.5, 1.0),
    ],
)
def test_a_register_that_is_full_at_night_is_no_consumption(
    tmp_path: Path, point: str, night: float, ratio: float
) -> None:
    """12.9 billion kWh were counted of the first of these, at a coverage of 0.98."""
    ct = ["ct = [{from = 2020-01-01, value = 40.0}]"] if ratio > 1 else []
    site = site_of(tmp_path, point, *ct)
    site.load(site.readings(week_with(night, ratio)), *(["--side", "primary"] if ct else []))
    figure = site.figure("electricity", "2025-03")
    from_morning_to_evening = 161  # hours from the first reading by day to the last one
    assert figure["value"] == pytest.approx(from_morning_to_evening * 10 * ratio)


def test_a_full_register_is_a_reading_where_the_model_says_that_all_contents_are_values(
    tmp_path: Path,
) -> None:
    site = site_of(tmp_path, 'type = "u16"\nunknown = []')
    rows: list[tuple[datetime, float | str]] = [
        (time, 6553.5 - 10 * (len(WEEK) - 1 - at)) for at, time in enumerate(WEEK)
    ]
    site.load(site.readings(rows))
    assert site.figure("electricity", "2025-03")["value"] == pytest.approx(1680)


def test_a_meter_of_which_a_night_is_all_ones_has_the_consumption_of_its_days(
    tmp_path: Path,
) -> None:
    """Without a model, and in a scale of its own; a night alone ended with an IndexError."""
    site = CaseSite(tmp_path, meter("e-a"))
    rows = week_with(4294967295.0)
    site.load(site.readings(rows), "--sure")
    assert site.figure("electricity", "2025-03")["value"] == pytest.approx(1610)


def test_a_meter_that_only_ever_said_no_value_is_unknown(tmp_path: Path) -> None:
    site = CaseSite(tmp_path, meter("e-a"))
    site.load(site.readings([(time, 4294967295.0) for time in WEEK]), "--sure")
    assert site.figure("electricity", "2025-03")["value"] is None
