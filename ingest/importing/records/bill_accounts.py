"""Find the meters that a bill bills, by its account and its days. Pure.

Laws:

1. The meters of an account are those that `--account` states, else those of its row in
   `tariffs.toml`, else those whose `account` in `site.toml` is the account.
2. A bill bills the meters that belong to the account and are installed on any of its days. On days
   on which none is installed, it bills the account's first meter, so that bills of earlier years
   count. It is stored at the first of its meters on its first day.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from ingest.importing.forms.column_words import plain
from jieneng.metering.site import Meter, Site
from jieneng.metering.site_rules.meter_successors import exists


class BillAccounts:
    """The accounts of a site and their meters.

    Attributes:
        columns: id of the first meter of each account, by the number of the account as it may be
            written in a file: also without leading zeros, which spreadsheets remove.

    Args:
        site: the site.
        stated: meters by account, as a person stated them with `--account`.
        rows: meters of the accounts in `tariffs.toml`, by account.
    """

    def __init__(
        self, site: Site, stated: Mapping[str, str], rows: Mapping[str, Sequence[str]]
    ) -> None:
        self._site = site
        meters: dict[str, tuple[str, ...]] = {}
        for meter in site.meter:
            for account in dict.fromkeys(meter.accounts):
                meters[account] = (*meters.get(account, ()), meter.id)
        meters |= {account: tuple(of_row) for account, of_row in rows.items() if of_row}
        names = {account.lstrip("0"): account for account in meters} | {one: one for one in meters}
        self.columns = {name: meters[account][0] for name, account in names.items()} | {**stated}
        self._meters = meters
        self._accounts = {
            plain(name): account for name, account in names.items() if name not in stated
        }

    def account(self, name: str) -> str | None:
        """Return the account that a text in a file means; None if it is none of the site's."""
        return self._accounts.get(plain(name))

    def billed(self, account: str, start: date, end: date) -> tuple[str, ...]:
        """Return the meters of a bill from `start` to before `end`; its own meter comes first.

        The result is empty if the account bills no meter on the first day.
        """
        days = [start, *self._changes(account, start, end)]
        of_days = [self._on(account, day) for day in days]
        if not of_days[0]:
            return ()
        return tuple(dict.fromkeys(meter for meters in of_days for meter in meters))

    def _on(self, account: str, day: date) -> list[str]:
        """Return the meters of an account on a day (law 2)."""
        meters = [self._site.meters[one] for one in self._meters[account]]
        billed = [meter for meter in meters if meter.is_billed_by(account, day)]
        there = [meter.id for meter in billed if exists(meter, day)]
        return there or [meter.id for meter in billed[:1]]

    def _changes(self, account: str, start: date, end: date) -> list[date]:
        """Return the days within a bill on which its meters may change."""
        found: set[date] = set()
        for meter_id in self._meters[account]:
            found |= _change_days(self._site.meters[meter_id])
        return sorted(day for day in found if start < day < end)


def _change_days(meter: Meter) -> set[date]:
    dated = meter.account if isinstance(meter.account, tuple) else ()
    days = {row.from_ for row in dated}
    days |= set() if meter.installed is None else {meter.installed}
    return days | (set() if meter.removed is None else {meter.removed + timedelta(days=1)})
