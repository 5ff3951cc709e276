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
LATER = """to = 2025-12-31

[[price]]
tariff = "own"
from = 2025-12-01
flat = 0.6
peak = 0.9
valley = 0.4

"""
#: Prices of a contract, which replace the prices with a component.
SHARES = "0.6\npeak = 0.9\nvalley = 0.4"
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
        ("[[account]]", f"{LATER}[[account]]", "force until 2025-12-31, but the next one begins"),
        ("flat = 0.6", "flat = 60.0", "flat is far from usual prices, 0.35 to 1.4 yuan/kWh"),
        ("flat = 0.6", "flat = 0.00006", "flat is far from usual prices"),
        ("peak = 0.9", "peak = 90.0", "tariffs.toml:20: the price of own from 2025-06-01: peak is"),
        ("peak = 0.9\nvalley = 0.4", "peak = 0.4\nvalley = 0.9", "higher in valley than in peak"),
        (SHARES, "0.3957\npurchase = 0.64", "greater than the flat price, of which it is a part"),
        (SHARES, "0.64\npurchase = 39.57", "greater than the flat price"),
        (SHARES, "64.0\npurchase = 39.57", "flat is far from usual prices"),
        ('schedule = "own"', 'schedule = "own"\npeak_share = 80.0', "peak_share can't be 80.0"),
        ('schedule = "own"', 'schedule = "own"\nvalley_share = 65.0', "valley_share can't be 65.0"),
        ('schedule = "own"', 'schedule = "own"\nsharp_factor = 20.0', "sharp_factor can't be 20.0"),
        ('schedule = "own"', 'schedule = "own"\ncontract_margin = 105.0', "margin can't be"),
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
    text = TARIFFS.replace(old, new, 1)
    if old == SHARES:
        text = text.replace(
            'schedule = "own"', 'schedule = "own"\npeak_share = 0.8\nvalley_share = 0.65'
        )
    (tmp_path / "tariffs.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_tariffs(tmp_path, SITE)
    assert sentence in str(error.value)


def test_a_contract_states_prices_of_the_hours_of_its_schedule_only(tmp_path: Path) -> None:
    """A boiler with heat storage has flat and valley hours, and two prices."""
    text = TARIFFS.replace("peak = [[", "flat = [[").replace("peak = 0.9\n", "")
    (tmp_path / "tariffs.toml").write_text(text, encoding="utf-8")
    prices = load_tariffs(tmp_path, SITE).prices["own"]
    assert [(price.flat, price.valley) for price in prices] == [(0.6, 0.4)]


def test_a_price_with_an_end_may_be_followed_at_once(tmp_path: Path) -> None:
    text = TARIFFS.replace("[[account]]", f"{LATER}[[account]]").replace("12-31", "11-30")
    (tmp_path / "tariffs.toml").write_text(text, encoding="utf-8")
    assert len(load_tariffs(tmp_path, SITE).prices["own"]) == 2
