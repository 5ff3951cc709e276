"""Mistakes in `tariffs.toml` are reported with file, line and fix."""

from pathlib import Path

import pytest

from analytics.tariffs.tariff_files import load_tariffs
from jieneng.metering.errors import ConfigError
from tests.analytics.sites import site

SITE = site(
    """
[[area]]
id = "block"
name = "block"

[[meter]]
id = "e"
name = "e"
medium = "electricity"
area = "block"
account = "3208001"

[[meter]]
id = "w"
name = "w"
medium = "water"
area = "block"

[[meter]]
id = "roof"
name = "roof"
medium = "electricity"
area = "block"
role = "generation"
"""
)
TARIFFS = """
[[schedule]]
id = "own"
source = "contract of 2025"
[[schedule.season]]
peak = [["08:00", "20:00"]]
valley = [["20:00", "08:00"]]

[[tariff]]
id = "own"
medium = "electricity"
unit = "yuan/kWh"
schedule = "own"
source = "contract of 2025"

[[price]]
tariff = "own"
from = 2025-06-01
flat = 0.6
peak = 0.9
valley = 0.4

[[account]]
id = "3208001"
tariff = [{from = 2025-06-01, value = "own"}]
demand = [{from = 2025-06-01, basis = "capacity", capacity_kva = 800.0}]
"""
PRICE = """
[[price]]
tariff = "own"
from = 2025-06-01
flat = 0.6
peak = 0.9
valley = 0.4

"""
ACCOUNT = """
[[account]]
id = "1"
meters = ["e"]
tariff = [{from = 2025-06-01, value = "own"}]

"""


def test_an_account_has_the_meter_on_which_its_number_is(tmp_path: Path) -> None:
    (tmp_path / "tariffs.toml").write_text(TARIFFS, encoding="utf-8")
    tariffs = load_tariffs(tmp_path, SITE)
    assert [account.meters for account in tariffs.accounts] == [("e",)]
    assert {"own", "jiangsu-two-part"} <= set(tariffs.tariffs)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('["20:00", "08:00"]', '["20:00", "07:30"]', "in month 1, on a workday, 07:30 has no"),
        ('["08:00", "20:00"]', '["07:00", "20:00"]', "07:00 has two price periods"),
        ('["20:00", "08:00"]', '["20:00", "08:15"]', "08:15 is neither a full nor a half hour"),
        ('valley = [["20', 'sharp = [["09:00", "10:00"], ["09:30", "11:00"]]\nvalley = [["20',
         "09:30 is sharp or deep valley twice"),
        ("yuan/kWh", "yuan/m3", "tariffs.toml:12: tariff own is in yuan/m3; it must be in"),
        ('schedule = "own"', 'schedule = "none"', "none is no schedule"),
        ('schedule = "own"', 'schedule = "own"\npeak_share = 0.8', "are needed together"),
        ('schedule = "own"', 'schedule = "own"\nresets = "yearly"', "a schedule and steps"),
        ('tariff = "own"\nfrom', 'tariff = "ours"\nfrom', "tariffs.toml:17: ours is no tariff"),
        ("flat = 0.6\n", "", "needs either flat or steps"),
        ("flat = 0.6\n", "steps = [{above = 5, price = 1}]\n", "has steps, but the tariff"),
        ("peak = 0.9\n", "", "lacks prices for peak and valley"),
        ("valley = 0.4", "valley = 0.4\npurchase = 0.3", "has no peak_share and valley_share"),
        ("[[account]]", f"{PRICE}[[account]]", "occurs more than once in the table price"),
        ('value = "own"', 'value = "ours"', "account 3208001: ours is no tariff"),
        ('id = "3208001"', 'id = "3208002"', "tariffs.toml:24: account 3208002 has no meter"),
        ('id = "3208001"', 'id = "3208001"\nmeters = ["f"]', "f is no meter of site.toml"),
        ('id = "3208001"', 'id = "3208001"\nmeters = ["w"]', "w is of another medium"),
        ('id = "3208001"', 'id = "3208001"\nmeters = ["roof"]', "does not measure consumption"),
        (", capacity_kva = 800.0", "", "the basis capacity needs capacity_kva"),
        ("demand = [{from = 2025-06-01", "demand = [{from = 2025-06-02", "within a month"),
        ("[[account]]", f"{ACCOUNT}[[account]]", "meter e belongs to account 1 already"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_with_its_line(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    (tmp_path / "tariffs.toml").write_text(TARIFFS.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_tariffs(tmp_path, SITE)
    assert sentence in str(error.value)
