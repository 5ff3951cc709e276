"""Read the stored bills of accounts: the measurement `bill`."""

from collections.abc import Mapping
from datetime import date

from analytics import periods
from analytics.costs.bill_comparison import Bill
from analytics.tariffs.tariff import Account
from jieneng.metering import schema
from jieneng.metering.quantities import CONSUMPTION
from jieneng.metering.site import Site
from jieneng.storage import Store


async def account_bills(
    account: Account, site: Site, store: Store, start: date, end: date
) -> list[Bill]:
    """Return the bills of an account whose last day is from `start` to before `end`, by time.

    Bills are stored by meter. The bills of an account are those of all its meters whose first day
    is one on which the account bills the meter.
    """
    start_ms, end_ms = (periods.midnight_ms(day, site.zone) for day in (start, end))
    bills = []
    for meter_id in account.meters:
        rows: dict[str, Mapping[int, float]] = {}
        amount = CONSUMPTION[site.meters[meter_id].medium]
        for field in (amount, schema.COST_YUAN, schema.INTERVAL_S):
            found = await store.read(
                schema.BILL,
                field,
                where={"site": site.id, "meter": meter_id},
                start_ms=start_ms - schema.LONGEST_INTERVAL_MS,
                end_ms=end_ms,
            )
            rows[field] = {
                time_ms: value
                for series in found
                for time_ms, value in zip(
                    series.times_ms.tolist(), series.values.tolist(), strict=True
                )
            }
        for time_ms, length_s in rows[schema.INTERVAL_S].items():
            bill_end = periods.local_day(time_ms + round(length_s * 1000), site.zone)
            bill_start = periods.local_day(time_ms, site.zone)
            is_of_account = site.meters[meter_id].is_billed_by(account.id, bill_start)
            if time_ms in rows[amount] and start < bill_end <= end and is_of_account:
                bills.append(
                    Bill(
                        account.id,
                        bill_start,
                        bill_end,
                        rows[amount][time_ms],
                        rows[schema.COST_YUAN].get(time_ms),
                    )
                )
    return sorted(bills, key=lambda bill: bill.start)
