"""Read the tariffs of a site: the packaged file, then `tariffs.toml` beside `site.toml`.

Law: all mistakes are reported at once, each with file and line.
"""

from pathlib import Path
from typing import Final

import msgspec

from analytics.alerts.checking.id_check import repeated_ids
from analytics.rule_documents import rule_documents
from analytics.rule_rows import check_located, decoded, merge_rows, rows_of
from analytics.tariffs.account_check import account_meters, check_accounts
from analytics.tariffs.price_check import PriceContext, check_prices
from analytics.tariffs.schedule_check import check_schedules
from analytics.tariffs.tariff import Price, Tariffs, TariffsFile
from analytics.tariffs.tariff_check import check_references, check_tariffs
from jieneng.metering.errors import ConfigError, Problem, UnreadKeys
from jieneng.metering.site import Site

TARIFFS_FILE: Final = "tariffs.toml"


def load_tariffs(path: Path, site: Site | None) -> Tariffs:
    """Return the packaged tariffs, merged with the `tariffs.toml` of a site's folder.

    Args:
        path: the site's folder.
        site: the site; None while `site.toml` has mistakes. Accounts then have the meters that
            their rows state.

    Raises:
        ConfigError: all mistakes in `tariffs.toml`.
    """
    problems = list[Problem]()
    files = decoded(rule_documents(path, TARIFFS_FILE, problems), TariffsFile, problems)
    schedule_rows = merge_rows((file.schedule, document) for file, document in files)
    tariff_rows = merge_rows((file.tariff, document) for file, document in files)
    price_rows = merge_rows((file.price, document) for file, document in files)
    account_rows = merge_rows((file.account, document) for file, document in files)
    reference_rows = merge_rows((file.reference_price, document) for file, document in files)
    for file, document in files:
        for table in TariffsFile.__struct_fields__:
            repeated = repeated_ids(table, getattr(file, table), UnreadKeys())
            problems += map(document.locate, repeated)
    schedules = {row.id: row for row in rows_of(schedule_rows)}
    tariffs = {row.id: row for row in rows_of(tariff_rows)}
    context = PriceContext(tariffs, schedules, rows_of(reference_rows))
    problems += [
        *check_located("schedule", schedule_rows, check_schedules),
        *check_located("tariff", tariff_rows, lambda rows: check_tariffs(rows, schedules)),
        *check_located("price", price_rows, lambda rows: check_prices(rows, context)),
        *check_located("account", account_rows, lambda rows: check_accounts(rows, tariffs, site)),
        *check_located("reference_price", reference_rows, check_references),
    ]
    if problems:
        raise ConfigError(problems)
    prices: dict[str, list[Price]] = {}
    for row in sorted(rows_of(price_rows), key=lambda row: row.from_):
        prices.setdefault(row.tariff, []).append(row)
    accounts = rows_of(account_rows)
    if site is not None:
        accounts = tuple(
            msgspec.structs.replace(row, meters=account_meters(row, site)) for row in accounts
        )
    return Tariffs(schedules, tariffs, prices, accounts, rows_of(reference_rows))
