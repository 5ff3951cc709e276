"""Any site folder can be simulated, also without simulator.toml; wrong settings are refused."""

from pathlib import Path

import numpy as np
import pytest

from jieneng.metering.errors import ConfigError
from jieneng.site_folder import SiteFolder, load, read_settings
from simulators.serving import site_server
from simulators.settings import LoadRow, SimulatorSettings, Trend
from simulators.simulated_site import SETTINGS_FILE

SITE = """
[site]
id = "two"
name = "two"
[[area]]
id = "house"
name = "house"
{size}
[[area]]
id = "floor"
name = "floor"
parent = "house"
"""
METER = """
[[meter]]
id = "{name}"
name = "{name}"
medium = "electricity"
model = "eastron-sdm630"
area = "{area}"
rated_max = 100.0
"""
MONDAY_NOON = 1_763_956_800_000  # 2025-11-24, 12:00 in Huai'an
WEEK_MS = 7 * 86_400_000


def _folder(
    path: Path, *meters: str, size: str = "floor_area_m2 = [{from = 2020-01-01, value = 1000.0}]"
) -> SiteFolder:
    (path / "site.toml").write_text(SITE.format(size=size) + "".join(meters))
    return load(path)


def _week(folder: SiteFolder, settings: SimulatorSettings, meter: str) -> float:
    times = np.asarray([MONDAY_NOON, MONDAY_NOON + WEEK_MS])
    simulated = site_server.simulate_site(folder, settings)
    return float(np.diff(simulated.meters[meter].load.consumption(times))[0])


@pytest.mark.server
def test_meters_that_measure_the_same_share_what_there_is(tmp_path: Path) -> None:
    one = _folder(tmp_path, METER.format(name="a", area="house"))
    alone = _week(one, SimulatorSettings(), "a")
    both = _folder(
        tmp_path, METER.format(name="a", area="house"), METER.format(name="b", area="house")
    )
    assert _week(both, SimulatorSettings(), "a") == pytest.approx(alone / 2)
    assert _week(both, SimulatorSettings(), "b") == pytest.approx(alone / 2, rel=0.1)


def test_an_area_without_size_takes_the_sites_and_a_site_without_one_the_nameplate(
    tmp_path: Path,
) -> None:
    sized = _folder(tmp_path, METER.format(name="a", area="floor"))
    assert 500 < _week(sized, SimulatorSettings(), "a") < 3000  # 1000 m2 of offices
    bare = _folder(tmp_path, METER.format(name="a", area="floor"), size="")
    week = _week(bare, SimulatorSettings(), "a")
    assert week == pytest.approx(100 * (5 * 3.0 + 7 * 0.6), rel=0.1)


def test_a_trend_holds_for_the_areas_inside_unless_they_have_their_own(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path, METER.format(name="a", area="house"), METER.format(name="b", area="floor")
    )
    plain = {name: _week(folder, SimulatorSettings(), name) for name in "ab"}
    outer = Trend(area="house", energy_pct_per_year=-10.0)
    inner = Trend(area="floor", energy_pct_per_year=5.0)
    years = 5.9  # from 2020-01-01 to that week
    for trends, name, factor in (
        ((outer,), "a", 0.9**years),
        ((outer,), "b", 0.9**years),
        ((outer, inner), "b", 1.05**years),
    ):
        week = _week(folder, SimulatorSettings(trend=trends), name)
        assert week == pytest.approx(plain[name] * factor, rel=0.01)


def test_a_load_can_be_named_and_scaled(tmp_path: Path) -> None:
    folder = _folder(tmp_path, METER.format(name="a", area="house"))
    row = LoadRow(meter="a", recipe="data-room-it", scale=0.5)
    week = _week(folder, SimulatorSettings(load=(row,)), "a")
    assert week == pytest.approx(1000 * 0.5 * 5.0 * 7, rel=0.1)


@pytest.mark.server
@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            '[[trend]]\narea = "hous"',
            "trend: area = hous, but hous is not defined. Known are: floor, house",
        ),
        ('[[load]]\nmeter = "z"', "load: meter = z"),
        ('[[load]]\nmeter = "a"\nrecipe = "soup"', "load: recipe = soup"),
        ('[[replay]]\nmeter = "z"\nfile = "f"\ncolumn = "c"', "replay: meter = z"),
        ("[ports]\nnowhere = 502", "ports: nowhere = nowhere"),
        ("seeed = 1", "unknown key seeed. Did you mean seed"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, line: str, says: str) -> None:
    folder = _folder(tmp_path, METER.format(name="a", area="house"))
    (tmp_path / SETTINGS_FILE).write_text(line)
    with pytest.raises(ConfigError) as refused:
        site_server.simulate_site(
            folder, read_settings(tmp_path / SETTINGS_FILE, SimulatorSettings)
        )
    assert says in str(refused.value)
