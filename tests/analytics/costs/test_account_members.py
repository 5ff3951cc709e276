"""Meters below an account's meters belong to it, as far as to the meters of another account."""

from datetime import date

from analytics.costs.account_members import account_members
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.tariffs.tariff import Account, DatedTariff
from tests.analytics.sites import site

SITE = site(
    """
[[area]]
id = "block"
name = "block"

[[meter]]
id = "main"
name = "main"
medium = "electricity"
area = "block"

[[meter]]
id = "lighting"
name = "lighting"
medium = "electricity"
area = "block"
item = "lighting"

[[meter]]
id = "shop"
name = "shop"
medium = "electricity"
area = "block"
parent = "main"

[[meter]]
id = "till"
name = "till"
medium = "electricity"
area = "block"
parent = "shop"

[[meter]]
id = "roof"
name = "roof"
medium = "electricity"
area = "block"
parent = "main"
role = "generation"

[[meter]]
id = "cellar"
name = "cellar"
medium = "electricity"
area = "block"
"""
)


def account(number: str, *meters: str) -> Account:
    return Account(id=number, meters=meters, tariff=(DatedTariff(date(2020, 1, 1), "t"),))


def test_a_meter_belongs_to_the_nearest_account_above_it() -> None:
    """The sub-item without a parent is below the main of its area; the cellar is below nothing."""
    accounts = (account("1", "main"), account("2", "shop"))
    found = account_members(accounts, SiteStructure(SITE), [date(2026, 1, 1)])
    assert {one: found[one].meters for one in found} == {
        "1": ("main", "lighting"),
        "2": ("shop", "till"),
    }
