"""Find the meters that an account bills on each day, and the meters below them. Pure.

Laws:

1. A meter belongs to the account of the nearest meter at or above it that an account bills. The
   meter tree and the account of a meter may change from one day to the next.
2. The account's own meters of a day are those that are there: installed and not removed. A meter
   that has consumption is there. On a day on which none is there, all count, so that the
   consumption of this day is unknown.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analytics.figures.boundary.lifetime import existing_days
from analytics.figures.boundary.site_structure import DayStructure, SiteStructure
from analytics.tariffs.tariff import Account

if TYPE_CHECKING:
    from numpy.typing import NDArray


class AccountMembers(msgspec.Struct, frozen=True):
    """The meters of an account by day.

    Attributes:
        meters: ids of the account's own meters, then of the meters below them.
        is_billed: shape (meters, days): True if the account bills the meter.
        is_there: shape (meters, days): True if the meter is installed.
        is_member: shape (meters, days): True if the account bills the meter, or one above it.
    """

    meters: tuple[str, ...]
    is_billed: "NDArray[np.bool_]"
    is_there: "NDArray[np.bool_]"
    is_member: "NDArray[np.bool_]"

    def of(self, meters: Sequence[str], days: slice | None = None) -> "AccountMembers":
        """Return the members in the order of the given ids, on some of the days."""
        rows = [self.meters.index(meter) for meter in meters]
        chosen = slice(None) if days is None else days
        masks = self.is_billed, self.is_there, self.is_member
        return AccountMembers(tuple(meters), *(mask[rows][:, chosen] for mask in masks))

    def own(self, amount: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Return the account's own meters of each day (law 2), shape (meters, days).

        Args:
            amount: shape (meters, days), consumption of each meter.
        """
        present = self.is_billed & (self.is_there | (amount != 0))
        return np.where(present.any(axis=0), present, self.is_billed)


def account_members(
    accounts: Sequence[Account], structure: SiteStructure, days: Sequence[date]
) -> dict[str, AccountMembers]:
    """Return the consumption meters of each account on consecutive local days, by account."""
    meters = structure.site.meters
    spans = list(_spans(structure, days))
    by_span = [_owners(accounts, structure, days[span.start]) for span in spans]
    members = [
        _members(owners, structure.on(days[span.start]), structure)
        for span, owners in zip(spans, by_span, strict=True)
    ]
    ordinals = np.array([day.toordinal() for day in days], dtype=np.int64)
    found = {}
    for account in accounts:
        below = {one for of_span in members for one, by in of_span.items() if by == account.id}
        below -= set(account.meters)
        order = (*account.meters, *(meter for meter in meters if meter in below))
        is_billed, is_member = (np.zeros((len(order), len(days)), dtype=np.bool_) for _ in range(2))
        for span, owners, of_span in zip(spans, by_span, members, strict=True):
            is_billed[:, span] = [[owners.get(one) == account.id] for one in order]
            is_member[:, span] = [[of_span.get(one) == account.id] for one in order]
        is_there = np.array([existing_days(meters[one], ordinals) for one in order])
        found[account.id] = AccountMembers(order, is_billed, is_there, is_member)
    return found


def _spans(structure: SiteStructure, days: Sequence[date]) -> Iterator[slice]:
    """Yield the slices of days on which neither the structure nor an account changes."""
    accounts = (meter.account for meter in structure.site.meter)
    changes = sorted({row.from_ for rows in accounts if isinstance(rows, tuple) for row in rows})
    for span, _ in structure.spans(days):
        inside = [bisect_left(days, change, span.start, span.stop) for change in changes]
        edges = sorted({span.start, *inside, span.stop})
        yield from (slice(*edge) for edge in pairwise(edges))


def _owners(accounts: Sequence[Account], structure: SiteStructure, day: date) -> Mapping[str, str]:
    """Return the account of each billed meter on a local day."""
    meters = structure.site.meters
    return {
        one: account.id
        for account in accounts
        for one in account.meters
        if meters[one].is_billed_by(account.id, day)
    }


def _members(
    owners: Mapping[str, str], of_days: DayStructure, structure: SiteStructure
) -> Mapping[str, str]:
    """Return the account of each consumption meter that belongs to one (law 1)."""
    found = dict(owners)
    for meter in structure.site.meter:
        if meter.id in owners or meter.role != "consumption":
            continue
        above = of_days.places[meter.id].parent
        while above is not None and above not in owners:
            above = of_days.places[above].parent
        if above is not None and structure.site.meters[above].medium == meter.medium:
            found[meter.id] = owners[above]
    return found
