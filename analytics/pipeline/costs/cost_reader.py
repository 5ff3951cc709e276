"""Compute the costs of accounts and scopes in periods, from consumption by interval.

Laws:

1. Only days that are over are counted.
2. Consumption is read from the start of a month on; with yearly steps from the start of the year,
   and with bills from the start of the first bill on.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import msgspec

from analytics import periods
from analytics.calendar.working_calendar import WorkingCalendar
from analytics.costs.account_costs import account_cost
from analytics.costs.account_days import AccountDays, account_days
from analytics.costs.account_members import AccountMembers, account_members
from analytics.costs.bill_comparison import Bill
from analytics.costs.cost_result import CostResult
from analytics.costs.period_amounts import period_amounts
from analytics.costs.scope_costs import scope_cost
from analytics.figures.boundary.site_structure import SiteStructure
from analytics.figures.roll_up import scopes
from analytics.periods import Period
from analytics.pipeline.costs.bill_reader import account_bills
from analytics.pipeline.intervals.interval_reader import IntervalReader
from analytics.tariffs.account_plan import account_plan
from analytics.tariffs.tariff import Account, DayType, Tariffs
from jieneng.metering.errors import UsageError
from jieneng.metering.quantities import MEDIA
from jieneng.site_folder import SiteFolder
from jieneng.storage import Store


class _BilledDays(msgspec.Struct, frozen=True):
    """An account by day, and its bills."""

    days: AccountDays
    bills: tuple[Bill, ...]


class CostReader:
    """Computes the costs of a site.

    Args:
        folder: the site.
        tariffs: tariffs and accounts of the site.
        calendar: holidays and working days of the site.
        store: the store, prepared.
    """

    def __init__(
        self, folder: SiteFolder, tariffs: Tariffs, calendar: WorkingCalendar, store: Store
    ) -> None:
        self._site = folder.site
        self._tariffs = tariffs
        self._calendar = calendar
        self._store = store
        self._intervals = IntervalReader(folder, store)
        self._structure = SiteStructure(folder.site)
        self._scopes = scopes(folder.site)
        self._known_members: tuple[tuple[date, ...], Mapping[str, AccountMembers]] | None = None

    @property
    def has_accounts(self) -> bool:
        """True if the site has accounts, so that it has costs."""
        return bool(self._tariffs.accounts)

    def require_subject(self, subject: str) -> None:
        """Check that an account or scope exists.

        Raises:
            UsageError: it does not.
        """
        known = [
            *(account.id for account in self._tariffs.accounts),
            *(scope.id for scope in self._scopes),
        ]
        if subject not in known:
            raise UsageError(
                "{scope} is no account, and not the site, an area or an institution; known are"
                " {known}.",
                scope=subject,
                known=", ".join(known),
            )

    async def costs(self, wanted: Sequence[Period], today: date) -> list[CostResult]:
        """Return the costs of all accounts and scopes, by period.

        Args:
            wanted: the periods.
            today: the present local day; only days before it are counted.
        """
        begun = [period for period in wanted if period.until(today).days > 0]
        if not begun:
            return []
        first = min(period.start for period in begun)
        end = max(period.until(today).end for period in begun)
        billed = [
            await self._billed_days(account, first, end) for account in self._tariffs.accounts
        ]
        return [one for period in begun for one in self._results(period, billed)]

    def _results(self, period: Period, billed: Sequence[_BilledDays]) -> list[CostResult]:
        """Return the costs in a period: accounts first, then scopes by medium."""
        references = self._tariffs.references
        of_accounts = [
            account_cost(one.days, period, self._structure, one.bills, references) for one in billed
        ]
        of_scopes = []
        for medium in MEDIA:
            accounts = [one.days for one in billed if one.days.plan.medium == medium]
            for scope in self._scopes if accounts else ():
                found = scope_cost(scope, medium, period, accounts, self._site)
                of_scopes += [] if found is None else [found]
        return [*of_accounts, *of_scopes]

    async def _billed_days(self, account: Account, first: date, end: date) -> _BilledDays:
        """Return an account by day from `first` or earlier to before `end`, and its bills."""
        bills = await account_bills(account, self._site, self._store, first, end)
        begin = min([first, *(bill.start for bill in bills)]).replace(day=1)
        resets = {self._tariffs.tariffs[row.value].resets for row in account.tariff}
        if "yearly" in resets:
            begin = begin.replace(month=1)
        plan = account_plan(account, self._tariffs, periods.days(begin, end), self._day_type)
        members = self._members(plan.days)[account.id]
        windows = [
            period_amounts(plan, members, window, self._site.zone)
            async for window in self._intervals.windows(
                plan.medium, plan.interval, begin, end, members.meters
            )
        ]
        return _BilledDays(account_days(plan, members, windows), tuple(bills))

    def _members(self, days: tuple[date, ...]) -> Mapping[str, AccountMembers]:
        """Return the meters of all accounts; those of the last days asked for are kept."""
        if self._known_members is None or self._known_members[0] != days:
            found = account_members(self._tariffs.accounts, self._structure, days)
            self._known_members = days, found
        return self._known_members[1]

    def _day_type(self, day: date) -> DayType:
        if self._calendar.is_workday(day):
            return "workday"
        return "holiday" if self._calendar.is_holiday(day) else "weekend"
