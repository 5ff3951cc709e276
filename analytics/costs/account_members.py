"""Find the meters that an account bills, and the meters below them. Pure.

Law: a meter belongs to the account of the nearest meter at or above it that an account bills.
"""

from collections.abc import Sequence
from datetime import date

from analytics.figures.boundary.site_structure import SiteStructure
from analytics.tariffs.tariff import Account


def account_members(
    accounts: Sequence[Account], structure: SiteStructure, day: date
) -> dict[str, tuple[str, ...]]:
    """Return the ids of the consumption meters of each account on a local day, by account.

    The account's own meters come first.
    """
    owners = {meter: account.id for account in accounts for meter in account.meters}
    places = structure.on(day).places
    found: dict[str, list[str]] = {account.id: list(account.meters) for account in accounts}
    for meter in structure.site.meter:
        if meter.id in owners or meter.role != "consumption":
            continue
        above = places[meter.id].parent
        while above is not None and above not in owners:
            above = places[above].parent
        if above is not None and structure.site.meters[above].medium == meter.medium:
            found[owners[above]].append(meter.id)
    return {account: tuple(meters) for account, meters in found.items()}
